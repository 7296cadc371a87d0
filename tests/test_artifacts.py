"""What an experiment saves in a bucket when it ends: an S3 server, and a proxy before it that breaks requests."""

from __future__ import annotations

import io
import json
import re
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

from rapidfire_lab import DataHandle, Experiment, OperationError, StorageError
from rapidfire_lab.artifacts import Artifacts
from rapidfire_lab.cli import main
from rapidfire_lab.storage import open_store, read_manifest
from rapidfire_lab.storage.s3 import S3Store
from tests.conftest import SPECS, engine_home, paced_config
from tests.storage.conftest import (  # noqa: F401 - fixtures
    ONCE,
    QUICK,
    SECRET,
    aws,
    bucket,
    clients,
    proxy,
    running_proxy,
    s3_port,
)
from tests.storage.fault_proxy import FAULTS

SPEC = SPECS / "paced.py"
HUSH = "hush-hush"
TABLES = {"experiment.json", "metrics.csv", "tests.csv", "runs.csv", "operations.csv", "log.csv"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """With tracking, unlike that of other tests."""
    with engine_home(tmp_path_factory.mktemp("home"), slots=2, device="cpu") as made:
        yield made


@pytest.fixture(scope="module")
def ended(home, points, tmp_path_factory):
    """An experiment that kept every epoch, with predictions in two folders, of which one is not there any more."""
    experiment = Experiment(SPEC, "ended", epoch_checkpoints=True)
    experiment.run_fit(points, [paced_config(width, api_key=HUSH) for width in (4, 8)])
    rows = points.locators["validation"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        for run_id in (1, 2, 2):
            monkeypatch.chdir(tmp_path_factory.mktemp("notebook"))
            path = experiment.run_predict(DataHandle({"predict": rows}), run_id=run_id)
            if run_id == 1:
                path.unlink()
    (experiment.path / "runs/1/.hidden").write_bytes(b"")
    experiment.end()
    return experiment


@pytest.fixture(scope="module")
def bare(home):
    """An experiment without runs."""
    experiment = Experiment(SPEC, "bare")
    experiment.end()
    return experiment


@pytest.fixture
def artifacts(bucket, clients):  # noqa: F811
    """Return a function that makes the artifacts of an ended experiment, without epochs, and their store."""

    def make(experiment, prefix="", retry=ONCE, timeout=60):
        store = S3Store(bucket, prefix, client=clients[timeout], retry=retry)
        return Artifacts(experiment._reader(), experiment._record(), store, epoch_checkpoints=False), store

    return make


def contents(store, name):
    """What the manifest lists, each as it says."""
    entries = read_manifest(store, name) or {}
    found = {key: store.get_bytes(f"{name}/{key}") for key in entries}
    assert {key: (sha256(content).hexdigest(), len(content)) for key, content in found.items()} == entries
    return found


def files_of(experiment):
    root = experiment.path
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def differing(saved, local):
    return {key for key in saved if key in local and saved[key] != local[key]}


def test_everything_is_saved_and_a_repetition_sends_nothing(ended, bucket, proxy, capsys):  # noqa: F811
    before = files_of(ended)
    ended.end(f"s3://{bucket}/outputs/", save_epoch_checkpoints=True)
    assert f"files are saved in s3://{bucket}/outputs/ended" in capsys.readouterr().out
    saved = contents(open_store(f"s3://{bucket}/outputs"), "ended")
    kept = {key for key in before if "/state/" not in key and ".hidden" not in key}
    predictions = {"predictions/predictions_run2.csv", "predictions/3/predictions_run2.csv"}
    assert set(saved) == kept | TABLES | {"runs/1/metrics.csv", "runs/2/metrics.csv"} | predictions
    assert {"runs/2/checkpoints/epoch-1.safetensors", "spec/paced.py"} < kept
    assert {saved[name].count(b"\n") for name in predictions} == {65}
    assert differing(saved, before) == {key for key in kept if re.fullmatch(r"runs/\d/checkpoints/.*\.json", key)}
    assert not any(HUSH.encode() in content for content in saved.values())
    assert files_of(ended) == before
    proxy.begin()
    ended.end(f"s3://{bucket}/outputs", save_epoch_checkpoints=True)
    assert not [line for line in proxy.seen if not line.startswith(("GET", "HEAD"))]


def test_a_prediction_that_was_replaced_is_not_saved_and_a_deleted_run_neither(
    home,
    points,
    tmp_path,
    monkeypatch,
    capsys,
):
    experiment = Experiment(SPEC, "replaced")
    experiment.run_fit(points, [paced_config(width, epochs=1) for width in (4, 5, 6)])
    rows = DataHandle({"predict": points.locators["validation"]})
    monkeypatch.chdir(tmp_path)
    written = [experiment.run_predict(rows, run_id=run_id) for run_id in (1, 2, 3, 2)]
    written[0].write_text("id\n1\n")  # as another experiment's prediction would
    written[2].unlink()
    experiment.delete(3)
    capsys.readouterr()
    experiment.end(Path(f"file://{tmp_path}/saved"))
    told = capsys.readouterr().out
    assert f"{written[0]} of prediction 1 is not saved: another file is there by now" in told
    assert f"{written[2]} of prediction 3 is not saved: it is gone" in told
    assert told.count("is not saved") == 2
    saved = contents(open_store(tmp_path / "saved"), "replaced")
    assert {key for key in saved if key.startswith("predictions/")} == {"predictions/predictions_run2.csv"}
    assert saved["predictions/predictions_run2.csv"] == written[1].read_bytes()
    assert (experiment.path / "runs/3/run.log").exists()
    assert not [key for key in saved if key.startswith("runs/3/")]


def test_tables_are_what_the_notebook_shows(ended, artifacts):
    saving, store = artifacts(ended)
    saving.save()
    saved = {
        key: pd.read_csv(io.BytesIO(content)) for key, content in contents(store, "ended").items() if key[-3:] == "csv"
    }
    pd.testing.assert_frame_equal(saved["metrics.csv"], ended.get_results())
    assert saved["runs.csv"]["status"].tolist() == ["completed", "completed"]
    assert json.loads(saved["runs.csv"]["config"][1])["user_knobs"] == {"width": 8, "pause": 0.0, "api_key": "***"}
    steps = saved["runs/1/metrics.csv"].query("per == 'step' and name == 'minibatch_loss'")
    assert steps["step"].tolist() == list(range(1, 21))
    assert saved["log.csv"]["message"].str.contains("completed").any()


def test_without_epochs_only_final_checkpoints_are_saved(ended, artifacts):
    saving, store = artifacts(ended)
    saving.save()
    names = {key for key in read_manifest(store, "ended") if "/checkpoints/" in key}
    assert names == {f"runs/{run}/checkpoints/final.{kind}" for run in (1, 2) for kind in ("json", "safetensors")}


@pytest.mark.parametrize("turn", ["all that are stored", "each in turn"])
def test_saving_that_breaks_anywhere_is_finished_by_the_next_call(bare, artifacts, proxy, turn):  # noqa: F811
    saving, store = artifacts(bare, "count")
    proxy.begin()
    saving.save(workers=1)
    seen, whole, failures = list(proxy.seen), contents(store, "bare"), []
    for index, line in enumerate(seen):
        if turn == "all that are stored" and not line.startswith("PUT"):
            continue
        fault = FAULTS[index % len(FAULTS)] if turn == "each in turn" else "cut_answer"
        proxy.begin({index: fault})
        try:
            artifacts(bare, f"{index}", ONCE, 0.5 if fault == "hang" else 60)[0].save(workers=1)
        except StorageError as error:
            failures.append(f"{index} {error}")
        sent = [line for line in proxy.seen if line.startswith("PUT")]
        saving, store = artifacts(bare, f"{index}", QUICK)
        proxy.begin()
        assert contents(store, "bare") in ({}, whole)
        proxy.begin()
        assert saving.save(workers=1) == len(whole)
        again = [line for line in proxy.seen if line.startswith("PUT")]
        assert len(sent) + len(again) <= len(whole) + 2, "something was sent twice"
        assert contents(store, "bare") == whole
    assert len(failures) > len(whole) // 2
    assert all(re.match(r"(\d+) s3://bucket-\d+/\1/bare/", failure) for failure in failures)


CAUSES = {
    "deny": "access is denied; the credentials in use need s3:PutObject",
    "region": "the bucket is in eu-west-1; set AWS_DEFAULT_REGION",
    "key": "the credentials are not accepted",
    "throttle": r"S3 is busy or in trouble .*\(tried 6 times\)",
    "cut": r"the connection failed .*\(tried 6 times\)",
}


@pytest.mark.parametrize("fault", CAUSES)
def test_an_error_names_bucket_key_and_cause(ended, artifacts, bucket, proxy, fault):  # noqa: F811
    local = files_of(ended)
    saving, _ = artifacts(ended, "prefix", QUICK)
    saving.check()
    proxy.begin(every=fault)
    with pytest.raises(StorageError, match=CAUSES[fault]) as caught:
        saving.save()
    assert str(caught.value).startswith(f"s3://{bucket}/prefix/ended/experiment.json: cannot ")
    assert SECRET not in str(caught.value)
    assert files_of(ended) == local


def test_what_may_not_be_saved_ends_nothing(home, bucket, clients):  # noqa: F811
    experiment = Experiment(SPEC, "goes-on")
    clients[60].put_object(Bucket=bucket, Key="goes-on/experiment.json", Body=b"{}")
    with pytest.raises(OperationError, match="kept no epoch checkpoints"):
        experiment.end(f"s3://{bucket}", save_epoch_checkpoints=True)
    with pytest.raises(
        OperationError, match=r"has the artifacts of another experiment .* give another artifacts_bucket"
    ):
        experiment.end(f"s3://{bucket}")
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/goes-on/.*there is no such bucket"):
        experiment.end("s3://no-such-bucket")
    with pytest.raises(StorageError, match=f"write s3://{bucket}"):
        experiment.end(bucket)
    with pytest.raises(StorageError, match=r"paced\.py is a file: give the URL of a folder or bucket"):
        experiment.end(SPEC.as_uri())
    with pytest.raises(StorageError, match="or file:///here for a folder"):
        experiment.end("/here")
    for url, endpoint in ((f"s3://me:{HUSH}@{bucket}", None), (f"s3://{bucket}", f"http://me:{HUSH}@127.0.0.1:1")):
        with pytest.raises(StorageError, match="leave it out") as caught:
            experiment.end(url, endpoint_url=endpoint)
        assert HUSH not in str(caught.value)
    assert experiment._record().status == "live"
    experiment.end(save_epoch_checkpoints=True)
    assert experiment._record().status == "ended"


def interrupt(_):
    raise KeyboardInterrupt


def test_an_end_that_could_not_save_is_made_up_for(ended, bucket, proxy, capsys, monkeypatch):  # noqa: F811
    proxy.begin({9: "deny"})
    with pytest.raises(StorageError, match="access is denied"):
        ended.end(f"s3://{bucket}")
    assert "the same call of end() sends what is missing" in capsys.readouterr().out
    assert read_manifest(open_store(f"s3://{bucket}"), "ended") is None
    proxy.begin()
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "_wait_for_tracking", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ended.end(f"s3://{bucket}")
    assert "the same call of end() sends what is missing" in capsys.readouterr().out
    ended.end(f"s3://{bucket}")
    assert contents(open_store(f"s3://{bucket}"), "ended")


def test_an_ended_experiment_is_saved_from_the_terminal(ended, bucket, proxy, monkeypatch, capsys):  # noqa: F811
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    command = ["save", f"s3://{bucket}/late", "--experiment", "ended", "--endpoint-url", proxy.url]
    assert main([*command, "--epoch-checkpoints"]) == 0
    assert f"are saved in s3://{bucket}/late/ended" in capsys.readouterr().out
    names = read_manifest(open_store(f"s3://{bucket}/late", endpoint_url=proxy.url), "ended")
    assert "runs/1/checkpoints/epoch-2.safetensors" in names


def test_from_s3_to_s3_without_a_trace_of_credentials(home, points, bucket, clients, proxy):  # noqa: F811
    for partition in ("train", "validation"):
        table = Path(points.locators[partition]).read_bytes()
        clients[60].put_object(Bucket=bucket, Key=f"data/{partition}.csv", Body=table)
    remote = DataHandle({name: f"s3://{bucket}/data/{name}.csv" for name in ("train", "validation")})
    experiment = Experiment(SPEC, "remote")
    experiment.run_fit(remote, paced_config(epochs=1))
    assert experiment.get_results()["epoch"].tolist() == [1]
    experiment.end(f"s3://{bucket}/out")
    assert "runs/1/checkpoints/final.safetensors" in contents(open_store(f"s3://{bucket}/out"), "remote")
    places = [path for path in home.root.rglob("*") if path.is_file()]
    assert {"journal.sqlite", "mlflow.db", "engine.log"} <= {path.name for path in places}
    for path in places:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert b"AKIDEXAMPLE" not in content, path
