"""Comparing the engine's runs with the plain loop, or with each other, bit for bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from rapidfire_lab.configs import normalise
from rapidfire_lab.worker.checkpoint import load_weights
from tests import plain_loop

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab import DataHandle, Experiment

TRAIN = {"epochs": 2, "batch_size": 32}
NAMED = ["top1_accuracy", "top3_accuracy"]


def config(
    model: str, optimizer: dict[str, Any], scheduler: dict[str, Any] | None = None, **knobs: Any
) -> dict[str, Any]:
    train = {**TRAIN, "optimizer": optimizer, "lr_scheduler": scheduler}
    train |= {name: knobs.pop(name) for name in list(knobs) if name in _TRAIN_KEYS}
    return {
        "train": train,
        "user_knobs": {"model": model, "dropout": 0.0, "augment": False, **knobs},
        "named_metrics": NAMED,
    }


_TRAIN_KEYS = ("epochs", "batch_size", "gradient_accumulation_steps", "gradient_clip_norm", "precision")
SGD = {"name": "SGD", "args": {"lr": 0.05, "momentum": 0.9}}
ADAMW = {"name": "AdamW", "args": {"lr": 0.003, "weight_decay": 0.01}}

SIX_CONFIGS = [
    config("mlp", SGD, dropout=0.3),
    config("mlp", ADAMW, {"name": "StepLR", "args": {"step_size": 1, "gamma": 0.5}}),
    config("cnn", SGD, {"name": "OneCycleLR", "args": {"max_lr": 0.1, "total_steps": 40}, "interval": "step"}),
    config("cnn", ADAMW, dropout=0.2, batch_size=50),
    config("cnn", SGD, {"name": "ReduceLROnPlateau", "args": {"patience": 0, "threshold": 10.0}}),
    config("mlp", ADAMW, dropout=0.5, epochs=3),
]
"""Two architectures, one with dropout, two optimizers, with and without schedulers of all three kinds."""


def tables(handle: DataHandle, store: Path) -> dict[str, pd.DataFrame]:
    """The partitions as the plain loop reads them."""
    ingested = handle.download(store)
    return {name: pd.read_parquet(info.path) for name, info in ingested.partitions.items()}


def final_weights(experiment: Experiment, run_id: int) -> dict[str, torch.Tensor]:
    return load_weights(experiment.path / "runs" / str(run_id) / "checkpoints" / "final.safetensors")


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def assert_like_plain_loop(experiment: Experiment, run_id: int, expected: dict[str, Any]) -> None:
    """Weights, every metric of every epoch, and the loss of every minibatch are identical."""
    assert_same_weights(final_weights(experiment, run_id), expected["weights"])
    results = experiment.get_results(run_id)
    assert len(results) == len(expected["rows"])
    for (_, found), row in zip(results.iterrows(), expected["rows"], strict=True):
        assert {name: found[name] for name in row} == row
    assert minibatch_losses(experiment, run_id) == expected["losses"]


def minibatch_losses(experiment: Experiment, run_id: int) -> list[float]:
    run = next(run for run in experiment.runs() if run.run_id == run_id)
    with experiment.reader() as reader:
        points = [point for point in reader.points(run.id, per="step") if point.name == "minibatch_loss"]
    assert [point.step for point in points] == list(range(1, len(points) + 1))
    return [point.value for point in points]


def plain_results(
    spec: Path, configs: list[dict[str, Any]], data: dict[str, pd.DataFrame], seed: int, device: str = "cpu"
) -> list[dict[str, Any]]:
    return [plain_loop.train(spec, normalise(leaf), data, seed, device) for leaf in configs]


def fingerprint(experiment: Experiment) -> dict[int, Any]:
    """Everything that must not depend on how the runs were scheduled."""
    result = {}
    for run in experiment.runs():
        rows = [
            {name: _comparable(value) for name, value in row.items()}
            for row in experiment.get_results(run.run_id).to_dict("records")
        ]
        weights = {name: tensor.numpy().tobytes() for name, tensor in final_weights(experiment, run.run_id).items()}
        result[run.run_id] = (rows, weights, minibatch_losses(experiment, run.run_id))
    return result


def _comparable(value: Any) -> Any:
    return "nan" if isinstance(value, float) and math.isnan(value) else value
