"""What the engine costs a single config: the digits CNN alone on one slot, against loops one would write by hand.

A loop does the same work: it prepares rows with the same ``row_prep``, trains, validates after each epoch, and keeps
loss and accuracy. It has a ``Dataset``, a shuffling ``DataLoader``, and no care for random numbers, chunks,
checkpoints or anybody who watches. There are two, which differ in what ``row_prep`` is given:

* ``series``: ``frame.iloc[position]``, as in PyTorch's tutorial. A pandas Series is what the engine gives it too.
* ``lean``: a dictionary from a list, the fastest there is.

Seconds of CPU are those of the loop and of the slot. They suffer less than the clock from other work on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.common import (
    DIGITS,
    OtherLoad,
    digits_handle,
    engine_home,
    importable,
    one_json_line,
    tell,
    wait_for_slots,
    with_engine,
    write_digits,
)
from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome

BATCH_SIZE = 32
LEARNING_RATE = 0.003
KNOBS = {"model": "cnn", "width": 16, "dropout": 0.0}
SEED = 42


class Rows(Dataset[Any]):
    """Rows of a CSV file, prepared by the spec."""

    def __init__(self, spec: Any, folder: Path, mode: str, kind: str) -> None:
        table = pd.read_csv(folder / f"{mode}.csv")
        table["image"] = [str(folder / "images" / name) for name in table["image"]]
        self._rows: Any = table.iloc if kind == "series" else table.to_dict("records")
        self._count = len(table)
        self._spec = spec
        self._mode = mode

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: int) -> Any:
        return self._spec.row_prep(self._rows[position], KNOBS, self._mode)


def epoch_of(spec: Any, model: torch.nn.Module, rows: DataLoader[Any], optimizer: Any | None) -> dict[str, float]:
    """Go through the rows once, training if there is an optimizer."""
    mode = "validation" if optimizer is None else "train"
    model.train(optimizer is not None)
    loss_sum, hits, count = 0.0, 0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for minibatch in rows:
            loss, outputs = spec.compute_forward(model, minibatch, KNOBS, mode)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            size = len(outputs["targets"])
            loss_sum += loss.item() * size
            hits += int((outputs["predictions"] == outputs["targets"]).sum())
            count += size
    return {"loss": loss_sum / count, "accuracy": hits / count}


def loop(folder: Path, kind: str, epochs: int) -> dict[str, float]:
    """Train by hand; returns seconds by the clock and of CPU."""
    spec = digits_spec()
    start, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(SEED)
    model = spec.create_model(KNOBS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    train = DataLoader(Rows(spec, folder, "train", kind), BATCH_SIZE, shuffle=True)
    validation = DataLoader(Rows(spec, folder, "validation", kind), BATCH_SIZE)
    for _ in range(epochs):
        epoch_of(spec, model, train, optimizer)
        epoch_of(spec, model, validation, None)
    torch.save(model.state_dict(), folder / "model.pt")
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def digits_spec() -> Any:
    with importable(DIGITS):
        from digits_spec import MLSpec
    return MLSpec()


class OneSlot:
    """An engine with one slot, and the digits."""

    def __init__(self, home: EngineHome, experiment: Experiment, folder: Path) -> None:
        self._experiment = experiment
        self._handle = digits_handle(folder, "train", "validation")
        self._slot = psutil.Process(EngineClient(home).status()["processes"]["slot-0"])

    def train(self, epochs: int) -> dict[str, float]:
        """Train through ``run_fit``.

        Returns seconds until it returned, of the slot's CPU, and what the run's leases took (training, restoring and
        checkpointing).
        """
        optimizer = {"name": "AdamW", "args": {"lr": LEARNING_RATE}}
        config = {
            "train": {"epochs": epochs, "batch_size": BATCH_SIZE, "optimizer": optimizer},
            "user_knobs": KNOBS,
            "named_metrics": ["top1_accuracy"],
        }
        start, cpu = time.perf_counter(), self._cpu()
        self._experiment.run_fit(self._handle, config, seed=SEED)
        seconds = {"wall": time.perf_counter() - start, "cpu": self._cpu() - cpu}
        return {**seconds, "leases": self._experiment.runs()[-1].seconds}

    def _cpu(self) -> float:
        times = self._slot.cpu_times()
        return float(times.user + times.system)


def measure(folder: Path, slot: OneSlot, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the engine and both loops, in turn: medians of some rounds, after one epoch each to warm up."""
    torch.set_num_threads(1)
    ways: dict[str, Callable[[int], dict[str, float]]] = {
        "engine": slot.train,
        "series": lambda epochs: loop(folder, "series", epochs),
        "lean": lambda epochs: loop(folder, "lean", epochs),
    }
    rounds: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(options.rounds + 1):
        for way, train in ways.items():
            seconds = train(options.epochs if number else 1)
            tell(f"{way}: {seconds}")
            rounds[way] += [seconds] if number else []
    return {way: medians(found) for way, found in rounds.items()}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {kind: round(statistics.median(one[kind] for one in rounds), 3) for kind in rounds[0]}


def ratios(seconds: dict[str, dict[str, float]], way: str) -> dict[str, float]:
    """The engine's seconds over those of a loop."""
    engine, base = seconds["engine"], seconds[way]
    return {
        "leases": round(engine["leases"] / base["wall"], 3),
        "wall": round(engine["wall"] / base["wall"], 3),
        "cpu": round(engine["cpu"] / base["cpu"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with one_json_line("one_config") as figures, engine_home(slots=1, threads_per_slot=1) as home:
        experiment = Experiment(DIGITS / "digits_spec.py", "one-config")
        wait_for_slots(home, 1)
        data = home.root / "digits"
        write_digits(data)
        load = OtherLoad(with_engine(home))
        seconds = measure(data, OneSlot(home, experiment, data), options)
        small = options.epochs < 20 or options.rounds < 3
        figures.update(vars(options), small=small, busy_cores_of_others=load.cores(), seconds=seconds)
        figures.update({f"engine_over_{way}": ratios(seconds, way) for way in ("series", "lean")})


if __name__ == "__main__":
    main()
