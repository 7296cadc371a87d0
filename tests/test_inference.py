"""Tests and predictions: the same as a plain loop, however many slots there are and whoever dies."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import load_file

from rapidfire_lab import ConfigError, DataError, DataHandle, Experiment, JobError, NotFoundError, OperationError
from rapidfire_lab.cli import main
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.errors import ObjectNotFoundError
from tests import plain_inference
from tests.conftest import SPECS, engine_home, kill, wait_until
from tests.storage.conftest import aws, bucket, clients, proxy, running_proxy, s3_port  # noqa: F401 - fixtures

SIZE = 7
ROWS = 200
KNOBS = {"width": 8, "shift": 0.1}
LEAF = {
    "train": {"epochs": 2, "batch_size": 32, "optimizer": {"name": "AdamW", "args": {"lr": 0.01}}},
    "user_knobs": KNOBS,
    "named_metrics": ["top1_accuracy"],
}


def write_table(path, rows, seed, *, labels=True):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2))
    table = pd.DataFrame({"id": rng.permutation(rows) + 5, "a": values[:, 0], "b": values[:, 1]})
    if labels:
        table["label"] = (values[:, 0] > 0).astype(int) + (values[:, 1] > 0.5)
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inference")
    for seed, name in enumerate(("train", "validation", "test")):
        write_table(folder / f"{name}.csv", ROWS, seed)
    write_table(folder / "predict.csv", ROWS, 9, labels=False)
    return DataHandle({name: folder / f"{name}.csv" for name in ("train", "validation", "test", "predict")})


on_one_and_two_slots = pytest.mark.parametrize("trained", [1, 2], ids=["one slot", "two slots"], indirect=True)
on_two_slots = pytest.mark.parametrize("trained", [2], ids=["two slots"], indirect=True)


@pytest.fixture(scope="module")
def trained(request, tmp_path_factory, data):
    """An experiment with a run of two epochs."""
    with engine_home(tmp_path_factory.mktemp("home"), slots=request.param, tracking=False, device="cpu"):
        experiment = Experiment(SPECS / "inferring.py", "inference", epoch_checkpoints=True)
        experiment.run_fit(data, LEAF)
        yield experiment
        experiment.cancel_current()
        experiment.end()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain_spec():
    sys.path.insert(0, str(SPECS))
    try:
        return importlib.import_module("inferring").MLSpec()
    finally:
        sys.path.pop(0)


def checkpoint(experiment, name="final"):
    return experiment.path / "runs" / "1" / "checkpoints" / f"{name}.safetensors"


def rows_of(data, partition):
    return pd.read_csv(data.esf_of(partition))


def pathway(experiment, which):
    """Arguments of a pathway, the file with its weights, and what the file of its predictions is called."""
    epoch = checkpoint(experiment, "epoch-1")
    config = {**KNOBS, "named_metrics": ["top1_accuracy"]}
    ways = {
        "run": ({"run_id": 1}, checkpoint(experiment), "predictions_run1"),
        "epoch": ({"run_id": 1, "epoch_checkpoint": 1}, epoch, "predictions_run1_epoch1"),
        "tag": (
            {"model_tag": str(epoch), "config": config},
            epoch,
            f"predictions_epoch-1_{hashlib.sha256(str(epoch).encode()).hexdigest()[:8]}",
        ),
    }
    return ways[which]


@on_one_and_two_slots
@pytest.mark.parametrize("which", ["run", "epoch", "tag"])
def test_a_test_is_the_plain_loop(trained, data, which):
    arguments, weights, _ = pathway(trained, which)
    table = trained.run_test(data, **arguments, batch_size=SIZE)
    expected = plain_inference.metrics(plain_spec(), LEAF, load_file(weights), rows_of(data, "test"), SIZE)
    assert {name: table[name].item() for name in expected} == expected
    assert table["rows"].item() == ROWS
    recorded = trained.get_tests().iloc[-1]
    assert {name: recorded[name] for name in expected} == expected


@on_two_slots
def test_a_checkpoint_in_s3(trained, data, bucket, clients):  # noqa: F811
    clients[60].put_object(Bucket=bucket, Key="models/mine.safetensors", Body=checkpoint(trained).read_bytes())
    tag = f"s3://{bucket}/models/mine.safetensors"
    table = trained.run_test(data, model_tag=tag, config={**KNOBS, "named_metrics": ["top1_accuracy"]})
    expected = plain_inference.metrics(plain_spec(), LEAF, load_file(checkpoint(trained)), rows_of(data, "test"), 64)
    assert {name: table[name].item() for name in expected} == expected
    assert table["model_tag"].item() == tag


@on_one_and_two_slots
@pytest.mark.parametrize("which", ["run", "epoch", "tag"])
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_prediction_is_the_plain_loop(trained, data, folder, which, file_format):
    arguments, weights, name = pathway(trained, which)
    path = trained.run_predict(data, **arguments, batch_size=SIZE, file_format=file_format)
    assert path == folder / f"{name}.{file_format}"
    expected = plain_inference.predictions(plain_spec(), LEAF, load_file(weights), rows_of(data, "predict"), SIZE)
    assert read_predictions(path) == expected
    assert [item.name for item in folder.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def read_predictions(path):
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        assert frame["logits"].iloc[0].dtype == np.float32
        return [{**row, "logits": row["logits"].tolist()} for row in frame.to_dict("records")]
    frame = pd.read_csv(path, converters={"logits": json.loads})
    return frame.to_dict("records")


def only_prediction(folder):
    [path] = folder.glob("predictions_*")
    return path


@on_two_slots
def test_checkpoints_of_one_name_have_predictions_of_their_own(trained, data, folder):
    other = folder / "elsewhere" / "epoch-1.safetensors"
    other.parent.mkdir()
    shutil.copy(checkpoint(trained, "epoch-1"), other)
    arguments, _, _ = pathway(trained, "tag")
    paths = [trained.run_predict(data, **{**arguments, "model_tag": tag}) for tag in (arguments["model_tag"], other)]
    assert paths[0] != paths[1]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert trained.run_predict(data, **{**arguments, "model_tag": "elsewhere/epoch-1.safetensors"}) == paths[1]


@on_two_slots
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_prediction_that_cannot_be_written_in_the_end_goes_on_from_what_is_done(trained, data, folder, file_format):
    asked = {**pathway(trained, "tag")[0], "batch_size": SIZE, "file_format": file_format}
    first = fail_to_write(trained, data, **asked)
    message = r"predictions_epoch-1_\w+\.\w+ cannot be written .* It is a folder: rename .* run_predict again"
    assert re.search(message, first.error)
    done = parts_done(trained, first)
    assert len(done) == -(-ROWS // SIZE)
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    path = trained.run_predict(data, **asked)
    assert path == folder / "elsewhere" / Path(first.target).name
    again = last_job(trained)
    assert (again.id, again.status, again.error) == (first.id, "completed", None)
    assert again.target_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert parts_done(trained, first)[:-1] == done  # under the leases of before
    expected = plain_inference.predictions(
        plain_spec(), LEAF, load_file(checkpoint(trained, "epoch-1")), rows_of(data, "predict"), SIZE
    )
    assert read_predictions(path) == expected
    assert not (trained.path / "jobs" / str(first.job_id) / "parts").exists()


def parts_done(experiment, job):
    with experiment.reader() as journal:
        return [(part.part, part.lease) for part in journal.parts(job.id) if part.state == "done"]


@on_two_slots
def test_what_is_kept_goes_on_for_the_same_weights_and_arguments_alone(trained, data, folder):
    asked = {"run_id": 1, "batch_size": SIZE}
    first = fail_to_write(trained, data, **asked)
    other = trained.run_predict(data, run_id=1, batch_size=SIZE + 1) and last_job(trained)
    assert other.id > first.id
    weights = Path(first.weights)
    kept = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(checkpoint(trained, "epoch-1").read_bytes())
    trained.run_predict(data, **asked)
    assert last_job(trained).id > other.id
    weights.write_bytes(kept)  # a copy, as on a disk without links
    trained.run_predict(data, **asked)
    with trained.reader() as journal:
        assert journal.job(first.id).status == "completed"


def fail_to_write(experiment, data, **asked):
    """A prediction that is done but for its file: a folder comes into its place while the slots stand still."""
    processes = EngineClient().status()["processes"]
    slots = [psutil.Process(pid) for name, pid in processes.items() if name.startswith("slot-")]
    for slot in slots:
        slot.suspend()
    experiment.run_predict(data, **asked, wait=False)
    target = Path(last_job(experiment).target)
    target.mkdir()
    for slot in slots:
        slot.resume()
    experiment.wait()
    target.rmdir()
    assert last_job(experiment).status == "failed"
    return last_job(experiment)


@on_two_slots
def test_a_folder_in_the_place_of_a_prediction_is_told_at_once(trained, data, folder):
    (folder / "predictions_run1.csv").mkdir()
    with pytest.raises(OperationError, match=r"predictions_run1\.csv, which is a folder: rename it"):
        trained.run_predict(data, run_id=1)


def slow(experiment, **knobs):
    """Arguments for the run's final weights, with minibatches that take their time."""
    config = {**KNOBS, "named_metrics": ["top1_accuracy"], "pause": 0.02, **knobs}
    return {"model_tag": checkpoint(experiment), "config": config, "batch_size": SIZE}


def last_job(experiment):
    with experiment.reader() as journal:
        return journal.jobs(journal.experiment(experiment.name).id)[-1]


def minibatches(experiment, job):
    with experiment.reader() as journal:
        return journal.minibatches_done(job.id)


@on_two_slots
def test_it_survives_the_deaths_of_a_slot_and_of_the_controller(trained, data, folder):
    assert trained.run_predict(data, **slow(trained), wait=False) is None
    job = last_job(trained)
    wait_until(lambda: minibatches(trained, job) >= 8, "a quarter of the prediction")
    kill("slot-0")
    wait_until(lambda: minibatches(trained, job) >= 16, "half of the prediction")
    kill("controller")
    trained.wait()
    expected = plain_inference.predictions(
        plain_spec(), LEAF, load_file(checkpoint(trained)), rows_of(data, "predict"), SIZE
    )
    assert read_predictions(only_prediction(folder)) == expected
    left = trained.path / "jobs" / str(job.job_id)
    assert [path.name for path in left.iterdir()] == ["job.log"]


@on_two_slots
def test_training_goes_on_beside_it_and_is_the_same(trained, data, folder):
    before = len(trained.runs())
    trained.run_fit(data, {**LEAF, "train": {**LEAF["train"], "epochs": 8}}, wait=False)
    run = before + 1
    wait_until(lambda: trained.runs()[-1].step > 0, "the first commit of the run")
    trained.run_predict(data, run_id=run, batch_size=SIZE)
    table = trained.run_test(data, run_id=1, batch_size=SIZE)
    trained.wait()
    expected = plain_inference.metrics(plain_spec(), LEAF, load_file(checkpoint(trained)), rows_of(data, "test"), SIZE)
    assert {name: table[name].item() for name in expected} == expected
    weights = trained.path / "runs" / str(run) / "checkpoints"
    for name, tensor in load_file(weights / "epoch-2.safetensors").items():
        assert torch.equal(tensor, load_file(checkpoint(trained))[name])
    assert len(pd.read_csv(folder / f"predictions_run{run}.csv")) == ROWS


@on_two_slots
def test_an_interrupt_detaches_and_the_result_is_recorded(trained, data, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("rapidfire_lab.experiment.time.sleep", interrupt)
        assert trained.run_test(data, **slow(trained)) is None
    assert "Detached" in capsys.readouterr().out
    job = last_job(trained)
    assert job.is_open
    with pytest.raises(OperationError, match=f"Test {job.job_id} of .*final.safetensors"):
        trained.end()
    trained.wait()
    assert trained.get_tests()["test_id"].iloc[-1] == job.job_id


def interrupt(_seconds):
    raise KeyboardInterrupt


@on_two_slots
def test_cancel_current_cancels_it(trained, data, folder, capsys):
    trained.run_predict(data, **slow(trained, pause=0.5), wait=False)
    wait_until(lambda: last_job(trained).status == "running", "the prediction to begin")
    assert main(["save", (folder / "saved").as_uri(), "--experiment", trained.name]) == 1
    assert "predictions of inference are still under way" in capsys.readouterr().err
    trained.cancel_current()
    assert last_job(trained).status == "cancelled"
    assert list(folder.iterdir()) == []


@on_two_slots
def test_a_mistake_in_the_spec_fails_it_with_the_traceback(trained, data):
    with pytest.raises(JobError, match=r"ValueError: the user's own mistake(.|\n)*specs/inferring.py.*line \d+"):
        trained.run_test(data, **slow(trained, fault="raise"))
    assert "the user's own mistake" in (trained.path / "jobs" / str(last_job(trained).job_id) / "job.log").read_text()


@on_two_slots
def test_a_spec_that_kills_its_process_fails_it_in_the_end(trained, data):
    with pytest.raises(JobError, match=r"exited with code 1 while it worked on a part of this\. .* last of 3 attempts"):
        trained.run_predict(data, **slow(trained, fault="exit"))


@on_two_slots
def test_a_metric_with_the_name_of_a_column_fails_the_test_by_name(trained, data):
    with pytest.raises(JobError, match=r"aggregate_metrics gives a metric the name 'model_tag', which is a column"):
        trained.run_test(data, **slow(trained, metric="model_tag"))


@on_two_slots
def test_weights_that_do_not_fit_are_told(trained, data):
    with pytest.raises(JobError, match=r"do not fit the model(.|\n)*size mismatch for 0\.weight"):
        trained.run_test(data, **slow(trained, width=9))


@on_two_slots
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "lacks run_id or model_tag"),
        ({"config": {}}, ConfigError, "lacks model_tag, which goes with config"),
        ({"model_tag": "x.pt"}, ConfigError, "the model_tag pathway lacks config"),
        ({"run_id": 1, "model_tag": "x.pt"}, ConfigError, "not both"),
        ({"run_id": 1, "config": {}}, ConfigError, "config belongs to the model_tag pathway"),
        ({"model_tag": "x.pt", "config": {}, "epoch_checkpoint": 1}, ConfigError, "belongs to the run_id pathway"),
        ({"model_tag": "no/such.pt", "config": {}}, ObjectNotFoundError, r"no checkpoint .*no/such\.pt"),
        ({"model_tag": "x.pt", "config": {"optimzer": 1}}, ConfigError, "looks like the training key 'optimizer'"),
        ({"run_id": "1"}, ConfigError, "run_id must be a whole number from 1, not '1'"),
        ({"run_id": 1, "batch_size": 0}, ConfigError, "batch_size must be a whole number from 1, not 0"),
        ({"run_id": 99}, NotFoundError, "Run 99 of experiment 'inference' does not exist; its runs are 1"),
        ({"run_id": 1, "epoch_checkpoint": 3}, NotFoundError, "no checkpoint of epoch 3; it has those of epochs 1, 2"),
    ],
)
def test_arguments_are_those_of_one_pathway(trained, data, folder, arguments, error, message):
    torch.save({}, "x.pt")
    with pytest.raises(error, match=message):
        trained.run_test(data, **arguments)
    with pytest.raises(error, match=message):
        trained.run_predict(data, **arguments)


@on_two_slots
def test_the_partition_and_the_format_are_checked(trained, data):
    without = DataHandle({"train": data.esf_of("train")})
    with pytest.raises(DataError, match="run_test needs a test partition; give DataHandle a 'test' locator"):
        trained.run_test(without, run_id=1)
    with pytest.raises(DataError, match="run_predict needs a predict partition"):
        trained.run_predict(without, run_id=1)
    with pytest.raises(ConfigError, match="file_format must be one of 'csv', 'parquet', not 'xlsx'"):
        trained.run_predict(data, run_id=1, file_format="xlsx")


def test_epochs_need_epoch_checkpoints_and_weights_a_commit(data, tmp_path, folder):
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu"):
        experiment = Experiment(SPECS / "inferring.py", "no epochs")
        experiment.run_fit(data, LEAF)
        with pytest.raises(OperationError, match="Create the experiment with epoch_checkpoints=True"):
            experiment.run_test(data, run_id=1, epoch_checkpoint=1)
        experiment.run_fit(data, {**LEAF, "user_knobs": {**KNOBS, "width": "many"}})
        with pytest.raises(OperationError, match=r"Run 2 \(failed\) has no weights yet"):
            experiment.run_predict(data, run_id=2)
        job = fail_to_write(experiment, data, run_id=1)
        left = experiment.path / "jobs" / str(job.job_id)
        assert {path.name for path in left.iterdir()} >= {"parts", "weights.safetensors"}
        experiment.end()
        assert {path.name for path in left.iterdir()} == {"job.log"}
        with pytest.raises(OperationError, match="has ended"):
            experiment.run_test(data, run_id=1)


@on_two_slots
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not tell what it has had")
def test_a_large_prediction_survives_kills_half_way_in_little_memory(trained, tmp_path, folder):
    """Its outputs are 480 MB, of which each slot works on a part, and one puts all of them together."""
    rows, size, wide = 100_000, 500, 400
    large = DataHandle({"predict": write_table(tmp_path / "large.csv", rows, 3, labels=False)})
    arguments = {"model_tag": checkpoint(trained), "config": {**KNOBS, "plain": True, "wide": wide}}
    arguments |= {"batch_size": size, "file_format": "parquet"}
    before = most_memory()
    trained.run_predict(large, **arguments, wait=False)
    job = last_job(trained)
    wait_until(lambda: minibatches(trained, job) >= 50, "a quarter of the prediction")
    kill("slot-0")
    wait_until(lambda: minibatches(trained, job) >= 100, "half of the prediction")
    kill("controller")
    trained.wait()
    assert most_memory() - before < 200
    predicted = parquet.read_table(only_prediction(folder))
    table = rows_of(large, "predict")
    assert predicted["id"].to_pylist() == table["id"].tolist()
    assert predicted["logits"].to_pylist() == plain_logits(table, load_file(checkpoint(trained)), size)
    assert predicted["wide"][rows - 1].as_py() == predicted["logits"][rows - 1].as_py() * wide


def most_memory():
    """The most memory that any of the slots has ever had, in MB."""
    processes = EngineClient().status()["processes"]
    told = [Path(f"/proc/{pid}/status").read_text() for name, pid in processes.items() if name.startswith("slot-")]
    return max(int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) for text in told) / 1_024


def plain_logits(table, weights, size):
    """What the model gives where nothing is drawn."""
    model = plain_spec().create_model(KNOBS)
    model.load_state_dict(weights)
    model.eval()
    features = torch.tensor(table[["a", "b"]].to_numpy(), dtype=torch.float32)
    with torch.no_grad():
        return [row for part in features.split(size) for row in model(part).tolist()]
