"""The loop that one would write: config after config, with a ``DataLoader`` of its defaults."""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.common import SPECS, importable
from benchmarks.gpu.work import SEED, SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.gpu.work import Size


class Rows(Dataset[Any]):
    """Rows of a table, prepared by the spec."""

    def __init__(self, spec: Any, path: Path, cfg: dict[str, Any], mode: str) -> None:
        self._table = pd.read_csv(path)
        self._spec, self._cfg, self._mode = spec, cfg, mode

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, position: int) -> Any:
        return self._spec.row_prep(self._table.iloc[position], self._cfg, self._mode)


def train_all(size: Size, tables: Path, device: str) -> float:
    """Train all configs; returns seconds."""
    with importable(SPECS):
        spec = importlib.import_module(SPEC.stem).MLSpec()
    start = time.perf_counter()
    for config in size.group():
        _train(spec, config, tables, device)
    return time.perf_counter() - start


def _train(spec: Any, config: dict[str, Any], tables: Path, device: str) -> None:
    cfg, options = config["user_knobs"], config["train"]
    torch.manual_seed(SEED)
    model = spec.create_model(cfg).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), **options["optimizer"]["args"])
    rows = {mode: Rows(spec, tables / f"{mode}.csv", cfg, mode) for mode in ("train", "validation")}
    train = DataLoader(rows["train"], options["batch_size"], shuffle=True)
    validation = DataLoader(rows["validation"], options["batch_size"])
    for _ in range(options["epochs"]):
        _pass(spec, model, train, cfg, device, optimizer)
        _pass(spec, model, validation, cfg, device)
    torch.save(model.state_dict(), tables / "plain.pt")


def _pass(
    spec: Any,
    model: torch.nn.Module,
    rows: DataLoader[Any],
    cfg: dict[str, Any],
    device: str,
    optimizer: torch.optim.Optimizer | None = None,
) -> float:
    """Go through the rows once, training if there is an optimizer; returns the mean loss of minibatches."""
    losses: list[float] = []
    model.train(optimizer is not None)
    with torch.set_grad_enabled(optimizer is not None):
        for prepared in rows:
            minibatch = {name: tensor.to(device) for name, tensor in prepared.items()}
            loss, _ = spec.compute_forward(model, minibatch, cfg, "train" if optimizer else "validation")
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)
