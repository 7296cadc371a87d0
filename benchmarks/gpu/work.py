"""What is trained, and the engine that trains it."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.common import SPECS, engine_home, wait_for_slots
from rapidfire_lab import DataHandle, Experiment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome

SPEC = SPECS / "layers.py"
SEED = 42


@dataclass(frozen=True)
class Size:
    """How much there is to train."""

    rows: int
    batch_size: int
    configs: int
    epochs: int
    chunks: int
    width: int
    depth: int
    dropout: float = 0.1

    def config(self, number: int, epochs: int | None = None) -> dict[str, Any]:
        """Configs differ by their learning rates alone, so that all of them cost the same."""
        optimizer = {"name": "AdamW", "args": {"lr": round(0.001 * 1.02**number, 9)}}
        return {
            "train": {"epochs": epochs or self.epochs, "batch_size": self.batch_size, "optimizer": optimizer},
            "user_knobs": {"width": self.width, "depth": self.depth, "dropout": self.dropout},
            "named_metrics": ["top1_accuracy"],
        }

    def group(self) -> list[dict[str, Any]]:
        return [self.config(number) for number in range(self.configs)]


FULL = Size(rows=8_192, batch_size=64, configs=8, epochs=3, chunks=8, width=2_048, depth=4)
SMALL = Size(rows=256, batch_size=32, configs=2, epochs=1, chunks=2, width=16, depth=2)


def write_tables(folder: Path, rows: int) -> DataHandle:
    """Tables for training and, of an eighth of the size, validation; the same each time."""
    rng = np.random.default_rng(SEED)
    locators: dict[str, str | Path] = {}
    for mode, count in (("train", rows), ("validation", rows // 8)):
        values = rng.normal(size=(count, 8)).round(4)
        table = pd.DataFrame(values, columns=[f"x{number}" for number in range(8)])
        table["label"] = (values[:, 0] > 0).astype(int) + (values[:, 1] * values[:, 2] > 0.5)
        table.insert(0, "id", range(count))
        locators[mode] = folder / f"{mode}.csv"
        table.to_csv(locators[mode], index=False)
    return DataHandle(locators)


class Trainer:
    """An engine with its experiment."""

    def __init__(self, home: EngineHome, size: Size) -> None:
        self._size = size
        self.tables = home.root
        self._handle = write_tables(home.root, size.rows)
        self._experiment = Experiment(SPEC, "gpu")

    def warm_up(self, slots: int) -> None:
        """Train something on every slot, so that CUDA is loaded there and the rows are prepared."""
        self.fit([self._size.config(number, 1) for number in range(slots)])

    def fit(self, configs: list[dict[str, Any]], **options: Any) -> tuple[float, list[str]]:
        """Train configs; returns seconds, and what became of each run as a hash of its weights and metrics.

        Raises
        ------
        RuntimeError
            When one fails.
        """
        before = len(self._experiment.runs())
        start = time.perf_counter()
        self._experiment.run_fit(self._handle, configs, seed=SEED, **options)
        seconds = time.perf_counter() - start
        runs = self._experiment.runs()[before:]
        failed = [run.error for run in runs if run.status != "completed"]
        if failed:
            raise RuntimeError(failed[0])
        return seconds, [self._fingerprint(run.run_id) for run in runs]

    def _fingerprint(self, run_id: int) -> str:
        weights = self._experiment.path / "runs" / str(run_id) / "checkpoints" / "final.safetensors"
        rows = self._experiment.get_results(run_id).drop(columns="run_id").to_dict("records")
        return hashlib.sha256(weights.read_bytes() + repr(rows).encode()).hexdigest()

    def paths(self) -> dict[str, int]:
        """How runs were trained that were to be fused, and how many of them."""
        return dict(Counter(str(run.last_fusion) for run in self._experiment.runs() if run.last_fusion))

    def end(self) -> None:
        self._experiment.end()


@contextlib.contextmanager
def trainer(size: Size, settings: dict[str, Any], slots: int = 1) -> Iterator[Trainer]:
    """An engine of its own that has trained something."""
    with engine_home(slots=slots, **settings) as home:
        made = Trainer(home, size)
        wait_for_slots(home, slots)
        made.warm_up(slots)
        yield made
        made.end()
