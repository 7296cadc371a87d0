"""What it takes to have a run on the device again, without an engine."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.common import SPECS, importable
from benchmarks.gpu.work import SEED, Size, write_tables
from rapidfire_lab.configs import normalise
from rapidfire_lab.data import Partition
from rapidfire_lab.spec import MLSpec
from rapidfire_lab.worker.checkpoint import load_checkpoint, save_checkpoint
from rapidfire_lab.worker.host_copy import HostCopy
from rapidfire_lab.worker.saver import snapshot
from rapidfire_lab.worker.storages import bytes_in
from rapidfire_lab.worker.training import RunPlan, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[], TrainingRun]


def swap(size: Size, device: str, repeats: int) -> dict[str, Any]:
    """Seconds from the host and from the disk; from the device itself there is nothing to do."""
    with tempfile.TemporaryDirectory(prefix="rapidfire_lab-benchmark-") as folder:
        gc.freeze()  # as slots do
        make = _maker(size, Path(folder), torch.device(device))
        training = make()
        training.train(1, lambda: True)
        training.drop_spent_gradients()
        size_of_run = bytes_in(training.storages())
        first, *moved = [_over_host(training) for _ in range(repeats + 1)]
        stored = [_over_disk(training, make, Path(folder)) for _ in range(repeats)]
    gc.unfreeze()
    seconds = {
        "to_host_first": first[0],
        "to_host": statistics.median(there for there, _ in moved),
        "from_host": statistics.median(back for _, back in moved),
        "to_disk": statistics.median(there for there, _ in stored),
        "from_disk": statistics.median(back for _, back in stored),
    }
    return {"bytes": size_of_run, "seconds": {name: round(value, 5) for name, value in seconds.items()}}


def _maker(size: Size, folder: Path, device: torch.device) -> Make:
    with importable(SPECS):
        from layers import MLSpec as Layers
    spec = type("Layers", (Layers, MLSpec), {})
    ingested = write_tables(folder, size.rows).download(folder)
    partitions = {mode: Partition.open(Path(info.path)) for mode, info in ingested.partitions.items()}
    plan = RunPlan(normalise(size.config(0)), SEED, size.epochs, None, partitions)
    return lambda: TrainingRun(plan, spec, device)


def _over_host(training: TrainingRun) -> tuple[float, float]:
    copies = []
    there = _seconds(lambda: copies.append(HostCopy.of(training.storages())), training.device)
    copy = copies[0]
    if copy is None:
        raise RuntimeError("The host has no memory for a run of this size.")
    return there, _seconds(copy.bring_back, training.device)


def _over_disk(training: TrainingRun, make: Make, folder: Path) -> tuple[float, float]:
    """Of the way there, a slot waits for the copy alone: it is written while the next lease trains."""
    files = folder / "run.safetensors", folder / "run.state.pt"
    there = _seconds(
        lambda: save_checkpoint(*files, *snapshot((training.weights(), training.state()))), training.device
    )
    return there, _seconds(lambda: make().restore(*load_checkpoint(*files)), training.device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Until the device is through."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
