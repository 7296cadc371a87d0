"""Searches as users write them: what is refused, and what becomes of the rest."""

from __future__ import annotations

import json
import sys

import pytest

from rapidfire_lab import ConfigError, GridSearch, List, Range
from rapidfire_lab.configs import expand, json_knobs
from rapidfire_lab.search import ASHA, PBT, BayesianSearch, Hyperband, PairedRacing, searches_in
from tests.search.curves import EPOCHS, SPACE, settle

GRID = GridSearch({**SPACE, "optimizer": {"name": "AdamW", "args": {"lr": List([0.1, 0.01, 0.001])}}})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ASHA(SPACE), "ASHA draws configs from knobs: say how many, as in num_runs=27"),
        (lambda: ASHA(SPACE, 0), "ASHA num_runs must be a whole number of 1 or more, not 0"),
        (lambda: ASHA(SPACE, 9, mode="least"), 'mode must be "min" or "max" for each metric'),
        (lambda: ASHA(SPACE, 9, metric=["val_loss", "size"]), "use BayesianSearch for several"),
        (lambda: ASHA(SPACE, 9, budget={"epoch": 3}), "budget has no 'epoch' .did you mean 'epochs'"),
        (lambda: ASHA(SPACE, 9, budget={"epochs": 0}), "budget epochs must be above 0"),
        (lambda: ASHA(SPACE, 9, sampler="tpf"), "no sampler 'tpf'; did you mean 'tpe'"),
        (lambda: ASHA(SPACE, 9, min_epochs=EPOCHS).definition(), "leaves nothing to drop of runs of 27 epochs"),
        (lambda: ASHA(GRID, sampler="tpe"), "needs knobs to choose from"),
        (lambda: ASHA(GRID, constraint=lambda config: False).definition(), "leaves none of 3 configs"),
        (lambda: ASHA({**SPACE, "optimizer": "AdamW", "w": List([1, 2])}, 3).definition(), "give only about 2"),
        (lambda: PairedRacing(SPACE, 9, confidence=95), "confidence must lie between 0 and 1"),
        (lambda: PBT({**SPACE, "batch_size": List([8, 16])}, 4), "PBT cannot move 'batch_size'"),
        (lambda: PBT(GRID, 4), "PBT needs knobs to move"),
        (lambda: BayesianSearch(SPACE, 9, metric=["a", "b"], sampler="gp"), "takes one metric"),
        (lambda: BayesianSearch(SPACE, 9, metric=["a", "b"], pruner="median"), "pruner compares runs by one metric"),
        (lambda: BayesianSearch(SPACE, 9, pruner="hyperband"), "no pruner 'hyperband': use Hyperband"),
        (lambda: BayesianSearch(SPACE, 9, pruner="medain"), "no pruner 'medain'; did you mean 'median'"),
        (lambda: BayesianSearch(SPACE, 9, pruner=["median"]), "pruner must be a name or"),
        (
            lambda: BayesianSearch(SPACE, 9, pruner={"name": "median", "args": {"steps": 1}}),
            "'median' cannot be made of",
        ),
        (lambda: BayesianSearch(SPACE, 9, pruner="threshold"), "'threshold' cannot be made of"),
        (lambda: ASHA(SPACE, 9, pruner="median"), "ASHA says itself which runs train on"),
        (lambda: GridSearch([ASHA(SPACE, 9)]).leaves(), "ASHA cannot stand here"),
        (lambda: expand([ASHA({**SPACE, "epochs": {3}}, 9)]) or ASHA({**SPACE, "epochs": {3}}, 9).definition(), "set"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("knobs", "options", "message"),
    [
        ({"x": Range(0.0, 1.0)}, {"metric": ["a", "b"]}, "takes one metric"),
        ({"x": List([1, 2])}, {}, "write a Range instead of the List at 'x'"),
        ({}, {}, "needs 2 knobs or more"),
    ],
)
def test_cma_es_is_refused_where_the_space_does_not_suit_it(knobs, options, message):
    pytest.importorskip("cmaes")
    with pytest.raises(ConfigError, match=message):
        BayesianSearch({**SPACE, **knobs}, 9, sampler="cmaes", **options)


def test_cma_es_is_refused_where_few_runs_come_to_their_end():
    pytest.importorskip("cmaes")
    with pytest.raises(ConfigError, match='ASHA sampler="cmaes" would learn from the few runs'):
        ASHA({**SPACE, "x": Range(0.0, 1.0)}, 9, sampler="cmaes")


def test_what_cma_es_needs_is_named_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(ConfigError, match=r'needs the package cmaes, .*: pip install "rapidfire-lab\[cmaes\]"'):
        ASHA({**SPACE, "x": Range(0.0, 1.0)}, 9, sampler="cmaes")


def test_searches_are_found_among_configs_and_have_no_leaves():
    search, plain = ASHA(SPACE, 9), {**SPACE, "optimizer": "AdamW"}
    assert searches_in([plain, [GRID, [search]]]) == [search]
    assert len(expand([plain, [GRID, [search]]])) == 4
    assert expand(search) == []


def test_a_grid_is_gone_through_in_another_order_and_defaults_come_first():
    default = {**SPACE, "optimizer": {"name": "SGD", "args": {"lr": 0.5}}}
    leaves = ASHA(GRID, defaults=[default]).definition()["configs"]["leaves"]
    assert leaves[0]["train"]["optimizer"]["name"] == "SGD"
    assert sorted(leaf["train"]["optimizer"]["args"]["lr"] for leaf in leaves[1:]) == [0.001, 0.01, 0.1]


def test_a_definition_is_plain_json_and_the_same_each_time():
    for search in (ASHA(SPACE, 9), Hyperband(SPACE, 9, sampler="tpe"), PBT(SPACE, 4)):
        definition = search.definition()
        assert json.loads(json.dumps(definition)) == definition == search.definition()


def test_budgets_are_settled_when_the_search_begins():
    settled = settle(ASHA(SPACE, 9, budget={"epochs": 50, "chunks": 100, "seconds": 60}))
    assert settled["budget"] == {"epochs": 25, "deadline": 60.0}
    assert settled["concurrency"] == 8


def test_metrics_are_checked_against_what_runs_will_have():
    config = {**SPACE, "named_metrics": ["top1_accuracy"]}
    for metric in ("val_loss", "top1-accuracy", "train_top1_accuracy", "chunk_loss", "learning_rate"):
        search = ASHA(config, 9, metric=metric, sampler="tpe")
        search.check_metrics(search.definition(), validates=True)
    search = ASHA(config, 9, metric="top2_accuracy")
    with pytest.raises(ConfigError, match="'top2_accuracy', which they will not have; known: val_loss, top1_accuracy"):
        search.check_metrics(search.definition(), validates=True)
    search = ASHA(config, 9)
    with pytest.raises(ConfigError, match="'val_loss', which they will not have; known: train_loss"):
        search.check_metrics(search.definition(), validates=False)


def test_templates_come_back_from_json():
    template = {"a": List([1, {"b": Range(0.1, 1, log=True)}]), "c": [Range(1, 9, step=2), "text", None]}
    again = json_knobs.decode(json.loads(json.dumps(json_knobs.encode(template))))
    assert repr(again) == repr(template)
