"""The journal's one writer."""

from __future__ import annotations

import contextlib
import json
import math
import time
from typing import TYPE_CHECKING, Any

from rapidfire_lab.journal.buckets import BUCKET_STEPS, UPSERT, bucket_of, summarise
from rapidfire_lab.journal.reader import JournalReader
from rapidfire_lab.journal.schema import connect_writer
from rapidfire_lab.journal.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rapidfire_lab.journal.records import MetricPoint


class JournalWriter(JournalReader):
    """Reads and writes the journal; owned by the controller's main thread.

    Every change happens inside ``transaction()``. Each transaction has one ``rev``, stamped on what it changes,
    so that a reader can ask what is new since the rev it saw last.
    """

    def __init__(self, path: Path, epoch: str) -> None:
        self._names: dict[tuple[str, str], int] = {}
        self._of_experiments: set[tuple[int, int]] = set()
        """Runs with the metrics that their experiment is known to have."""
        super().__init__(path, connect_writer(path))
        self._witness: Witness | None = None
        with self.transaction(durable=True):
            self._db.execute("UPDATE clock SET epoch = ?", (epoch,))
        self._witness = Witness(path, self.rev)

    def close(self) -> None:
        super().close()
        if self._witness is not None:
            self._witness.close()
            self._witness = None

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Commit all that happens inside, or nothing.

        ``durable`` also waits for the disk, so that even a power cut keeps it: for what is acknowledged to a user.
        """
        db = self._db
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute("UPDATE clock SET rev = rev + 1")
            yield
        except BaseException:
            db.execute("ROLLBACK")
            self._names.clear()
            self._of_experiments.clear()
            raise
        db.execute("COMMIT")
        if durable and self._witness is not None:
            self._witness.saw(self.rev)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Within a transaction: keep all that happens inside, or undo it alone."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            self._names.clear()
            raise
        finally:
            self._db.execute("RELEASE part")

    def add_experiment(self, **columns: Any) -> int:
        return self._insert("experiments", status="live", created=time.time(), rev=self.rev, **columns)

    def end_experiment(self, experiment_id: int) -> None:
        self._db.execute(
            "UPDATE experiments SET status = 'ended', ended = ?, rev = ? WHERE id = ?",
            (time.time(), self.rev, experiment_id),
        )

    def add_fit(self, **columns: Any) -> int:
        return self._insert("fits", created=time.time(), **columns)

    def add_run(self, experiment_id: int, *, config: dict[str, Any], **columns: Any) -> int:
        """Add a queued run under the experiment's next run id; returns its key in the home."""
        row = self._db.execute(
            "SELECT coalesce(max(run_id), 0) + 1 FROM runs WHERE experiment_id = ?", (experiment_id,)
        ).fetchone()
        self._touch(experiment_id)
        return self._insert(
            "runs",
            experiment_id=experiment_id,
            run_id=row[0],
            config=json.dumps(config),
            status="queued",
            created=time.time(),
            rev=self.rev,
            **columns,
        )

    def update_run(self, key: int, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(
            f"UPDATE runs SET {names}, rev = ? WHERE id = ?",  # noqa: S608 - names are keywords of our own calls
            (*columns.values(), self.rev, key),
        )
        if columns.get("status") == "deleted" or columns.get("mlflow_run_id"):
            self._touch(self.run_by_key(key).experiment_id)

    def _touch(self, experiment_id: int) -> None:
        """Let readers see that the experiment changed: it has a run more or less, or is known to MLflow."""
        self._db.execute("UPDATE experiments SET rev = ? WHERE id = ?", (self.rev, experiment_id))

    def open_lease(self, *, lease: int, run: int, slot: int, from_step: int, to_step: int) -> None:
        self._insert(
            "leases",
            id=lease,
            run=run,
            slot=slot,
            from_step=from_step,
            to_step=to_step,
            state="granted",
            granted=time.time(),
        )

    def close_lease(self, lease: int, state: str) -> None:
        self._db.execute("UPDATE leases SET state = ?, closed = ? WHERE id = ?", (state, time.time(), lease))

    def damage_lease(self, lease: int, step: int) -> None:
        """Note that what a lease committed cannot be gone on from, and the step that it had come to."""
        self._db.execute("UPDATE leases SET state = 'damaged', to_step = ? WHERE id = ?", (step, lease))

    def close_leases_of(self, run: int, state: str) -> None:
        """Close what a run that has ended may still hold."""
        self._db.execute(
            "UPDATE leases SET state = ?, closed = ? WHERE run = ? AND state = 'granted'", (state, time.time(), run)
        )

    def lose_open_leases(self) -> list[int]:
        """Close what a dead controller had granted; returns the runs concerned."""
        runs = [row["run"] for row in self._db.execute("SELECT run FROM leases WHERE state = 'granted'")]
        self._db.execute("UPDATE leases SET state = 'lost', closed = ? WHERE state = 'granted'", (time.time(),))
        return runs

    def add_points(self, run: int, points: Iterable[MetricPoint]) -> None:
        """Add metric points; a point of the same run, name and step is replaced.

        A chunk that is trained again after a crash gives the same points, so that replacing makes the effect
        exactly-once. SQLite has no NaN: it becomes NULL, and the reader turns it back.
        """
        points = list(points)
        self._db.executemany(
            "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    run,
                    self._name_id(point.name, point.per),
                    point.step,
                    point.epoch,
                    None if math.isnan(point.value) else point.value,
                    point.time,
                )
                for point in points
            ],
        )
        self._add_to_experiment(run, points)
        self._add_to_buckets(run, points)

    def _add_to_experiment(self, run: int, points: Iterable[MetricPoint]) -> None:
        """Note which metrics the run's experiment has, so that nobody has to look at all of its runs for each name."""
        names = {(run, self._name_id(point.name, point.per)) for point in points} - self._of_experiments
        self._db.executemany(
            "INSERT OR IGNORE INTO experiment_metrics SELECT experiment_id, ?2 FROM runs WHERE id = ?1", names
        )
        self._of_experiments |= names

    def _add_to_buckets(self, run: int, points: Iterable[MetricPoint]) -> None:
        self._db.executemany(
            UPSERT,
            [
                (run, self._name_id(name, "step"), number, *bucket.columns())
                for (name, number), bucket in summarise(points).items()
            ],
        )

    def trim_points(self, run: int, step: int) -> None:
        """Forget the points past ``step``: an attempt that never committed."""
        self._db.execute("DELETE FROM metrics WHERE run = ? AND step > ?", (run, step))
        cut = bucket_of(step)
        dropped = self._db.execute("DELETE FROM metric_buckets WHERE run = ? AND bucket >= ?", (run, cut))
        if dropped.rowcount:
            self._add_to_buckets(run, self.points(run, per="step", after_step=cut * BUCKET_STEPS))

    def add_event(
        self,
        message: str,
        *,
        experiment_id: int | None = None,
        run_id: int | None = None,
        level: str = "info",
    ) -> None:
        self._insert(
            "events",
            rev=self.rev,
            time=time.time(),
            experiment_id=experiment_id,
            run_id=run_id,
            level=level,
            message=message,
        )

    def add_operation(
        self,
        operation: str,
        *,
        experiment_id: int,
        run_id: int | None,
        origin: str,
        arguments: dict[str, Any],
        result: str,
        step: int | None = None,
    ) -> int:
        return self._insert(
            "operations",
            time=time.time(),
            experiment_id=experiment_id,
            run_id=run_id,
            operation=operation,
            origin=origin,
            arguments=json.dumps(arguments),
            result=result,
            step=step,
        )

    def put_policy(self, experiment_id: int, name: str, function: str, source: str | None) -> int:
        """Add a policy that has decided on nothing yet, in the place of one of the same name.

        It has a key of its own: what the other one is just deciding is not to be taken for its decision.
        """
        last: int = self._one("SELECT coalesce(max(id), 0) AS last FROM policies")["last"]
        self._db.execute("DELETE FROM policies WHERE experiment_id = ? AND name = ?", (experiment_id, name))
        return self._insert(
            "policies",
            id=last + 1,
            experiment_id=experiment_id,
            name=name,
            function=function,
            source=source,
            status="active",
            state="{}",
            commits=0,
            created=time.time(),
        )

    def add_search(self, experiment_id: int, name: str, definition: dict[str, Any], fit: int) -> int:
        """Add a search, which is to decide on what there is before the first commit already."""
        return self._insert(
            "policies",
            experiment_id=experiment_id,
            name=name,
            function="search",
            status="active",
            state="{}",
            commits=-1,
            created=time.time(),
            definition=json.dumps(definition),
            fit_id=fit,
        )

    def update_policy(self, policy_id: int, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(
            f"UPDATE policies SET {names} WHERE id = ?",  # noqa: S608 - names are keywords of our own calls
            (*columns.values(), policy_id),
        )

    def add_job(self, experiment_id: int, *, parts: int, **columns: Any) -> int:
        """Add a job that is cut into so many parts, and a last one; returns its key in the home."""
        row = self._db.execute(
            "SELECT coalesce(max(job_id), 0) + 1 FROM jobs WHERE experiment_id = ?", (experiment_id,)
        ).fetchone()
        key = self._insert(
            "jobs",
            experiment_id=experiment_id,
            job_id=row[0],
            status="queued",
            created=time.time(),
            rev=self.rev,
            **columns,
        )
        self._db.executemany(
            "INSERT INTO job_parts (job, part, state) VALUES (?, ?, 'waiting')",
            [(key, part) for part in range(parts + 1)],
        )
        return key

    def update_job(self, key: int, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(
            f"UPDATE jobs SET {names}, rev = ? WHERE id = ?",  # noqa: S608 - names are keywords of our own calls
            (*columns.values(), self.rev, key),
        )

    def reopen_job(self, key: int, **columns: Any) -> None:
        """Have a job that failed wait again, with all of its parts that are not done."""
        self.update_job(key, status="queued", error=None, traceback=None, started=None, ended=None, **columns)
        self._db.execute(
            "UPDATE job_parts SET state = 'waiting', minibatches = 0, deaths = 0 WHERE job = ? AND state != 'done'",
            (key,),
        )

    def update_part(self, job: int, part: int, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(
            f"UPDATE job_parts SET {names} WHERE job = ? AND part = ?",  # noqa: S608 - as above
            (*columns.values(), job, part),
        )

    def take_parts_back(self) -> None:
        """Have all parts wait again that a dead controller had granted."""
        self._db.execute("UPDATE job_parts SET state = 'waiting', minibatches = 0 WHERE state = 'granted'")

    def count_commit(self, experiment_id: int) -> None:
        self._db.execute("UPDATE experiments SET commits = commits + 1 WHERE id = ?", (experiment_id,))

    def add_outbox(self, run: int, kind: str, payload: dict[str, Any]) -> None:
        self._insert("outbox", run=run, kind=kind, payload=json.dumps(payload))

    def drop_outbox(self, ids: Iterable[int]) -> None:
        self._db.executemany("DELETE FROM outbox WHERE id = ?", [(entry,) for entry in ids])

    def remember_reply(self, request_id: str, reply: bytes) -> None:
        self._insert("requests", request_id=request_id, reply=reply, time=time.time())

    def recall_reply(self, request_id: str) -> bytes | None:
        row = self._db.execute("SELECT reply FROM requests WHERE request_id = ?", (request_id,)).fetchone()
        return row["reply"] if row else None

    def forget_replies(self, older_than: float, *, keep: int = 0) -> None:
        """Forget old replies but for the last few, whatever the clock says: one that jumps makes all of them old."""
        self._db.execute(
            "DELETE FROM requests WHERE time < ? AND rowid <= (SELECT max(rowid) FROM requests) - ?", (older_than, keep)
        )

    def _name_id(self, name: str, per: str) -> int:
        known = self._names.get((name, per))
        if known is None:
            self._db.execute("INSERT OR IGNORE INTO metric_names (name, per) VALUES (?, ?)", (name, per))
            row = self._db.execute("SELECT id FROM metric_names WHERE name = ? AND per = ?", (name, per)).fetchone()
            known = self._names[name, per] = row["id"]
        return known

    def _insert(self, table: str, **columns: Any) -> int:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        cursor = self._db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names are keywords of our own calls
            tuple(columns.values()),
        )
        return cursor.lastrowid or 0
