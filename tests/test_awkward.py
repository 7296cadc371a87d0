"""User code with bad manners harms its own run at most."""

from __future__ import annotations

import re

import psutil
import pytest

from rapidfire_lab import Experiment, GridSearch, List
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, wait_until
from tests.contract import fingerprint

SPEC = SPECS / "awkward.py"


def config(act, epochs=2, **knobs):
    optimizer = {"name": "NAdam", "args": {"lr": 0.05}}
    return {"epochs": epochs, "batch_size": 32, "optimizer": optimizer, "act": act, **knobs}


@pytest.fixture
def awkward(home, request):
    experiment = Experiment(SPEC, re.sub(r"[^a-z0-9]+", "-", request.node.name))
    yield experiment
    experiment.cancel_current()
    experiment.end()


@pytest.mark.parametrize("act", ["none", "freeze", "double"])
def test_a_run_is_the_same_however_it_hops(act, points, tmp_path):
    results = []
    for slots, chunks, memory in ((1, 1, 0.5), (2, 5, 0.0)):
        with engine_home(tmp_path / f"{slots}", slots=slots, memory_fraction=memory, tracking=False, device="cpu"):
            experiment = Experiment(SPEC, "hops")
            configs = [config(act, copy=index) for index in range(3)]
            experiment.run_fit(points, configs, num_chunks=chunks)
            found = fingerprint(experiment)
            experiment.end()
        results += [
            ([{**row, "run_id": 0} for row in rows], weights, losses) for rows, weights, losses in found.values()
        ]
    assert len(results) == 6
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("act", ["no grad", "float64", "chdir", "close stderr", "unprintable", "number as name"])
def test_its_neighbours_are_not_disturbed(awkward, points, act):
    awkward.run_fit(points, [config("none", epochs=1), config("none", epochs=1, other=1)])
    awkward.run_fit(points, [config(act), config("none", epochs=1, other=2), config("none", epochs=1, other=3)])
    info = awkward.get_runs_info().set_index("run_id")
    assert list(info["status"][[4, 5]]) == ["completed", "completed"]
    assert info["status"][3] == ("completed" if act in ("chdir", "number as name") else "failed")
    losses = awkward.get_results().groupby("run_id")["train_loss"].first()
    assert losses[1] == losses[2] == losses[4] == losses[5]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("no grad", "does not depend on the model's parameters"),
        ("close stderr", "ValueError: after closing stderr"),
        ("unprintable", r"ValueError: \udcff"),
        ("sidecar", "put other files under the misc locator"),
        ("bare loss", "the dictionary alone will do. It returned Tensor"),
    ],
)
def test_what_it_did_is_told(awkward, points, act, words):
    awkward.run_fit(points, config(act))
    assert words in awkward.get_runs_info()["error"][0]


def test_a_failed_run_can_be_resumed_from_its_last_commit(awkward, points):
    awkward.run_fit(points, config("bare loss"), num_chunks=2)
    assert awkward.runs()[0].status == "failed"
    assert awkward.runs()[0].step == 5
    awkward.resume(1)
    awkward.wait()
    assert awkward.runs()[0].status == "failed"
    assert awkward.runs()[0].step == 5


def test_what_it_has_started_dies_with_the_engine(points, tmp_path):
    with engine_home(tmp_path, slots=1, tracking=False, device="cpu"):
        experiment = Experiment(SPEC, "child")
        experiment.run_fit(points, config("child"))
        slot = psutil.Process(EngineClient().status()["processes"]["slot-0"])
        children = [process for process in slot.children() if process.name() == "sleep"]
        assert len(children) == 1
        experiment.end()
        EngineClient().stop()
        wait_until(lambda: not children[0].is_running(), "the child to die")


def test_markup_in_knobs_is_only_text(awkward, points, capsys):
    group = GridSearch({**config("none", epochs=1), "template": List(["[/INST]", "[bold]x"])})
    awkward.run_fit(points, group)
    printed = capsys.readouterr().out
    assert "template=[/INST]" in printed
    assert "template=[bold]x" in printed


def test_a_snapshot_that_somebody_changed_is_not_run(awkward, points):
    (awkward.path / "spec" / "awkward.py").write_text("raise SystemError('planted')")
    awkward.run_fit(points, config("none"))
    assert "was changed after the experiment was created" in awkward.get_runs_info()["error"][0]


def test_names_that_mlflow_refuses_do_not_stop_the_tracker(points, tmp_path):
    with engine_home(tmp_path, slots=2, device="cpu"):
        experiment = Experiment(SPEC, "odd")
        experiment.run_fit(points, [config("odd name"), {**config("none"), "lr@0": 1}])
        experiment.run_fit(points, config("none", other=1), wait=False)
        experiment.delete(3)
        wait_until(lambda: EngineClient().status()["unsent"] == 0, "the outbox to be empty")
        assert experiment.get_runs_info()["mlflow_run_id"].notna().all()
        experiment.end()
