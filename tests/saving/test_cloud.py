"""Experiments in S3 and Google Storage, with S3 broken at each request."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.saving import (
    FolderNameError,
    FullPyTorchExperimentGoogleStorageSaver,
    FullPyTorchExperimentS3Saver,
    HyperParamSourceReporter,
    LocalSubOptimalModelRemover,
    ProtectedError,
    PyTorchGoogleStorageModelLoader,
    PyTorchS3ModelLoader,
    PyTorchS3ModelSaver,
    S3ResultsSaver,
)
from rapidfire_lab.saving.cloud import BaseDataLoader, BaseDataSaver
from rapidfire_lab.saving.training_history import TrainingHistory
from rapidfire_lab.storage import Retry, open_store, publish, read_manifest
from rapidfire_lab.storage.google import GoogleStore
from rapidfire_lab.storage.s3 import S3Store
from tests.saving.conftest import make_model
from tests.saving.test_local import NAME, PLOTS, TIMESTAMP, files_of

PREFIX = f"below/project/{NAME}"
RESULTS = f"results/results_hyperParams_hist_{NAME}.p"


@pytest.fixture
def saver(bucket, root):
    made = FullPyTorchExperimentS3Saver("project", "exp", bucket, "below", root)
    for part in (made.model_saver, made.results_saver):
        part.store.retry = Retry(attempts=1)
    return made


def check(bucket, root, keys=None):
    """What the bucket's manifest lists is there, and is what lies on the disk."""
    store, local = S3Store(bucket), Path(root) / "project" / NAME
    listed = read_manifest(store, PREFIX) or {}
    for key in listed:
        assert store.get_bytes(f"{PREFIX}/{key}") == (local / key).read_bytes()
    assert keys is None or set(listed) == set(keys)
    return listed


def test_s3(saver, bucket, root, model, package, history):
    paths = saver.save_experiment(model, package, history, TIMESTAMP)
    assert paths == (f"{bucket}/{PREFIX}/model/model_{NAME}.pth", f"{bucket}/{PREFIX}/{RESULTS}")
    check(bucket, root, [f"model/model_{NAME}.pth", RESULTS, *PLOTS])
    assert [item.key for item in S3Store(bucket).list()] == [
        f"{PREFIX}/{name}" for name in files_of(Path(root) / "project" / NAME)
    ]


def test_google(google_client, google_bucket, monkeypatch, root, model, package, history):
    monkeypatch.setattr("rapidfire_lab.storage.google.make_client", lambda _: google_client)
    saver = FullPyTorchExperimentGoogleStorageSaver("project", "exp", google_bucket, "below", root)
    assert saver.save_experiment(model, package, history, TIMESTAMP)[1] == f"{google_bucket}/{PREFIX}/{RESULTS}"
    store = GoogleStore(google_bucket)
    assert set(read_manifest(store, PREFIX)) == {f"model/model_{NAME}.pth", RESULTS, *PLOTS}
    loader = PyTorchGoogleStorageModelLoader(f"{root}/elsewhere", google_bucket, "below")
    loaded = loader.load_model("project", "exp", TIMESTAMP, "model")
    assert torch.equal(loaded["model_state_dict"]["weight"], model["model_state_dict"]["weight"])


def test_1_an_upload_that_breaks_is_finished_by_the_same_call(saver, proxy, bucket, root, model, package, history):
    store = S3Store(bucket)
    proxy.begin()
    saver.save_experiment(model, package, history, TIMESTAMP)
    for index in range(1, len(proxy.seen), 4):  # the storage tests break at each
        for item in store.list():
            store.delete(item.key)
        proxy.begin({index: "cut_answer" if index % 2 else "cut"})
        with pytest.raises(StorageError, match=f"s3://{bucket}/"):
            saver.save_experiment(model, package, history, TIMESTAMP)
        proxy.begin()
        check(bucket, root)
        saver.save_experiment(model, package, history, TIMESTAMP)
        check(bucket, root, [f"model/model_{NAME}.pth", RESULTS, *PLOTS])


def test_2_a_damaged_answer_is_found_and_a_server_in_trouble_asked_again(bucket, proxy, root, model):
    saver = PyTorchS3ModelSaver(bucket, "below", root)
    saver.store.retry = Retry(first_seconds=0.01)
    proxy.begin({0: "fail", 2: "throttle", 4: "cut", 6: "truncate"})
    saver.save_model(model, "project", "exp", TIMESTAMP)
    assert len(proxy.seen) > 6
    check(bucket, root, [f"model/model_{NAME}.pth"])
    local = Path(root) / "project" / NAME / "model" / f"model_{NAME}.pth"
    whole = local.read_bytes()
    local.unlink()
    proxy.begin({1: "nothing", 2: "damage"})
    loader = PyTorchS3ModelLoader(root, bucket, "below")
    loader.store.retry = Retry(first_seconds=0.01)
    loader.load_model("project", "exp", TIMESTAMP, "model")
    assert local.read_bytes() == whole


def test_3_a_bad_local_file_is_fetched_again(saver, bucket, root, model, package, history):
    saver.save_experiment(model, package, history, TIMESTAMP)
    local = Path(root) / "project" / NAME / "model" / f"model_{NAME}.pth"
    whole = local.read_bytes()
    loader = PyTorchS3ModelLoader(root, bucket, "below")
    for bad in (whole[:100], whole[:-1] + b"x"):
        local.write_bytes(bad)
        loader.load_model("project", "exp", TIMESTAMP, "model")
        assert local.read_bytes() == whole
    assert loader.init_model(torch.nn.Linear(3, 2)).weight.tolist() == model["model_state_dict"]["weight"].tolist()


def test_3_a_missing_model_is_named(bucket, root):
    with pytest.raises(
        ObjectNotFoundError, match=rf"s3://{bucket}/project/{NAME}/checkpoint_model/model_{NAME}_E1\.pth"
    ):
        PyTorchS3ModelLoader(root, bucket).load_model("project", "exp", TIMESTAMP, epoch_num=1)


def test_4_a_bucket_is_protected_too(saver, bucket, root, model, package, history, tmp_path):
    saver.save_experiment(model, package, history, TIMESTAMP)
    elsewhere = FullPyTorchExperimentS3Saver("project", "exp", bucket, "below", str(tmp_path / "other"))
    with pytest.raises(ProtectedError, match=f"s3://{bucket}/{PREFIX}/model/"):
        elsewhere.save_experiment(make_model(seed=1), package, history, TIMESTAMP)
    check(bucket, root)
    elsewhere.save_experiment(make_model(seed=1), package, history, TIMESTAMP, protect_existing_folder=False)
    check(bucket, tmp_path / "other")


def test_4_what_others_put_into_a_bucket_is_protected_too(saver, bucket, model, package, history):
    key = f"{PREFIX}/model/model_{NAME}.pth"
    store = S3Store(bucket)
    store.put_bytes(b"precious", key)
    with pytest.raises(ProtectedError, match="exists and holds something else"):
        saver.save_experiment(model, package, history, TIMESTAMP)
    assert store.get_bytes(key) == b"precious"


def test_11_checkpoints_are_sent_while_training_goes_on(bucket, proxy, root, model):
    saver = PyTorchS3ModelSaver(bucket, "below", root, checkpoint_model=True)
    saver.store.retry = Retry(attempts=1)
    for epoch in range(3):
        path, timestamp, local = saver.save_model(model, "project", "exp", TIMESTAMP, epoch)
        assert path == f"{bucket}/{PREFIX}/checkpoint_model/model_{NAME}_E{epoch}.pth"
        assert (timestamp, Path(local).is_file()) == (TIMESTAMP, True)
    saver.wait()
    check(bucket, root, [f"checkpoint_model/model_{NAME}_E{epoch}.pth" for epoch in range(3)])
    proxy.begin(every="deny")
    saver.save_model(model, "project", "exp", TIMESTAMP, 3)
    with pytest.raises(StorageError, match="access is denied"):
        saver.wait()
    proxy.begin()
    saver.save_model(model, "project", "exp", TIMESTAMP, 3)  # the error was told, and the same call sends it
    saver.wait()
    assert len(check(bucket, root)) == 4


def test_11_the_bucket_is_pruned(bucket, root, model):
    saver = PyTorchS3ModelSaver(bucket, "below", root, checkpoint_model=True)
    remover = LocalSubOptimalModelRemover("loss", num_best_kept=1, cloud_saver=saver)
    history = TrainingHistory()
    for epoch, loss in enumerate([2, 1, 3]):
        _, _, path = saver.save_model(model, "project", "exp", TIMESTAMP, epoch)
        history["loss"] = loss
        remover.decide_if_remove_suboptimal_model(history, [path])
    check(bucket, root, [f"checkpoint_model/model_{NAME}_E1.pth"])
    assert len(S3Store(bucket).list(f"{PREFIX}/checkpoint_model")) == 1


def test_11_uploads_are_through_before_python_exits(aws, bucket, root):
    program = f"""
from rapidfire_lab.saving import PyTorchS3ModelSaver
model = dict(model_state_dict={{}}, optimizer_state_dict={{}}, epoch=1, hyperparams={{}})
saver = PyTorchS3ModelSaver({bucket!r}, "below", {root!r}, checkpoint_model=True)
saver.save_model(model, "project", "exp", {TIMESTAMP!r}, 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    check(bucket, root, [f"checkpoint_model/model_{NAME}_E0.pth"])


def test_names_that_lead_elsewhere_are_refused(bucket, root):
    with pytest.raises(FolderNameError, match="cannot be the name of a folder"):
        FullPyTorchExperimentS3Saver("project", "../exp", bucket, local_model_result_folder_path=root)
    with pytest.raises(FolderNameError, match="cannot be the name of a folder"):
        PyTorchS3ModelSaver(bucket).create_experiment_cloud_storage_folder_structure("..", "exp", "now")


def test_several_savers_lose_no_entry_of_a_manifest_in_a_bucket(bucket, root):
    files = [Path(root) / str(number) for number in range(8)]
    Path(root).mkdir(parents=True)
    for path in files:
        path.write_text(path.name)
    store = open_store(f"s3://{bucket}")
    threads = [
        threading.Thread(target=publish, args=(store, {path.name: path}), kwargs={"folder": "exp", "add": True})
        for path in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read_manifest(store, "exp")) == {path.name for path in files}


def test_hyperparameters_and_folders_are_sent(bucket, root, tmp_path):
    reporter = HyperParamSourceReporter("project", "exp", TIMESTAMP, root)
    path = reporter.save_hyperparams_to_text_file({"lr": 0.1})
    saver = S3ResultsSaver(bucket, "below", root)
    assert reporter.copy_to_cloud_storage(path, saver) == f"{PREFIX}/hyperparams_list.txt"
    assert saver.store.get_bytes(f"{PREFIX}/hyperparams_list.txt") == b"lr:\t0.1\n"
    BaseDataSaver(bucket).save_folder(str(Path(root) / "project"), "copy")
    loader = BaseDataLoader(bucket, str(tmp_path / "data"))
    assert not loader.exists_local_data_folder("set")
    assert loader.exists_local_data_folder("set")
    loader.load_file(f"copy/{NAME}/hyperparams_list.txt", str(tmp_path / "data/set/list.txt"))
    assert (tmp_path / "data/set/list.txt").read_bytes() == b"lr:\t0.1\n"
    assert not loader.exists_local_data_folder("set", protect_local_folder=False)


def test_13_nothing_is_loaded_before_it_is_needed():
    program = """
import sys
import rapidfire_lab.saving.experiment_saver, rapidfire_lab.saving.cloud_loading, rapidfire_lab.saving.model_remover
import rapidfire_lab.saving.basic_packages, rapidfire_lab.saving.reports, rapidfire_lab.compat
from rapidfire_lab.saving import FullPyTorchExperimentLocalSaver, FullKerasExperimentLocalSaver
FullPyTorchExperimentLocalSaver("p", "e"), FullKerasExperimentLocalSaver("p", "e")
heavy = {"boto3", "botocore", "google.cloud", "keras", "matplotlib", "mlflow", "sklearn", "tensorflow", "torch"}
print(*heavy & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""
