"""Every run is an MLflow run, written by the tracker process through the outbox."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import warnings

import pytest

from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.tracker import MlflowSink
from rapidfire_lab.journal import OutboxRecord
from rapidfire_lab.mlflow_store import make_store
from tests.conftest import SPECS, engine_home, kill, paced_config, wait_until
from tests.contract import minibatch_losses

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def tracked(points, tmp_path_factory):
    """Two finished runs, the tracker killed on the way, and a warm clone of the first."""
    with engine_home(tmp_path_factory.mktemp("tracked"), slots=2, device="cpu") as home:
        experiment = Experiment(SPECS / "paced.py", "tracked")
        secrets = {"hf_token": "hf_secret", "stores": [{"url": "s3://bucket", "password": "pw_secret"}]}
        configs = [paced_config(width=4, pause=0.05, **secrets), paced_config(width=5, fault="nan")]
        experiment.run_fit(points, configs, num_chunks=2, wait=False)
        kill("tracker")
        experiment.wait()
        experiment.clone(1, {"pause": 0.0}, warm_start=True)
        experiment.wait()
        held_out = DataHandle({"test": points.esf_of("validation")})
        experiment.run_test(held_out, run_id=1)
        weights = experiment.path / "runs" / "1" / "checkpoints" / "final.safetensors"
        knobs = {"width": 4, "pause": 0.0, "hf_token": "hf_secret", "named_metrics": ["top1_accuracy"]}
        experiment.run_test(held_out, model_tag=weights, config=knobs)
        wait_until(lambda: EngineClient().status()["unsent"] == 0, "the outbox to be empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            yield experiment, MlflowClient(tracking_uri=home.mlflow_uri)
        experiment.end()


def test_runs_have_their_mlflow_ids(tracked):
    experiment, client = tracked
    ids = list(experiment.get_runs_info()["mlflow_run_id"])
    found = client.search_runs([client.get_experiment_by_name("tracked").experiment_id])
    of_runs = [run.info.run_id for run in found if "rapidfire_lab.run_id" in run.data.tags]
    assert sorted(ids) == sorted(of_runs)


def test_a_test_is_with_its_run_and_one_of_a_model_tag_has_a_run_of_its_own(tracked):
    experiment, client = tracked
    of_run, of_tag = experiment.get_tests().to_dict("records")
    for name in ("test_loss", "test_top1_accuracy"):
        [point] = client.get_metric_history(experiment.get_runs_info()["mlflow_run_id"][0], name)
        assert (point.step, point.value) == (2, of_run[name.replace("test_top1", "top1")])
    found = client.search_runs([client.get_experiment_by_name("tracked").experiment_id])
    [alone] = [run for run in found if "rapidfire_lab.test_id" in run.data.tags]
    assert alone.data.tags["rapidfire_lab.model_tag"].endswith("final.safetensors")
    assert alone.data.metrics == {"test_loss": of_tag["test_loss"], "test_top1_accuracy": of_tag["top1_accuracy"]}
    assert alone.data.params["user_knobs.hf_token"] == "***"
    assert alone.info.status == "FINISHED"


def test_params_tags_and_status(tracked):
    experiment, client = tracked
    first, second, _ = (client.get_run(name) for name in experiment.get_runs_info()["mlflow_run_id"])
    assert first.data.params["user_knobs.width"] == "4"
    assert first.data.params["train.optimizer.args.lr"] == "0.01"
    assert first.data.tags["rapidfire_lab.run_id"] == "1"
    assert first.data.tags["rapidfire_lab.status"] == "completed"
    assert first.data.tags["rapidfire_lab.ended_by"] == "epochs"
    assert (first.info.status, second.info.status) == ("FINISHED", "FAILED")


def test_a_warm_start_is_tagged_with_where_it_began(tracked):
    experiment, client = tracked
    first, _, clone = (client.get_run(name) for name in experiment.get_runs_info()["mlflow_run_id"])
    assert clone.data.tags["rapidfire_lab.parent"] == "1"
    assert clone.data.tags["rapidfire_lab.warm_start"] == "true"
    assert clone.data.tags["rapidfire_lab.parent_step"] == "20"
    assert not {"rapidfire_lab.warm_start", "rapidfire_lab.parent_step"} & set(first.data.tags)


def test_secrets_do_not_leave_for_mlflow(tracked):
    experiment, client = tracked
    params = client.get_run(experiment.get_runs_info()["mlflow_run_id"][0]).data.params
    assert params["user_knobs.hf_token"] == "***"
    assert json.loads(params["user_knobs.stores"]) == [{"url": "s3://bucket", "password": "***"}]
    assert not [value for value in params.values() if "_secret" in value]
    # They are the user's own: a config of the table can be trained again.
    assert experiment.get_runs_info()["config"][0]["user_knobs"]["hf_token"] == "hf_secret"


def test_metrics_by_step_and_by_epoch_are_complete_and_exact(tracked):
    experiment, client = tracked
    name = experiment.get_runs_info()["mlflow_run_id"][0]
    by_step = client.get_metric_history(name, "minibatch_loss")
    assert [point.step for point in by_step] == list(range(1, 21))
    assert [point.value for point in by_step] == minibatch_losses(experiment, 1)
    by_epoch = client.get_metric_history(name, "val_loss")
    assert [point.step for point in by_epoch] == [1, 2]
    assert [point.value for point in by_epoch] == list(experiment.get_results(1)["val_loss"])


def test_the_spec_is_an_artifact(tracked):
    experiment, client = tracked
    name = experiment.get_runs_info()["mlflow_run_id"][0]
    assert [artifact.path for artifact in client.list_artifacts(name, "spec")] == ["spec/paced.py"]


def stopped_in_validation(experiment, points, sign):
    """A run that was stopped between the last minibatch of an epoch and the end of its validation, if that worked."""
    begun = sign.with_suffix(".begun")
    for path in (sign, begun):
        path.unlink(missing_ok=True)
    experiment.run_fit(points, paced_config(fault=f"validates after {sign}"), wait=False)
    wait_until(begun.exists, "the validation")
    experiment.stop(experiment.runs()[-1].run_id)
    EngineClient().status()  # who answers this has told the slot
    sign.touch()
    wait_until(lambda: experiment.runs()[-1].status == "stopped", "the stop")
    return experiment.runs()[-1] if not experiment.runs()[-1].completed_epochs else None


def test_an_epoch_that_was_stopped_in_its_validation_is_told_like_any_other(points, tmp_path):
    with engine_home(tmp_path / "home", slots=1, device="cpu") as home:
        experiment = Experiment(SPECS / "paced.py", "stopped-in-validation")
        run = next(filter(None, (stopped_in_validation(experiment, points, tmp_path / "sign") for _ in range(5))))
        wait_until(lambda: EngineClient().status()["unsent"] == 0, "the outbox to be empty")
        experiment.resume(run.run_id)
        experiment.wait()
        wait_until(lambda: EngineClient().status()["unsent"] == 0, "the outbox to be empty")
        name, results = experiment.runs()[-1].mlflow_run_id, experiment.get_results(run.run_id)
        experiment.end()
    with contextlib.closing(sqlite3.connect(home.mlflow_store)) as store:
        for metric in ("val_loss", "train_loss", "learning_rate"):
            query = "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step"
            assert store.execute(query, (name, metric)).fetchall() == list(enumerate(results[metric], start=1))


def told(client, name):
    run = client.get_run(name)
    return (dict(run.info), run.data.tags, client.get_metric_history(name, "minibatch_loss"))


@pytest.mark.parametrize("kind", ["start", "points", "status"])
def test_an_entry_that_is_sent_a_second_time_takes_nothing_back(tracked, kind):
    """A tracker may have sent the entries after it, too, and die before it gets to them again."""
    experiment, client = tracked
    with experiment.reader() as journal:
        completed, failed, _ = journal.runs(journal.experiment(experiment.name).id)
        sink = MlflowSink(EngineHome.default(), journal)
        for run in (completed, failed):
            before = told(client, run.mlflow_run_id)
            payload = {"after": 0, "to": 5} if kind == "points" else {}
            assert (
                sink.send(OutboxRecord(id=1, run=run.id, kind=kind, payload=json.dumps(payload))) == run.mlflow_run_id
            )
            assert told(client, run.mlflow_run_id) == before


# The store


MAKE_TABLES = """
import sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore("sqlite:///" + sys.argv[1], "artifacts")
"""

MAKE_STORE = """
import sys
from pathlib import Path
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.mlflow_store import make_store
make_store(EngineHome(Path(sys.argv[1]).parent))
"""


def kill_while_it_makes(code, store, file):
    """Kill a maker of the store as soon as a file of its has a table."""
    with subprocess.Popen([sys.executable, "-c", code, str(store)]) as maker:
        wait_until(lambda: file.exists() and file.stat().st_size, "the first table")
        maker.kill()


@pytest.mark.parametrize("by", ["mlflow", "us"])
def test_a_store_whose_maker_was_killed_is_made(by, tmp_path):
    home = EngineHome(tmp_path)
    if by == "mlflow":
        kill_while_it_makes(MAKE_TABLES, home.mlflow_store, home.mlflow_store)
        home.mlflow_store.with_name("mlflow.db-journal").touch()  # a transaction that had only begun
    else:
        kill_while_it_makes(MAKE_STORE, home.mlflow_store, tmp_path / ".mlflow.db.new")
        assert not home.mlflow_store.exists()
    makers = [subprocess.Popen([sys.executable, "-c", MAKE_STORE, str(home.mlflow_store)]) for _ in range(2)]
    assert [maker.wait() for maker in makers] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["mlflow.db", "mlflow.lock"]
    with contextlib.closing(sqlite3.connect(home.mlflow_store)) as store:
        assert store.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
    before = home.mlflow_store.stat()
    make_store(home)
    assert home.mlflow_store.stat() == before


def test_a_store_that_is_damaged_is_left_as_it_is(tmp_path):
    home = EngineHome(tmp_path)
    home.mlflow_store.write_bytes(b"no database at all, by far" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        make_store(home)
    assert home.mlflow_store.read_bytes() == b"no database at all, by far" * 100


def test_a_tracking_server_that_is_down_stops_no_training(points, tmp_path):
    with engine_home(tmp_path, slots=2, device="cpu"):
        experiment = Experiment(SPECS / "paced.py", "down", tracking_uri="http://127.0.0.1:9")
        experiment.run_fit(points, paced_config(epochs=1))
        assert list(experiment.get_runs_info()["status"]) == ["completed"]
        assert EngineClient().status()["unsent"] > 0
