"""What every view of the runs shows: one row per run, read from the journal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import differing_knobs, get_path
from rapidfire_lab.journal import ACTIVE_STATUSES

if TYPE_CHECKING:
    from rapidfire_lab.journal import JournalReader, RunRecord

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
class RunRow:
    """One run, ready to be shown. ``progress`` goes from 0 to 1; ``metrics`` are of the last completed epoch."""

    run_id: int
    status: str
    progress: float
    epoch: str
    loss: float | None
    metrics: dict[str, float]
    knobs: dict[str, Any]
    seconds_left: float | None
    note: str
    error: str | None

    @property
    def active(self) -> bool:
        return self.status in ACTIVE_STATUSES


@dataclass(frozen=True)
class TableSnapshot:
    """All rows at one moment, and the columns that tell them apart."""

    experiment: str
    rows: list[RunRow]
    knob_names: list[str]
    metric_names: list[str]
    notices: list[str]
    """What the engine has to say: warnings since the view was opened, the last few."""

    @property
    def finished(self) -> bool:
        return not any(row.active for row in self.rows)

    def summary(self) -> str:
        counts = {status: sum(row.status == status for row in self.rows) for status in STATUS_ICONS}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return f"{self.experiment}: {told or 'no runs'}"


class RunTable:
    """Takes snapshots of an experiment's runs; epochs' metrics are read again only for runs that moved.

    Of all runs, or of some and their clones.
    """

    def __init__(self, journal: JournalReader, experiment: str, run_ids: list[int] | None = None) -> None:
        self._journal = journal
        self._experiment = experiment
        self._run_ids = None if run_ids is None else set(run_ids)
        self._opened = time.time()
        self._metrics: dict[int, tuple[int, dict[str, float]]] = {}

    def snapshot(self) -> TableSnapshot:
        runs = self._runs()
        leaves = [run.leaf for run in runs]
        knobs = differing_knobs(leaves)
        rows = [self._row(run, leaf, knobs) for run, leaf in zip(runs, leaves, strict=True)]
        metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
        notices = self._journal.engine_warnings(self._opened)[-_MOST_NOTICES:]
        return TableSnapshot(self._experiment, rows, knobs, _most_telling(metrics), notices)

    def _runs(self) -> list[RunRecord]:
        record = self._journal.experiment(self._experiment)
        runs = self._journal.runs(record.id) if record else []
        chosen = None if self._run_ids is None else _with_clones(runs, self._run_ids)
        return [run for run in runs if run.status != "deleted" and (chosen is None or run.run_id in chosen)]

    def _row(self, run: RunRecord, leaf: dict[str, Any], knobs: list[str]) -> RunRow:
        done = max(run.step, run.live_step) / run.total_steps
        return RunRow(
            run_id=run.run_id,
            status="running" if run.wanted else run.status,
            progress=1.0 if run.status == "completed" else done,
            epoch=f"{run.completed_epochs}/{run.epochs}",
            loss=run.live_loss,
            metrics=self._last_metrics(run),
            knobs={name: get_path(leaf, name) for name in knobs},
            seconds_left=_seconds_left(run, done),
            note="stopping" if run.wanted else run.ended_by or "",
            error=run.error if run.status == "failed" else None,
        )

    def _last_metrics(self, run: RunRecord) -> dict[str, float]:
        known = self._metrics.get(run.run_id)
        if known is None or known[0] != run.completed_epochs:
            after = (run.completed_epochs - 1) * run.steps_per_epoch
            points = self._journal.points(run.id, per="epoch", after_step=max(0, after))
            known = (run.completed_epochs, {point.name: point.value for point in points})
            self._metrics[run.run_id] = known
        return known[1]


def _with_clones(runs: list[RunRecord], run_ids: set[int]) -> set[int]:
    """Runs and what was cloned from them, and from their clones; a clone's run id is larger than its parent's."""
    family = set(run_ids)
    for run in runs:
        if run.parent in family:
            family.add(run.run_id)
    return family


def _seconds_left(run: RunRecord, done: float) -> float | None:
    """From the pace so far, by the clock: it counts the turns of the other runs."""
    if run.status != "running" or not run.started or done <= 0:
        return None
    return (time.time() - run.started) / done * (1 - done)


def _most_telling(names: list[str]) -> list[str]:
    """The metrics that fit into a table: losses first, then the validation's, then the rest."""
    shown = [name for name in names if name not in _HIDDEN_METRICS]

    def rank(name: str) -> int:
        return 0 if name.endswith("_loss") else 1 if not name.startswith("train_") else 2

    return sorted(shown, key=rank)[:_MOST_METRICS]


def knob_text(row: RunRow) -> str:
    """The knobs that tell a run from the others, in one line."""
    shown = [(name, value) for name, value in row.knobs.items() if value is not None]
    return " ".join(f"{short_knob(name)}={format_value(value)}" for name, value in shown)


def short_knob(path: str) -> str:
    """A knob's name without its sections: the last part of its path that says something."""
    parts = [part for part in path.split(".") if part not in ("train", "user_knobs", "args", "name")]
    return parts[-1]


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
