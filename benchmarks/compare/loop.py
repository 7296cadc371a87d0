"""The hand-written loop: trains one config, as one would without any tool."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.compare.job import Job

SEED = 42

# The first optimizer of a process has torch import another third of itself, which takes seconds. It counts as import.
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


class Rows(Dataset[Any]):
    """Rows of a table, prepared by the spec."""

    def __init__(self, spec: Any, table: pd.DataFrame, cfg: dict[str, Any], mode: str, kind: str) -> None:
        self._rows: Any = table.iloc if kind == "series" else table.to_dict("records")
        self._count = len(table)
        self._spec, self._cfg, self._mode = spec, cfg, mode

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> Any:
        return self._spec.row_prep(self._rows[position], self._cfg, self._mode)


class Marks:
    """When a config came how far, and its last validation; times of day, which processes share."""

    def __init__(self, first_chunk: int) -> None:
        self.known: dict[str, float] = {}
        self._first_chunk = first_chunk
        self._steps = 0

    def step(self) -> None:
        self._steps += 1
        if self._steps == 1:
            self.known["first_step"] = time.time()
        if self._steps == self._first_chunk:
            self.known["first_chunk"] = time.time()

    def validated(self, metrics: dict[str, float]) -> None:
        self.known.setdefault("first_validation", time.time())
        self.known["val_loss"] = metrics["loss"]


class Loop:
    """What the configs of a job share: the spec and the tables."""

    def __init__(self, job: Job) -> None:
        self._job = job
        folder = str(Path(job.spec).parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self._spec = importlib.import_module(Path(job.spec).stem).MLSpec()
        self._tables = {mode: self._read(Path(job.data), mode) for mode in ("train", "validation")}
        if hasattr(self._spec, "initialize_run"):
            self._spec.initialize_run(str(Path(job.data) / "misc"), flat(job.configs[0]), "train")

    def _read(self, folder: Path, mode: str) -> pd.DataFrame:
        table = pd.read_csv(folder / f"{mode}.csv")
        if self._job.images:
            table["image"] = [str(folder / "images" / name) for name in table["image"]]
        return table

    def train(self, number: int, report: Callable[[dict[str, float]], None] = lambda _: None) -> dict[str, float]:
        """Train the config of this number; ``report`` is called after each epoch with what is known by then."""
        config = self._job.configs[number]
        cfg, options = flat(config), config["train"]
        marks = Marks(self._job.first_chunk(config))
        torch.manual_seed(SEED)
        model = self._spec.create_model(cfg)
        optimizer = getattr(torch.optim, options["optimizer"]["name"])(
            model.parameters(), **options["optimizer"]["args"]
        )
        train, validation = self._loader(cfg, "train"), self._loader(cfg, "validation")
        for _ in range(options["epochs"]):
            self._pass(model, train, cfg, optimizer, marks)
            marks.validated(self._pass(model, validation, cfg))
            report(marks.known)
        torch.save(model.state_dict(), Path(self._job.output) / f"{number}.pt")
        return marks.known

    def _loader(self, cfg: dict[str, Any], mode: str) -> DataLoader[Any]:
        rows = Rows(self._spec, self._tables[mode], cfg, mode, self._job.rows)
        collate = (lambda batch: self._spec.collate_fn(batch, cfg, mode)) if hasattr(self._spec, "collate_fn") else None
        return DataLoader(rows, cfg["batch_size"], shuffle=mode == "train", collate_fn=collate)

    def _pass(
        self, model: Any, rows: DataLoader[Any], cfg: dict[str, Any], optimizer: Any = None, marks: Marks | None = None
    ) -> dict[str, float]:
        """Go through the rows once, training if there is an optimizer."""
        mode = "validation" if optimizer is None else "train"
        model.train(optimizer is not None)
        loss_sum, hits, count = 0.0, 0, 0
        with torch.set_grad_enabled(optimizer is not None):
            for minibatch in rows:
                loss, outputs = self._spec.compute_forward(model, minibatch, cfg, mode)
                if optimizer is not None and marks is not None:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    marks.step()
                size = len(outputs["targets"])
                loss_sum += loss.item() * size
                hits += int((outputs["predictions"] == outputs["targets"]).sum())
                count += size
        return {"loss": loss_sum / count, "accuracy": hits / count}


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """A config as hooks see it: every knob at top level, too."""
    return {**config, **config["train"], **config["user_knobs"]}


def summary(configs: list[dict[str, float]]) -> dict[str, Any]:
    """Of all configs: when any made its first step, when all had something to be compared by, and how well they did."""
    return {
        "first_step": min(marks["first_step"] for marks in configs),
        "first_chunk": max(marks["first_chunk"] for marks in configs),
        "first_validation": max(marks["first_validation"] for marks in configs),
        "done": time.time(),
        "mean_val_loss": sum(marks["val_loss"] for marks in configs) / len(configs),
    }
