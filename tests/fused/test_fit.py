"""``run_fit(fuse="auto")``: runs of one structure are trained as one model, and everything else is as ever."""

from __future__ import annotations

import os
import signal

import pandas as pd
import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.errors import ConfigError
from tests.conftest import SPECS, wait_until

PAUSE = 0.02
RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002)


def configs(rates=RATES, epochs=3, optimizer="SGD", **knobs):
    return [
        {
            "train": {"epochs": epochs, "batch_size": 32, "optimizer": {"name": optimizer, "args": {"lr": rate}}},
            "user_knobs": {"pause": PAUSE, **knobs},
            "named_metrics": ["top1_accuracy"],
        }
        for rate in rates
    ]


@pytest.fixture
def experiment(home, request):
    made = Experiment(SPECS / "alike.py", request.node.name[:60], epoch_checkpoints=True)
    yield made
    made.cancel_current()
    made.end()


def fusions(experiment):
    return experiment.get_runs_info().set_index("run_id")["fusion"]


def assert_like_alone(experiment, points, run_ids, group):
    """Every metric of every epoch is that of runs that were not fused, within what is promised."""
    before = experiment.runs()[-1].run_id
    experiment.run_fit(points, [{**config, "user_knobs": {**config["user_knobs"], "pause": 0.0}} for config in group])
    table = experiment.get_results()
    alone = table[table["run_id"] > before]
    fused = table[table["run_id"].isin(run_ids)]
    ignored = ["run_id"]
    pd.testing.assert_frame_equal(
        fused.drop(columns=ignored).reset_index(drop=True),
        alone.drop(columns=ignored).reset_index(drop=True),
        rtol=1e-6,
        atol=0,
    )
    assert fusions(experiment)[list(alone["run_id"])].isna().all()


def in_flight(experiment):
    """Wait until runs are being trained as one model, beyond what is timed first."""
    wait_until(lambda: all(run.completed_epochs for run in experiment.runs()), "an epoch of all runs")
    assert fusions(experiment).str.startswith("as one model").all()


def test_fused_runs_give_what_they_give_alone(experiment, points):
    experiment.run_fit(points, configs(), fuse="auto", num_chunks=1)
    told = fusions(experiment)
    assert told.str.startswith("as one model with ").all(), told.to_list()
    with experiment.reader() as reader:
        events = reader.events(experiment.runs()[0].experiment_id)
    noted = [event.message for event in events if "is trained as one model" in event.message]
    assert noted
    assert all(message.endswith("times as fast") for message in noted)
    for run in experiment.runs():
        folder = experiment.path / "runs" / str(run.run_id) / "checkpoints"
        assert {path.name for path in folder.glob("*.safetensors")} == {
            *(f"epoch-{epoch}.safetensors" for epoch in (1, 2, 3)),
            "final.safetensors",
        }
    assert_like_alone(experiment, points, range(1, 7), configs())


def test_runs_are_steered_one_by_one(experiment, points):
    experiment.run_fit(points, configs(epochs=8), fuse="auto", num_chunks=1, wait=False)
    in_flight(experiment)
    experiment.stop(2)
    experiment.delete(3)
    wait_until(lambda: experiment.runs()[1].status == "stopped", "the run to be stopped")
    experiment.clone(1, {"train": {"optimizer": {"args": {"lr": 0.03}}}}, warm_start=True)
    experiment.resume(2)
    experiment.wait()
    assert [run.run_id for run in experiment.runs()] == [1, 2, 4, 5, 6, 7]
    assert {run.status for run in experiment.runs()} == {"completed"}
    kept = [number for number in range(1, 7) if number != 3]
    assert_like_alone(experiment, points, kept, configs([RATES[number - 1] for number in kept], epochs=8))


def test_a_run_that_fails_fails_alone(experiment, points):
    rates = (*RATES[:3], 1e30)
    experiment.run_fit(points, configs(rates), fuse="auto", num_chunks=1)
    assert [run.status for run in experiment.runs()] == ["completed"] * 3 + ["failed"]
    assert "training loss became" in experiment.runs()[3].error
    assert_like_alone(experiment, points, (1, 2, 3), configs(rates[:3]))


def test_a_slot_that_is_killed_costs_nothing(experiment, points):
    experiment.run_fit(points, configs(epochs=6), fuse="auto", num_chunks=1, wait=False)
    in_flight(experiment)
    client = EngineClient()
    wait_until(lambda: any(len(slot["runs"]) > 1 for slot in client.status()["slots"]), "a slot with several runs")
    os.kill(next(slot["pid"] for slot in client.status()["slots"] if slot["runs"]), signal.SIGKILL)
    experiment.wait()
    assert {run.status for run in experiment.runs()} == {"completed"}
    assert_like_alone(experiment, points, range(1, 7), configs(epochs=6))


def test_an_engine_that_starts_again_goes_on_with_what_it_knew(experiment, points):
    experiment.run_fit(points, configs(epochs=6), fuse="auto", num_chunks=1, wait=False)
    in_flight(experiment)
    EngineClient().stop()
    EngineClient().start()
    experiment.wait()
    assert fusions(experiment).str.startswith("as one model").all()
    assert_like_alone(experiment, points, range(1, 7), configs(epochs=6))


def test_where_it_is_slower_runs_are_trained_alone(experiment, points):
    experiment.run_fit(points, configs(epochs=4, slow_together=8 * PAUSE), fuse="auto", num_chunks=1)
    told = fusions(experiment)
    assert told.str.fullmatch(r"alone: [2-6] such runs are 0\.\d\d times as fast as one model").all(), told.to_list()
    assert_like_alone(experiment, points, range(1, 7), configs(epochs=4))


def test_what_cannot_be_fused_is_trained_alone_to_the_last_bit(experiment, points):
    group = configs(RATES[:4], dropout=0.2)
    experiment.run_fit(points, group, fuse="auto", num_chunks=1)
    assert (fusions(experiment) == "alone: compute_forward draws random numbers").all()
    experiment.run_fit(points, group)
    tables = [experiment.get_results(run).drop(columns="run_id") for run in range(1, 9)]
    for fused, alone in zip(tables[:4], tables[4:], strict=True):
        pd.testing.assert_frame_equal(fused, alone, check_exact=True)


def test_other_values_of_fuse_are_refused(experiment, points):
    with pytest.raises(ConfigError, match="fuse must be 'auto' or 'off', not True"):
        experiment.run_fit(points, configs(), fuse=True)
