"""How long the controller does nothing else while it makes 1,000 clones that one request asks for.

Without any process, and in seconds of CPU: planning, checking, writing and scheduling them on 8 slots, up to where the
transaction is committed. The later requests meet the runs of those before.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import one_json_line, tell
from rapidfire_lab.configs import normalise
from rapidfire_lab.engine.ledger import Ledger
from rapidfire_lab.engine.operations import check_clone, operate
from rapidfire_lab.engine.protocol import CheckClone, RunOperation
from rapidfire_lab.engine.requests import insert_run, schedule_runs
from rapidfire_lab.engine.scheduler import Scheduler, SlotUp
from rapidfire_lab.journal import JournalWriter

_CLONES = 1_000
_REQUESTS = 6
_SLOTS = 8
_CHANGES = ("user_knobs.width", "train.optimizer.args.lr")


def leaf() -> dict[str, Any]:
    train = {
        "epochs": 5,
        "batch_size": 32,
        "optimizer": {"name": "AdamW", "args": {"lr": 0.01, "weight_decay": 0.1}},
        "lr_scheduler": {"name": "StepLR", "args": {"step_size": 2}},
    }
    knobs = {f"knob_{number}": number for number in range(10)}
    return normalise({"train": train, "user_knobs": {**knobs, "width": 8}, "named_metrics": ["top1_accuracy"]})


def ledger_with_a_run(folder: Path, journal: JournalWriter) -> Ledger:
    ledger = Ledger(journal, Scheduler(), tracking=True)
    with journal.transaction():
        experiment = journal.add_experiment(
            name="clones",
            asked_name="clones",
            path=str(folder),
            spec_path="spec.py",
            spec_hash="",
            epoch_checkpoints=False,
            tracking_uri=None,
        )
        data = json.dumps({"partitions": {"train": {"rows": 10_000}}})
        fit = journal.fit(journal.add_fit(experiment_id=experiment, data=data, seed=1, num_chunks=None))
        run = insert_run(ledger, fit, leaf(), source="initial", parent=None)
        for slot in range(_SLOTS):
            ledger.feed(SlotUp(slot))
        schedule_runs(ledger, [(run, fit)])
    return ledger


def changes(knob: str, request: int) -> list[dict[str, Any]]:
    values = range(100 + request * _CLONES, 100 + (request + 1) * _CLONES)
    if knob == "user_knobs.width":
        return [{"width": value} for value in values]
    return [{"optimizer": {"args": {"lr": value * 1e-6}}} for value in values]


def measure(knob: str) -> dict[str, Any]:
    """CPU seconds of checking the first request, and of carrying each of them out."""
    tell(f"{_REQUESTS} requests of {_CLONES} clones that differ in {knob}")
    with tempfile.TemporaryDirectory() as folder, JournalWriter(Path(folder) / "journal.sqlite", "epoch") as journal:
        ledger = ledger_with_a_run(Path(folder), journal)
        asked: dict[str, Any] = {"experiment": "clones", "run_ids": [1], "warm_start": False}
        check_clone(CheckClone(request_id="", changes=changes(knob, _REQUESTS)[:3], **asked), ledger)  # loads torch
        start = time.process_time()
        check_clone(CheckClone(request_id="", changes=changes(knob, 0), **asked), ledger)
        checked = time.process_time() - start
        carried_out = []
        for number in range(_REQUESTS):
            request = RunOperation(
                request_id="", operation="clone", origin="user", seen={}, changes=changes(knob, number), **asked
            )
            start = time.process_time()
            with journal.transaction(durable=True):
                operate(request, ledger)
            carried_out.append(round(time.process_time() - start, 3))
        return {"check": round(checked, 3), "clone": carried_out}


def main() -> None:
    with one_json_line("clones") as figures:
        figures["clones"] = _CLONES
        figures["cpu_seconds"] = {knob: measure(knob) for knob in _CHANGES}


if __name__ == "__main__":
    main()
