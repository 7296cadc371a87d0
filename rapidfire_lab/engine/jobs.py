"""Jobs of inference in the schedule: which part of which job goes to a slot that is free.

A job is a test or a prediction, cut into parts of whole minibatches; after them comes one more part, which puts the
results together. The board is as pure as the scheduler, which it is a part of.

Fairness: a slot that no run can use is a job's at once. While runs wait, a job may take as much of the slots' time as
a run gets on average: what runs spend on slots is its credit, divided by their number, and its parts use it up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

PartOutcome = Literal["done", "failed", "discarded", "unsaved"]
"""How a part ended: its result is on the disk, error, dropped on request, or not taken by the disk."""


_MOST_MINIBATCHES = 64
_USUAL_PARTS = 64


def minibatches_per_part(minibatches: int) -> int:
    """How many minibatches of so many make a part: a 64th of them, and no more than 64."""
    return min(_MOST_MINIBATCHES, -(-minibatches // _USUAL_PARTS))


@dataclass(frozen=True)
class GrantPart:
    lease: int
    job: int
    part: int
    slot: int


@dataclass(frozen=True)
class PartLost:
    """The part waits again: its slot died, was told to drop it, or could not save its result."""

    lease: int
    job: int
    part: int
    deaths: int
    """Of all attempts at this part; no more than before where it was dropped on request."""
    unsaved: str | None = None


@dataclass(frozen=True)
class JobEnded:
    job: int
    status: Literal["completed", "failed", "cancelled"]
    reason: str | None = None
    can_go_on: bool = False
    """Only the disk is to blame: what is done is kept, and who asks again goes on from there."""


@dataclass(frozen=True)
class JobAdded:
    job: JobState


@dataclass(frozen=True)
class JobCancelled:
    job: int


@dataclass(frozen=True)
class PartEnded:
    lease: int
    outcome: PartOutcome
    seconds: float = 0.0
    reason: str | None = None
    """Why the disk did not take it."""


@dataclass(frozen=True)
class HeldPart:
    job: int
    part: int
    slot: int
    contended: bool
    """Whether a run could have had the slot instead."""


@dataclass
class JobState:
    """A job as the scheduler sees it."""

    key: int
    parts: int
    """Without the last, which puts the results of the others together and has this number."""
    done: set[int] = field(default_factory=set)
    deaths: dict[int, int] = field(default_factory=dict)
    """By part: attempts that were lost."""
    waiting: list[int] = field(init=False)
    held: dict[int, HeldPart] = field(default_factory=dict)
    """By lease."""
    credit: float = 0.0
    """Seconds of slots that it may take from runs."""
    part_seconds: float | None = None
    """What a part takes; None before one has ended."""

    def __post_init__(self) -> None:
        self.waiting = [part for part in range(self.parts) if part not in self.done] or [self.parts]

    def may_take(self) -> bool:
        """Whether it may take a slot that a run waits for."""
        taken = sum(item.contended for item in self.held.values())
        if not taken:
            return self.credit >= 0
        return self.part_seconds is not None and self.credit >= taken * self.part_seconds

    def observe(self, seconds: float) -> None:
        self.part_seconds = seconds if self.part_seconds is None else (self.part_seconds + seconds) / 2


class JobBoard:
    """The jobs that are not over, and who works on which of their parts."""

    def __init__(self, max_attempts: int) -> None:
        self.jobs: dict[int, JobState] = {}
        self._holders: dict[int, int] = {}
        """Jobs by lease."""
        self._max_attempts = max_attempts

    def holder(self, lease: int) -> HeldPart | None:
        """What a lease is on; None for one that is over, whose results are refused."""
        return self.jobs[self._holders[lease]].held[lease] if lease in self._holders else None

    @property
    def has_leases(self) -> bool:
        return bool(self._holders)

    def open_parts(self) -> int:
        """How many slots could work on parts now."""
        return sum(len(job.waiting) + len(job.held) for job in self.jobs.values())

    def add(self, job: JobState) -> None:
        self.jobs[job.key] = job

    def next_job(self, *, contended: bool) -> JobState | None:
        """The job that a free slot should work for, if any; ``contended`` when a run could have the slot as well."""
        ready = [job for job in self.jobs.values() if job.waiting and (not contended or job.may_take())]
        return min(ready, key=lambda job: (len(job.held), job.key), default=None)

    def grant(self, job: JobState, lease: int, slot: int, *, contended: bool) -> GrantPart:
        part = job.waiting.pop(0)
        job.held[lease] = HeldPart(job.key, part, slot, contended)
        self._holders[lease] = job.key
        if not contended:
            job.credit = min(job.credit, 0.0)  # who has what nobody else wants has nothing to make up for
        return GrantPart(lease, job.key, part, slot)

    def trained(self, seconds: float, runs: int) -> None:
        """Note what runs have spent on a slot, so many of them being live."""
        for job in self.jobs.values():
            if job.waiting:
                job.credit += seconds / max(1, runs)

    def ended(self, event: PartEnded) -> list[PartLost | JobEnded]:
        held = self.holder(event.lease)
        if held is None:
            return []
        job = self.jobs[held.job]
        if held.contended:
            job.credit -= event.seconds
        if event.outcome == "done":
            return self._done(job, event, held)
        if event.outcome == "failed":
            return self._end(job, JobEnded(job.key, "failed"))
        if event.outcome == "unsaved":
            unsaved = event.reason or "unknown"
            return self._lose(job, event.lease, f"No attempt could be saved: {unsaved}", unsaved)
        return self._lose(job, event.lease, None)

    def lose_slot(self, slot: int, reason: str) -> list[PartLost | JobEnded]:
        """What follows from the death of a slot."""
        lost: list[PartLost | JobEnded] = []
        for job in list(self.jobs.values()):
            for lease in [lease for lease, held in job.held.items() if held.slot == slot]:
                lost += self._lose(job, lease, reason)
        return lost

    def cancel(self, key: int) -> list[PartLost | JobEnded]:
        return self._end(self.jobs[key], JobEnded(key, "cancelled"))

    def _done(self, job: JobState, event: PartEnded, held: HeldPart) -> list[PartLost | JobEnded]:
        self._release(job, event.lease)
        job.observe(event.seconds)
        if held.part == job.parts:
            return self._end(job, JobEnded(job.key, "completed"))
        job.done.add(held.part)
        if len(job.done) == job.parts:
            job.waiting = [job.parts]
        return []

    def _lose(
        self, job: JobState, lease: int, reason: str | None, unsaved: str | None = None
    ) -> list[PartLost | JobEnded]:
        """Have a part wait again; without a reason nobody is to blame."""
        held = self._release(job, lease)
        deaths = job.deaths.get(held.part, 0) + (reason is not None)
        job.deaths[held.part] = deaths
        lost: list[PartLost | JobEnded] = [PartLost(lease, job.key, held.part, deaths, unsaved)]
        if deaths >= self._max_attempts:
            return lost + self._end(job, JobEnded(job.key, "failed", reason, can_go_on=unsaved is not None))
        job.waiting = sorted({*job.waiting, held.part})
        return lost

    def _release(self, job: JobState, lease: int) -> HeldPart:
        del self._holders[lease]
        return job.held.pop(lease)

    def _end(self, job: JobState, ended: JobEnded) -> list[PartLost | JobEnded]:
        for lease in list(job.held):
            self._release(job, lease)
        del self.jobs[job.key]
        return [ended]

    def check(self, busy: Iterable[tuple[int, int]]) -> None:
        """Raise AssertionError when an invariant is broken; ``busy`` are leases at work with their slots."""
        working = dict(busy)
        held = {lease: item for job in self.jobs.values() for lease, item in job.held.items()}
        if held.keys() != self._holders.keys() or any(working.get(lease) != item.slot for lease, item in held.items()):
            raise AssertionError(held)
        for job in self.jobs.values():
            places = sorted([*job.waiting, *(item.part for item in job.held.values()), *job.done])
            everything = [*range(job.parts), *([job.parts] if len(job.done) == job.parts else [])]
            if places != everything or max(job.deaths.values(), default=0) >= self._max_attempts:
                raise AssertionError(job)
