"""Stop, resume, delete and clone while runs train."""

from __future__ import annotations

import numpy as np
import pytest

from rapidfire_lab import ConfigError, OperationError
from tests.conftest import paced_config, wait_until
from tests.contract import assert_same_weights, final_weights, fingerprint, minibatch_losses


def run(experiment, run_id):
    return next(found for found in experiment.runs() if found.run_id == run_id)


def status(experiment, run_id):
    return run(experiment, run_id).status


def start(experiment, points, *configs, **fit):
    experiment.run_fit(points, list(configs), wait=False, **fit)
    wait_until(lambda: run(experiment, 1).live_step >= 2, "run 1 to train")


def test_a_stopped_and_resumed_run_is_as_if_it_never_stopped(experiment, points):
    start(experiment, points, paced_config(pause=0.03, epochs=4), num_chunks=1)
    experiment.stop(1)
    wait_until(lambda: status(experiment, 1) == "stopped", "the stop")
    stopped_at = run(experiment, 1).step
    assert 0 < stopped_at < 40
    assert final_weights(experiment, 1)
    assert len(minibatch_losses(experiment, 1)) == stopped_at
    experiment.resume(1)
    experiment.run_fit(points, paced_config(pause=0.0, epochs=4, width=8, undisturbed=True))
    experiment.wait()
    assert status(experiment, 1) == "completed"
    assert_same_weights(final_weights(experiment, 1), final_weights(experiment, 2))
    stopped, undisturbed = fingerprint(experiment).values()
    assert stopped[2] == undisturbed[2]


def test_a_stop_acts_within_a_minibatch_and_frees_the_slot(experiment, points):
    start(experiment, points, paced_config(pause=0.2, epochs=50), paced_config(width=9, pause=0.2, epochs=50))
    experiment.run_fit(points, paced_config(width=10, epochs=1), wait=False)
    experiment.stop([1, 2])
    wait_until(lambda: status(experiment, 3) == "completed", "the freed slot to train run 3")
    assert status(experiment, 1) == status(experiment, 2) == "stopped"


def test_a_waiting_run_can_be_stopped_and_resumed(experiment, points):
    configs = [paced_config(width=width, pause=0.05, epochs=10) for width in (5, 6, 7)]
    start(experiment, points, *configs, num_chunks=1)
    experiment.stop([1, 2, 3])
    wait_until(lambda: {status(experiment, n) for n in (1, 2, 3)} == {"stopped"}, "all to stop")
    experiment.resume(3)
    wait_until(lambda: status(experiment, 3) in ("running", "completed"), "run 3 to go on")


def test_a_deleted_run_leaves_the_tables_and_the_disk(experiment, points):
    start(experiment, points, paced_config(pause=0.05, epochs=30), paced_config(width=9))
    experiment.delete(1)
    assert [found.run_id for found in experiment.runs()] == [2]
    experiment.wait()
    folder = experiment.path / "runs" / "1"
    wait_until(lambda: not list(folder.rglob("*.safetensors")), "the checkpoints to be gone")
    assert list(experiment.get_runs_info()["run_id"]) == [2]
    with pytest.raises(OperationError, match=r"Run 1 .* was deleted; its runs are 2"):
        experiment.stop(1)
    experiment.run_fit(points, paced_config(width=11, epochs=1))
    assert [found.run_id for found in experiment.runs()] == [2, 3]


def test_a_completed_run_can_be_deleted(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    experiment.delete(1)
    assert experiment.runs() == []


def test_a_clone_trains_from_scratch_with_its_changes(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    clone = experiment.clone(1, {"width": 16, "train": {"optimizer": {"args": {"lr": 0.05}}}})
    assert clone == 2
    experiment.wait()
    info = experiment.get_runs_info().set_index("run_id")
    assert info.loc[2, "source"] == "clone"
    assert info.loc[2, "parent"] == 1
    assert info.loc[2, "config"]["user_knobs"]["width"] == 16
    assert info.loc[2, "config"]["train"]["optimizer"] == {"name": "AdamW", "args": {"lr": 0.05}}
    twin = paced_config(width=16, epochs=1)
    twin["train"]["optimizer"]["args"]["lr"] = 0.05
    experiment.run_fit(points, {**twin, "user_knobs": {**twin["user_knobs"], "twin": True}})
    assert_same_weights(final_weights(experiment, 2), final_weights(experiment, 3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "at least one changed knob"),
        ({"width": 8}, "as it is"),
        ({"widht": 9}, "no knob 'widht'"),
        ({"optimizer": {"name": "Nadamax"}}, r"train\.optimizer\.name"),
        ({"epochs": 0}, r"train\.epochs"),
    ],
)
def test_a_clone_that_cannot_be_is_refused(experiment, points, changes, words):
    experiment.run_fit(points, paced_config(epochs=1))
    with pytest.raises(ConfigError, match=words):
        experiment.clone(1, changes)
    assert len(experiment.runs()) == 1


def test_illegal_operations_say_what_is_legal(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    with pytest.raises(OperationError, match=r"Run 1 is completed: it cannot stop. Possible now: delete, clone"):
        experiment.stop(1)
    with pytest.raises(OperationError, match=r"cannot resume"):
        experiment.resume(1)
    with pytest.raises(OperationError, match=r"Run 9 .* does not exist; its runs are 1"):
        experiment.delete(9)


def test_a_bulk_operation_is_all_or_nothing(experiment, points):
    start(experiment, points, paced_config(pause=0.05, epochs=30), paced_config(width=9, epochs=1))
    wait_until(lambda: status(experiment, 2) == "completed", "run 2")
    with pytest.raises(OperationError, match="Run 2 is completed"):
        experiment.stop([1, 2])
    assert run(experiment, 1).wanted is None


def test_cancel_current_stops_everything(experiment, points):
    configs = [paced_config(width=width, pause=0.05, epochs=30) for width in (5, 6, 7, 8)]
    start(experiment, points, *configs)
    experiment.cancel_current()
    assert {found.status for found in experiment.runs()} == {"stopped"}


def test_a_run_given_twice_is_one_run(experiment, points):
    start(experiment, points, paced_config(pause=0.05, epochs=30))
    experiment.stop([1, 1])
    wait_until(lambda: status(experiment, 1) == "stopped", "the stop")
    experiment.resume([1, 1])
    wait_until(lambda: status(experiment, 1) == "running", "run 1 to go on")


def test_numbers_out_of_a_dataframe_are_run_ids_and_knobs(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    run_id = experiment.get_runs_info()["run_id"][0]
    clone = experiment.clone(run_id, {"width": np.int64(12)})
    experiment.wait()
    experiment.delete(experiment.get_runs_info()["run_id"])
    assert clone == 2
    assert experiment.runs() == []
    with pytest.raises(OperationError, match="A run id is a whole number, not 'one'"):
        experiment.stop(["one"])
