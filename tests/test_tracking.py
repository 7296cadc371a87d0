"""Every run is an MLflow run, written by the tracker process through the outbox."""

from __future__ import annotations

import json
import os
import signal
import warnings

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, paced_config, wait_until
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
        wait_until(lambda: EngineClient().status()["processes"].get("tracker"), "the tracker")
        os.kill(EngineClient().status()["processes"]["tracker"], signal.SIGKILL)
        experiment.wait()
        experiment.clone(1, {"pause": 0.0}, warm_start=True)
        experiment.wait()
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
    assert sorted(ids) == sorted(run.info.run_id for run in found)


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


def test_a_tracking_server_that_is_down_stops_no_training(points, tmp_path):
    with engine_home(tmp_path, slots=2, device="cpu"):
        experiment = Experiment(SPECS / "paced.py", "down", tracking_uri="http://127.0.0.1:9")
        experiment.run_fit(points, paced_config(epochs=1))
        assert list(experiment.get_runs_info()["status"]) == ["completed"]
        assert EngineClient().status()["unsent"] > 0
