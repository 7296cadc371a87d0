"""Questions about policies."""

from __future__ import annotations

from rapidfire_lab.journal.connection import JournalConnection
from rapidfire_lab.journal.records import PolicyRecord, to_record


class PolicyQueries(JournalConnection):
    """Policies of experiments, in the order in which they were added."""

    def policies(self, experiment_id: int) -> list[PolicyRecord]:
        rows = self._all("SELECT * FROM policies WHERE experiment_id = ? ORDER BY id", (experiment_id,))
        return [to_record(row, PolicyRecord) for row in rows]

    def active_searches(self, experiment_id: int) -> list[PolicyRecord]:
        """Searches of an experiment that are not over."""
        found = self.policies(experiment_id)
        return [policy for policy in found if policy.definition is not None and policy.status == "active"]

    def trials(self, experiment_id: int) -> dict[tuple[str, int], int]:
        """Run ids by search and trial, of runs that are not deleted."""
        rows = self._all(
            "SELECT search, trial, run_id FROM runs"
            " WHERE experiment_id = ? AND search IS NOT NULL AND status != 'deleted'",
            (experiment_id,),
        )
        return {(row["search"], row["trial"]): row["run_id"] for row in rows}

    def steerers(self, experiment_id: int) -> dict[int, set[str]]:
        """Who has stopped, resumed or deleted each run."""
        rows = self._all(
            "SELECT DISTINCT run_id, origin FROM operations"
            " WHERE experiment_id = ? AND operation IN ('stop', 'resume', 'delete', 'cancel')",
            (experiment_id,),
        )
        found: dict[int, set[str]] = {}
        for row in rows:
            found.setdefault(row["run_id"], set()).add(row["origin"])
        return found

    def policy(self, policy_id: int) -> PolicyRecord:
        return to_record(self._one("SELECT * FROM policies WHERE id = ?", (policy_id,)), PolicyRecord)

    def active_policies(self) -> list[PolicyRecord]:
        """Those that are to be called, of the live experiment."""
        rows = self._all(
            "SELECT p.* FROM policies p JOIN experiments e ON e.id = p.experiment_id"
            " WHERE e.status = 'live' AND p.status = 'active' ORDER BY p.id"
        )
        return [to_record(row, PolicyRecord) for row in rows]
