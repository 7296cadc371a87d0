"""Questions about tests and predictions."""

from __future__ import annotations

from rapidfire_lab.journal.connection import JournalConnection
from rapidfire_lab.journal.records import JobRecord, PartRecord, to_record


class JobQueries(JournalConnection):
    """Tests and predictions, and the parts that they are cut into."""

    def jobs(self, experiment_id: int) -> list[JobRecord]:
        """Jobs of an experiment, the oldest first."""
        rows = self._all("SELECT * FROM jobs WHERE experiment_id = ? ORDER BY id", (experiment_id,))
        return [to_record(row, JobRecord) for row in rows]

    def job(self, key: int) -> JobRecord:
        return to_record(self._one("SELECT * FROM jobs WHERE id = ?", (key,)), JobRecord)

    def open_jobs(self) -> list[JobRecord]:
        """Jobs of all experiments that are not over."""
        rows = self._all("SELECT * FROM jobs WHERE status IN ('queued', 'running') ORDER BY id")
        return [to_record(row, JobRecord) for row in rows]

    def parts(self, job: int) -> list[PartRecord]:
        rows = self._all("SELECT * FROM job_parts WHERE job = ? ORDER BY part", (job,))
        return [to_record(row, PartRecord) for row in rows]

    def last_part(self, job: int) -> int:
        """Number of the part that puts the results of the others together."""
        last: int = self._one("SELECT max(part) AS last FROM job_parts WHERE job = ?", (job,))["last"]
        return last

    def minibatches_done(self, job: int) -> int:
        """How many minibatches of a job are through, also of parts that are not done yet."""
        query = "SELECT coalesce(sum(minibatches), 0) AS done FROM job_parts WHERE job = ?"
        count: int = self._one(query, (job,))["done"]
        return count
