"""Read access to the journal, for every process: kernel, server, tracker, command line."""

from __future__ import annotations

from rapidfire_lab.journal.job_queries import JobQueries
from rapidfire_lab.journal.log_queries import LogQueries
from rapidfire_lab.journal.metric_queries import MetricQueries
from rapidfire_lab.journal.policy_queries import PolicyQueries
from rapidfire_lab.journal.records import (
    ACTIVE_STATUSES,
    ExperimentRecord,
    FitRecord,
    OutboxRecord,
    Position,
    RunRecord,
    to_record,
)


class JournalReader(MetricQueries, LogQueries, PolicyQueries, JobQueries):
    """Questions to the journal. One instance serves one thread at a time."""

    def experiments(self) -> list[ExperimentRecord]:
        return [to_record(row, ExperimentRecord) for row in self._all("SELECT * FROM experiments ORDER BY id")]

    def experiment(self, name: str) -> ExperimentRecord | None:
        rows = self._all("SELECT * FROM experiments WHERE name = ?", (name,))
        return to_record(rows[0], ExperimentRecord) if rows else None

    def experiment_by_id(self, experiment_id: int) -> ExperimentRecord:
        return to_record(self._one("SELECT * FROM experiments WHERE id = ?", (experiment_id,)), ExperimentRecord)

    def tracked_experiments(self) -> set[int]:
        """Experiments with a run that MLflow knows."""
        rows = self._all("SELECT DISTINCT experiment_id FROM runs WHERE mlflow_run_id IS NOT NULL")
        return {row["experiment_id"] for row in rows}

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

    def runs_seen(self, experiment_id: int, since: int) -> bool:
        """Whether any run of the experiment has not changed after rev ``since``."""
        query = "SELECT 1 FROM runs WHERE experiment_id = ? AND rev <= ? LIMIT 1"
        return bool(self._all(query, (experiment_id, since)))

    def run_counts(self) -> dict[int, int]:
        """How many runs each experiment has that are not deleted."""
        rows = self._all("SELECT experiment_id, count(*) AS runs FROM runs WHERE status != 'deleted' GROUP BY 1")
        return {row["experiment_id"]: row["runs"] for row in rows}

    def configs(self, experiment_id: int) -> list[str]:
        """The configs of an experiment's runs that are not deleted, as text."""
        query = "SELECT config FROM runs WHERE experiment_id = ? AND status != 'deleted' ORDER BY run_id"
        return [row["config"] for row in self._all(query, (experiment_id,))]

    def last_run(self, experiment_id: int) -> tuple[int, int]:
        """The last run id of an experiment, and how many runs of it are not deleted."""
        query = (
            "SELECT coalesce(max(run_id), 0) AS last, sum(status != 'deleted') AS runs"
            " FROM runs WHERE experiment_id = ?"
        )
        row = self._one(query, (experiment_id,))
        return row["last"], row["runs"] or 0

    def clones(self, experiment_id: int, run_id: int) -> list[int]:
        """Run ids of the clones of a run that are not deleted."""
        query = "SELECT run_id FROM runs WHERE experiment_id = ? AND parent = ? AND status != 'deleted' ORDER BY run_id"
        return [row["run_id"] for row in self._all(query, (experiment_id, run_id))]

    def is_training(self) -> bool:
        """Whether a run of any experiment is queued or running, or a test or prediction under way."""
        # The words stand in the query, so that SQLite can see that the indexes of what is active serve.
        query = (
            "SELECT 1 FROM runs WHERE status IN ('queued', 'running')"
            " UNION ALL SELECT 1 FROM jobs WHERE status IN ('queued', 'running') LIMIT 1"
        )
        return bool(self._all(query))

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

    def positions(self) -> list[Position]:
        """Where the runs stand that train or wait to, but for those that are about to stop."""
        query = (
            "SELECT id, coalesce(1.0 * until / steps_per_epoch, epochs), steps_per_epoch, step, max(step, live_step),"
            " seconds FROM runs"
            " WHERE status IN ('queued', 'running') AND wanted IS NULL ORDER BY id"
        )
        return [Position(*row) for row in self._all(query)]

    def busy_slots(self) -> int:
        """How many slots train a run."""
        count: int = self._one("SELECT count(*) AS slots FROM leases WHERE state = 'granted'")["slots"]
        return count

    def last_lease(self) -> int:
        """The last number that was given to a lease, of a run or of a part of a job."""
        query = (
            "SELECT max((SELECT coalesce(max(id), 0) FROM leases), (SELECT coalesce(max(lease), 0) FROM job_parts))"
            " AS last"
        )
        lease: int = self._one(query)["last"]
        return lease

    def previous_lease(self, run: int, lease: int) -> int:
        """The lease of a run whose commit came before that of this one; 0 where there is none."""
        # Backwards from the lease: it is found after about as many rows as there are live runs.
        query = "SELECT id FROM leases WHERE id < ? AND run = ? AND state = 'committed' ORDER BY id DESC LIMIT 1"
        begins_at = self._all("SELECT from_step FROM leases WHERE id = ?", (lease,))
        rows = self._all(query, (lease, run)) if begins_at and begins_at[0]["from_step"] else []
        return rows[0]["id"] if rows else 0

    def run_of_lease(self, lease: int) -> RunRecord | None:
        rows = self._all("SELECT r.* FROM runs r JOIN leases l ON l.run = r.id WHERE l.id = ?", (lease,))
        return to_record(rows[0], RunRecord) if rows else None

    def is_damaged(self, lease: int) -> bool:
        """Whether what a lease committed turned out to be damaged."""
        return bool(self._all("SELECT 1 FROM leases WHERE id = ? AND state = 'damaged'", (lease,)))

    def damaged_steps(self) -> dict[int, int]:
        """How far the runs had come whose checkpoints turned out to be damaged, by key."""
        rows = self._all("SELECT run, max(to_step) AS step FROM leases WHERE state = 'damaged' GROUP BY run")
        return {row["run"]: row["step"] for row in rows}

    def outbox(self, after: int = 0, limit: int = 1_000) -> list[OutboxRecord]:
        rows = self._all("SELECT * FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [to_record(row, OutboxRecord) for row in rows]

    def outbox_size(self) -> int:
        size: int = self._one("SELECT count(*) AS size FROM outbox")["size"]
        return size
