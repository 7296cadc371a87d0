"""Policies steer runs while they train: in the engine, by operations like a user's, without the notebook."""

from __future__ import annotations

import os

import pytest

from rapidfire_lab import Experiment, List, NotFoundError, OperationError, PolicyError
from rapidfire_lab.engine.client import EngineClient
from tests import plain_loop
from tests.conftest import SPECS, engine_home, kill, paced_config, wait_until
from tests.contract import final_weights, fingerprint
from tests.test_warm_start import PACED, expected_of, run, tables, three_classes

WIDTHS = [4, 5, 6, 7]


def halving(runs, control):
    """Stop the worse half after the second chunk, and clone the best with a third of its learning rate."""
    first = [run for run in runs if run.source == "initial"]
    if control.state.get("done") or len(first) < 4 or any(run.chunks < 2 for run in first):
        return
    ranked = sorted(first, key=lambda run: run.chunk_losses[1])
    worse = [run for run in ranked[2:] if run.is_active]
    control.stop(worse)
    best = ranked[0]
    rate = best.config["optimizer"]["args"]["lr"]
    control.clone(best, {"optimizer": {"args": {"lr": rate / 3}}}, warm_start=True)
    control.state["done"] = [run.run_id for run in ranked]
    print("the best is", best.run_id)


def raises(runs, control):
    control.stop(runs)
    return runs[99]


def kills_itself(runs, control):

    os._exit(9)


def asks_for_what_is_not_legal(runs, control):
    if not control.state:
        control.resume(runs)
        control.stop(99)
        control.clone(runs[0], {"no such knob": 1})
        control.clone(runs[0], {"width": 9})
        control.state["asked"] = True


def events(experiment):
    with experiment.reader() as reader:
        return [event.message for event in reader.events(reader.experiment(experiment.name).id)]


def policy_operations(experiment):
    found = experiment.get_operations()
    return found[found["origin"].str.startswith("policy")]


def decided(experiment, name):
    [policy] = [row for row in experiment.get_policies().to_dict("records") if row["name"] == name]
    return policy


def submit(experiment, points, pause=0.04):
    """Train four runs; slow ones once the process that calls policies is up, so that it sees them train."""
    if pause:
        wait_until(lambda: EngineClient().status()["processes"].get("policies"), "the policies' process")
    configs = [three_classes(width=width, pause=pause, epochs=5) for width in WIDTHS]
    experiment.run_fit(points, configs, num_chunks=2, wait=False)


def test_the_worse_half_is_stopped_and_the_best_cloned(experiment, points, tmp_path):
    experiment.add_policy(halving)
    submit(experiment, points)
    wait_until(lambda: decided(experiment, "halving")["state"], "the policy to decide")
    experiment.wait()
    ranked = decided(experiment, "halving")["state"]["done"]
    stopped = {found.run_id for found in experiment.runs() if found.status == "stopped"}
    assert stopped == set(ranked[2:])
    assert {found.ended_by for found in experiment.runs() if found.status == "stopped"} == {"policy"}
    clone = run(experiment, 5)
    assert (clone.status, clone.parent, clone.warm_start) == ("completed", ranked[0], True)
    expected = expected_of(experiment, 5, tables(points, tmp_path), 42)
    assert all((final_weights(experiment, 5)[name] == tensor).all() for name, tensor in expected["weights"].items())
    operations = policy_operations(experiment)
    assert set(operations["origin"]) == {"policy halving"}
    assert list(operations["operation"]) == ["stop", "stop", "clone"]
    assert operations.iloc[-1]["arguments"]["changes"] == {"optimizer": {"args": {"lr": 0.01 / 3}}}
    assert f"Policy halving says: the best is {ranked[0]}" in events(experiment)
    assert any(message.endswith("asked by policy halving") for message in events(experiment))


def test_what_the_operations_log_has_gives_the_same_runs_again(experiment, points, tmp_path):
    """Replay: configs, steps and parents in the journal are all that decides what the runs are."""
    experiment.add_policy(halving)
    submit(experiment, points)
    wait_until(lambda: decided(experiment, "halving")["state"], "the policy to decide")
    experiment.wait()
    data = tables(points, tmp_path)
    again = {}
    for found in experiment.runs():
        parent = again_at(experiment, found, data) if found.warm_start else None
        again[found.run_id] = plain_loop.train(PACED, found.leaf, data, 42, parent=parent, steps=found.step)
    results = fingerprint(experiment)
    for run_id, expected in again.items():
        _, weights, losses = results[run_id]
        assert losses == expected["losses"]
        assert weights == {name: tensor.numpy().tobytes() for name, tensor in expected["weights"].items()}


def again_at(experiment, clone, data):
    parent = run(experiment, clone.parent)
    return plain_loop.train(PACED, parent.leaf, data, 42, steps=clone.parent_step)


def test_a_policy_that_fails_is_called_no_more_and_does_nothing(experiment, points):
    experiment.add_policy(raises)
    submit(experiment, points, pause=0.0)
    experiment.wait()
    wait_until(lambda: decided(experiment, "raises")["status"] == "failed", "the policy to fail")
    assert decided(experiment, "raises")["error"] == "IndexError: list index out of range"
    assert [found.status for found in experiment.runs()] == ["completed"] * 4
    [told] = [message for message in events(experiment) if message.startswith("Policy raises failed")]
    assert "add it again once it is mended. IndexError" in told
    assert len(experiment.get_operations()) == 0


def test_a_policy_that_takes_its_process_with_it_is_given_up(experiment, points):
    experiment.add_policy(kills_itself)
    submit(experiment, points, pause=0.0)
    experiment.wait()
    wait_until(lambda: decided(experiment, "kills_itself")["status"] == "failed", "the policy to be given up")
    assert "exited with code 9 while it was called" in decided(experiment, "kills_itself")["error"]
    assert [found.status for found in experiment.runs()] == ["completed"] * 4
    experiment.add_policy(halving)
    wait_until(lambda: decided(experiment, "halving")["state"], "another policy to be called")


def test_what_is_not_legal_is_told_and_the_rest_is_done(experiment, points):
    submit(experiment, points, pause=0.0)
    experiment.wait()
    experiment.add_policy(asks_for_what_is_not_legal, name="greedy")
    wait_until(lambda: len(experiment.runs()) == 5, "the clone")
    experiment.wait()
    told = [message for message in events(experiment) if message.startswith("Policy greedy wanted to")]
    assert len(told) == 3
    assert "wanted to resume runs 1, 2, 3, 4: Run 1 is completed: it cannot resume" in told[0]
    assert "wanted to stop run 99: Run 99" in told[1]
    assert "wanted to clone run 1: The run has no knob 'no such knob'" in told[2]
    assert list(policy_operations(experiment)["operation"]) == ["clone"]


def test_the_same_cell_again_changes_nothing_and_another_function_begins_anew(experiment, points):
    submit(experiment, points, pause=0.0)
    experiment.add_policy(asks_for_what_is_not_legal, name="mine")
    wait_until(lambda: decided(experiment, "mine")["state"], "the policy to decide")
    experiment.add_policy(asks_for_what_is_not_legal, name="mine")
    assert decided(experiment, "mine")["state"] == {"asked": True}
    experiment.add_policy(halving, name="mine")
    experiment.wait()
    wait_until(lambda: "done" in decided(experiment, "mine")["state"], "the new one to decide")
    assert "asked" not in decided(experiment, "mine")["state"]
    experiment.remove_policy("mine")
    assert decided(experiment, "mine")["status"] == "removed"
    with pytest.raises(NotFoundError, match="has no policy 'mine'; its policies are: none"):
        experiment.remove_policy("mine")


def test_a_policy_can_be_tried_without_doing_anything(experiment, points):
    submit(experiment, points, pause=0.0)
    experiment.wait()
    actions = experiment.try_policy(halving)
    assert list(actions["operation"]) == ["clone"], "nothing is left to stop"
    assert len(experiment.try_policy(halving, {"done": True})) == 0
    assert len(experiment.runs()) == 4
    with pytest.raises(IndexError):
        experiment.try_policy(raises)


def test_what_cannot_be_a_policy_is_refused_at_once(experiment):
    with pytest.raises(PolicyError, match="no lambda"):
        experiment.add_policy(lambda runs, control: None)
    with pytest.raises(PolicyError, match="'not a name' cannot be used"):
        experiment.add_policy(halving, name="not a name")


def test_an_ended_experiment_takes_no_policy(home, points):
    experiment = Experiment(PACED, "ended")
    experiment.end()
    with pytest.raises(OperationError, match="has ended"):
        experiment.add_policy(halving)


def test_a_spec_may_bring_its_policy(home, points):
    experiment = Experiment(SPECS / "steering.py", "steering")
    configs = [paced_config(width=width, pause=0.02, epochs=200) for width in WIDTHS]
    experiment.run_fit(points, configs, num_chunks=2, wait=False)
    wait_until(lambda: decided(experiment, "steer_runs")["state"], "the hook to decide")
    best = decided(experiment, "steer_runs")["state"]["best"]
    wait_until(lambda: len(experiment._active(None)) == 1, "the others to stop")
    assert experiment._active(None) == [best]
    experiment.cancel_current()
    assert sorted(found.ended_by for found in experiment.runs()) == ["policy"] * 3 + ["user"]
    assert set(policy_operations(experiment)["origin"]) == {"policy steer_runs"}
    experiment.end()


@pytest.mark.parametrize("role", ["policies", "controller", "agent"])
def test_a_decision_is_carried_out_once_whoever_dies(role, points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu", max_attempts=9):
        experiment = Experiment(PACED, f"killed-{role}")
        experiment.add_policy(halving)
        submit(experiment, points)
        for progress in (5, 30, 50):
            wait_until(lambda progress=progress: steps(experiment) >= progress, f"{progress} steps")
            kill(role)
            if role == "agent":
                wait_until(lambda: not EngineClient().is_alive(), "the engine's lock to be free")
                EngineClient().start()
        wait_until(lambda: decided(experiment, "halving")["state"], "the policy to decide")
        experiment.wait()
        assert list(policy_operations(experiment)["operation"]).count("clone") == 1
        ranked = decided(experiment, "halving")["state"]["done"]
        stopped = {found.run_id for found in experiment.runs() if found.status == "stopped"}
        assert stopped <= set(ranked[2:])
        assert run(experiment, 5).parent == ranked[0]
        experiment.end()


def steps(experiment):
    return sum(found.live_step for found in experiment.runs())


def test_clones_of_several_changes(experiment, points):
    submit(experiment, points, pause=0.0)
    experiment.wait()
    assert experiment.clone(1, [{"width": List([11, 12])}, {"batch_size": 16}]) == [5, 6, 7]
    experiment.wait()
