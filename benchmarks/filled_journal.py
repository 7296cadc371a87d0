"""Runs with many metric points, written into a journal as the controller would, without any training."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, Any

from rapidfire_lab.journal import MetricPoint

if TYPE_CHECKING:
    from rapidfire_lab.journal import JournalWriter

STEPS = 100_000
EPOCHS = 100
_EPOCH_METRICS = ("train_loss", "train_top1_accuracy", "learning_rate", "val_loss", "top1_accuracy")


def add_experiment(journal: JournalWriter, name: str) -> int:
    with journal.transaction():
        return journal.add_experiment(
            name=name,
            asked_name=name,
            path=f"/nowhere/{name}",
            spec_path=None,
            spec_hash=None,
            epoch_checkpoints=False,
            tracking_uri=None,
        )


def fill(
    journal: JournalWriter, experiment: int, runs: int, steps: int, *, status: str = "running", data: str = "{}"
) -> None:
    """Add runs that have come as far as ``steps`` of `STEPS` minibatches, with a point for each and five per epoch.

    ``data`` is the JSON of what they were trained on, which some views want.
    """
    with journal.transaction():
        fit = journal.add_fit(experiment_id=experiment, data=data, seed=1, num_chunks=None)
    for number in range(runs):
        with journal.transaction():
            key = journal.add_run(
                experiment,
                config=_config(number),
                fit_id=fit,
                source="initial",
                parent=None,
                epochs=EPOCHS,
                steps_per_epoch=STEPS // EPOCHS,
            )
            columns = {"step": steps, "live_step": steps, "completed_epochs": steps * EPOCHS // STEPS}
            journal.update_run(key, status=status, started=time.time(), live_loss=0.5, **columns)
            journal.add_points(key, _points(number, steps))


def _config(number: int) -> dict[str, Any]:
    optimizer = {"name": "AdamW", "args": {"lr": 10 ** -(1 + number % 5), "weight_decay": 0.01}}
    return {
        "train": {"epochs": EPOCHS, "batch_size": 32 * (1 + number % 3), "optimizer": optimizer, "precision": "fp32"},
        "user_knobs": {"width": number, "depth": 3, "dropout": number % 10 / 10},
        "named_metrics": ["top1_accuracy"],
        "fsdp_layer_cls": [],
    }


def _points(number: int, steps: int) -> list[MetricPoint]:
    rng = random.Random(number)
    per_epoch = STEPS // EPOCHS
    begin = time.time()

    def point(name: str, per: str, step: int) -> MetricPoint:
        value = math.exp(-step / STEPS) + rng.gauss(0, 0.1)
        epoch = (step - 1) // per_epoch + 1
        return MetricPoint(name=name, per=per, step=step, epoch=epoch, value=value, time=begin + step / 50)

    points = [point("minibatch_loss", "step", step) for step in range(1, steps + 1)]
    ends = range(per_epoch, steps + 1, per_epoch)
    return points + [point(name, "epoch", step) for step in ends for name in _EPOCH_METRICS]
