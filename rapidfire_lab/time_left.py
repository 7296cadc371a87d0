"""How long runs still train, as the slots are shared now.

It is told from positions and from seconds on slots, which no jump of the clock and no night in between changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from rapidfire_lab.journal import JournalReader, Position

_METRIC = "minibatch_loss"
"""Has a point of each minibatch, from which the pace is told before there is a commit."""


class TimeLeft:
    """What the runs have before them that train or wait to, at the moment of the journal.

    All advance epoch by epoch together, however long their epochs take: the scheduler sees to that. So until a run is
    done, each of the others makes as many epochs as that run has left, or what itself has left. The slots that are at
    work now share all of this, but for runs with more to do than a slot's part of it: they keep a slot each. A run
    of which nothing is known yet counts like the average of the others.
    """

    def __init__(self, journal: JournalReader) -> None:
        # Imported here because a Jupyter server without runs in training does not need it.
        import numpy as np

        positions = journal.positions()
        self._slots = max(1, journal.busy_slots())
        self._known = _epoch_seconds(journal, positions)
        self._left = {run.key: run.epochs_left for run in positions}
        usual = sum(self._known.values()) / max(1, len(self._known))
        self._epochs = np.array(list(self._left.values()))
        self._seconds = np.array([self._known.get(run.key, usual) for run in positions])

    def of(self, run: int) -> float | None:
        """Seconds until a run, given by its key, is done; None where that cannot be told."""
        if run not in self._known:
            return None
        left = self._left[run]
        work = self._epochs.clip(max=left) * self._seconds
        return max(left * self._known[run], _shared(work, self._slots))


def _shared(work: np.ndarray, slots: int) -> float:
    """Seconds that slots need for some work, but for what keeps a slot busy for longer than that."""
    total = float(work.sum())
    work.partition(max(0, len(work) - slots))
    for largest in sorted(work[-slots:].tolist(), reverse=True):
        if slots == 1 or largest * slots <= total:
            break
        total -= largest
        slots -= 1
    return total / slots


def _epoch_seconds(journal: JournalReader, runs: Sequence[Position]) -> dict[int, float]:
    """Seconds that a slot needs for an epoch of each run: from its commits, or else from its minibatches."""
    committed = [run for run in runs if run.seconds and run.committed]
    found = {run.key: run.seconds / run.committed * run.steps_per_epoch for run in committed}
    begun = {run.key: run.steps_per_epoch for run in runs if run.step and run.key not in found}
    metric = journal.metric_id(_METRIC, "step") if begun else None
    if metric is not None:
        paces = journal.step_seconds(metric, begun)
        found |= {key: seconds * begun[key] for key, seconds in paces.items()}
    return found
