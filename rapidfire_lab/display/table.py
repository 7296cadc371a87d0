"""What every view of the runs shows: one row per run, read from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.rows import differing, experiment_knobs, make_rows, most_telling

if TYPE_CHECKING:
    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord
    from rapidfire_lab.rows import RunRow

STATUS_ICONS = {
    "queued": "○",
    "running": "▶",
    "stopped": "■",
    "completed": "✓",
    "failed": "✗",
    "deleted": "␡",
}
_MOST_METRICS = 4
_MOST_NOTICES = 3
_HIDDEN_METRICS = ("learning_rate",)


@dataclass(frozen=True)
class TableSnapshot:
    """All rows at one moment, and the columns that tell them apart."""

    experiment: str
    rows: list[RunRow]
    knob_names: list[str]
    metric_names: list[str]
    notices: list[str]
    """What the engine has to say: warnings since the view was opened, the last few."""
    searches: list[str]
    """Searches that may add runs yet."""

    @property
    def finished(self) -> bool:
        return not self.searches and not any(row.active for row in self.rows)

    def summary(self) -> str:
        counts = {status: sum(row.status == status for row in self.rows) for status in STATUS_ICONS}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        searching = f"; searching: {', '.join(self.searches)}" if self.searches else ""
        return f"{self.experiment}: {told or 'no runs'}{searching}"


class RunTable:
    """Takes snapshots of an experiment's runs: of all, or of some and their clones."""

    def __init__(self, journal: JournalReader, experiment: str, run_ids: list[int] | None = None) -> None:
        self._journal = journal
        self._experiment = experiment
        self._run_ids = None if run_ids is None else set(run_ids)
        self._opened = journal.last_event()
        self._knobs: tuple[list[int], list[str]] = ([], [])

    def snapshot(self) -> TableSnapshot:
        record = self._journal.experiment(self._experiment)
        runs = self._runs(record) if record else []
        knobs = self._differing(record, runs) if record else []
        rows = make_rows(self._journal, runs, knobs)
        metrics = dict.fromkeys(name for row in rows for name in row.metrics if name not in _HIDDEN_METRICS)
        notices = self._journal.engine_warnings(after=self._opened)[-_MOST_NOTICES:]
        searches = self._searches(record) if record else []
        return TableSnapshot(self._experiment, rows, knobs, most_telling(metrics)[:_MOST_METRICS], notices, searches)

    def _searches(self, record: ExperimentRecord) -> list[str]:
        found = self._journal.active_searches(record.id) if self._run_ids is None else []
        return [search.name for search in found]

    def _runs(self, record: ExperimentRecord) -> list[RunRecord]:
        runs = self._journal.runs(record.id)
        chosen = None if self._run_ids is None else _with_clones(runs, self._run_ids)
        return [run for run in runs if run.status != "deleted" and (chosen is None or run.run_id in chosen)]

    def _differing(self, record: ExperimentRecord, runs: list[RunRecord]) -> list[str]:
        if self._run_ids is None:
            return experiment_knobs(self._journal, record)
        run_ids = [run.run_id for run in runs]
        if run_ids != self._knobs[0]:
            self._knobs = (run_ids, differing(run.config for run in runs))
        return self._knobs[1]


def _with_clones(runs: list[RunRecord], run_ids: set[int]) -> set[int]:
    """Runs and what was cloned from them, and from their clones; a clone's run id is larger than its parent's."""
    family = set(run_ids)
    for run in runs:
        if run.parent in family:
            family.add(run.run_id)
    return family


def knob_text(row: RunRow) -> str:
    """The knobs that tell a run from the others, in one line."""
    shown = [(name, value) for name, value in row.knobs.items() if value is not None]
    return " ".join(f"{short_knob(name)}={format_value(value)}" for name, value in shown)


def short_knob(path: str) -> str:
    """A knob's name without its sections: the last part of its path that says something."""
    parts = [part for part in path.split(".") if part not in ("train", "user_knobs", "args", "name")]
    return parts[-1] if parts else path


def format_value(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
