"""The scheduler in simulated time: how thousands of runs would share the slots, told in seconds, without a process.

Runs of given speed and slots that do as they are told stand in for the world. Whatever else is to happen is given as
scheduler events with their times: slots that die and come back, stops, resumes, deletes, later runs.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rapidfire_lab.engine.scheduler import (
    GrantLease,
    LeaseEnded,
    PreemptLease,
    RunAdded,
    RunEnded,
    RunState,
    Scheduler,
    SlotDown,
    SlotUp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rapidfire_lab.engine.protocol import Outcome
    from rapidfire_lab.engine.scheduler import Event


@dataclass(frozen=True)
class SimulatedRun:
    """Size and speed of a run. Times are in simulated seconds."""

    steps_per_epoch: int
    epochs: int = 1
    step_seconds: float = 0.01
    restore_seconds: float = 0.0
    """Added to a lease on a slot that does not hold the run's state."""
    commit_seconds: float = 0.0
    """Added to every lease, for its checkpoint."""
    num_chunks: int | None = None
    first_step: int = 0
    """Where it begins: of a clone that goes on from its parent, the parent's step."""

    def state(self, key: int) -> RunState:
        """What the scheduler is told of the run when it is added."""
        return RunState(
            key=key,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.epochs,
            step=self.first_step,
            num_chunks=self.num_chunks,
        )


@dataclass(frozen=True)
class SimulatedLease:
    """A lease as it went. One that its slot took along when it died has committed nothing."""

    run: int
    slot: int
    from_step: int
    to_step: int
    start: float
    end: float
    committed: bool


@dataclass
class Timeline:
    """What happened, by run key and slot index."""

    leases: list[SimulatedLease] = field(default_factory=list)
    """In the order of their ends."""
    ends: dict[int, RunEnded] = field(default_factory=dict)
    """How each run left the schedule, the last time that it did."""
    end_times: dict[int, float] = field(default_factory=dict)
    training_seconds: float = 0.0
    """Time in steps that were committed, over all slots."""

    @property
    def makespan(self) -> float:
        """When the last run ended."""
        return max(self.end_times.values(), default=0.0)

    @property
    def first_chunks(self) -> float:
        """When every run had committed its first chunk, so that all can be compared."""
        first: dict[int, float] = {}
        for lease in self.leases:
            if lease.committed:
                first.setdefault(lease.run, lease.end)
        return max(first.values(), default=0.0)

    def progress(self, run: int) -> list[tuple[float, int]]:
        """Commits of a run: when, and up to which step."""
        return [(lease.end, lease.to_step) for lease in self.leases if lease.run == run and lease.committed]

    def busy(self, slot: int) -> float:
        """Seconds that a slot worked on leases."""
        return math.fsum(lease.end - lease.start for lease in self.leases if lease.slot == slot)


def simulate(
    runs: Mapping[int, SimulatedRun],
    *,
    slots: int,
    events: Iterable[tuple[float, Event]] = (),
    max_attempts: int = 3,
    observe: Callable[[float, Scheduler], None] | None = None,
) -> Timeline:
    """Play a schedule to its end.

    Parameters
    ----------
    runs
        Runs by key. They join at the start, in this order, but for those that an event of ``RunAdded`` brings.
    slots
        How many slots come up at the start, numbered from 0.
    events
        What else happens, each with its time.
    max_attempts
        As in the engine's settings.
    observe
        Called after every event with the time and the scheduler.
    """
    simulation = _Simulation(runs, Scheduler(max_attempts=max_attempts))
    later = list(events)
    joining = {event.run.key for _, event in later if isinstance(event, RunAdded)}
    for key, run in runs.items():
        if key not in joining:
            simulation.schedule(0.0, RunAdded(run.state(key)))
    for slot in range(slots):
        simulation.schedule(0.0, SlotUp(slot))
    for time, event in later:
        simulation.schedule(time, event)
    return simulation.play(observe)


@dataclass
class _Work:
    """A lease under way: when its first step starts, and how it ends if nothing comes in between."""

    grant: GrantLease
    start: float
    first_step: float
    ended: LeaseEnded


class _Simulation:
    def __init__(self, runs: Mapping[int, SimulatedRun], scheduler: Scheduler) -> None:
        self._runs = runs
        self._scheduler = scheduler
        self._timeline = Timeline()
        self._now = 0.0
        self._queue: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()
        self._work: dict[int, _Work] = {}
        self._held: defaultdict[int, set[int]] = defaultdict(set)
        """Runs whose latest state a slot has in memory."""

    def schedule(self, time: float, event: Event) -> None:
        heapq.heappush(self._queue, (time, next(self._numbers), event))

    def play(self, observe: Callable[[float, Scheduler], None] | None) -> Timeline:
        while self._queue:
            self._now, _, event = heapq.heappop(self._queue)
            if not self._happens(event):
                continue
            for instruction in self._scheduler.handle(event):
                if isinstance(instruction, GrantLease):
                    self._grant(instruction)
                elif isinstance(instruction, PreemptLease):
                    self._preempt(instruction)
                elif isinstance(instruction, RunEnded):
                    self._timeline.ends[instruction.run] = instruction
                    self._timeline.end_times[instruction.run] = self._now
            if observe:
                observe(self._now, self._scheduler)
        return self._timeline

    def _happens(self, event: Event) -> bool:
        """Let an event happen to the slots; says no to the end of a lease that was lost or preempted meanwhile."""
        if isinstance(event, (SlotUp, SlotDown)):
            self._empty(event.slot)
        elif isinstance(event, LeaseEnded):
            current = self._work.get(event.lease)
            if current is None or current.ended is not event:
                return False
            self._close(current, committed=event.outcome != "discarded")
        return True

    def _empty(self, slot: int) -> None:
        self._held[slot].clear()
        for work in [work for work in self._work.values() if work.grant.slot == slot]:
            self._close(work, committed=False)

    def _close(self, work: _Work, *, committed: bool) -> None:
        del self._work[work.grant.lease]
        grant, ended = work.grant, work.ended
        self._timeline.leases.append(
            SimulatedLease(grant.run, grant.slot, grant.from_step, ended.step, work.start, self._now, committed)
        )
        if committed:
            self._timeline.training_seconds += ended.seconds
            for held in self._held.values():
                held.discard(grant.run)
            self._held[grant.slot].add(grant.run)

    def _grant(self, grant: GrantLease) -> None:
        run = self._runs[grant.run]
        held = grant.run in self._held[grant.slot]
        first_step = self._now + (0.0 if held else run.restore_seconds)
        finished = grant.to_step == run.steps_per_epoch * run.epochs
        self._plan(grant, self._now, first_step, grant.to_step, "finished" if finished else "reached")

    def _preempt(self, preempt: PreemptLease) -> None:
        """Have the lease end after the minibatch that is under way."""
        work = self._work[preempt.lease]
        grant, step_seconds = work.grant, self._runs[work.grant.run].step_seconds
        trained = math.ceil(max(0.0, self._now - work.first_step) / step_seconds)
        step = min(grant.from_step + trained, work.ended.step)
        if preempt.discard:
            self._plan(grant, work.start, work.first_step, step, "discarded")
        elif step < work.ended.step:
            self._plan(grant, work.start, work.first_step, step, "preempted")

    def _plan(self, grant: GrantLease, start: float, first_step: float, step: int, outcome: Outcome) -> None:
        run = self._runs[grant.run]
        trained = step - grant.from_step
        seconds = trained * run.step_seconds
        commit = 0.0 if outcome == "discarded" else run.commit_seconds
        overhead = first_step - start + commit
        ended = LeaseEnded(grant.lease, outcome, step, trained, seconds, overhead)
        self._work[grant.lease] = _Work(grant, start, first_step, ended)
        self.schedule(max(self._now, first_step + seconds + commit), ended)
