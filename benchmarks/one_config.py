"""What the engine costs a single config: the digits CNN alone on one slot, against the loop one would write by hand.

The loop does the same work: it prepares rows with the same ``row_prep``, trains, validates after each epoch, and
keeps loss and accuracy. It has what the engine does without: a ``Dataset`` that holds plain dictionaries, a shuffling
``DataLoader``, and no care for random numbers, chunks, checkpoints or anybody who watches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
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
    write_digits,
)
from rapidfire_lab import Experiment

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab import DataHandle

BATCH_SIZE = 32
LEARNING_RATE = 0.003
KNOBS = {"model": "cnn", "width": 16, "dropout": 0.0}
SEED = 42


class Rows(Dataset[Any]):
    """Rows of a CSV file, prepared by the spec."""

    def __init__(self, spec: Any, folder: Path, mode: str) -> None:
        table = pd.read_csv(folder / f"{mode}.csv")
        table["image"] = [str(folder / "images" / name) for name in table["image"]]
        self._rows = table.to_dict("records")
        self._spec = spec
        self._mode = mode

    def __len__(self) -> int:
        return len(self._rows)

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


def plain(spec: Any, folder: Path, epochs: int) -> float:
    """Seconds that the plain loop takes."""
    start = time.perf_counter()
    torch.manual_seed(SEED)
    model = spec.create_model(KNOBS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    train = DataLoader(Rows(spec, folder, "train"), BATCH_SIZE, shuffle=True)
    validation = DataLoader(Rows(spec, folder, "validation"), BATCH_SIZE)
    for _ in range(epochs):
        epoch_of(spec, model, train, optimizer)
        last = epoch_of(spec, model, validation, None)
    torch.save(model.state_dict(), folder / "model.pt")
    seconds = time.perf_counter() - start
    tell(f"plain loop: {seconds:.2f} s, {last}")
    return seconds


def engine(experiment: Experiment, handle: DataHandle, epochs: int) -> tuple[float, float]:
    """Seconds from ``run_fit`` to its return, and the run's own on its slot (training, restoring, checkpointing)."""
    optimizer = {"name": "AdamW", "args": {"lr": LEARNING_RATE}}
    config = {
        "train": {"epochs": epochs, "batch_size": BATCH_SIZE, "optimizer": optimizer},
        "user_knobs": KNOBS,
        "named_metrics": ["top1_accuracy"],
    }
    start = time.perf_counter()
    experiment.run_fit(handle, config, seed=SEED)
    wall = time.perf_counter() - start
    lease = experiment.runs()[-1].seconds
    tell(f"engine: {wall:.2f} s, {lease:.2f} s on the slot")
    return wall, lease


def measure(home_folder: Path, experiment: Experiment, options: argparse.Namespace) -> dict[str, Any]:
    with importable(DIGITS):
        from digits_spec import MLSpec
    write_digits(home_folder)
    spec, handle = MLSpec(), digits_handle(home_folder, "train", "validation")
    torch.set_num_threads(1)
    plain(spec, home_folder, 1)
    engine(experiment, handle, 1)
    loops, walls, leases = [], [], []
    for _ in range(options.rounds):
        loops.append(plain(spec, home_folder, options.epochs))
        wall, lease = engine(experiment, handle, options.epochs)
        walls.append(wall)
        leases.append(lease)
    middle = {name: statistics.median(found) for name, found in (("plain", loops), ("wall", walls), ("lease", leases))}
    return {
        "plain_seconds": round(middle["plain"], 3),
        "engine_lease_seconds": round(middle["lease"], 3),
        "engine_wall_seconds": round(middle["wall"], 3),
        "lease_ratio": round(middle["lease"] / middle["plain"], 3),
        "wall_ratio": round(middle["wall"] / middle["plain"], 3),
        "ratio_of_each_round": [round(lease / loop, 3) for lease, loop in zip(leases, loops, strict=True)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with one_json_line("one_config") as figures, engine_home(slots=1, threads_per_slot=1) as home:
        experiment = Experiment(DIGITS / "digits_spec.py", "one-config")
        wait_for_slots(home, 1)
        load = OtherLoad(home)
        measured = measure(home.root / "digits", experiment, options)
        figures.update(vars(options), busy_cores_of_others=load.cores(), **measured)


if __name__ == "__main__":
    main()
