"""A thousand runs in one ``run_fit``, and a journal with ten million metric points.

``runs``: tiny runs of one minibatch, with default settings but for MLflow (``--tracking``). ``submit_s`` is until
``run_fit(wait=False)`` has returned. ``decision_ms`` is the time in the controller from the close of a lease to the
next grant in that slot, both as noted in the journal; ``decision_growth`` is its median over the last tenth of all
leases over that of the first tenth. ``controller_mb`` and ``slot_mb`` are resident sizes before the runs and after.

``journal``: runs of 100,000 minibatches are written by ``JournalWriter`` into the live experiment of a home whose
engine is stopped. Then the engine is started (``start_s``), and a fresh process attaches as a notebook would:
``attach_s`` is the import and ``Experiment(...)``, ``first_table_s`` is ``show()`` on top of it; then come
``runs_info_s`` and ``results_s``.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.common import (
    OtherLoad,
    engine_home,
    one_json_line,
    spread,
    tell,
    wait_for_slots,
    with_engine,
)
from benchmarks.filled_journal import STEPS, fill
from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.journal import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.engine.home import EngineHome

SPEC = Path(__file__).resolve().parent / "compare" / "specs" / "table.py"
SLOTS = 2
ROWS = 16

# What a notebook kernel does to look at what is there. Its last line of output is the seconds of each part.
KERNEL = f"""
import json, time
start = time.perf_counter()
from rapidfire_lab import Experiment
experiment = Experiment({str(SPEC)!r}, "scale")
attached = time.perf_counter()
experiment.show()
shown = time.perf_counter()
experiment.get_runs_info()
informed = time.perf_counter()
experiment.get_results()
done = time.perf_counter()
seconds = {{"attach_s": attached - start, "first_table_s": shown - attached}}
print(json.dumps({{**seconds, "runs_info_s": informed - shown, "results_s": done - informed}}))
"""


def megabytes(home: EngineHome, role: str) -> float:
    pid = EngineClient(home).status()["processes"][role]
    return round(psutil.Process(pid).memory_info().rss / 1e6, 1)


def many_runs(runs: int, *, tracking: bool) -> dict[str, Any]:
    with engine_home(slots=SLOTS, tracking=tracking) as home:
        experiment = Experiment(SPEC, "scale")
        wait_for_slots(home, SLOTS)
        fit(home, experiment, 1)
        before = {role: megabytes(home, role) for role in ("controller", "slot-0")}
        load = OtherLoad(with_engine(home))
        start = time.monotonic()
        submitted = fit(home, experiment, runs)
        total = time.monotonic() - start
        return {
            "runs": runs,
            "submit_s": round(submitted, 2),
            "total_s": round(total, 2),
            "controller_mb": {"before": before["controller"], "after": megabytes(home, "controller")},
            "slot_mb": {"before": before["slot-0"], "after": megabytes(home, "slot-0")},
            "busy_cores_of_others": load.cores(),
            **decisions(home),
        }


def fit(home: EngineHome, experiment: Experiment, runs: int) -> float:
    """Train so many runs; returns the seconds until they were submitted."""
    data = handle(home)
    start = time.monotonic()
    experiment.run_fit(data, list(configs(runs)), wait=False)
    submitted = time.monotonic() - start
    experiment.wait()
    return submitted


def handle(home: EngineHome) -> DataHandle:
    """A table of some rows of the spec's kind."""
    table = home.root / "rows.csv"
    names = [f"x{number}" for number in range(8)]
    lines = [f"{row},{','.join(str((row * place) % 7) for place in range(8))},{row % 3}" for row in range(ROWS)]
    table.write_text("\n".join([",".join(["id", *names, "label"]), *lines]) + "\n")
    return DataHandle({"train": table})


def configs(runs: int) -> Iterator[dict[str, Any]]:
    for number in range(runs):
        optimizer = {"name": "SGD", "args": {"lr": round(0.001 * (number + 1), 6)}}
        yield {
            "train": {"epochs": 1, "batch_size": ROWS, "optimizer": optimizer},
            "user_knobs": {"width": 4, "depth": 1},
        }


def decisions(home: EngineHome) -> dict[str, Any]:
    """Time from the close of each lease to the next grant in its slot."""
    with closing(sqlite3.connect(f"file:{home.journal}?mode=ro", uri=True)) as journal:
        rows = journal.execute(
            "SELECT 1000 * (lead(granted) OVER (PARTITION BY slot ORDER BY id) - closed) AS ms FROM leases ORDER BY id"
        ).fetchall()
    gaps = [row[0] for row in rows if row[0] is not None]
    tenth = max(1, len(gaps) // 10)
    first, last = statistics.median(gaps[:tenth]), statistics.median(gaps[-tenth:])
    return {"decision_ms": spread(gaps, 90, 99), "decision_growth": round(last / first, 2)}


def full_journal(points: int) -> dict[str, Any]:
    runs = max(1, points // STEPS)
    steps = min(points, STEPS)
    with engine_home(slots=SLOTS) as home:
        experiment = Experiment(SPEC, "scale")
        client = EngineClient(home)
        client.stop()
        data = json.dumps(handle(home).download(home.data).to_json())
        tell(f"writing {runs} runs of {steps:,} points")
        start = time.monotonic()
        with JournalWriter(home.journal, "benchmark") as journal:
            record = journal.experiment(experiment.name)
            if record is None:
                raise AssertionError(experiment.name)
            fill(journal, record.id, runs, steps, status="completed", data=data)
        written = time.monotonic()
        client.start()
        started = time.monotonic()
        wait_for_slots(home, SLOTS)
        done = subprocess.run([sys.executable, "-c", KERNEL], stdout=subprocess.PIPE, text=True, check=True)
        seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return {
            "points": runs * steps,
            "journal_mb": round(home.journal.stat().st_size / 1e6),
            "write_s": round(written - start, 1),
            "start_s": round(started - written, 2),
            **{part: round(value, 3) for part, value in seconds.items()},
            "controller_mb": megabytes(home, "controller"),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--tracking", action="store_true", help="with MLflow, in the part of many runs")
    options = parser.parse_args()
    with one_json_line("scale") as figures:
        runs = many_runs(options.runs, tracking=options.tracking)
        tell(str(runs))
        small = options.runs < 1_000 or options.points < 10_000_000
        figures.update(tracking=options.tracking, small=small, runs=runs, journal=full_journal(options.points))
        figures["busy_cores_of_others"] = runs.pop("busy_cores_of_others")


if __name__ == "__main__":
    main()
