"""Eight configs whose time goes into row_prep: with shared prepared rows, without, and in a plain loop.

The plain loop trains one config after the other in one process with one thread (more only slow models as small as
these down). The engine's seconds are those of
``run_fit`` with its slots up; ``again`` is a second ``run_fit`` of the same configs, which finds all rows prepared.
Per row: ``prepare`` is the plain path of one process, ``keep`` the epoch that prepares rows and keeps them, and
``take`` an epoch that finds them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks.common import (
    SPECS,
    OtherLoad,
    engine_home,
    importable,
    one_json_line,
    tell,
    wait_for_slots,
    with_engine,
)
from rapidfire_lab import DataHandle, Experiment, MLSpec
from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.data import Partition, epoch_order
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput
from rapidfire_lab.worker.prepared import PreparedData, PreparedStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.engine.home import EngineHome

BATCH_SIZE = 32
SLOTS = 2
SEED = 42
WIDTHS = (16, 32, 64, 128)
RATES = (0.001, 0.01)
TARGET = 0.35


def write_text(folder: Path, rows: int) -> DataHandle:
    """Made-up reviews of 5 to 45 words."""
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(5_000)]
    for name, count in (("train", rows), ("validation", rows // 5)):
        texts = [" ".join(rng.choice(words, rng.integers(5, 45))) for _ in range(count)]
        table = pd.DataFrame({"id": range(count), "text": texts, "label": rng.integers(0, 2, count)})
        table.to_csv(folder / f"{name}.csv", index=False)
    return DataHandle({name: folder / f"{name}.csv" for name in ("train", "validation")})


def write_images(folder: Path, rows: int) -> DataHandle:
    """JPEG files of 320 x 240."""
    rng = np.random.default_rng(2)
    images = folder / "images"
    images.mkdir()
    locators: dict[str, str | Path] = {}
    for name, count in (("train", rows), ("validation", rows // 5)):
        files = [f"{name}-{number}.jpg" for number in range(count)]
        for file in files:
            coarse = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
            coarse.resize((320, 240)).save(images / file, quality=90)
        table = pd.DataFrame({"id": range(count), "image": files, "label": rng.integers(0, 2, count)})
        table.to_csv(folder / f"{name}.csv", index=False)
        locators |= {name: folder / f"{name}.csv", f"{name}_objects": images}
    return DataHandle(locators)


def configs(workload: str, epochs: int) -> list[dict[str, Any]]:
    return [
        {
            "train": {"epochs": epochs, "batch_size": BATCH_SIZE, "optimizer": {"name": "Adam", "args": {"lr": rate}}},
            "user_knobs": {"workload": workload, "longest": 60, "width": width},
            "named_metrics": ["top1_accuracy"],
        }
        for width in WIDTHS
        for rate in RATES
    ]


def spec_class(name: str) -> Any:
    with importable(SPECS):
        from prepared_alone import MLSpec as Alone
        from prepared_rows import MLSpec as Shared
    found = {"prepared_rows": Shared, "prepared_alone": Alone}[name]
    return type(name, (found, MLSpec), {})


def minibatches(partition: Partition, *, shuffle: bool, epoch: int = 0) -> Iterator[list[int]]:
    order = epoch_order(len(partition), SEED, epoch) if shuffle else torch.arange(len(partition))
    return (positions.tolist() for positions in order.split(BATCH_SIZE))  # type: ignore[no-untyped-call]


def plain_loop(leaf: dict[str, Any], partitions: dict[str, Partition]) -> None:
    """Train one config by hand."""
    cfg = Config(normalise(leaf))
    torch.set_num_threads(1)
    spec = spec_class("prepared_rows")()
    torch.manual_seed(SEED)
    model = spec.create_model(cfg)
    optimizer = torch.optim.Adam(model.parameters(), **cfg["optimizer"]["args"])
    for epoch in range(cfg["epochs"]):
        for mode, partition in partitions.items():
            trains = mode == "train"
            model.train(trains)
            with torch.set_grad_enabled(trains):
                for positions in minibatches(partition, shuffle=trains, epoch=epoch):
                    rows = [spec.row_prep(partition.row(position), cfg, mode) for position in positions]
                    loss, _ = spec.compute_forward(model, spec.collate_fn(rows, cfg, mode), cfg, mode)
                    if trains:
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                    loss.item()


def seconds_of(work: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def fit(home: EngineHome, spec: str, handle: DataHandle, group: list[dict[str, Any]]) -> list[float]:
    """Seconds of two equal calls of ``run_fit``."""
    experiment = Experiment(SPECS / f"{spec}.py", spec)
    wait_for_slots(home, SLOTS)
    seconds = [seconds_of(lambda: experiment.run_fit(handle, group, seed=SEED)) for _ in range(2)]
    failed = [run for run in experiment.runs() if run.status != "completed"]
    if failed:
        raise RuntimeError(f"{spec}: {failed[0].error}")
    experiment.end()
    return seconds


def per_row(handle: DataHandle, leaf: dict[str, Any], folder: Path) -> dict[str, float]:
    """Microseconds for a row of the training partition, with its share of a minibatch, in one process."""
    data = handle.download(folder / "data")
    partition = Partition.open(data.partitions["train"].path)
    torch.set_num_threads(1)

    def epoch(spec: str) -> float:
        hooks = Hooks(spec_class(spec), Config(normalise(leaf)))
        store = PreparedStore(folder / "prepared", 10**10)
        shared = PreparedData(store, "spec", data).rows(hooks, partition, "train", SEED)
        made = MinibatchInput(hooks, partition, "train", SEED, shared=shared)
        start = time.perf_counter()
        for positions in minibatches(partition, shuffle=True):
            made.minibatch(0, positions)
        return round(1e6 * (time.perf_counter() - start) / len(partition), 1)

    return {"prepare": epoch("prepared_alone"), "keep": epoch("prepared_rows"), "take": epoch("prepared_rows")}


def measure(workload: str, handle: DataHandle, epochs: int, folder: Path) -> dict[str, Any]:
    group = configs(workload, epochs)
    data = handle.download(folder / "plain")
    partitions = {name: Partition.open(info.path) for name, info in data.partitions.items()}
    plain = sum(seconds_of(plain_loop, leaf, partitions) for leaf in group)
    tell(f"{workload}: plain loop {plain:.1f} s")
    with engine_home(slots=SLOTS) as home:
        alone, _ = fit(home, "prepared_alone", handle, group)
        load = OtherLoad(with_engine(home))
        shared, again = fit(home, "prepared_rows", handle, group)
        others = load.cores()
    tell(f"{workload}: alone {alone:.1f} s, shared {shared:.1f} s, again {again:.1f} s")
    seconds = {"plain_loop": plain, "alone": alone, "shared": shared, "shared_again": again}
    return {
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "over_plain_loop": {name: round(value / plain, 3) for name, value in seconds.items()},
        "microseconds_per_row": per_row(handle, group[0], folder),
        "busy_cores_of_others": others,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--texts", type=int, default=3_000)
    parser.add_argument("--images", type=int, default=800)
    options = parser.parse_args()
    with one_json_line("prepared_rows") as figures, tempfile.TemporaryDirectory() as temporary:
        figures.update(vars(options), configs=len(WIDTHS) * len(RATES), slots=SLOTS, target=TARGET, workloads={})
        for workload, write, rows in (("text", write_text, options.texts), ("images", write_images, options.images)):
            folder = Path(temporary) / workload
            folder.mkdir()
            figures["workloads"][workload] = measure(workload, write(folder, rows), options.epochs, folder)


if __name__ == "__main__":
    main()
