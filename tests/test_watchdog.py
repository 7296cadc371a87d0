"""A minibatch that goes on for too long costs its run an attempt, and nobody else anything."""

from __future__ import annotations

import pytest

from rapidfire_lab import DataHandle, Experiment
from tests.conftest import SPECS, engine_home, paced_config
from tests.contract import assert_same_weights, final_weights, minibatch_losses

LIMIT = 4.0
HUNG = {1: "hang", 2: "hang in validation"}
SLOW, PACED, NEIGHBOURS = 3, 4, (5, 6)


@pytest.fixture(scope="module")
def watched(points, tmp_path_factory):
    """Two runs that hang, one with a slow minibatch, one with many, and two neighbours; then these two alone."""
    home = tmp_path_factory.mktemp("watched")
    settings = {"slots": 2, "tracking": False, "device": "cpu", "max_attempts": 2, "step_timeout_seconds": LIMIT}
    neighbours = [paced_config(width=20), paced_config(width=21)]
    with engine_home(home, **settings):
        experiment = Experiment(SPECS / "paced.py", "hangs")
        faults = [*HUNG.values(), "slow once"]
        configs = [paced_config(width=4 + index, fault=fault, epochs=1) for index, fault in enumerate(faults)]
        experiment.run_fit(points, [*configs, paced_config(pause=0.7, epochs=1), *neighbours], num_chunks=1)
        experiment.end()
        alone = Experiment(SPECS / "paced.py", "alone")
        weights = experiment.path / "runs" / str(NEIGHBOURS[0]) / "checkpoints" / "final.safetensors"
        hanging = {"width": 20, "pause": 0.0, "fault": HUNG[2]}
        # Three minibatches in a part: what ends the sleep of the first does not end that of the second.
        alone.run_test(DataHandle({"test": points.esf_of("train")}), None, weights, hanging, batch_size=2, wait=False)
        alone.run_fit(points, neighbours, num_chunks=1)
        alone.wait()
        alone.end()
        yield experiment, alone


def run(experiment, run_id):
    return experiment.runs()[run_id - 1]


@pytest.mark.parametrize("run_id", HUNG)
def test_a_hung_run_fails_with_what_to_do(watched, run_id):
    hung = run(watched[0], run_id)
    assert (hung.status, hung.ended_by, hung.deaths) == ("failed", "error", 2)
    step = 0 if run_id == 1 else 10
    for words in (
        f"After step {step}, ",
        "longer than 4 s (the engine setting step_timeout_seconds)",
        "raise the setting",
        "resume the run",
        "last of 2 attempts",
    ):
        assert words in hung.error


@pytest.mark.parametrize("run_id", HUNG)
def test_the_log_of_the_run_tells_where_it_hung(watched, run_id):
    log = (watched[0].path / "runs" / str(run_id) / "run.log").read_text()
    assert log.count("[rapidfire-lab] After step") == log.count("Current thread ") == 2
    assert "misbehave" in log if run_id == 1 else "compute_forward" in log
    assert run(watched[0], run_id).traceback in log


def test_a_test_that_hangs_fails_in_the_same_way(watched):
    alone = watched[1]
    with alone.reader() as reader:
        [job] = reader.jobs(reader.experiment(alone.name).id)
    assert job.status == "failed"
    for words in ("After 0 minibatches of a part", "longer than 4 s", "ask again", "last of 2 attempts"):
        assert words in job.error
    log = (alone.path / "jobs" / str(job.job_id) / "job.log").read_text()
    # Both slots hang with a part, until one part has hung twice.
    assert min(log.count("[rapidfire-lab] After 0"), log.count("Current thread ")) >= 2
    assert "compute_forward" in log


def test_the_log_of_the_experiment_tells_of_each_attempt(watched):
    experiment = watched[0]
    with experiment.reader() as reader:
        mine = [event.message for event in reader.events(reader.experiment(experiment.name).id)]
        engine = [event.message for event in reader.events(None)]
    assert mine.count("Run 1 lost its slot and goes back to step 0") == 2
    assert sum("was killed. After step" in message for message in engine) == 4
    assert sum("was killed. After 0 minibatches" in message for message in engine) >= 2


@pytest.mark.parametrize("run_id", [SLOW, PACED])
def test_what_is_slow_within_the_limit_completes(watched, run_id):
    """One minibatch takes 2 s; a lease of the other is longer than the limit."""
    assert (run(watched[0], run_id).status, run(watched[0], run_id).deaths) == ("completed", 0)


def test_the_neighbours_results_are_those_of_an_undisturbed_run(watched):
    experiment, alone = watched
    for number, run_id in enumerate(NEIGHBOURS, start=1):
        assert run(experiment, run_id).status == "completed"
        assert_same_weights(final_weights(experiment, run_id), final_weights(alone, number))
        losses = minibatch_losses(experiment, run_id)
        assert len(losses) == 20
        assert losses == minibatch_losses(alone, number)
