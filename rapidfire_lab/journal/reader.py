"""Read access to the journal, for every process: kernel, server, tracker, command line."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from rapidfire_lab.journal.records import (
    ACTIVE_STATUSES,
    EventRecord,
    ExperimentRecord,
    FitRecord,
    MetricPoint,
    OutboxRecord,
    RunRecord,
    to_record,
)
from rapidfire_lab.journal.schema import connect_reader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from typing_extensions import Self


class JournalReader:
    """Questions to the journal. One instance serves one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self._db = connection or connect_reader(path)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def rev(self) -> int:
        """Number of the last change."""
        rev: int = self._one("SELECT rev FROM clock")["rev"]
        return rev

    @property
    def epoch(self) -> str:
        """Identity of the controller that writes; it changes when the controller is started anew."""
        epoch: str = self._one("SELECT epoch FROM clock")["epoch"]
        return epoch

    def experiments(self) -> list[ExperimentRecord]:
        return [to_record(row, ExperimentRecord) for row in self._all("SELECT * FROM experiments ORDER BY id")]

    def experiment(self, name: str) -> ExperimentRecord | None:
        rows = self._all("SELECT * FROM experiments WHERE name = ?", (name,))
        return to_record(rows[0], ExperimentRecord) if rows else None

    def experiment_by_id(self, experiment_id: int) -> ExperimentRecord:
        return to_record(self._one("SELECT * FROM experiments WHERE id = ?", (experiment_id,)), ExperimentRecord)

    def live_experiment(self) -> ExperimentRecord | None:
        rows = self._all("SELECT * FROM experiments WHERE status = 'live' ORDER BY id DESC LIMIT 1")
        return to_record(rows[0], ExperimentRecord) if rows else None

    def fit(self, fit_id: int) -> FitRecord:
        return to_record(self._one("SELECT * FROM fits WHERE id = ?", (fit_id,)), FitRecord)

    def fits(self, experiment_id: int) -> list[FitRecord]:
        rows = self._all("SELECT * FROM fits WHERE experiment_id = ? ORDER BY id", (experiment_id,))
        return [to_record(row, FitRecord) for row in rows]

    def runs(self, experiment_id: int, *, since: int = 0) -> list[RunRecord]:
        """Runs of an experiment that changed after rev ``since``, by run id."""
        rows = self._all(
            "SELECT * FROM runs WHERE experiment_id = ? AND rev > ? ORDER BY run_id", (experiment_id, since)
        )
        return [to_record(row, RunRecord) for row in rows]

    def run(self, experiment_id: int, run_id: int) -> RunRecord | None:
        rows = self._all("SELECT * FROM runs WHERE experiment_id = ? AND run_id = ?", (experiment_id, run_id))
        return to_record(rows[0], RunRecord) if rows else None

    def run_by_key(self, key: int) -> RunRecord:
        return to_record(self._one("SELECT * FROM runs WHERE id = ?", (key,)), RunRecord)

    def active_run_ids(self, experiment_id: int) -> list[int]:
        """Run ids of an experiment that are queued or running."""
        marks = ", ".join("?" * len(ACTIVE_STATUSES))
        query = f"SELECT run_id FROM runs WHERE experiment_id = ? AND status IN ({marks}) ORDER BY run_id"  # noqa: S608
        return [row["run_id"] for row in self._all(query, (experiment_id, *ACTIVE_STATUSES))]

    def active_runs(self) -> list[RunRecord]:
        marks = ", ".join("?" * len(ACTIVE_STATUSES))
        rows = self._all(f"SELECT * FROM runs WHERE status IN ({marks}) ORDER BY id", ACTIVE_STATUSES)  # noqa: S608
        return [to_record(row, RunRecord) for row in rows]

    def last_lease(self) -> int:
        lease: int = self._one("SELECT coalesce(max(id), 0) AS last FROM leases")["last"]
        return lease

    def points(self, run: int, *, per: str, after_step: int = 0, to_step: int | None = None) -> list[MetricPoint]:
        """Metric points of a run in step order, ``per`` step or epoch."""
        rows = self._all(
            "SELECT n.name, n.per, m.step, m.epoch, m.value, m.time"
            " FROM metric_names n CROSS JOIN metrics m ON m.name = n.id"
            " WHERE m.run = ? AND n.per = ? AND m.step > ? AND m.step <= ? ORDER BY m.step, m.name",
            (run, per, after_step, (1 << 62) if to_step is None else to_step),
        )
        return [
            MetricPoint(
                name=row["name"],
                per=row["per"],
                step=row["step"],
                epoch=row["epoch"],
                value=math.nan if row["value"] is None else row["value"],
                time=row["time"],
            )
            for row in rows
        ]

    def events(self, experiment_id: int | None, *, since: int = 0, limit: int = 10_000) -> list[EventRecord]:
        """Log lines after rev ``since``, oldest first; those of the engine itself when there is no experiment."""
        rows = self._all(
            "SELECT * FROM events WHERE experiment_id IS ? AND rev > ? ORDER BY rev LIMIT ?",
            (experiment_id, since, limit),
        )
        return [to_record(row, EventRecord) for row in rows]

    def engine_warnings(self, since: float) -> list[str]:
        """Messages of the engine itself that are no mere information, since a time in seconds since 1970."""
        rows = self._all(
            "SELECT message FROM events WHERE experiment_id IS NULL AND level != 'info' AND time >= ? ORDER BY rev",
            (since,),
        )
        return [row["message"] for row in rows]

    def outbox(self, limit: int = 1_000) -> list[OutboxRecord]:
        return [to_record(row, OutboxRecord) for row in self._all("SELECT * FROM outbox ORDER BY id LIMIT ?", (limit,))]

    def outbox_size(self) -> int:
        size: int = self._one("SELECT count(*) AS size FROM outbox")["size"]
        return size

    def _all(self, query: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    def _one(self, query: str, parameters: Sequence[object] = ()) -> sqlite3.Row:
        return self._all(query, parameters)[0]
