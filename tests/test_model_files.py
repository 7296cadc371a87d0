"""Checkpoints from wherever: found, fetched once, and never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import rapidfire_lab
from rapidfire_lab.errors import DataError, ObjectNotFoundError
from rapidfire_lab.files import HOME_VARIABLE
from rapidfire_lab.model_files import find_model, load_model, tensors_of
from rapidfire_lab.spec import MLSpec
from rapidfire_lab.worker.checkpoint import save_weights
from tests.storage.conftest import aws, bucket, clients, proxy, running_proxy, s3_port  # noqa: F401 - fixtures

WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def same(loaded, expected=WEIGHTS):
    return loaded.keys() == expected.keys() and all(torch.equal(loaded[name], expected[name]) for name in expected)


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.bin", "a.safetensors"])
@pytest.mark.parametrize("form", [str, lambda path: path, lambda path: path.as_uri()])
def test_a_local_checkpoint(tmp_path, name, form):
    path = tmp_path / name
    save_file(WEIGHTS, path) if name.endswith("tensors") else torch.save(WEIGHTS, path)
    assert same(load_model(form(path)))
    assert same(MLSpec().load_model(form(path)))
    assert rapidfire_lab.load_model is load_model


def test_a_checkpoint_of_ours_with_tied_tensors_and_its_metadata(tmp_path):
    tied = {**WEIGHTS, "head": WEIGHTS["weight"]}
    save_weights(tmp_path / "final.safetensors", tied)
    (tmp_path / "final.json").write_text("{}")
    assert same(load_model(tmp_path / "final.safetensors"), tied)
    assert same(load_model(tmp_path / "final.json"), tied)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_a_malicious_pickle_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Malicious()}, "model.pt")
    with pytest.raises(DataError, match=r"model\.pt holds more than tensors .* was not loaded.*allow_pickle=True"):
        load_model("model.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(DataError, match=r"plain\.pt"):
        load_model("plain.pt")
    assert not (tmp_path / "harmed").exists()
    load_model("model.pt", allow_pickle=True)
    assert (tmp_path / "harmed").exists()


def test_a_whole_model_needs_the_opt_in(tmp_path):
    torch.save(nn.Linear(3, 2), tmp_path / "model.pt")
    with pytest.raises(DataError, match="more than tensors and plain data"):
        load_model(tmp_path / "model.pt")
    assert isinstance(MLSpec().load_model(tmp_path / "model.pt", allow_pickle=True), nn.Linear)


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pt"])
@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04cut off"])
def test_what_is_no_checkpoint_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        load_model(tmp_path / name)


def test_one_that_is_missing_is_named(tmp_path):
    with pytest.raises(ObjectNotFoundError, match=r"no checkpoint .*nowhere\.pt"):
        load_model(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_weights_are_found_inside_of_a_training_scripts_checkpoint(tmp_path, key):
    assert same(tensors_of({"epoch": 3, key: WEIGHTS}, tmp_path))
    assert same(tensors_of(WEIGHTS, tmp_path))


def test_weights_under_two_names_are_ambiguous(tmp_path):
    other = {"weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    with pytest.raises(DataError, match="holds weights under 'state_dict' and 'model', of which any could be meant"):
        tensors_of({"model": WEIGHTS, "state_dict": other}, tmp_path)
    assert same(tensors_of({"model": WEIGHTS, "state_dict": WEIGHTS}, tmp_path))
    assert same(tensors_of({"model": {"layers": 2}, "model_state_dict": WEIGHTS}, tmp_path))


@pytest.mark.parametrize("loaded", [[1, 2], {"epoch": 3}, torch.ones(2)])
def test_a_checkpoint_without_weights_is_told(tmp_path, loaded):
    with pytest.raises(DataError, match="no weights by name"):
        tensors_of(loaded, tmp_path)


def test_s3_is_asked_for_a_checkpoint_once_and_again_when_it_has_changed(tmp_path, monkeypatch, bucket, clients):  # noqa: F811
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    tag = f"s3://{bucket}/deep/model.pt"
    with pytest.raises(ObjectNotFoundError, match=rf"no checkpoint s3://{bucket}/deep/model\.pt"):
        load_model(tag)
    put(clients[60], bucket, WEIGHTS, tmp_path)
    assert same(load_model(tag))
    assert same(load_model(Path(tag)))
    first = find_model(tag)
    written = first.stat().st_mtime_ns
    assert same(load_model(tag))
    assert first.stat().st_mtime_ns == written
    assert first.stat().st_mode & 0o777 == 0o600
    content = first.read_bytes()
    first.write_bytes(bytes(len(content)))  # as large as before, and damaged
    assert same(load_model(tag))
    assert first.read_bytes() == content
    other = {"weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    put(clients[60], bucket, other, tmp_path)
    assert same(load_model(tag), other)
    assert find_model(tag) != first


def put(client, bucket, weights, folder):  # noqa: F811
    torch.save(weights, folder / "upload.pt")
    client.put_object(Bucket=bucket, Key="deep/model.pt", Body=(folder / "upload.pt").read_bytes())
