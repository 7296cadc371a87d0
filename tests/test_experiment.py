"""The Experiment class: constructor, run_fit's arguments, results, end."""

from __future__ import annotations

import json
import platform
import threading

import pandas as pd
import pytest
import torch

from rapidfire_lab import (
    ConfigError,
    DataError,
    DataHandle,
    EngineError,
    Experiment,
    GridSearch,
    List,
    OperationError,
    SpecError,
)
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.worker.checkpoint import load_weights
from tests.conftest import SPECS, paced_config, wait_until

SPEC = SPECS / "paced.py"


@pytest.fixture
def own_spec(tmp_path):
    """A copy of the spec that a test may edit."""
    path = tmp_path / "own_spec.py"
    path.write_text(SPEC.read_text())
    return path


def test_rerunning_the_cell_reattaches(home, own_spec, capsys):
    first = Experiment(own_spec, "rerun")
    again = Experiment(str(own_spec), experiment_name="rerun", epoch_checkpoints=False)
    assert again.name == first.name == "rerun"
    assert again.path == first.path
    assert "is live: reattached" in capsys.readouterr().out
    again.end()


def test_a_reused_name_gets_a_suffix_and_reattaches_under_the_asked_name(home):
    Experiment(SPEC, "reused").end()
    with pytest.warns(UserWarning, match="'reused' is taken by an earlier experiment; this one is 'reused_1'"):
        second = Experiment(SPEC, "reused")
    assert second.name == "reused_1"
    assert Experiment(SPEC, "reused").name == "reused_1"
    second.end()


def test_a_live_experiment_is_ended_by_another_with_a_warning(home, points):
    first = Experiment(SPEC, "first-alive")
    first.run_fit(points, paced_config(pause=0.05, epochs=50), wait=False)
    with pytest.warns(UserWarning, match="'first-alive' was still live; it has been ended"):
        second = Experiment(SPEC, "second-alive")
    wait_until(lambda: first.runs()[0].status == "stopped", "the run of the ended experiment to stop")
    with pytest.raises(OperationError, match="has ended"):
        first.run_fit(points, paced_config())
    second.end()


def test_an_edited_spec_is_refused_under_the_live_experiment(home, own_spec, points):
    experiment = Experiment(own_spec, "edited")
    own_spec.write_text(own_spec.read_text() + "\n# edited\n")
    with pytest.raises(SpecError, match=r"own_spec.py .*has changed since experiment 'edited' was created"):
        Experiment(own_spec, "edited")
    with pytest.raises(SpecError, match="has changed since"):
        experiment.run_fit(points, paced_config())
    experiment.end()
    with pytest.warns(UserWarning, match="'edited_1'"):
        Experiment(own_spec, "edited").end()


def test_the_source_is_kept_with_the_experiment(home):
    experiment = Experiment(SPECS / "digits_augmented.py", "kept")
    kept = {path.name for path in (experiment.path / "spec").iterdir()}
    assert kept == {"digits_augmented.py", "digits_nets.py"}
    info = json.loads((experiment.path / "spec.json").read_text())
    assert info["main"] == "digits_augmented.py"
    assert len(info["hash"]) == 32
    experiment.end()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 101, "new\nline"])
def test_names_that_are_no_folder_names_are_refused(home, name):
    with pytest.raises(OperationError, match="experiment name"):
        Experiment(SPEC, name)


@pytest.mark.parametrize("prepared", ["open", "link"])
def test_a_folder_that_others_may_have_prepared_is_refused(home, tmp_path, prepared):
    folder = tmp_path / "prepared"
    target = tmp_path / "elsewhere" if prepared == "link" else folder
    target.mkdir(mode=0o700)
    if prepared == "link":
        folder.symlink_to(target)
    else:
        folder.chmod(0o777)
    with pytest.raises(EngineError, match=rf"{folder} is .*Remove it, or choose another experiment_name"):
        Experiment(SPEC, "prepared", experiments_path=tmp_path)
    assert not list(target.iterdir())


def test_what_a_refused_creation_left_is_no_part_of_the_snapshot(home, tmp_path):
    left = tmp_path / "left" / "spec" / "torch.py"
    left.parent.parent.mkdir(mode=0o700)
    left.parent.mkdir()
    left.write_text("raise SystemError('planted')")
    experiment = Experiment(SPEC, "left", experiments_path=tmp_path)
    assert [path.name for path in (experiment.path / "spec").rglob("*.py")] == ["paced.py"]
    experiment.end()


def test_run_fits_add_up_and_ids_go_on(home, points):
    experiment = Experiment(SPEC, "adds-up")
    experiment.run_fit(points, paced_config(epochs=1))
    grid = GridSearch({**paced_config(epochs=1), "user_knobs": {"width": List([4, 5]), "pause": 0.0}})
    experiment.run_fit(points, [grid, [paced_config(width=6, epochs=2)]], seed=7)
    results = experiment.get_results()
    assert list(results["run_id"]) == [1, 2, 3, 4, 4]
    assert list(results.columns[:5]) == ["run_id", "epoch", "step", "train_loss", "val_loss"]
    assert list(experiment.get_results(4)["step"]) == [10, 20]
    with pytest.raises(OperationError, match="no run 9; its runs are 1, 2, 3, 4"):
        experiment.get_results(9)
    info = experiment.get_runs_info()
    assert list(info.columns[:8]) == [
        "run_id",
        "data_handle_id",
        "status",
        "source",
        "ended_by",
        "completed_epochs",
        "mlflow_run_id",
        "config",
    ]
    assert set(info["data_handle_id"]) == {points.id}
    assert info["config"][3]["user_knobs"]["width"] == 6
    experiment.end()
    assert len(experiment.get_results()) == 5


def test_the_same_config_under_another_seed_differs(home, points):
    experiment = Experiment(SPEC, "seeds")
    for seed in (1, 2, 1):
        experiment.run_fit(points, paced_config(epochs=1), seed=seed)
    losses = list(experiment.get_results()["train_loss"])
    assert losses[0] == losses[2] != losses[1]
    experiment.end()


def test_without_validation_there_is_no_validation_column(home, points):
    experiment = Experiment(SPEC, "no-validation")
    experiment.run_fit(DataHandle({"train": points.locators["train"]}), paced_config(epochs=1))
    assert list(experiment.get_results().columns) == [
        "run_id",
        "epoch",
        "step",
        "train_loss",
        "train_top1_accuracy",
        "learning_rate",
    ]
    experiment.end()


def test_before_any_run_the_frames_are_empty_with_columns(home):
    experiment = Experiment(SPEC, "empty")
    assert experiment.get_results().empty
    assert "run_id" in experiment.get_results()
    assert experiment.get_runs_info().empty
    experiment.wait()
    experiment.cancel_current()
    experiment.show()
    experiment.end()


def test_has_converged_ends_a_run(home, points, tmp_path):
    spec = tmp_path / "converging.py"
    addition = (
        "\n    def has_converged(self, val_metrics, epoch, cfg):\n"
        "        assert list(val_metrics['top1_accuracy']) and len(val_metrics) == epoch\n"
        "        return epoch >= cfg['patience']\n"
    )
    text = SPEC.read_text()
    spec.write_text(text.replace("\n\ndef misbehave", addition + "\n\ndef misbehave"))
    experiment = Experiment(spec, "converging")
    experiment.run_fit(points, [paced_config(epochs=5, patience=2), paced_config(epochs=5, patience=9)])
    info = experiment.get_runs_info()
    assert list(info["status"]) == ["completed", "completed"]
    assert list(info["ended_by"]) == ["converged", "epochs"]
    assert list(info["completed_epochs"]) == [2, 5]
    experiment.end()


def test_epoch_checkpoints_hold_the_weights_of_each_epoch(home, points):
    experiment = Experiment(SPEC, "epochs-kept", epoch_checkpoints=True)
    experiment.run_fit(points, [paced_config(epochs=3)], num_chunks=3)
    experiment.run_fit(points, paced_config(epochs=1))
    folder = experiment.path / "runs" / "1" / "checkpoints"
    names = {path.name for path in folder.iterdir()}
    epochs = {f"epoch-{epoch}{suffix}" for epoch in (1, 2, 3) for suffix in (".safetensors", ".json")}
    assert names == epochs | {"final.safetensors", "final.json"}
    first = load_weights(folder / "epoch-1.safetensors")
    other = load_weights(experiment.path / "runs" / "2" / "checkpoints" / "final.safetensors")
    assert all(torch.equal(tensor, other[name]) for name, tensor in first.items())
    metadata = json.loads((folder / "epoch-1.json").read_text())
    assert (metadata["torch"], metadata["python"]) == (torch.__version__, platform.python_version())
    assert metadata["epoch"] == 1
    assert metadata["metrics"]["train_loss"] == experiment.get_results(1)["train_loss"][0]
    experiment.end()


def test_only_two_checkpoints_to_go_on_from_are_kept(home, points):
    experiment = Experiment(SPEC, "retention")
    experiment.run_fit(points, paced_config(epochs=3), num_chunks=5)
    kept = {path.name for path in (experiment.path / "runs" / "1" / "state").iterdir()}
    last = experiment.runs()[0].base_lease
    experiment.end()
    assert len(kept) == 4
    assert {f"lease-{last}.safetensors", f"lease-{last}.state.pt"} <= kept


def test_end_is_refused_while_runs_train(home, points):
    experiment = Experiment(SPEC, "busy")
    experiment.run_fit(points, paced_config(pause=0.05, epochs=50), wait=False)
    with pytest.raises(OperationError, match=r"Runs 1 .* Call wait\(\) or cancel_current\(\) first"):
        experiment.end()
    experiment.cancel_current()
    experiment.end()


def test_a_run_can_be_waited_for_by_id(home, points):
    experiment = Experiment(SPEC, "waits")
    experiment.run_fit(points, [paced_config(pause=0.1, epochs=50), paced_config(width=4, epochs=1)], wait=False)
    experiment.wait([2])
    assert experiment.runs()[0].status == "running"
    with pytest.raises(TimeoutError, match=r"Runs \[1\] are still training"):
        experiment.wait(timeout=0.2)
    experiment.cancel_current()
    experiment.end()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"data_handle": "train.csv"}, DataError, "must be a DataHandle, not str"),
        ({"ml_config": {}}, ConfigError, "epochs"),
        ({"ml_config": []}, ConfigError, "empty"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"seed": 1.5}, ConfigError, "seed"),
        ({"num_chunks": 0}, ConfigError, "num_chunks"),
    ],
)
def test_bad_arguments_are_refused(experiment, points, arguments, error, words):
    given = {"data_handle": points, "ml_config": paced_config(), **arguments}
    with pytest.raises(error, match=words):
        experiment.run_fit(**given)
    assert experiment.runs() == []


def test_two_racing_constructors_make_one_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("RAPIDFIRE_LAB_TRACKING", "False")
    monkeypatch.setenv("RAPIDFIRE_LAB_SLOTS", "1")
    identities = []
    threads = [threading.Thread(target=lambda: identities.append(EngineClient().start().pid)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(identities) == 4
    assert len(set(identities)) == 1
    assert EngineClient().stop()
    assert not EngineClient().stop()


def test_results_are_a_plain_dataframe(home, points):
    experiment = Experiment(SPEC, "frame")
    experiment.run_fit(points, paced_config(epochs=1))
    frame = experiment.get_results()
    assert isinstance(frame, pd.DataFrame)
    assert frame["val_loss"].dtype == "float64"
    experiment.end()


METRIC = """
from paced import MLSpec as Paced

class MLSpec(Paced):
    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        return {%s: 1.0}
"""


def test_a_metric_with_the_name_of_a_column_of_tests_costs_no_training(home, points, tmp_path):
    spec = tmp_path / "spec.py"
    (tmp_path / "paced.py").write_bytes(SPEC.read_bytes())
    spec.write_text(METRIC % "'rows'")
    experiment = Experiment(spec, "plain-name")
    with pytest.raises(SpecError, match=r"spec\.py, line 6: compute_metrics gives a metric the name 'rows'"):
        experiment.run_fit(points, paced_config(epochs=1))
    assert experiment.runs() == []
    experiment.end()
    spec.write_text(METRIC % "'ro' + 'ws'")
    experiment = Experiment(spec, "computed-name")
    experiment.run_fit(points, paced_config(epochs=1))
    assert [run.status for run in experiment.runs()] == ["completed"]
    assert "run_test will refuse it" in (experiment.path / "runs" / "1" / "run.log").read_text()
    experiment.end()


def leases_of(experiment):
    """How many leases each run of an experiment took."""
    with EngineClient().reader() as reader:
        keys = [run.id for run in experiment.runs()]
        taken = [row["run"] for row in reader._all("SELECT run FROM leases")]
    return [taken.count(key) for key in keys]


def test_runs_that_take_but_a_moment_are_trained_in_one_lease_unless_chunks_are_asked_for(experiment, points):
    experiment.run_fit(points, [paced_config(width=width) for width in range(8, 16)])
    # Some may be held up by what else the machine does.
    assert 1 in leases_of(experiment)
    experiment.run_fit(points, [paced_config(width=width) for width in (16, 17)], num_chunks=2)
    assert leases_of(experiment)[-2:] == [4, 4]
