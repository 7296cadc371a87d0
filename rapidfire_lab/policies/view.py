"""What a policy sees of the runs."""

from __future__ import annotations

import bisect
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfire_lab.configs import Config
from rapidfire_lab.engine.chunks import chunk_ends, chunks_per_epoch
from rapidfire_lab.journal import ACTIVE_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.journal import JournalReader, RunRecord

_LOSS = "minibatch_loss"


@dataclass(frozen=True)
class PolicyRun:
    """A run as of its last commit.

    Attributes
    ----------
    run_id, status, ended_by, source, parent
        As in ``get_runs_info``.
    config
        The read-only config that the hooks get: sections, and every knob at top level.
    step, steps_per_epoch, epochs
        Committed minibatches, minibatches per epoch, and epochs to train.
    chunk_losses
        Mean training loss over the minibatches of each completed chunk. An epoch has ``num_chunks`` of ``run_fit``,
        or 4: the same places of the data in every run, however the engine cuts its leases. NaN for a chunk that a
        clone's parent trained. Trials of a model template have none.
    chunks_per_epoch
        How many of them an epoch has.
    is_at_limit
        Whether it has come to where it stops for its search to decide.
    search, trial
        The search that it is of, and its number in there; None for runs that no search has made.
    steerers
        Who has stopped or resumed it, in the words of ``get_operations``.
    rows
        Metrics of the completed epochs, oldest first, as in ``get_results``: dicts with ``epoch``, ``step``,
        ``train_loss``, ``val_loss`` and so on.
    """

    run_id: int
    status: str
    ended_by: str | None
    source: str
    parent: int | None
    config: Config
    step: int
    steps_per_epoch: int
    epochs: int
    chunk_losses: tuple[float, ...]
    rows: tuple[dict[str, float], ...]
    search: str | None = None
    trial: int | None = None
    steerers: frozenset[str] = frozenset()
    chunks_per_epoch: int = 1
    is_at_limit: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it is queued or running."""
        return self.status in ACTIVE_STATUSES

    @property
    def chunks(self) -> int:
        """Completed chunks."""
        return len(self.chunk_losses)

    @property
    def progress(self) -> float:
        """Epochs trained, with the part of the one under way."""
        return self.step / self.steps_per_epoch

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the last completed epoch; empty before there is one."""
        return dict(self.rows[-1]) if self.rows else {}


class RunViews:
    """Makes ``PolicyRun``s, reading only what is new since it was last asked."""

    def __init__(self, journal: JournalReader) -> None:
        self._journal = journal
        self._histories: dict[int, _History] = {}
        self._views: dict[int, tuple[int, PolicyRun]] = {}

    def of(self, experiment_id: int) -> list[PolicyRun]:
        """The runs of an experiment that are not deleted, by run id."""
        chunks = {fit.id: fit.num_chunks for fit in self._journal.fits(experiment_id)}
        runs = [run for run in self._journal.runs(experiment_id) if run.status != "deleted"]
        steerers = self._journal.steerers(experiment_id)
        return [self._view(run, chunks[run.fit_id], frozenset(steerers.get(run.run_id, ()))) for run in runs]

    def _view(self, run: RunRecord, num_chunks: int | None, steerers: frozenset[str]) -> PolicyRun:
        rev, view = self._views.get(run.id, (0, None))
        if view is None or rev != run.rev or view.steerers != steerers:
            view = self._made(run, num_chunks, steerers)
            self._views[run.id] = (run.rev, view)
        return view

    def _made(self, run: RunRecord, num_chunks: int | None, steerers: frozenset[str]) -> PolicyRun:
        history = self._histories.get(run.id)
        if history is None or history.step > run.step:
            # It went back further than what was read: its last checkpoint was damaged.
            history = self._histories[run.id] = _History(run, num_chunks)
        history.read(self._journal, run)
        return PolicyRun(
            run_id=run.run_id,
            status=run.status,
            ended_by=run.ended_by,
            source=run.source,
            parent=run.parent,
            config=Config(json.loads(run.config)),
            step=run.step,
            steps_per_epoch=run.steps_per_epoch,
            epochs=run.epochs,
            chunk_losses=() if run.is_trial else tuple(history.chunk_losses()),
            rows=tuple(history.rows),
            search=run.search,
            trial=run.trial,
            steerers=steerers,
            chunks_per_epoch=history.chunks_per_epoch,
            is_at_limit=run.until is not None and run.step >= run.until,
        )


class _History:
    """Losses and metrics of a run up to a step that it has committed."""

    def __init__(self, run: RunRecord, num_chunks: int | None) -> None:
        self._first = run.parent_step or 0 if run.continue_position else 0
        self.step = self._first
        self.rows: list[dict[str, float]] = []
        self._steps_per_epoch = run.steps_per_epoch
        self._ends = chunk_ends(run.steps_per_epoch, chunks_per_epoch(run.steps_per_epoch, num_chunks))
        self._sums: list[float] = []
        self._counts: list[int] = []
        """By chunk, up to the last that was begun."""

    @property
    def chunks_per_epoch(self) -> int:
        return len(self._ends)

    def read(self, journal: JournalReader, run: RunRecord) -> None:
        for point in journal.points(run.id, per="step", after_step=self.step, to_step=run.step):
            if point.name == _LOSS:
                self._add(point.step, point.value)
        self.step = run.step
        rows: dict[int, dict[str, float]] = {}
        # An epoch that was stopped in its validation is completed by a later commit, at the same step.
        known = int(self.rows[-1]["step"]) if self.rows else self._first - 1
        for point in journal.points(run.id, per="epoch", after_step=known, to_step=run.step):
            if point.epoch <= run.completed_epochs:
                row = rows.setdefault(point.epoch, {"epoch": point.epoch, "step": point.step})
                row[point.name] = point.value
        self.rows += [rows[epoch] for epoch in sorted(rows)]

    def _add(self, step: int, loss: float) -> None:
        chunk = self._chunk(step)
        missing = chunk + 1 - len(self._sums)
        self._sums += [0.0] * missing
        self._counts += [0] * missing
        self._sums[chunk] += loss
        self._counts[chunk] += 1

    def _chunk(self, step: int) -> int:
        """Number of the chunk in which a minibatch is, from 0."""
        epoch, within = divmod(step - 1, self._steps_per_epoch)
        return epoch * len(self._ends) + bisect.bisect_left(self._ends, within + 1)

    def chunk_losses(self) -> Iterator[float]:
        epochs, within = divmod(self.step, self._steps_per_epoch)
        for chunk in range(epochs * len(self._ends) + bisect.bisect_right(self._ends, within)):
            own = self._start(chunk) >= self._first
            yield self._sums[chunk] / self._counts[chunk] if own else math.nan

    def _start(self, chunk: int) -> int:
        """Minibatches before a chunk."""
        epoch, part = divmod(chunk, len(self._ends))
        return epoch * self._steps_per_epoch + (self._ends[part - 1] if part else 0)
