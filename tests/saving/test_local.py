"""Experiments on the local disk: layout, files, what is returned, and what former savers did wrong."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import threading
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from rapidfire_lab.errors import DataError
from rapidfire_lab.saving import (
    FullPyTorchExperimentLocalSaver,
    HyperParamSourceReporter,
    LocalResultsSaver,
    LocalSubOptimalModelRemover,
    ProtectedError,
    PyTorchLocalModelLoader,
    PyTorchLocalModelSaver,
    load_results,
)
from rapidfire_lab.saving.basic_packages import ClassificationResultPackage
from rapidfire_lab.saving.folder import FolderNameError, SavedFiles, new_timestamp
from rapidfire_lab.saving.local_experiment_saver import BaseFullExperimentLocalSaver
from rapidfire_lab.saving.training_history import TrainingHistory
from rapidfire_lab.storage import digest_of, read_manifest
from rapidfire_lab.storage.local import LocalStore
from tests.conftest import ROOT
from tests.saving.conftest import make_model
from tests.saving.many_files import save_files

HUSH = "hush-hush"
NAME = "exp_2026-01-31_07-57-38"
TIMESTAMP = "2026-01-31_07-57-38"
PLOTS = [f"results/plots/{name}.png" for name in ("accuracy", "loss")]


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def save(root, model, package, history, **options):
    saver = FullPyTorchExperimentLocalSaver("project", "exp", root)
    return saver.save_experiment(model, package, history, options.pop("timestamp", TIMESTAMP), **options)


def test_one_file_of_results(root, model, package, history):
    paths = save(root, model, package, history, save_true_pred_labels=True)
    folder = Path(root) / "project" / NAME
    main = f"results/results_hyperParams_hist_{NAME}.p"
    assert files_of(folder) == sorted([f"model/model_{NAME}.pth", main, *PLOTS, "manifest.json"])
    assert paths[:2] == [str(folder / f"model/model_{NAME}.pth"), str(folder / main)]
    assert sorted(paths[2:]) == [str(folder / plot) for plot in PLOTS]
    results = load_results(folder / main)
    assert list(results) == [
        *("y_true", "y_predicted", "experiment_name", "experiment_results_local_path"),
        *("results", "hyperparameters", "training_history"),
    ]
    assert results["results"] == {"Accuracy": 0.75}
    assert results["y_predicted"].tolist() == [0, 1, 2, 2]
    assert results["training_history"] == history.get_train_history()


def test_separate_files(root, model, package, history):
    save(root, model, package, history, save_true_pred_labels=True, separate_files=True)
    folder = Path(root) / "project" / NAME / "results"
    kinds = ("results", "hyperparams", "train_history", "true_pred_labels")
    assert [path.name for path in sorted(folder.glob("*.p"))] == sorted(f"{kind}_{NAME}.p" for kind in kinds)
    assert load_results(folder / f"hyperparams_{NAME}.p")["hyperparameters"] == {"lr": 0.1}
    assert set(load_results(folder / f"true_pred_labels_{NAME}.p")) == {"y_true", "y_predicted"}


def test_what_the_results_saver_returns(root, package, history):
    pairs = LocalResultsSaver(root).save_experiment_results(package, history, "project", "exp", TIMESTAMP)
    assert pairs[0][0] == f"results_hyperParams_hist_{NAME}.p"
    assert [name for name, _ in pairs[1:]] == [f"plots/{name}.png" for name in ("loss", "accuracy")]
    assert all(Path(path).is_file() and path.endswith(name) for name, path in pairs)


@pytest.mark.parametrize(
    ("epoch", "iteration", "name"),
    [(None, None, ""), (3, None, "_E3"), (3, 50, "_E3_ITER50"), (None, 50, "")],
)
def test_names_of_models(root, model, epoch, iteration, name):
    for checkpoint, kind in ((False, "model"), (True, "checkpoint_model")):
        saver = PyTorchLocalModelSaver(root, checkpoint_model=checkpoint)
        found = saver.save_model(model, "project", "exp", TIMESTAMP, epoch, iteration)
        expected = f"model_{NAME}{name}.pth"
        assert found == (expected, str(Path(root) / "project" / NAME / kind / expected))
        loaded = PyTorchLocalModelLoader(root).load_model(
            *("project", "exp", TIMESTAMP, kind, epoch), iteration_idx=iteration if epoch else None
        )
        assert loaded["schedulers_state_dict"] == []
        assert torch.equal(loaded["model_state_dict"]["weight"], model["model_state_dict"]["weight"])


def test_a_model_goes_back_into_what_is_trained(root):
    torch.manual_seed(1)
    net = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler.step()
    states = {"optimizer_state_dict": optimizer.state_dict(), "schedulers_state_dict": [scheduler.state_dict()]}
    weights = {f"module.{name}": value for name, value in net.state_dict().items()}
    PyTorchLocalModelSaver(root).save_model(make_model(**states, model_state_dict=weights), "p", "exp", TIMESTAMP)
    loader = PyTorchLocalModelLoader(root)
    with pytest.raises(ValueError, match="call load_model first"):
        loader.init_model(net)
    loader.load_model("p", "exp", TIMESTAMP, "model")
    other = loader.init_model(torch.nn.Linear(2, 1), used_data_parallel=True)
    assert torch.equal(other.weight, net.weight)
    again = loader.init_optimizer(torch.optim.Adam(other.parameters()))
    assert again.state_dict()["state"][0]["step"] == 1
    fresh = torch.optim.lr_scheduler.StepLR(again, 1)
    assert loader.init_scheduler([fresh])[0].last_epoch == scheduler.last_epoch == 1
    assert loader.init_scheduler([], ignore_saved=True) == []
    for wrong in ([], [fresh, fresh]):
        with pytest.raises(ValueError, match="1 schedulers were saved"):
            loader.init_scheduler(wrong)
    loader.model_representation["schedulers_state_dict"] = []
    assert loader.init_scheduler([fresh], ignore_missing_saved=True) == [fresh]
    with pytest.raises(KeyError, match="without schedulers"):
        loader.init_scheduler([fresh])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../exp", "/exp", "a\\b"])
def test_names_that_lead_elsewhere_are_refused_before_anything_is_written(root, model, package, history, name):
    message = "cannot be the name of a folder.*local_model_result_folder_path"
    for names in (("project", name), (name, "exp")):
        with pytest.raises(FolderNameError, match=message):
            FullPyTorchExperimentLocalSaver(*names, root)
        with pytest.raises(FolderNameError, match=message):
            PyTorchLocalModelSaver(root).save_model(model, *names)
        with pytest.raises(FolderNameError, match=message):
            LocalResultsSaver(root).save_experiment_results(package, history, *names, TIMESTAMP)
        with pytest.raises(FolderNameError, match=message):
            PyTorchLocalModelLoader(root).load_model(*names, TIMESTAMP)
        with pytest.raises(FolderNameError, match=message):
            HyperParamSourceReporter(*names, TIMESTAMP, root)
    with pytest.raises(FolderNameError, match="experiment_timestamp"):
        HyperParamSourceReporter("project", "exp", name, root)
    assert not Path(root).exists()


def test_passwords_and_keys_are_in_no_file(root, history):
    hyperparams = {"lr": 0.1, "betas": (0.9, 0.99), "api_key": HUSH, "login": Namespace(user="me", password=HUSH)}
    package = ClassificationResultPackage()
    package.prepare_result_package([0, 1], [0, 1], hyperparameters=hyperparams)
    for separate in (False, True):
        save(root, make_model(hyperparams=hyperparams), package, history, separate_files=separate)
    reporter = HyperParamSourceReporter("project", "exp", TIMESTAMP, root)
    text = Path(reporter.save_hyperparams_to_text_file(hyperparams)).read_text()
    assert text.splitlines()[:3] == ["lr:\t0.1", "betas:\t(0.9, 0.99)", "api_key:\t***"]
    LocalResultsSaver(root, "json").save_experiment_results(package, history, "project", "exp", "json")
    saved = {path: path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}
    assert len(saved) > 8
    assert not [path for path, content in saved.items() if HUSH.encode() in content]
    results = load_results(Path(root) / "project" / NAME / f"results/hyperparams_{NAME}.p")["hyperparameters"]
    assert results == {**hyperparams, "api_key": "***", "login": {"user": "me", "password": "***"}}
    loaded = PyTorchLocalModelLoader(root).load_model("project", "exp", TIMESTAMP, "model")
    assert loaded["hyperparams"]["betas"] == [0.9, 0.99]
    assert loaded["hyperparams"]["login"]["password"] == "***"
    assert hyperparams["api_key"] == HUSH


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_several_in_one_folder_lose_no_entry_of_the_manifest(tmp_path, kind):
    if kind == "threads":
        threads = [threading.Thread(target=save_files, args=(tmp_path, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        command = [sys.executable, "-m", "tests.saving.many_files", tmp_path]
        savers = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abcd"]
        assert [saver.wait() for saver in savers] == [0] * 4
    entries = read_manifest(LocalStore(tmp_path))
    assert set(entries) == {f"{name}/{number}" for name in "abcd" for number in range(1, 10, 2)}
    assert set(files_of(tmp_path)) == {*entries, "manifest.json"}


def test_only_local_model_savers_are_taken():
    with pytest.raises(TypeError, match="must be an AbstractLocalModelSaver"):
        BaseFullExperimentLocalSaver(object(), "project", "exp")


@pytest.mark.parametrize("missing", ["model_state_dict", "optimizer_state_dict", "epoch", "hyperparams"])
def test_a_model_that_lacks_something_is_refused_before_anything_is_written(root, model, missing):
    del model[missing]
    with pytest.raises(ValueError, match=f"lacks {missing}"):
        PyTorchLocalModelSaver(root).save_model(model, "project", "exp")
    assert not Path(root).exists()


# Section 11 of the research on AIToolbox, by its numbers


def test_1_a_manifest_marks_what_is_whole(root, model, package, history):
    save(root, model, package, history)
    folder = Path(root) / "project" / NAME
    listed = read_manifest(LocalStore(folder))
    assert set(listed) == set(files_of(folder)) - {"manifest.json"}
    for key, entry in listed.items():
        assert (digest_of(folder / key).sha256, (folder / key).stat().st_size) == entry


def test_3_a_model_that_is_not_there_is_named(root):
    with pytest.raises(FileNotFoundError, match=rf"checkpoint_model/model_{NAME}_E7\.pth"):
        PyTorchLocalModelLoader(root).load_model("project", "exp", TIMESTAMP, epoch_num=7)


def test_4_a_protected_folder_keeps_its_files(root, model, package, history):
    paths = save(root, model, package, history)
    before = {path: Path(path).read_bytes() for path in paths}
    assert save(root, model, package, history) == paths  # the same again is no conflict
    with pytest.raises(ProtectedError, match="protect_existing_folder=False"):
        save(root, make_model(seed=1), package, history)
    other = ClassificationResultPackage()
    other.prepare_result_package([0, 1], [0, 1], hyperparameters={})
    with pytest.raises(ProtectedError, match="results_hyperParams_hist"):
        save(root, model, other, history)
    assert {path: Path(path).read_bytes() for path in paths} == before
    save(root, make_model(seed=1), other, history, protect_existing_folder=False)
    assert Path(paths[0]).read_bytes() != before[paths[0]]
    folder = Path(root) / "project" / NAME
    assert all(digest_of(folder / key).sha256 == sha for key, (sha, _) in read_manifest(LocalStore(folder)).items())


def test_5_runs_of_one_second_have_folders_of_their_own(root):
    made = [new_timestamp("project", "exp", root) for _ in range(5)]
    assert len(set(made)) == 5
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d+)?", timestamp) for timestamp in made)


def test_5_a_save_without_timestamp_makes_a_folder_of_its_own(root, model, package, history):
    paths = [save(root, model, package, history, timestamp=None)[0] for _ in range(3)]
    assert len({Path(path).parent for path in paths}) == 3


def test_7_a_save_that_breaks_leaves_nothing_half(tmp_path):
    def break_off(path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "kept").write_bytes(b"whole")
    for name in ("kept", "new"):
        with pytest.raises(OSError, match="disk full"):
            SavedFiles(tmp_path, protect=False).write(f"model/{name}", break_off)
    assert files_of(tmp_path) == ["model/kept"]
    assert (tmp_path / "model" / "kept").read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["kept"]


class Harmful:
    def __reduce__(self):
        return (os.system, ("false",))


def test_8_a_pickle_of_results_runs_no_code(tmp_path):
    (tmp_path / "results.p").write_bytes(pickle.dumps({"results": Harmful()}))
    with pytest.raises(DataError, match=r"posix\.system, which is not loaded"):
        load_results(tmp_path / "results.p")


def test_8_results_do_not_tell_where_they_lay(root, package, history):
    (_, path), *_ = LocalResultsSaver(root).save_experiment_results(package, history, "project", "exp", TIMESTAMP)
    assert load_results(path)["experiment_results_local_path"] == f"project/{NAME}/results"
    assert root.encode() not in Path(path).read_bytes()


def test_8_json_takes_what_results_are_made_of(root, history):
    package = ClassificationResultPackage()
    package.prepare_result_package(np.array([0, 1]), np.array([[1, 0], [0, 1]]), {"path": Path("a"), 3: np.int64(4)})
    saver = LocalResultsSaver(root, file_format="json")
    (name, path), *_ = saver.save_experiment_results(
        package, history, "p", "exp", TIMESTAMP, save_true_pred_labels=True
    )
    assert name == f"results_hyperParams_hist_{NAME}.json"
    text = Path(path).read_text()
    found = load_results(path)
    assert text == json.dumps(found, sort_keys=True, indent=4)
    assert found["y_predicted"] == [[1, 0], [0, 1]]
    assert found["hyperparameters"] == {"path": "a", "3": 4}


def test_an_unknown_format_falls_back_to_pickle(root, capsys):
    assert LocalResultsSaver(root, file_format="xml").file_format == "pickle"
    assert "must be pickle or json" in capsys.readouterr().out


def test_9_hyperparameters_of_any_kind_load_again(root):
    given = {"args": Namespace(lr=0.1), "path": Path("a/b"), "array": np.arange(2), "type": float, "s": {1}}
    _, path = PyTorchLocalModelSaver(root).save_model(make_model(hyperparams=given), "p", "exp", TIMESTAMP)
    loaded = PyTorchLocalModelLoader(root).load_model_from_path(path)
    assert loaded["hyperparams"] == {"args": {"lr": 0.1}, "path": "a/b", "array": [0, 1], "type": str(float), "s": [1]}
    assert isinstance(given["args"], Namespace)


def test_9_a_checkpoint_that_could_run_code_is_refused(tmp_path):
    torch.save({"model_state_dict": Harmful()}, tmp_path / "model.pth")
    with pytest.raises(DataError, match="add_safe_globals"):
        PyTorchLocalModelLoader(str(tmp_path)).load_model_from_path(str(tmp_path / "model.pth"))


def test_10_a_package_without_hyperparameters_is_saved(root, history):
    package = ClassificationResultPackage()
    package.prepare_result_package([0], [0])
    (_, path), *_ = LocalResultsSaver(root).save_experiment_results(package, history, "p", "exp", TIMESTAMP)
    assert load_results(path)["hyperparameters"] == {}


def test_12_code_is_copied_and_packed_as_often_as_asked(root, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    source = tmp_path / "src"
    given = {"b": 2, "experiment_file_path": str(source / "a.py"), "source_dirs_paths": [str(source)]}
    before = dict(given)
    reporter = HyperParamSourceReporter("project", "exp", TIMESTAMP, root)
    folder = Path(root) / "project" / NAME
    for _ in range(2):
        assert reporter.save_hyperparams_to_text_file({"b": 2, "a": 1}) == str(folder / "hyperparams_list.txt")
        assert reporter.save_experiment_python_file(given) == str(folder / "a.py")
        assert reporter.save_experiment_source_files(given) == str(folder / "source_code.zip")
    assert (folder / "hyperparams_list.txt").read_text() == "b:\t2\na:\t1\n"
    reporter.save_hyperparams_to_text_file({"b": 2, "a": 1}, sort_names=True)
    assert (folder / "hyperparams_list.txt").read_text() == "a:\t1\nb:\t2\n"
    import zipfile

    assert zipfile.ZipFile(folder / "source_code.zip").namelist() == ["src/a.py"]
    assert given == before
    assert reporter.save_experiment_source_files({}) is None
    assert files_of(folder) == ["a.py", "hyperparams_list.txt", "manifest.json", "source_code.zip"]


def test_12_the_code_of_a_notebook_is_found(root, tmp_path, monkeypatch):
    notebook = tmp_path / "notes.ipynb"
    notebook.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    reporter = HyperParamSourceReporter("project", "exp", TIMESTAMP, root)
    assert Path(reporter.save_experiment_python_file({})).name == "notes.ipynb"


@pytest.mark.parametrize(
    ("metric", "values", "kept"),
    [
        ("val_loss", [3, 1, 2, 4], {1, 2}),
        ("val_loss", [float("nan"), 1, 2, 4], {1, 2}),
        ("accuracy", [3, 1, 2, 4], {0, 2}),
        ("accuracy", [float("nan"), 1, 2, 4], {1, 2}),
    ],
)
def test_the_best_checkpoints_stay(root, model, metric, values, kept):
    saver, remover = PyTorchLocalModelSaver(root, checkpoint_model=True), LocalSubOptimalModelRemover(metric)
    history, paths = TrainingHistory(), []
    for epoch, value in enumerate(values):
        paths.append(saver.save_model(model, "project", "exp", TIMESTAMP, epoch)[1])
        history += {"val_loss": value} if metric == "val_loss" else ({metric: values[epoch - 1]} if epoch else {})
        remover.decide_if_remove_suboptimal_model(history, [paths[-1]])
    stay = {number for number, path in enumerate(paths) if Path(path).exists()}
    assert stay == kept | (set() if metric == "val_loss" else {3})  # the last one is measured by the next call
    assert len(read_manifest(LocalStore(Path(root) / "project" / NAME))) == len(stay)
