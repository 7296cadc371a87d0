"""What the REST routes cost with a full journal: 200 runs of 100,000 points, and 1,000 runs that stand still.

The functions behind the routes are called and their answers encoded, as the server does it in a thread; HTTP itself
is left out. No engine runs.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.common import one_json_line, tell
from benchmarks.filled_journal import STEPS, add_experiment, fill
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.journal import JournalReader, JournalWriter
from rapidfire_lab.server.metrics import SeriesQuestion, read_series
from rapidfire_lab.server.runs import RunsQuestion, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_RUNS = 200
_MANY_RUNS = 1_000
_ROUNDS = 15


def main() -> None:
    with one_json_line("rest") as figures, tempfile.TemporaryDirectory(prefix="rapidfire_lab-benchmark-") as folder:
        os.environ["RAPIDFIRE_LAB_HOME"] = folder
        home = EngineHome.default()
        home.create()
        with JournalWriter(home.journal, "benchmark") as journal:
            tell(f"writing {_RUNS} runs of {STEPS:,} points")
            start = time.perf_counter()
            fill(journal, add_experiment(journal, "charts"), _RUNS, STEPS)
            figures["write_s"] = round(time.perf_counter() - start, 1)
            fill(journal, add_experiment(journal, "many"), _MANY_RUNS, 0)
            figures["journal_mb"] = round(home.journal.stat().st_size / 1e6)
            figures.update(_tables(home.journal, journal) | _charts(home.journal))


def _tables(path: Path, journal: JournalWriter) -> dict[str, Any]:
    charts = RunsQuestion(experiment="charts")
    full = _measured(path, lambda reader: read_runs(reader, charts))
    cursor = RunsQuestion(experiment="charts", epoch=journal.epoch, since=journal.rev)
    idle = _measured(path, lambda reader: read_runs(reader, cursor))
    with journal.transaction():
        for key in range(1, 9):
            journal.update_run(key, live_loss=0.25)
    moved = _measured(path, lambda reader: read_runs(reader, cursor))
    many = RunsQuestion(experiment="many")
    full_of_many = _measured(path, lambda reader: read_runs(reader, many))
    cursor_of_many = RunsQuestion(experiment="many", epoch=journal.epoch, since=journal.rev)
    idle_of_many = _measured(path, lambda reader: read_runs(reader, cursor_of_many))
    return {
        "runs_200_full": full,
        "runs_200_nothing_new": idle,
        "runs_200_eight_moved": moved,
        "runs_1000_full": full_of_many,
        "runs_1000_nothing_new": idle_of_many,
    }


def _charts(path: Path) -> dict[str, Any]:
    per_step = SeriesQuestion(metric="minibatch_loss")
    by_time = SeriesQuestion(metric="minibatch_loss", x="time", max_points=2_000)
    per_epoch = SeriesQuestion(metric="val_loss", per="epoch")
    one = SeriesQuestion(metric="minibatch_loss", run=[1])
    return {
        name: _measured(path, lambda reader, question=question: read_series(reader, "charts", question))  # type: ignore[misc]
        for name, question in {
            "series_200_per_step": per_step,
            "series_200_by_time": by_time,
            "series_200_per_epoch": per_epoch,
            "series_one_run": one,
        }.items()
    }


def _measured(path: Path, question: Callable[[JournalReader], Any]) -> dict[str, Any]:
    """First and median milliseconds, the connection included, and the bytes of the answer."""
    took, answer = [], b""
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        with JournalReader(path) as journal, journal.moment():
            answer = msgspec.json.encode(question(journal))
        took.append((time.perf_counter() - start) * 1_000)
    json.loads(answer)
    return {"first_ms": round(took[0], 1), "median_ms": round(statistics.median(took), 1), "bytes": len(answer)}


if __name__ == "__main__":
    main()
