"""Tests and predictions: the same as a plain loop, however many slots there are and whoever dies."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from rapidfire_lab import DataHandle, Experiment
from tests import plain_inference
from tests.conftest import SPECS, engine_home

SIZE = 7
ROWS = 300
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


@pytest.fixture(scope="module", params=[1, 2], ids=["one slot", "two slots"])
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
            "predictions_epoch-1",
        ),
    }
    return ways[which]


@pytest.mark.parametrize("which", ["run", "epoch", "tag"])
def test_a_test_is_the_plain_loop(trained, data, which):
    arguments, weights, _ = pathway(trained, which)
    table = trained.run_test(data, **arguments, batch_size=SIZE)
    expected = plain_inference.metrics(plain_spec(), LEAF, load_file(weights), rows_of(data, "test"), SIZE)
    assert {name: table[name].item() for name in expected} == expected
    assert table["rows"].item() == ROWS
    recorded = trained.get_tests().iloc[-1]
    assert {name: recorded[name] for name in expected} == expected


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
