"""Clones that begin with their parent's weights and optimizer state: the contract, and crashes before a commit."""

from __future__ import annotations

import json

import pytest

from rapidfire_lab import ConfigError, EngineError, Experiment, List, OperationError
from rapidfire_lab.configs import normalise
from rapidfire_lab.configs.changes import apply_changes
from rapidfire_lab.engine.client import EngineClient
from tests import contract, plain_loop
from tests.conftest import SPECS, engine_home, kill, paced_config, wait_until
from tests.contract import ADAMW, SGD, config

AUGMENTED = SPECS / "digits_augmented.py"
PACED = SPECS / "paced.py"
STEP = {"name": "StepLR", "args": {"step_size": 1, "gamma": 0.5}}
ONE_CYCLE = {"name": "OneCycleLR", "args": {"max_lr": 0.1, "total_steps": 80}, "interval": "step"}
PARENTS = [config("cnn", ADAMW, STEP, dropout=0.2, augment=True), config("mlp", SGD, dropout=0.3)]
EDITS = [
    (1, {"optimizer": {"args": {"lr": 0.0005, "weight_decay": 0.1}}}),
    (1, {"batch_size": 50, "lr_scheduler": {"args": {"gamma": 0.1}}, "epochs": 3}),
    (1, {"optimizer": {"args": {"amsgrad": True}}, "dropout": 0.0}),
    (1, {"optimizer": SGD, "lr_scheduler": None}),
    (1, {}),
    (2, {"lr_scheduler": ONE_CYCLE, "gradient_accumulation_steps": 4}),
    (2, {"precision": "bf16", "gradient_clip_norm": 0.5}),
    (2, {"model": "cnn"}),
]


def run(experiment, run_id):
    return next(found for found in experiment.runs() if found.run_id == run_id)


def carried(experiment, run_id):
    return json.loads(run(experiment, run_id).carried)


def state_files(experiment, run_id):
    return sorted(path.name for path in (experiment.path / "runs" / str(run_id) / "state").iterdir())


def committed(experiment, run_id):
    wait_until(lambda: run(experiment, run_id).base_lease, f"run {run_id} to commit")


def expected_of(experiment, run_id, data, seed, spec=PACED):
    """A clone's results by the plain loop: first its parent up to where it was cloned, then the clone."""
    clone = run(experiment, run_id)
    leaf = run(experiment, clone.parent).leaf
    parent = plain_loop.train(spec, leaf, data, seed, steps=clone.parent_step)
    return plain_loop.train(spec, clone.leaf, data, seed, parent=parent)


def three_classes(**knobs):
    """A config for specs/paced.py with the metrics that the plain loop counts."""
    return {**paced_config(**knobs), "named_metrics": contract.NAMED}


def tables(points, store):
    """Numbers of several kinds in a row keep their kinds."""
    return {name: table.astype(object) for name, table in contract.tables(points, store).items()}


# The contract


def test_warm_clones_equal_the_plain_loop(handle, tmp_path):
    with engine_home(tmp_path / "home", slots=2, memory_fraction=0.0, tracking=False, device="cpu"):
        experiment = Experiment(AUGMENTED, "warm")
        experiment.run_fit(handle, PARENTS, seed=123, num_chunks=3)
        clones = [experiment.clone(parent, changes, warm_start=True) for parent, changes in EDITS]
        experiment.wait()
        data = contract.tables(handle, tmp_path / "store")
        parents = [plain_loop.train(AUGMENTED, normalise(leaf), data, 123) for leaf in PARENTS]
        for clone, (parent, changes) in zip(clones, EDITS, strict=True):
            leaf = apply_changes(normalise(PARENTS[parent - 1]), changes)
            expected = plain_loop.train(AUGMENTED, leaf, data, 123, parent=_as_carried(parents[parent - 1], changes))
            contract.assert_like_plain_loop(experiment, clone, expected)
            assert run(experiment, clone).warm_start
            assert run(experiment, clone).parent_step == run(experiment, parent).step
        experiment.end()


def _as_carried(parent, changes):
    """Without moments where the clone's optimizer keeps more than the parent's did."""
    more = "amsgrad" in changes.get("optimizer", {}).get("args", {})
    return {**parent, "optimizer": None} if more else parent


CONTINUED = [
    (1, {"pause": 0.001}),
    (1, {"optimizer": {"args": {"lr": 0.0005, "weight_decay": 0.1}}}),
    (1, {"lr_scheduler": {"args": {"gamma": 0.1}}, "epochs": 4}),
    (2, {"dropout": 0.0}),
    (2, {"lr_scheduler": ONE_CYCLE}),
    (3, {"pause": 0.001}),
    (3, {"optimizer": SGD, "gradient_clip_norm": 0.5}),
    (4, {"pause": 0.001}),
    (4, {"optimizer": {"args": {"lr": 0.02}}, "lr_scheduler": None}),
]


@pytest.mark.parametrize("step", [3, 20])
def test_a_clone_goes_on_where_its_parent_stood(handle, tmp_path, step):
    """The parents stop within an epoch, within a group of minibatches, before the validation, or after it."""
    plateau = {"name": "ReduceLROnPlateau", "args": {"patience": 0, "threshold": 10.0}}
    parents = [
        config("cnn", ADAMW, STEP, dropout=0.2, augment=True, epochs=3),
        config("mlp", SGD, {**ONE_CYCLE, "args": {"max_lr": 0.1, "total_steps": 99}}, dropout=0.3),
        config("mlp", ADAMW, gradient_accumulation_steps=4, precision="bf16"),
        config("mlp", SGD, plateau, epochs=3),
    ]
    for parent in parents:
        parent["user_knobs"]["pause"] = 0.0
    with engine_home(tmp_path / "home", slots=2, memory_fraction=0.0, tracking=False, device="cpu"):
        experiment = Experiment(AUGMENTED, "continued")
        experiment.run_fit(
            handle,
            [{**leaf, "user_knobs": {**leaf["user_knobs"], "pause": 0.05}} for leaf in parents],
            seed=123,
            num_chunks=11,
            wait=False,
        )
        wait_until(lambda: all(run.live_step >= step for run in experiment.runs()), "the parents to come so far")
        experiment.cancel_current()
        experiment.wait()
        clones = [
            experiment.clone(parent, {"pause": 0.0, **changes}, warm_start=True, continue_position=True)
            for parent, changes in CONTINUED
        ]
        experiment.wait()
        data = contract.tables(handle, tmp_path / "store")
        for clone, (parent, _) in zip(clones, CONTINUED, strict=True):
            found = run(experiment, clone)
            assert found.status == "completed", found.error
            change = (found.parent_step, found.leaf)
            expected = plain_loop.train(AUGMENTED, normalise(parents[parent - 1]), data, 123, change=change)
            assert_continued(experiment, found, expected)
        experiment.end()


def assert_continued(experiment, run, expected):
    """Like the plain loop from the parent's place on; what came before is the parent's."""
    contract.assert_same_weights(contract.final_weights(experiment, run.run_id), expected["weights"])
    rows = experiment.get_results(run.run_id).to_dict("records")
    ours = expected["rows"][-len(rows) :]
    assert rows[0]["step"] >= run.parent_step
    assert [{name: row[name] for name in other} for row, other in zip(rows, ours, strict=True)] == ours
    with experiment.reader() as reader:
        points = [point for point in reader.points(run.id, per="step") if point.name == "minibatch_loss"]
    assert [point.step for point in points] == list(range(run.parent_step + 1, len(expected["losses"]) + 1))
    assert [point.value for point in points] == expected["losses"][run.parent_step :]


def test_a_completed_run_can_be_made_longer(experiment, points):
    experiment.run_fit(points, [paced_config(epochs=2), paced_config(epochs=4)])
    clone = experiment.clone(1, {"epochs": 4}, warm_start=True, continue_position=True)
    experiment.wait()
    longer, whole = run(experiment, clone), run(experiment, 2)
    assert (longer.step, longer.completed_epochs, longer.parent_step) == (whole.step, 4, 20)
    assert_same = contract.assert_same_weights
    assert_same(contract.final_weights(experiment, clone), contract.final_weights(experiment, 2))
    expected = experiment.get_results(2).query("epoch > 2").drop(columns="run_id").reset_index(drop=True)
    found = experiment.get_results(clone).drop(columns="run_id")
    assert list(found["epoch"]) == [3, 4]
    assert found.equals(expected)
    [operation] = experiment.get_operations().to_dict("records")
    assert (operation["operation"], operation["run_id"], operation["step"]) == ("clone", 1, 20)
    assert (operation["origin"], operation["result"]) == ("user", clone)
    assert operation["arguments"] == {"changes": {"epochs": 4}, "warm_start": True, "continue_position": True}


def test_what_cannot_go_on_at_its_parents_position_is_refused(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    for changes, words in (
        ({"batch_size": 16}, r"'train.batch_size' is 32 in run 1 and 16 in the clone.*Leave it as it is"),
        ({"gradient_accumulation_steps": 2, "epochs": 2}, r"'train.gradient_accumulation_steps' is 1 in run 1"),
        ({"named_metrics": [], "epochs": 2}, r"'named_metrics' is \['top1_accuracy'\] in run 1"),
        ({"pause": 0.1}, r"'train.epochs' is 1 in the clone, and run 1 has completed 1: .* as in \{\"epochs\": 2\}"),
    ):
        with pytest.raises(OperationError, match=words):
            experiment.clone(1, changes, warm_start=True, continue_position=True)
        with pytest.raises(OperationError, match=words):
            EngineClient().check_clone(experiment.name, [1], changes=[changes], warm_start=True, continue_position=True)
    with pytest.raises(OperationError, match="needs warm_start=True"):
        experiment.clone(1, {"epochs": 2}, continue_position=True)
    with pytest.raises(OperationError, match="continue_position are for clone, not for stop"):
        EngineClient().operate(experiment.name, "stop", [1], continue_position=True)
    assert len(experiment.runs()) == 1


def test_a_running_parent_gives_its_last_commit(experiment, points, tmp_path):
    experiment.run_fit(points, three_classes(pause=0.02, epochs=30), num_chunks=5, wait=False)
    committed(experiment, 1)
    clone = experiment.clone(1, {"pause": 0.0, "epochs": 2}, warm_start=True)
    experiment.wait([clone])
    experiment.stop(1)
    assert 0 < run(experiment, clone).parent_step < 300
    expected = expected_of(experiment, clone, tables(points, tmp_path), 42)
    contract.assert_like_plain_loop(experiment, clone, expected)


def test_the_parent_may_go(experiment, points, tmp_path):
    experiment.run_fit(points, three_classes(epochs=1))
    leaf = run(experiment, 1).leaf
    experiment.run_fit(points, [paced_config(width=width, pause=0.1, epochs=50) for width in (5, 6)], wait=False)
    clone = experiment.clone(1, {"batch_size": 16}, warm_start=True)
    experiment.delete(1)
    experiment.cancel_current()
    if run(experiment, clone).step == 0:
        assert state_files(experiment, clone) == ["lease-0.safetensors", "lease-0.state.pt"]
        files = (experiment.path / "runs" / str(clone) / "checkpoints").iterdir()
        assert [path.name for path in files] == ["final.json"]
    experiment.resume(clone)
    experiment.wait()
    data = tables(points, tmp_path)
    parent = plain_loop.train(PACED, leaf, data, 42)
    expected = plain_loop.train(PACED, run(experiment, clone).leaf, data, 42, parent=parent)
    contract.assert_like_plain_loop(experiment, clone, expected)


def test_what_does_not_fit_is_named(experiment, points, tmp_path):
    experiment.run_fit(points, three_classes(epochs=1))
    clone, same = (
        experiment.clone(1, {"width": 16}, warm_start=True),
        experiment.clone(1, {"pause": 0.001}, warm_start=True),
    )
    experiment.wait()
    expected = expected_of(experiment, clone, tables(points, tmp_path), 42)
    contract.assert_like_plain_loop(experiment, clone, expected)
    found = carried(experiment, clone)
    assert found["weights"] == {
        "carried": 1,
        "left": {
            "0.weight": "[16, 2] here, [8, 2] in the parent",
            "0.bias": "[16] here, [8] in the parent",
            "3.weight": "[3, 16] here, [3, 8] in the parent",
        },
        "fresh": None,
    }
    assert found["optimizer"]["carried"] == 1
    assert set(found["optimizer"]["left"]) == {"0.weight", "0.bias", "3.weight"}
    assert carried(experiment, same) == {
        "weights": {"carried": 4, "left": {}, "fresh": None},
        "optimizer": {"carried": 4, "left": {}, "fresh": None},
    }
    with experiment.reader() as reader:
        events = {event.message: event.level for event in reader.events(reader.experiment(experiment.name).id)}
    assert events[f"Run {same} begins with run 1 at step 10: weights carried, optimizer carried"] == "info"
    told = next(message for message in events if message.startswith(f"Run {clone} begins with run 1 at step 10"))
    assert "weights carried but for 0.weight ([16, 2] here, [8, 2] in the parent), " in told
    assert events[told] == "warning"


def test_an_adapter_of_another_rank_begins_fresh_and_all_else_is_carried(points, tmp_path):
    spec = SPECS / "lora.py"
    leaf = {**three_classes(epochs=2), "user_knobs": {"rank": 4}}
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu"):
        experiment = Experiment(spec, "ranks")
        experiment.run_fit(points, leaf)
        clone = experiment.clone(1, {"rank": 8, "optimizer": {"args": {"lr": 0.003}}}, warm_start=True)
        experiment.wait()
        assert carried(experiment, clone)["weights"] == {
            "carried": 4,
            "left": {
                "adapted.down.weight": "[8, 2] here, [4, 2] in the parent",
                "adapted.up.weight": "[16, 8] here, [16, 4] in the parent",
            },
            "fresh": None,
        }
        expected = expected_of(experiment, clone, tables(points, tmp_path / "store"), 42, spec)
        contract.assert_like_plain_loop(experiment, clone, expected)
        frozen, other = (contract.final_weights(experiment, run_id)["adapted.base.weight"] for run_id in (1, clone))
        assert frozen.equal(other)
        experiment.end()


# What can go wrong


def test_a_parent_without_a_commit_is_refused(experiment, points):
    experiment.run_fit(points, [paced_config(fault="raise"), paced_config(epochs=1)])
    with pytest.raises(OperationError, match=r"Run 1 has committed nothing yet .*warm_start=False, or wait"):
        experiment.clone(1, {"width": 9}, warm_start=True)
    with pytest.raises(OperationError, match="Run 1 has committed nothing yet"):
        EngineClient().operate(experiment.name, "clone", [2, 1], changes=[{"width": 9}], warm_start=True)
    with pytest.raises(OperationError, match="Run 1 has committed nothing yet"):
        EngineClient().check_clone(experiment.name, [1], changes=[{"width": 9}], warm_start=True)
    with pytest.raises(ConfigError, match=r"train\.batch_size"):
        experiment.clone(2, {"batch_size": 0}, warm_start=True)
    assert len(experiment.runs()) == 2


def test_a_checkpoint_that_is_gone_is_named(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    for path in (experiment.path / "runs" / "1" / "state").iterdir():
        path.unlink()
    with pytest.raises(OperationError, match=r"checkpoint of run 1 is gone: there is no .*lease-"):
        experiment.clone(1, {"width": 9}, warm_start=True)


def test_a_disk_that_refuses_costs_nothing(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    (experiment.path / "runs" / "3").write_text("in the way")
    with pytest.raises(EngineError, match="cannot be kept for its clone"):
        experiment.clone(1, {"width": List([9, 10])}, warm_start=True)
    assert len(experiment.runs()) == 1
    assert state_files(experiment, 1)
    (experiment.path / "runs" / "3").unlink()
    assert experiment.clone(1, {"width": List([9, 10])}, warm_start=True) == [2, 3]
    experiment.wait()


def test_a_model_that_cannot_be_built_fails_alone(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    clones = experiment.clone(1, {"width": List([-1, 8, 9]), "batch_size": 16}, warm_start=True)
    experiment.wait()
    assert [run(experiment, clone).status for clone in clones] == ["failed", "completed", "completed"]
    assert run(experiment, clones[0]).carried is None


def test_what_it_began_with_goes_at_the_first_commit(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    clone = experiment.clone(1, {"pause": 0.05, "epochs": 3}, warm_start=True)
    links = (experiment.path / "runs" / str(clone) / "state" / "lease-0.safetensors").stat().st_nlink
    assert links == 2 + 1, "the parent's checkpoint, its final one, and the clone's"
    committed(experiment, clone)
    wait_until(lambda: not any("lease-0." in name for name in state_files(experiment, clone)), "them to go")
    whole = experiment.clone(1, {"epochs": 1}, warm_start=True)
    experiment.wait()
    assert not any("lease-0." in name for name in state_files(experiment, whole))


def test_a_warm_clone_can_be_cloned_warm(experiment, points, tmp_path):
    experiment.run_fit(points, three_classes(epochs=1))
    first = experiment.clone(1, {"batch_size": 16}, warm_start=True)
    experiment.wait()
    second, cold = (
        experiment.clone(first, {"batch_size": 40}, warm_start=True),
        experiment.clone(first, {"batch_size": 40}),
    )
    experiment.wait()
    data = tables(points, tmp_path)
    parent = expected_of(experiment, first, data, 42)
    leaf = run(experiment, second).leaf
    contract.assert_like_plain_loop(experiment, second, plain_loop.train(PACED, leaf, data, 42, parent=parent))
    contract.assert_like_plain_loop(experiment, cold, plain_loop.train(PACED, leaf, data, 42))


@pytest.mark.parametrize("role", ["slot-0", "controller", "agent"])
def test_a_clone_killed_before_its_first_commit_begins_again(role, points, tmp_path):
    with engine_home(tmp_path / "home", slots=1, threads_per_slot=1, tracking=False, device="cpu", max_attempts=9):
        experiment = Experiment(PACED, f"killed-{role}")
        experiment.run_fit(points, three_classes(epochs=1), num_chunks=1)
        clone = experiment.clone(1, {"pause": 0.05}, warm_start=True)
        experiment.delete(1)
        wait_until(lambda: run(experiment, clone).live_step >= 2, "it to train")
        kill(role)
        if role == "agent":
            wait_until(lambda: not EngineClient().is_alive(), "the engine's lock to be free")
        assert run(experiment, clone).base_lease == 0
        experiment.wait()
        data = tables(points, tmp_path / "store")
        parent = plain_loop.train(PACED, normalise(three_classes(epochs=1)), data, 42)
        expected = plain_loop.train(PACED, run(experiment, clone).leaf, data, 42, parent=parent)
        contract.assert_like_plain_loop(experiment, clone, expected)
        experiment.end()
