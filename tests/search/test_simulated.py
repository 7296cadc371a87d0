"""Searches on made-up learning curves, over many seeds: what they find, what it costs, and what they drop wrongly."""

from __future__ import annotations

import dataclasses
import json
import random
import statistics

import pytest

from rapidfire_lab import List, Range
from rapidfire_lab.search import (
    ASHA,
    PBT,
    BayesianSearch,
    Hyperband,
    PairedRacing,
    SuccessiveHalving,
    make_conductor,
)
from rapidfire_lab.search.conductor import Drop, GoOn, Start, TrialView
from rapidfire_lab.search.racing import PairedRace, Standing
from tests.search.curves import EPOCHS, RUNS, SPACE, accuracies, play, play_definition, settle

SEEDS = range(50)
MAXIMUM = {"metric": "val_accuracy", "mode": "max"}


def found(search, curves, per_epoch=1):
    """Share of the full grid's best result that a search finds, and share of its cost; and how it went."""
    went = play(search, curves, per_epoch=per_epoch)
    length = EPOCHS * per_epoch
    ends = [curves(trial, {})[-1] for trial in range(RUNS)]
    best = went.results[went.best(length, sign=-1)][-1]
    return best / max(ends), went.epochs / (RUNS * EPOCHS), went


@pytest.mark.parametrize(("kind", "least"), [(ASHA, 2), (SuccessiveHalving, 3)])
def test_halving_finds_the_grids_best_at_30_percent_of_its_cost(kind, least):
    shares, costs = [], []
    for seed in SEEDS:
        share, cost, _ = found(kind(SPACE, RUNS, min_epochs=least, seed=seed, **MAXIMUM), accuracies(seed))
        shares.append(share)
        costs.append(cost)
    assert max(costs) <= 0.30
    assert sum(share >= 0.99 for share in shares) >= 49


def test_racing_finds_the_grids_best_at_30_percent_of_its_cost_and_rarely_drops_it():
    shares, costs, dropped = [], [], 0
    for seed in SEEDS:
        curves = accuracies(seed, per_epoch=4)
        share, cost, went = found(PairedRacing(SPACE, RUNS, seed=seed, **MAXIMUM), curves, per_epoch=4)
        best = max(range(RUNS), key=lambda trial: accuracies(seed, 4, noise=0.0)(trial, {})[-1])
        shares.append(share)
        costs.append(cost)
        dropped += len(went.results[best]) < EPOCHS * 4
    assert statistics.mean(costs) <= 0.30
    assert sum(share >= 0.99 for share in shares) >= 49
    assert dropped <= 0.05 * len(SEEDS)


def test_racing_drops_runs_that_are_the_same_no_more_often_than_it_says():
    space = {**SPACE, "epochs": 8}
    wrong = 0
    for seed in range(200):
        race = PairedRacing(space, 6, confidence=0.9, grace_epochs=0, seed=seed, **MAXIMUM)
        went = play(race, accuracies(seed, 4, same=True, length=8), per_epoch=4)
        wrong += any(isinstance(decision, Drop) for decision in went.log)
    assert wrong <= 0.1 * 200


def test_a_race_stands_as_its_curves_say():
    """All are held against the true best one, and whoever was dropped is credibly worse than it, or about to be."""
    curves = accuracies(2, per_epoch=4)
    search = PairedRacing(SPACE, 9, **MAXIMUM)
    went = play(search, curves, per_epoch=4)
    arguments = {name: value for name, value in settle(search)["algorithm"].items() if name != "kind"}
    assert PairedRace(**arguments).standing() == Standing(None, {})
    standing = PairedRace(**arguments, state=went.state["algorithm"]).standing()
    assert standing.best == max(range(9), key=lambda trial: accuracies(2, 4, noise=0.0)(trial, {})[-1])
    assert set(standing.differences) == set(range(9)) - {standing.best}
    for trial, (places, mean, low, high) in standing.differences.items():
        # The first epoch does not count; and what is dropped may have come further than what was compared.
        assert 0 < places <= len(went.results[trial]) - 4
        best, own = (went.results[one][4 : 4 + places] for one in (standing.best, trial))
        assert mean == pytest.approx(statistics.mean(best) - statistics.mean(own))
        assert low <= mean <= high
        assert mean > 0
    assert sum(low > 0 for _, _, low, _ in standing.differences.values()) >= 6


SEARCHES = [
    ASHA(SPACE, RUNS, **MAXIMUM),
    SuccessiveHalving(SPACE, RUNS, **MAXIMUM),
    Hyperband(SPACE, RUNS, **MAXIMUM),
    PairedRacing(SPACE, 9, **MAXIMUM),
    PBT(SPACE, 8, interval_epochs=3, **MAXIMUM),
    PBT(SPACE, 8, interval_epochs=9, synchronous=True, **MAXIMUM),
    BayesianSearch(SPACE, 6, **MAXIMUM),
    BayesianSearch(SPACE, 8, pruner="median", concurrency=2, **MAXIMUM),
    ASHA(SPACE, 9, sampler="tpe", **MAXIMUM),
]


@pytest.mark.parametrize(
    "search", SEARCHES, ids=lambda search: f"{search.name}-{search.sampler}-{getattr(search, 'pruner', None)}"
)
def test_neither_deaths_nor_the_number_of_slots_nor_their_speed_changes_what_is_decided(search):
    """The machine is made anew from JSON for each decision, with other slots and runs of very different speed."""
    plain = play(search, accuracies(1))
    assert plain.over == "done"
    for slots in (1, 3):
        other = play(search, accuracies(1), slots=slots, speed=lambda trial: 1.0 + trial % 5, anew=True)
        assert other.over == "done"
        assert other.log == plain.log
        assert json.dumps(other.state, sort_keys=True) == json.dumps(plain.state, sort_keys=True)
        if search.name != "racing" and not getattr(search, "pruner", None):
            # Whom these drop has come further by then, or less far.
            assert other.results == plain.results


def test_slots_are_busy_all_the_time_while_there_is_something_to_do():
    for seed in range(5):
        went = play(ASHA(SPACE, RUNS, **MAXIMUM), accuracies(seed), slots=2, speed=lambda trial: 1.0 + trial % 3 / 2)
        work = sum(len(results) * (1.0 + trial % 3 / 2) for trial, results in went.results.items())
        # At the end there is one run left that trains alone.
        assert work / (2 * went.seconds) > 0.7


def test_halving_compares_on_each_rung_and_finishes_one_in_any_case():
    went = play(SuccessiveHalving(SPACE, 9, **MAXIMUM), accuracies(3))
    lengths = sorted(len(results) for results in went.results.values())
    assert lengths == [1] * 6 + [3] * 2 + [27]
    went = play(ASHA(SPACE, 2, **MAXIMUM), accuracies(3))
    assert sorted(len(results) for results in went.results.values()) == [1, 27]


def copies_in(went):
    return [decision for decision in went.log if isinstance(decision, Start) and decision.parent is not None]


def test_generations_copy_the_best_with_other_knobs():
    went = play(PBT(SPACE, 8, interval_epochs=9, synchronous=True, **MAXIMUM), accuracies(4))
    copies = copies_in(went)
    assert len(copies) == 2 * 2
    for copy in copies:
        replaced = sorted(went.results, key=lambda trial: len(went.results[trial]))[: len(copies)]
        assert copy.parent not in replaced
        assert went.results[copy.trial][:9] == went.results[copy.parent][:9]
    assert len({json.dumps(copy.config) for copy in copies}) > 1
    assert sum(isinstance(decision, GoOn) for decision in went.log) == 2 * 6


@pytest.mark.parametrize("in_order", [True, False])
def test_populations_copy_the_best_where_these_stand(in_order):
    for seed in range(10):
        search = PBT(SPACE, 8, interval_epochs=3, in_order=in_order, **MAXIMUM)
        went = play(search, accuracies(seed), slots=3, speed=lambda trial: 1.0 + trial % 3)
        copies = copies_in(went)
        stopped = [trial for trial, results in went.results.items() if len(results) < EPOCHS]
        assert went.over == "done"
        assert len(went.results) == 8 + len(copies)
        assert len(stopped) >= len(copies) >= 4
        standing = {}
        for decision in went.log:  # how far each is trained when the next decisions are made
            if isinstance(decision, Start) and decision.parent is not None:
                at = standing[decision.parent]
                assert at % 3 == 0
                assert decision.until == at + 3
                assert went.results[decision.trial][:at] == went.results[decision.parent][:at]
            standing[decision.trial] = decision.until


def test_only_the_best_rest_for_others_and_slots_are_busy():
    """A run that is ten times as slow is left behind, where generations wait for it."""

    def busy(*, slow, **options):
        search = PBT(SPACE, 8, interval_epochs=3, **options, **MAXIMUM)
        went = play(search, accuracies(3), slots=4, speed=lambda trial: 10.0 if slow and trial == 7 else 1.0)
        return went.epochs / (4 * went.seconds)

    assert busy(slow=False) == 1.0
    assert busy(slow=True, in_order=False) > 1.2 * busy(slow=True, synchronous=True)


@pytest.mark.parametrize(("sampler", "runs"), [("tpe", 40), ("gp", 16), ("nsga2", 80), ("cmaes", 80)])
def test_samplers_learn(sampler, runs):
    """A bowl: the second half of what they propose is better than the first."""
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    space = {**SPACE, "epochs": 1, "x": Range(-1.0, 1.0), "y": Range(-1.0, 1.0)}

    def bowl(trial, config):
        return [(config["user_knobs"]["x"] - 0.3) ** 2 + (config["user_knobs"]["y"] + 0.2) ** 2]

    went = play(BayesianSearch(space, runs, sampler=sampler, concurrency=2), bowl)
    values = [results[0] for results in went.results.values()]
    assert len(values) == runs
    assert statistics.median(values[runs // 2 :]) < statistics.median(values[: runs // 2])


def test_cma_es_goes_on_from_its_results_alone_and_stores_no_code():
    pytest.importorskip("cmaes")
    search = BayesianSearch({**SPACE, "x": Range(-1.0, 1.0)}, 40, sampler="cmaes", concurrency=3, **MAXIMUM)
    plain = play(search, accuracies(1))
    anew = play(search, accuracies(1), slots=1, speed=lambda trial: 1.0 + trial % 3, anew=True)
    assert anew.log == plain.log
    notes = [trial.get("notes", {}) for trial in plain.state["supply"]["trials"]]
    assert max(note.get("cma:generation", 0) for note in notes) >= 3
    assert all(isinstance(value, int) for note in notes for value in note.values())


def test_a_pruner_of_optunas_has_runs_dropped():
    went = play(BayesianSearch(SPACE, 16, sampler="random", pruner="median", concurrency=4, **MAXIMUM), accuracies(6))
    lengths = [len(went.results[trial]) for trial in range(16)]
    assert lengths[:5] == [EPOCHS] * 5, "until five have come to their end, there is nothing to compare with"
    assert sum(length < EPOCHS for length in lengths) >= 3
    best = max(range(16), key=lambda trial: accuracies(6, noise=0.0)(trial, {})[-1])
    assert lengths[best] == EPOCHS


def test_samplers_hear_of_what_was_dropped():
    search = BayesianSearch(SPACE, 12, pruner={"name": "median", "args": {"n_startup_trials": 2}}, **MAXIMUM)
    went = play(search, accuracies(6))
    dropped = {decision.trial for decision in went.log if isinstance(decision, Drop)}
    assert dropped
    records = went.state["supply"]["trials"]
    assert all(records[trial]["results"] and not records[trial]["final"] for trial in dropped)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_several_metrics_are_traded_off(sampler):
    """Of x squared and (x - 1) squared, only an x between 0 and 1 is worth anything."""
    space = {**SPACE, "epochs": 1, "optimizer": "AdamW", "x": Range(-4.0, 4.0)}

    def pair(trial, config):
        x = config["user_knobs"]["x"]
        return [(x**2, -((x - 1) ** 2))]

    metrics = {"metric": ["near", "far"], "mode": ["min", "max"]}
    went = play(BayesianSearch(space, 60, sampler=sampler, concurrency=4, **metrics), pair)
    distances = [min(results[0][0], -results[0][1]) for results in went.results.values()]
    assert len(distances) == 60
    assert statistics.median(distances[30:]) < statistics.median(distances[:30])


def test_out_of_order_no_result_waits():
    search = ASHA(SPACE, RUNS, in_order=False, concurrency=2, **MAXIMUM)
    went = play(search, accuracies(7), slots=2, speed=lambda trial: 20.0 if trial == 0 else 1.0)
    assert went.over == "done"
    in_order = play(
        ASHA(SPACE, RUNS, concurrency=2, **MAXIMUM),
        accuracies(7),
        slots=2,
        speed=lambda trial: 20.0 if not trial else 1.0,
    )
    assert went.seconds < in_order.seconds


def test_knobs_exist_only_where_they_belong_and_constraints_hold():
    optimizers = [
        {"name": "SGD", "args": {"lr": 0.1, "momentum": Range(0.1, 0.9)}},
        {"name": "AdamW", "args": {"lr": Range(1e-4, 1e-1, log=True)}},
    ]
    space = {**SPACE, "epochs": 1, "optimizer": List(optimizers), "width": List([4, 8, 16])}
    default = {**space, "optimizer": {"name": "SGD", "args": {"lr": 0.1, "momentum": 0.5}}, "width": 64}
    seen = []

    def curve(trial, config):
        seen.append(config)
        return [random.Random(trial).random()]

    def is_small(config):
        return config["user_knobs"]["width"] < 16

    for sampler in ("random", "tpe", "nsga2"):
        seen.clear()
        search = BayesianSearch(space, 20, sampler=sampler, defaults=[default], constraint=is_small)
        play_definition(settle(search), curve, constraint=is_small)
        assert len(seen) == 20
        assert seen[0]["user_knobs"]["width"] == 64, "the default comes first, whatever the constraint says"
        assert {config["user_knobs"]["width"] for config in seen[1:]} == {4, 8}
        for config in seen:
            optimizer = config["train"]["optimizer"]
            assert set(optimizer["args"]) == {"lr"} | ({"momentum"} if optimizer["name"] == "SGD" else set())
        assert {config["train"]["optimizer"]["name"] for config in seen} == {"SGD", "AdamW"}


@pytest.mark.parametrize("search", SEARCHES[:4], ids=lambda search: search.name)
def test_a_budget_of_epochs_is_hard(search):
    went = play_definition({**settle(search), "budget": {"epochs": 60}}, accuracies(5))
    assert went.over == "epochs"
    assert 30 < went.epochs <= 60


def test_a_deadline_is_hard():
    went = play(ASHA(SPACE, RUNS, budget={"seconds": 10}, **MAXIMUM), accuracies(5))
    assert went.over == "seconds"
    assert went.seconds <= 11.0
    assert any(isinstance(decision, Drop) for decision in went.log)


def test_what_others_steer_or_lose_is_left_alone():
    search = ASHA({**SPACE, "epochs": 3}, 4, concurrency=2, reduction=3, **MAXIMUM)
    conductor = make_conductor(settle(search), {})
    assert [decision.trial for decision in conductor.step({})] == [0, 1]
    views = {0: TrialView([(0.9,)], is_active=False), 1: TrialView([], is_active=False)}
    started = conductor.step(views)
    assert [decision.trial for decision in started if isinstance(decision, Start)] == [2, 3]
    views[0] = dataclasses.replace(views[0], is_ours=False)
    views |= {2: TrialView([(0.5,)], is_active=False), 3: TrialView([(0.4,)], is_active=False)}
    [decision] = conductor.step(views)
    assert decision == GoOn(2, 3), "the best of those that are left"
