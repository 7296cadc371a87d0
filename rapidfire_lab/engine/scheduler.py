"""Who trains next, where and how far: a pure state machine.

Events go in, instructions come out. There is no I/O and no clock here: the controller carries instructions out and
the simulator and the tests replay any history in microseconds.

Fairness: among waiting runs the one with the least ``share`` goes next. The share is the number of passes over the
data that a run has made, plus a handicap. The handicap has a run that joins begin at the level of the others, wherever
it is itself, and has nobody catch up with more than ``CATCH_UP`` passes: so nobody starves anybody. What follows from
it is proved in docs/architecture.md, section 4. Ties go to the run that the slot trained last (its state is still
there), then to runs that belong to no slot yet, then by age. Beside runs there are jobs of inference (``jobs``).

Runs of one ``group`` may be fused: a slot that is free gets several of them at once, which stand at the same step and
have the same share, each with a lease of its own. They are as many as leave enough for all slots.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rapidfire_lab.engine.chunks import Pace, next_boundary
from rapidfire_lab.engine.jobs import GrantPart, JobAdded, JobBoard, JobCancelled, JobEnded, PartEnded, PartLost

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rapidfire_lab.engine.protocol import Outcome

RunPhase = Literal["waiting", "leased", "saving", "stopped", "ended"]
SlotPhase = Literal["down", "idle", "busy"]
Wanted = Literal["stopped", "deleted"]

CATCH_UP = 1.0
"""Passes over the data. A run that comes back from a slot further behind the others than that had the slot all the
while and could not have been faster: it is owed no more."""

_ROUNDING = 1e-9
_MOST_TOGETHER = 32
"""Runs that are granted at once at most: their minibatches are all in memory together."""


@dataclass(frozen=True)
class Group:
    """Runs that may be granted together."""

    name: str
    too_few: int = 1
    """So many of them are not faster together than one after the other."""


@dataclass
class RunState:
    """A run as the scheduler sees it. ``step`` is the last committed one."""

    key: int
    steps_per_epoch: int
    epochs: int
    step: int = 0
    num_chunks: int | None = None
    handicap: float = 0.0
    limit: int | None = None
    """Step at which it leaves the schedule by itself, until it is resumed with another one."""
    lease_passes: float = 0.0
    """Length of its last lease: as far as it may be ahead of others at whose cost it trained."""
    phase: RunPhase = "waiting"
    wanted: Wanted | None = None
    slot: int | None = None
    """Slot of the lease, or of the last one."""
    deaths: int = 0
    pace: Pace = field(default_factory=Pace)
    saving: list[int] = field(default_factory=list)
    """Leases that are trained and whose checkpoints are being written, oldest first."""
    ahead: int = 0
    """Where the last of them ended."""
    goes_on: bool = False
    """Whether its slot may train it on from there before that is committed."""
    group: Group | None = None
    """Runs of the same group may be granted together; None for one that trains alone."""

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    @property
    def position(self) -> int:
        """Step that it has come to, committed or not: the next lease starts from there."""
        return max(self.step, self.ahead)

    @property
    def is_at_limit(self) -> bool:
        return self.limit is not None and self.position >= self.limit

    @property
    def share(self) -> float:
        return self.position / self.steps_per_epoch + self.handicap


@dataclass
class SlotState:
    index: int
    phase: SlotPhase = "down"
    leases: dict[int, int | None] = field(default_factory=dict)
    """What it works on, with the runs that it trains: several where they are fused; None for a part of a job."""
    job: int | None = None
    dying: bool = False
    """Its process is gone, and what it said last is still being read: it gets no more leases."""


@dataclass(frozen=True)
class RunAdded:
    run: RunState
    newcomer: bool = False
    """Whether it joins the others at their level; one that comes out of a journal with all others keeps its share."""


@dataclass(frozen=True)
class RunsAdded:
    """Newcomers that join at the same time: slots are given out once all of them are there."""

    runs: tuple[RunState, ...]


@dataclass(frozen=True)
class SlotUp:
    slot: int


@dataclass(frozen=True)
class SlotDown:
    slot: int
    reason: str


@dataclass(frozen=True)
class SlotDying:
    slot: int


@dataclass(frozen=True)
class SlotFreed:
    """A lease is trained and being saved; whether the work counts, a ``LeaseEnded`` tells later."""

    lease: int
    outcome: Outcome
    step: int
    group: Group | None = None
    """Which runs it may be granted together with from now on, as far as the slot has found out."""


@dataclass(frozen=True)
class LeaseEnded:
    lease: int
    outcome: Outcome
    step: int
    trained_steps: int = 0
    seconds: float = 0.0
    overhead: float = 0.0
    saving: float = 0.0
    group: Group | None = None
    """As of `SlotFreed`."""
    reason: str | None = None
    """Why the disk did not take it."""


@dataclass(frozen=True)
class StopAsked:
    run: int


@dataclass(frozen=True)
class ResumeAsked:
    run: int
    limit: int | None = None


@dataclass(frozen=True)
class DeleteAsked:
    run: int


@dataclass(frozen=True)
class DrainAsked:
    """The engine is about to exit: every lease ends at its next minibatch and no new one is granted."""


Event = (
    RunAdded
    | RunsAdded
    | SlotUp
    | SlotDying
    | SlotDown
    | SlotFreed
    | LeaseEnded
    | StopAsked
    | ResumeAsked
    | DeleteAsked
    | DrainAsked
    | JobAdded
    | JobCancelled
    | PartEnded
)


@dataclass(frozen=True)
class GrantLease:
    lease: int
    run: int
    slot: int
    from_step: int
    to_step: int
    base: int | None = None
    """Lease to go on from before it is committed; None for the run's last commit."""


@dataclass(frozen=True)
class GrantLeases:
    """Leases of runs of one group on one slot, from the same step to the same step, to be trained at once."""

    grants: tuple[GrantLease, ...]


@dataclass(frozen=True)
class PreemptLease:
    lease: int
    slot: int
    discard: bool


@dataclass(frozen=True)
class LeaseLost:
    """The slot died under the lease, or could not save its work; the run goes back to its last commit.

    What it has trained on top of that is lost as well.
    """

    lease: int
    run: int
    deaths: int
    unsaved: str | None = None


@dataclass(frozen=True)
class RunEnded:
    """The run leaves the schedule. ``stopped`` runs may come back."""

    run: int
    status: Literal["stopped", "completed", "failed", "deleted"]
    ended_by: Literal["epochs", "converged", "user", "search", "error"]
    reason: str | None = None


@dataclass(frozen=True)
class RunWaits:
    """The run waits for a slot (again)."""

    run: int
    handicap: float


Instruction = (
    GrantLease | GrantLeases | PreemptLease | LeaseLost | RunEnded | RunWaits | GrantPart | PartLost | JobEnded
)


class Scheduler:
    """The state machine. ``handle`` takes one event and returns what is to be done, in order."""

    def __init__(self, *, last_lease: int = 0, max_attempts: int = 3) -> None:
        self.runs: dict[int, RunState] = {}
        self.slots: dict[int, SlotState] = {}
        self.board = JobBoard(max_attempts)
        self.story: deque[Event | Instruction] = deque(maxlen=1_000)
        self._draining = False
        self._least: float | None = None
        """The least share among the live runs, while nothing but newcomers comes in: none of them is below it."""
        self._last_lease = last_lease
        self._level = -math.inf
        """The largest share with which a run has been given a slot, since there was none at all."""
        self._max_attempts = max_attempts
        self._leases: dict[int, tuple[int, int]] = {}

    def handle(self, event: Event) -> list[Instruction]:
        if not (isinstance(event, RunsAdded) or (isinstance(event, RunAdded) and event.newcomer)):
            self._least = None
        instructions = self._transition(event)
        instructions += self._fill_slots()
        self.story.append(event)
        self.story.extend(instructions)
        return instructions

    def adopt(self, run: RunState) -> None:
        """Take in a run that is out of the schedule, so that it can be resumed or deleted."""
        self.runs[run.key] = dataclasses.replace(run, phase="stopped")

    def lease_holder(self, lease: int) -> int | None:
        """Run that holds this lease now; None for a lease that is over, whose results are refused."""
        return self._leases[lease][0] if lease in self._leases else None

    def live_runs(self) -> list[RunState]:
        return [run for run in self.runs.values() if run.phase in ("waiting", "leased", "saving")]

    @property
    def has_leases(self) -> bool:
        """Whether something is being trained or saved, or inferred."""
        return bool(self._leases) or self.board.has_leases

    @property
    def useful_slots(self) -> int:
        """How many slots would all find work."""
        return len(self.live_runs()) + self.board.open_parts()

    def _transition(self, event: Event) -> list[Instruction]:  # noqa: C901, PLR0912 - one line per event
        match event:
            case RunAdded():
                return self._add(event)
            case RunsAdded():
                return [told for run in event.runs for told in self._add(RunAdded(run, newcomer=True))]
            case SlotUp():
                return self._slot_up(event)
            case SlotDown():
                return self._slot_down(event)
            case SlotFreed():
                return self._slot_freed(event)
            case LeaseEnded():
                return self._lease_ended(event)
            case StopAsked():
                return self._stop(self.runs[event.run])
            case ResumeAsked():
                return self._resume(self.runs[event.run], event.limit)
            case SlotDying():
                self.slots[event.slot].dying = True
                return []
            case DeleteAsked():
                return self._delete(self.runs[event.run])
            case JobAdded():
                self.board.add(event.job)
                return []
            case JobCancelled():
                return [*self._drop_parts(event.job), *self.board.cancel(event.job)]
            case PartEnded():
                return self._part_ended(event)
            case DrainAsked():
                self._draining = True
                preempts = [preempt for run in self.runs.values() for preempt in self._preempt(run, discard=False)]
                return preempts + [drop for job in self.board.jobs for drop in self._drop_parts(job)]

    def _add(self, event: RunAdded) -> list[Instruction]:
        self.runs[event.run.key] = event.run
        if event.newcomer:
            return self._join(event.run)
        self._level = max(self._level, event.run.share - CATCH_UP)
        return self._wait(event.run)

    def _resume(self, run: RunState, limit: int | None) -> list[Instruction]:
        if run.phase != "stopped":
            return []
        run.limit = limit
        return self._join(run)

    def _join(self, run: RunState) -> list[Instruction]:
        """Have a new or resumed run wait where the others are; of a lead it keeps what its last lease gave it."""
        least = self._least_share(run)
        if least is not None:
            level = max(self._level, least)
            run.handicap += min(max(run.share, level), level + run.lease_passes) - run.share
        else:
            self._level = -math.inf
        return self._wait(run)

    def _come_back(self, run: RunState) -> list[Instruction]:
        """Have a run wait again that had a slot."""
        run.handicap += max(0.0, self._level - CATCH_UP - run.share)
        return self._wait(run)

    @staticmethod
    def _wait(run: RunState) -> list[Instruction]:
        run.phase, run.wanted, run.goes_on = "waiting", None, False
        return [RunWaits(run.key, run.handicap)]

    def _least_share(self, newcomer: RunState) -> float | None:
        """The least share among the others, if there are any; told once for all that join at the same time."""
        if self._least is None:
            self._least = min((other.share for other in self.live_runs() if other is not newcomer), default=None)
        return self._least

    def _slot_up(self, event: SlotUp) -> list[Instruction]:
        """A slot comes up empty: should nobody have seen its predecessor die, what that one did is lost."""
        lost = self._slot_down(SlotDown(event.slot, "came up anew"))
        self.slots[event.slot].phase = "idle"
        return lost

    def _slot_down(self, event: SlotDown) -> list[Instruction]:
        slot = self.slots.setdefault(event.slot, SlotState(event.slot))
        trained = {run for lease, run in slot.leases.items() if lease in self._leases}
        slot.phase, slot.leases, slot.job, slot.dying = "down", {}, None, False
        lost: list[Instruction] = []
        for run in {self._leases[held][0]: None for held in self._leases if self._leases[held][1] == event.slot}:
            # What was only being saved is lost as well, and did not kill the slot.
            lost += self._lose(self.runs[run], event.reason, blamed=run in trained)
        return lost + self._without_failed(self.board.lose_slot(event.slot, event.reason))

    def _lose(
        self, run: RunState, reason: str, *, blamed: bool = True, unsaved: str | None = None
    ) -> list[Instruction]:
        """Send a run back to its last commit: all of its leases are void."""
        lease, dropped = self._drop_leases(run)
        run.deaths += blamed
        lost: list[Instruction] = [*dropped, LeaseLost(lease, run.key, run.deaths, unsaved)]
        if run.wanted == "stopped":
            return lost + self._end(run, RunEnded(run.key, "stopped", "user"))
        if blamed and run.deaths >= self._max_attempts:
            return lost + self._end(run, RunEnded(run.key, "failed", "error", reason))
        return lost + self._come_back(run)

    def _drop_leases(self, run: RunState) -> tuple[int, list[Instruction]]:
        """Take all leases from a run; gives the oldest, and has its slot, if there is one, drop what it does."""
        held = sorted(lease for lease, (holder, _) in self._leases.items() if holder == run.key)
        preempts = self._preempt(run, discard=True)
        for lease in held:
            del self._leases[lease]
        run.saving, run.ahead, run.goes_on = [], 0, False
        return held[0], preempts

    def _slot_freed(self, event: SlotFreed) -> list[Instruction]:
        held = self._leases.get(event.lease)
        self._release(event.lease)
        if held is not None:
            run = self.runs[held[0]]
            run.phase = "saving"
            run.saving.append(event.lease)
            run.ahead = event.step
            run.goes_on = event.outcome == "reached" and run.wanted is None and not run.is_at_limit
            run.group = event.group
        return []

    def _lease_ended(self, event: LeaseEnded) -> list[Instruction]:
        self._release(event.lease)
        if event.lease not in self._leases:
            return []
        if self.board.jobs:
            self.board.trained(event.seconds, len(self.live_runs()))
        run = self.runs[self._leases[event.lease][0]]
        if event.outcome == "unsaved":
            reason = event.reason or "unknown"
            return self._lose(run, f"No attempt could be saved: {reason}", unsaved=reason)
        if event.outcome == "failed":
            _, dropped = self._drop_leases(run)
            return dropped + self._end(run, RunEnded(run.key, "failed", "error"))
        return self._committed(run, event)

    def _committed(self, run: RunState, event: LeaseEnded) -> list[Instruction]:
        del self._leases[event.lease]
        if event.lease in run.saving:
            run.saving.remove(event.lease)
        else:
            run.group = event.group
        if event.step > run.step:
            run.deaths = 0
        if not run.saving:
            run.ahead = 0  # what is committed counts now, also where it is less: a checkpoint may be damaged
        run.step = event.step
        run.pace.observe(event.trained_steps, event.seconds, event.overhead, event.saving)
        if run.saving or any(holder == run.key for holder, _ in self._leases.values()):
            return []  # it has gone on from here meanwhile
        if event.outcome in ("finished", "converged"):
            by: Literal["epochs", "converged"] = "epochs" if event.outcome == "finished" else "converged"
            return self._end(run, RunEnded(run.key, "completed", by))
        if run.wanted == "stopped":
            return self._end(run, RunEnded(run.key, "stopped", "user"))
        if event.outcome == "reached" and run.is_at_limit:
            return self._end(run, RunEnded(run.key, "stopped", "search"))
        return self._come_back(run)

    def _release(self, lease: int) -> None:
        """Take a lease from the slot that worked on it, also when its run was deleted meanwhile."""
        for slot in self.slots.values():
            if lease in slot.leases:
                del slot.leases[lease]
                if not slot.leases:
                    slot.phase, slot.job = "idle", None

    # Jobs

    def _part_ended(self, event: PartEnded) -> list[Instruction]:
        self._release(event.lease)
        return self._without_failed(self.board.ended(event))

    def _without_failed(self, followed: Iterable[PartLost | JobEnded]) -> list[Instruction]:
        """Have the other slots of a job that failed drop its parts."""
        told: list[Instruction] = []
        for item in followed:
            if isinstance(item, JobEnded):
                told += self._drop_parts(item.job)
            told.append(item)
        return told

    def _drop_parts(self, job: int) -> list[Instruction]:
        """Have the slots that work for a job drop what they do."""
        working = [slot for slot in self.slots.values() if slot.job == job and slot.phase == "busy"]
        return [PreemptLease(lease, slot.index, discard=True) for slot in working for lease in slot.leases]

    def _grant_part(self, slot: SlotState, *, contended: bool) -> GrantPart | None:
        """Have a slot that is free work for a job, if one may have it."""
        job = self.board.next_job(contended=contended)
        if job is None:
            return None
        self._last_lease += 1
        slot.phase, slot.job, slot.leases = "busy", job.key, {self._last_lease: None}
        return self.board.grant(job, self._last_lease, slot.index, contended=contended)

    def _stop(self, run: RunState) -> list[Instruction]:
        if run.phase not in ("leased", "saving"):
            return self._end(run, RunEnded(run.key, "stopped", "user"))
        run.wanted, run.goes_on = "stopped", False
        return self._preempt(run, discard=False)

    def _delete(self, run: RunState) -> list[Instruction]:
        has_leases = run.phase in ("leased", "saving")
        dropped = self._drop_leases(run)[1] if has_leases else []
        return dropped + self._end(run, RunEnded(run.key, "deleted", "user"))

    def _preempt(self, run: RunState, *, discard: bool) -> list[Instruction]:
        """Have the slot that trains the run end its lease."""
        return [
            PreemptLease(lease, slot.index, discard)
            for slot in self.slots.values()
            for lease, key in slot.leases.items()
            if key == run.key and lease in self._leases
        ]

    def _end(self, run: RunState, ended: RunEnded) -> list[Instruction]:
        run.phase, run.wanted = ("stopped" if ended.status == "stopped" else "ended"), None
        if run.phase == "ended":
            del self.runs[run.key]
        return [ended]

    def _fill_slots(self) -> list[Instruction]:
        if self._draining:
            return []
        idle = [slot for slot in self.slots.values() if slot.phase == "idle" and not slot.dying]
        ready = [run for run in self.runs.values() if run.phase == "waiting" or self._may_go_on(run)] if idle else []
        grants: list[Instruction] = []
        for slot in sorted(idle, key=lambda slot: slot.index):
            candidates = [run for run in ready if run.phase == "waiting" or run.slot == slot.index]
            part = self._grant_part(slot, contended=bool(candidates))
            if part is not None:
                grants.append(part)
            elif candidates:
                chosen = self._together_with(self._next_run(candidates, slot), candidates)
                ready = [run for run in ready if run not in chosen]
                grants.append(self._grant_all(chosen, slot))
        return grants

    def _together_with(self, first: RunState, candidates: list[RunState]) -> list[RunState]:
        """The run that is next, and those that may be granted with it; it trains alone where it has died before."""
        if first.group is None or first.deaths:
            return [first]
        most = min(_MOST_TOGETHER, -(-len(self.live_runs()) // len(self.slots)))
        others = [run for run in candidates if run is not first and self._are_abreast(first, run)]
        chosen = [first, *sorted(others, key=lambda run: run.key)[: most - 1]]
        return chosen if len(chosen) > max(run.group.too_few for run in chosen if run.group) else [first]

    @staticmethod
    def _are_abreast(one: RunState, other: RunState) -> bool:
        return (
            other.group is not None
            and one.group is not None
            and other.group.name == one.group.name
            and other.position == one.position
            and other.limit == one.limit
            and other.total_steps == one.total_steps
            and other.steps_per_epoch == one.steps_per_epoch
            and not other.deaths
            and abs(other.share - one.share) <= _ROUNDING
        )

    def _grant_all(self, runs: list[RunState], slot: SlotState) -> GrantLease | GrantLeases:
        first = self._grant(runs[0], slot)
        others = [self._grant(run, slot, first.to_step) for run in runs[1:]]
        return GrantLeases((first, *others)) if others else first

    @staticmethod
    def _may_go_on(run: RunState) -> bool:
        """Whether its slot may train a run on before its last lease is saved; only one may be unsaved then."""
        return run.phase == "saving" and run.goes_on and len(run.saving) == 1

    @staticmethod
    def _next_run(waiting: Iterable[RunState], slot: SlotState) -> RunState:
        def rank(run: RunState) -> tuple[float, int, int]:
            distance = 0 if run.slot == slot.index else 1 if run.slot is None else 2
            return (run.share, distance, run.key)

        return min(waiting, key=rank)

    def _grant(self, run: RunState, slot: SlotState, to_step: int | None = None) -> GrantLease:
        self._last_lease += 1
        lease = self._last_lease
        base = run.saving[-1] if run.saving else None
        from_step = run.position
        run.phase, run.slot, run.goes_on = "leased", slot.index, False
        slot.phase = "busy"
        slot.leases[lease] = run.key
        self._leases[lease] = (run.key, slot.index)
        to_step = self._goal(run) if to_step is None else to_step
        run.lease_passes = (to_step - from_step) / run.steps_per_epoch
        self._level = max(self._level, run.share)
        return GrantLease(lease, run.key, slot.index, from_step, to_step, base)

    @staticmethod
    def _goal(run: RunState) -> int:
        """How far the next lease of a run goes."""
        from_step = run.position
        to_step = next_boundary(
            from_step,
            steps_per_epoch=run.steps_per_epoch,
            total=run.total_steps,
            chunks=run.num_chunks,
            pace=run.pace,
        )
        return to_step if run.limit is None else max(from_step, min(to_step, run.limit))

    def check(self) -> None:
        """Raise AssertionError when an invariant is broken; called by tests after every event."""
        busy = {lease: slot for slot in self.slots.values() if slot.phase == "busy" for lease in slot.leases}
        training = []
        for lease, (key, index) in self._leases.items():
            run = self.runs[key]
            if lease not in run.saving:
                training.append(key)
                if not (lease in busy and busy[lease].index == index and run.phase == "leased"):
                    raise AssertionError(lease)
            elif run.slot != index or run.phase not in ("leased", "saving"):
                raise AssertionError(lease)
        if sorted(training) != sorted(key for key, run in self.runs.items() if run.phase == "leased"):
            raise AssertionError(training)
        for run in self.runs.values():
            if any(self._leases.get(lease, (None,))[0] != run.key for lease in run.saving):
                raise AssertionError(run)
            if (run.phase == "saving" and not run.saving) or len(run.saving) > 2:  # noqa: PLR2004
                raise AssertionError(run)
        working = [(lease, slot.index) for slot in self.slots.values() for lease in slot.leases]
        self.board.check(working)
        waiting = any(run.phase == "waiting" for run in self.runs.values())
        waiting |= any(job.waiting for job in self.board.jobs.values())
        if (
            waiting
            and not self._draining
            and any(slot.phase == "idle" and not slot.dying for slot in self.slots.values())
        ):
            message = "a run or a part waits while a slot is idle"
            raise AssertionError(message)
        self._check_leads()

    def _check_leads(self) -> None:
        """Nobody who waits is so far ahead that the others could keep it waiting for long."""
        live = self.live_runs()
        level = max(self._level, min((run.share for run in live), default=0.0))
        for run in live:
            if run.phase == "waiting" and run.share > level + max(CATCH_UP, run.lease_passes) + _ROUNDING:
                message = f"run {run.key} waits at {run.share}, far ahead of {level}"
                raise AssertionError(message)
