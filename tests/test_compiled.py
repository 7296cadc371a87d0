"""Models that torch compiles train, hop and are loaded like others."""

from __future__ import annotations

import json

import pytest
import torch

from rapidfire_lab import Experiment
from rapidfire_lab.worker.rng import RngState
from rapidfire_lab.worker.slot import load_torch, make_compilation_alike
from tests.conftest import SPECS, engine_home
from tests.contract import assert_same_weights, final_weights, minibatch_losses
from tests.specs.compiled import Net

SPEC = SPECS / "compiled.py"
OPTIMIZER = {"name": "AdamW", "args": {"lr": 0.01}}


def config(compiled, backend="eager", **train):
    return {
        "train": {"epochs": 2, "batch_size": 48, "optimizer": OPTIMIZER, **train},
        "user_knobs": {"compiled": compiled, "backend": backend},
        "named_metrics": ["top1_accuracy"],
    }


@pytest.fixture(scope="module")
def trained(points, tmp_path_factory):
    """The same model as it is, compiled, and with a part of it compiled, over many hops by way of the disk."""
    with engine_home(
        tmp_path_factory.mktemp("home"), slots=2, memory_fraction=0.0, tracking=False, device="cpu"
    ) as home:
        experiment = Experiment(SPEC, "compiled")
        experiment.run_fit(
            points,
            [config(compiled, gradient_accumulation_steps=3) for compiled in ("no", "whole", "body")],
            num_chunks=3,
        )
        yield home, experiment
        experiment.end()


def test_results_are_those_of_the_model_inside(trained):
    _, experiment = trained
    assert list(experiment.get_runs_info()["error"].fillna("")) == [""] * 3
    plain = final_weights(experiment, 1)
    assert plain.keys() == Net().state_dict().keys()
    for run in (2, 3):
        assert_same_weights(final_weights(experiment, run), plain)
        assert minibatch_losses(experiment, run) == minibatch_losses(experiment, 1)


def test_weights_load_into_a_plain_model(trained):
    _, experiment = trained
    assert Net().load_state_dict(final_weights(experiment, 2)).missing_keys == []


def test_a_compiled_model_is_tested_like_others(trained, points):
    _, experiment = trained
    handle = type(points)({"test": points.locators["validation"]})
    losses = {float(experiment.run_test(handle, run_id=run)["test_loss"].iloc[0]) for run in (1, 2, 3)}
    assert len(losses) == 1


def test_a_warm_clone_may_be_compiled_or_not(trained):
    _, experiment = trained
    clones = [
        experiment.clone(run, {"compiled": compiled}, warm_start=True)
        for run, compiled in ((1, "no"), (1, "whole"), (2, "no"), (3, "whole"))
    ]
    experiment.wait()
    carried = {run.run_id: json.loads(run.carried) for run in experiment.runs() if run.run_id in clones}
    assert [found[what]["left"] for found in carried.values() for what in ("weights", "optimizer")] == [{}] * 8
    expected = final_weights(experiment, clones[0])
    for clone in clones[1:]:
        assert_same_weights(final_weights(experiment, clone), expected)


# What is compiled


@pytest.fixture
def alike():
    """Torch compiles as it does in slots, and has compiled nothing yet."""
    load_torch()
    names = ("automatic_dynamic_shapes", "cache_size_limit", "accumulated_cache_size_limit")
    before = {name: getattr(torch._dynamo.config, name) for name in names}
    generators = RngState.capture()
    torch._dynamo.reset()
    make_compilation_alike()
    yield
    torch._dynamo.reset()
    generators.restore()
    for name, value in before.items():
        setattr(torch._dynamo.config, name, value)


@pytest.mark.usefixtures("alike")
def test_code_is_made_for_one_shape_whatever_was_compiled_before():
    compiled = []

    def backend(graph, inputs):
        compiled.append([value for value in inputs if isinstance(value, torch.SymInt)])
        return graph.forward

    sizes = [*range(2, 22), 4, 2]
    for model in (Net(), Net()):
        trained = torch.compile(model, backend=backend)
        for size in sizes:
            trained(torch.zeros(size, 2))
    # Of each shape once or, where torch takes the two for different things, twice: it gave up on none.
    assert len(compiled) in (20, 40)
    assert compiled == [[]] * len(compiled)
