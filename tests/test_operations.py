"""Stop, resume, delete and clone while runs train."""

from __future__ import annotations

import numpy as np
import pytest

from rapidfire_lab import ConfigError, EngineError, List, NotFoundError, OperationError, Range, StaleError
from rapidfire_lab.engine.client import EngineClient, new_request_id
from rapidfire_lab.engine.protocol import CheckClone, RunOperation
from tests.conftest import engine_home, paced_config, wait_until
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
    wait_until(lambda: {status(experiment, n) for n in (1, 2)} == {"stopped"}, "both to stop")
    assert max(run(experiment, n).step for n in (1, 2)) < 250


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
        ({}, "are none: .* at least one changed knob"),
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


def test_a_clone_with_knobs_is_several(experiment, points):
    experiment.run_fit(points, paced_config(epochs=1))
    assert experiment.clone(1, {"width": List([5, 6]), "batch_size": List([32, 64])}) == [2, 3, 4, 5]
    lr = Range(0.001, 0.1, log=True)
    assert experiment.clone(1, {"optimizer": {"args": {"lr": lr}}}, num_runs=2, seed=3) == [6, 7]
    assert experiment.clone(1, {"width": List([7])}) == [8]
    with pytest.raises(ConfigError, match="num_runs"):
        experiment.clone(1, {"width": Range(5, 6)})
    with pytest.raises(ConfigError, match="Clones 1 and 2"):
        experiment.clone(1, {"width": List([7, 7])})
    rates = [run(experiment, clone).leaf["train"]["optimizer"]["args"]["lr"] for clone in (6, 7)]
    assert len({*rates, 0.01}) == 3


# As other clients ask


@pytest.fixture
def client(experiment):
    return EngineClient()


def events(experiment):
    with experiment.reader() as reader:
        return [event.message for event in reader.events(reader.experiment(experiment.name).id)]


def test_changes_are_made_of_each_parent(experiment, points, client):
    experiment.run_fit(points, [paced_config(epochs=1), paced_config(width=9, epochs=1)])
    made = client.operate(experiment.name, "clone", [2, 1], changes=[{"batch_size": 64}, {"pause": 0.01}])
    assert made["run_ids"] == [3, 4, 5, 6]
    assert len(set(made["operation_ids"])) == 4
    assert [run(experiment, clone).parent for clone in made["run_ids"]] == [2, 2, 1, 1]
    knobs = [run(experiment, clone).leaf["user_knobs"] for clone in made["run_ids"]]
    assert [knob["width"] for knob in knobs] == [9, 9, 8, 8]
    assert "Clone run 2 as run 4, asked by user" in events(experiment)


def test_clones_of_one_request_must_differ(experiment, points, client):
    experiment.run_fit(points, [paced_config(epochs=1), paced_config(width=9, epochs=1)])
    with pytest.raises(ConfigError, match="Clones 1 and 3 of those asked for have the same config"):
        client.operate(experiment.name, "clone", [1], changes=[{"width": 5}, {"width": 6}, {"width": 5.0}])
    with pytest.raises(ConfigError, match="Clones 1 and 2 "):
        client.operate(experiment.name, "clone", [1, 2], changes=[{"width": 5}])
    assert len(experiment.runs()) == 2


def test_too_many_clones_are_refused_before_they_are_looked_at(experiment, points, client):
    experiment.run_fit(points, [paced_config(epochs=1), paced_config(width=9, epochs=1)])
    many = [{"widht": width} for width in range(501)]
    for ask in (client.check_clone, lambda *args, **rest: client.operate(args[0], "clone", args[1], **rest)):
        with pytest.raises(ConfigError, match=r"1002 clones, over 1000: take fewer runs or changes"):
            ask(experiment.name, [1, 2], changes=many)
        with pytest.raises(ConfigError, match="no knob 'widht'"):
            ask(experiment.name, [1, 1], changes=many)


def test_what_is_nested_too_deep_is_refused_and_the_engine_goes_on(experiment, points, client):
    experiment.run_fit(points, paced_config(epochs=1))
    pid = client.status()["processes"]["controller"]
    deep = {"a": 1}
    for _ in range(490):
        deep = {"a": deep}
    asked = {"experiment": experiment.name, "run_ids": [1], "changes": [{"user_knobs": deep}]}
    clone = {"operation": "clone", "origin": "user", "warm_start": False, "seen": {}}
    for request in (
        CheckClone(request_id=new_request_id(), warm_start=False, **asked),
        RunOperation(request_id=new_request_id(), **asked, **clone),
    ):
        with pytest.raises(ConfigError, match="nested over 32 levels deep"):
            client.request(request)
    with pytest.raises(ConfigError, match="nested over 32 levels deep"):
        experiment.run_fit(points, paced_config(deep=deep))
    assert client.status()["processes"]["controller"] == pid


def test_what_the_user_saw_must_still_be_so(experiment, points, client):
    experiment.run_fit(points, paced_config(epochs=1))
    with pytest.raises(StaleError, match=r"Run 1 .* is completed now; it was running when you looked"):
        client.operate(experiment.name, "delete", [1], seen={"1": "running"})
    for unknown in ("9", "x", "9" * 5_000):
        with pytest.raises(StaleError, match="is unknown now"):
            client.operate(experiment.name, "delete", [1], seen={unknown: "running"})
    assert status(experiment, 1) == "completed"
    client.operate(experiment.name, "delete", [1], seen={"1": "completed"})
    with pytest.raises(StaleError, match="is deleted now; it was completed"):
        client.operate(experiment.name, "delete", [1], seen={"1": "completed"})


def test_a_repeat_gets_the_first_answer(experiment, points, client):
    experiment.run_fit(points, paced_config(epochs=1))
    asked = {"changes": [{"width": 5}], "request_id": new_request_id()}
    first = client.operate(experiment.name, "clone", [1], **asked)
    assert client.operate(experiment.name, "clone", [1], **asked) == first
    assert len(experiment.runs()) == 2


def test_cancel_stops_what_is_active_and_is_legal_with_nothing(experiment, points, client):
    start(experiment, points, *[paced_config(width=width, pause=0.05, epochs=30) for width in (5, 6, 7)])
    experiment.run_fit(points, paced_config(epochs=1))
    made = client.operate(experiment.name, "cancel", [])
    assert made["run_ids"] == [1, 2, 3]
    assert len(made["operation_ids"]) == 3
    assert client.operate(experiment.name, "cancel", [])["run_ids"] == []
    with pytest.raises(OperationError, match="takes no run ids"):
        client.operate(experiment.name, "cancel", [1])


def test_an_answer_names_the_rows_of_the_control_ops_log(experiment, points, client):
    experiment.run_fit(points, paced_config(epochs=1))
    made = client.operate(experiment.name, "clone", [1], changes=[{"width": 5}], origin="search")
    with experiment.reader() as reader:
        rows = reader._all("SELECT * FROM operations WHERE id = ?", made["operation_ids"])
    assert [(row["operation"], row["run_id"], row["origin"]) for row in rows] == [("clone", 1, "search")]
    assert (rows[0]["arguments"], rows[0]["result"]) == ('{"changes": {"width": 5}}', "run 2")


def test_a_clone_can_be_checked_without_being_made(experiment, points, client):
    experiment.run_fit(points, paced_config(epochs=1))
    with experiment.reader() as reader:
        before = reader.rev
        scheduler = {"name": "StepLR", "args": {"step_size": 2}}
        found = client.check_clone(experiment.name, [1], changes=[{"width": 5}, {"lr_scheduler": scheduler}])["clones"]
        assert [clone["parent"] for clone in found] == [1, 1]
        assert found[0]["config"]["user_knobs"]["width"] == 5
        assert found[0]["changed"] == [{"knob": "user_knobs.width", "from": 8, "to": 5}]
        assert {"knob": "train.lr_scheduler.name", "from": None, "to": "StepLR"} in found[1]["changed"]
        for changes, words in (([{"width": 8}], "as it is"), ([{"widht": 1}], "no knob"), ([{"width": 5}] * 2, "same")):
            with pytest.raises(ConfigError, match=words):
                client.check_clone(experiment.name, [1], changes=changes)
        with pytest.raises(NotFoundError, match="Run 9 "):
            client.check_clone(experiment.name, [9], changes=[{"width": 5}])
        assert reader.rev == before
    assert len(experiment.runs()) == 1


@pytest.mark.parametrize("run_id", [9, 0, -1, 1 << 63])
def test_runs_and_experiments_that_are_not_there(experiment, points, client, run_id):
    with pytest.raises(NotFoundError, match=f"Run {run_id} .* does not exist; its runs are none"):
        client.operate(experiment.name, "stop", [run_id])
    with pytest.raises(NotFoundError, match="no experiment 'absent'"):
        client.operate("absent", "stop", [run_id])


def test_only_clones_take_changes(experiment, points, client):
    with pytest.raises(OperationError, match="are for clone, not for stop"):
        client.operate(experiment.name, "stop", [], changes=[{"width": 5}])


def test_an_engine_that_is_down_is_not_started_for_an_operation_unless_wanted(tmp_path):
    with engine_home(tmp_path):
        client = EngineClient()
        for ask in (
            lambda: client.operate("absent", "stop", [1], start=False),
            lambda: client.check_clone("absent", [1], changes=[{}]),
        ):
            with pytest.raises(EngineError, match=r"engine is not running. Start it .*rapidfire-lab start-engine"):
                ask()
        assert not client.is_alive()
