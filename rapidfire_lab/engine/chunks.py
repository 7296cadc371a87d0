"""How far a lease goes: chunk boundaries that cost under two percent and that runs can be compared at."""

from __future__ import annotations

import math
from dataclasses import dataclass

OVERHEAD_SHARE = 0.02
"""Restoring and checkpointing may cost this share of the training time."""

SAVING_SHARE = 0.25
"""Checkpoints may be written during this share of the training time: the disk and a core have other things to do."""

SHORTEST_CHUNK = 0.25
"""Seconds; below this, hopping more often helps nobody who looks at a table."""

FIRST_CHUNKS = 4
"""Chunks per epoch before anything was measured."""

MOST_CHUNKS = 64
_SMOOTHING = 0.5


@dataclass
class Pace:
    """Measured speed of a run: seconds per step, and seconds that a hop costs."""

    step_seconds: float | None = None
    hop_seconds: float = 0.0
    save_seconds: float = 0.0
    """What writing a checkpoint takes, while the slot trains on."""

    def observe(self, steps: int, seconds: float, overhead: float, saving: float = 0.0) -> None:
        if steps < 1:
            return
        known = self.step_seconds
        measured = seconds / steps
        weight = _SMOOTHING if known is not None else 1.0
        # What was slower before was so by what is done but once, as preparing rows: that is over.
        self.step_seconds = measured if known is None else min(measured, known + weight * (measured - known))
        self.hop_seconds += weight * (overhead - self.hop_seconds)
        self.save_seconds += weight * (saving - self.save_seconds)

    @property
    def chunk_seconds(self) -> float:
        """Length of a chunk that keeps the cost of hopping under its share, and lets checkpoints be written."""
        return max(SHORTEST_CHUNK, self.hop_seconds / OVERHEAD_SHARE, self.save_seconds / SAVING_SHARE)


def is_soon_done(*, steps: int, seconds: float, left: int) -> bool:
    """Whether the steps that a run has left are worth no hop: they would take no longer than the shortest chunk."""
    return 0 < left <= steps * SHORTEST_CHUNK / max(seconds, 1e-9)


def chunks_per_epoch(steps_per_epoch: int, chunks: int | None) -> int:
    """Parts that an epoch is cut into where ``chunks`` are wanted; there is no part without a minibatch."""
    return max(1, min(chunks or FIRST_CHUNKS, steps_per_epoch))


def chunk_ends(steps_per_epoch: int, parts: int) -> list[int]:
    """Minibatches of an epoch that are done at the end of each of its equal parts."""
    return [-(-part * steps_per_epoch // parts) for part in range(1, parts + 1)]


def next_boundary(step: int, *, steps_per_epoch: int, total: int, chunks: int | None, pace: Pace) -> int:
    """Step that the next lease of a run at ``step`` should reach.

    Boundaries cut an epoch into a power of two of equal parts (or into ``chunks`` where the user says so), so that
    different runs stop at the same places of the data. A lease spans whole epochs where an epoch is shorter than a
    chunk should be.
    """
    if chunks is None and pace.step_seconds is not None:
        epochs = pace.chunk_seconds / max(pace.step_seconds * steps_per_epoch, 1e-9)
        if epochs > 1:
            return min(total, (step // steps_per_epoch + math.ceil(epochs)) * steps_per_epoch)
        chunks = min(MOST_CHUNKS, 1 << math.floor(math.log2(1 / epochs)))
    parts = chunks_per_epoch(steps_per_epoch, chunks)
    epoch, within = divmod(step, steps_per_epoch)
    part = within * parts // steps_per_epoch + 1
    boundary = -(-part * steps_per_epoch // parts)
    return min(total, epoch * steps_per_epoch + boundary)
