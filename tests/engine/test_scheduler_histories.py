"""Any history of events keeps the scheduler's promises."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rapidfire_lab.engine.jobs import JobAdded, JobCancelled, JobState, PartEnded
from rapidfire_lab.engine.scheduler import (
    CATCH_UP,
    DeleteAsked,
    DrainAsked,
    GrantLease,
    GrantLeases,
    Group,
    LeaseEnded,
    ResumeAsked,
    RunAdded,
    RunsAdded,
    RunState,
    Scheduler,
    SlotDown,
    SlotDying,
    SlotFreed,
    SlotUp,
    StopAsked,
)

SLOTS = st.integers(0, 3)
GROUPS = st.none() | st.builds(Group, st.sampled_from(["some", "others"]), st.integers(1, 2))
ROUNDING = 1e-9


class Fairness:
    """What runs got while others waited, in passes over the data; believes nothing but leases."""

    def __init__(self, catch_up):
        self.catch_up = catch_up
        self.made = {}
        """Passes that each run has made."""
        self.longest = {}
        """Longest lease of each run, in passes."""
        self.at_wait = {}
        """By waiting run: what the others had made when it began to wait."""
        self.least_lead = {}
        """By pair: the least that the one has had over the other in the stretch under way."""

    def joins(self, run, longest=0.0):
        self.made.setdefault(run, 0.0)
        self.longest.setdefault(run, longest)
        self.least_lead = {pair: lead for pair, lead in self.least_lead.items() if pair[1] != run}

    def check(self, waiting, live):
        for one in self.made:
            for other in live:
                lead = self.made[one] - self.made[other]
                self.least_lead[one, other] = min(lead, self.least_lead.get((one, other), lead))
        for other in waiting:
            for one in self.made.keys() - {other}:
                leases = self.longest[other] + (2 if self.catch_up else 1) * self.longest[one] + ROUNDING
                assert self.made[one] - self.at_wait[other].get(one, 0.0) <= self.catch_up + leases
                lead = self.made[one] - self.made[other]
                assert lead - self.least_lead[one, other] <= 2 * self.catch_up + leases


class Histories(RuleBasedStateMachine):
    """The world around a scheduler, which believes nothing but its instructions."""

    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(max_attempts=3)
        self.up = set()
        self.dying = set()
        self.open = {}
        """Leases by number that a slot works on; also those of deleted runs, until the slot answers."""
        self.saving = {}
        """Leases by number that a slot has trained and is writing, with the outcome and step that they will have."""
        self.jobs = {}
        """Jobs that are not over, each with its parts that are done and the attempts that each has lost."""
        self.parts = {}
        """Parts by lease that a slot works on; also those of jobs that are over, until the slot answers."""
        self.over = []
        """Leases that slots took with them when they died."""
        self.committed = {}
        self.totals = {}
        self.epoch_steps = {}
        self.handicaps = {}
        self.status = {}
        self.last_lease = 0
        self.last_job = 1_000
        self.draining = False

    @initialize(
        may_drain=st.booleans(),
        one_slot=st.booleans(),
        journal=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 30), st.floats(-3, 3)), max_size=3),
    )
    def begin(self, may_drain, one_slot, journal):
        """Begin with runs of an earlier controller, wherever it left them, or with a single slot and none."""
        self.may_drain = may_drain
        self.one_slot = one_slot
        self.fairness = Fairness(catch_up=0.0 if one_slot else CATCH_UP)
        for steps_per_epoch, step, handicap in () if one_slot else journal:
            self.add(steps_per_epoch, epochs=9, step=min(step, 9 * steps_per_epoch), handicap=handicap)

    # Carrying instructions out

    def tell(self, event):
        instructions = self.scheduler.handle(event)
        for instruction in instructions:
            getattr(self, f"on_{type(instruction).__name__}")(instruction)
        self.scheduler.check()
        self.check_order(instructions)
        self.fairness.check(self.runs_in("waiting"), self.runs_in("waiting", "leased"))

    def on_GrantLease(self, grant):  # noqa: N802 - named by the instruction
        assert not self.draining
        assert grant.lease > self.last_lease
        self.last_lease = grant.lease
        assert grant.slot in self.up - self.dying
        assert grant.slot not in {other.slot for other in [*self.open.values(), *self.parts.values()]}
        self.take(grant)

    def on_GrantLeases(self, granted):  # noqa: N802
        first, *others = granted.grants
        self.on_GrantLease(first)
        assert others
        groups = {self.scheduler.runs[grant.run].group for grant in granted.grants}
        assert len({group.name for group in groups}) == 1
        assert len(granted.grants) > max(group.too_few for group in groups)
        for grant in others:
            assert (grant.slot, grant.from_step, grant.to_step) == (first.slot, first.from_step, first.to_step)
            assert grant.lease > self.last_lease
            self.last_lease = grant.lease
            self.take(grant)

    def take(self, grant):
        assert self.status[grant.run] == ("waiting" if grant.base is None else "leased")
        total = self.totals[grant.run]
        if grant.base is None:
            assert grant.from_step == self.committed[grant.run]
            assert not [other for other, _, _ in self.saving.values() if other.run == grant.run]
        else:
            base, outcome, step = self.saving[grant.base]
            assert (base.run, base.slot, outcome, step) == (grant.run, grant.slot, "reached", grant.from_step)
        # A run that was stopped in its last validation has that alone to do.
        assert grant.from_step < grant.to_step <= total or grant.from_step == grant.to_step == total
        self.status[grant.run] = "leased"
        self.open[grant.lease] = grant
        passes = (grant.to_step - grant.from_step) / self.epoch_steps[grant.run]
        self.fairness.longest[grant.run] = max(self.fairness.longest[grant.run], passes)

    def on_PreemptLease(self, preempt):  # noqa: N802
        assert {**self.open, **self.parts}[preempt.lease].slot == preempt.slot

    def on_GrantPart(self, grant):  # noqa: N802
        assert not self.draining
        assert grant.lease > self.last_lease
        self.last_lease = grant.lease
        assert grant.slot in self.up - self.dying
        assert grant.slot not in {other.slot for other in [*self.open.values(), *self.parts.values()]}
        job = self.jobs[grant.job]
        assert grant.part not in job["done"]
        assert grant.part not in self.held_parts(grant.job)
        assert grant.part < job["parts"] or job["done"] == set(range(job["parts"]))
        self.parts[grant.lease] = grant

    def on_PartLost(self, lost):  # noqa: N802
        job = self.jobs[lost.job]
        assert lost.deaths == job["deaths"].get(lost.part, 0)
        assert self.scheduler.board.holder(lost.lease) is None

    def on_JobEnded(self, ended):  # noqa: N802
        job = self.jobs.pop(ended.job)
        everything = set(range(job["parts"] + 1))
        assert (job["done"] == everything) == (ended.status == "completed")
        if ended.status == "failed":
            assert job["failed"] or max(job["deaths"].values()) == 3
        assert ended.job not in self.scheduler.board.jobs

    def held_parts(self, job):
        held = self.scheduler.board.holder
        return [grant.part for lease, grant in self.parts.items() if grant.job == job and held(lease)]

    def on_LeaseLost(self, lost):  # noqa: N802
        assert (lost.lease, lost.run) in [(lease.lease, lease.run) for lease in self.over]
        assert self.status[lost.run] == "leased"
        assert self.scheduler.lease_holder(lost.lease) is None

    def on_RunEnded(self, ended):  # noqa: N802
        assert self.status[ended.run] in ("waiting", "leased", "stopped")
        self.status[ended.run] = ended.status

    def on_RunWaits(self, waits):  # noqa: N802
        assert self.status[waits.run] in ("new", "leased", "stopped")
        if self.status[waits.run] != "leased" or self.handicaps[waits.run] != waits.handicap:
            self.fairness.joins(waits.run)
        self.handicaps[waits.run] = waits.handicap
        self.status[waits.run] = "waiting"
        self.fairness.at_wait[waits.run] = dict(self.fairness.made)

    def check_order(self, instructions):
        """Nobody who still waits had less than those who were chosen."""
        shares = {key: run.share for key, run in self.scheduler.runs.items()}
        waiting = [shares[key] for key, status in self.status.items() if status == "waiting"]
        granted = [
            shares[grant.run]
            for item in instructions
            if isinstance(item, GrantLease | GrantLeases)
            for grant in (item.grants if isinstance(item, GrantLeases) else [item])
        ]
        assert max(granted, default=-math.inf) <= min(waiting, default=math.inf) + ROUNDING

    # Events

    @rule(
        steps_per_epoch=st.integers(1, 6),
        epochs=st.integers(1, 30),
        chunks=st.none() | st.integers(1, 6),
        group=GROUPS,
        data=st.data(),
    )
    def add_run(self, steps_per_epoch, epochs, chunks, group, data):
        """Add a run, or a clone that goes on from its parent's step."""
        step = data.draw(st.integers(0, steps_per_epoch * epochs - 1))
        others = self.scheduler.live_runs()
        run = self.add(steps_per_epoch, epochs, step, newcomer=True, num_chunks=chunks, group=group)
        self.check_joined(run, others)

    def add(self, steps_per_epoch, epochs, step, *, newcomer=False, **values):
        run = self.made(steps_per_epoch, epochs, step, newcomer=newcomer, **values)
        self.tell(RunAdded(run, newcomer))
        return run

    def made(self, steps_per_epoch, epochs, step, *, newcomer=True, **values):
        key = len(self.status) + 1
        run = RunState(key=key, steps_per_epoch=steps_per_epoch, epochs=epochs, step=step, **values)
        self.status[key], self.committed[key], self.totals[key] = "new", step, steps_per_epoch * epochs
        self.epoch_steps[key] = steps_per_epoch
        # What a run's last lease was is forgotten with the controller.
        self.fairness.joins(key, longest=0.0 if newcomer else CATCH_UP)
        return run

    def check_joined(self, run, others):
        """It is no further behind than the last of the others, nor further ahead than the first of them."""
        if others and run.phase == "waiting":
            shares = [other.share for other in others]
            assert run.share >= min(shares) - ROUNDING
            assert run.share <= max(*shares, self.scheduler._level) + run.lease_passes + ROUNDING

    @rule(several=st.integers(2, 3), steps_per_epoch=st.integers(1, 4), epochs=st.integers(1, 3))
    def add_runs_of_a_group(self, several, steps_per_epoch, epochs):
        runs = [self.made(steps_per_epoch, epochs, 0, num_chunks=2, group=Group("some")) for _ in range(several)]
        self.tell(RunsAdded(tuple(runs)))

    @rule(slot=SLOTS)
    def slot_up(self, slot):
        slot = 0 if self.one_slot else slot
        self.lose(slot)
        self.up.add(slot)
        self.dying.discard(slot)
        self.tell(SlotUp(slot))

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def slot_dying(self, data):
        slot = data.draw(st.sampled_from(sorted(self.up)))
        self.dying.add(slot)
        self.tell(SlotDying(slot))

    @rule(slot=SLOTS)
    def slot_down(self, slot):
        self.lose(slot)
        self.up.discard(slot)
        self.dying.discard(slot)
        self.tell(SlotDown(slot, "died"))

    def lose(self, slot):
        for lease in [lease for lease, grant in self.parts.items() if grant.slot == slot]:
            self.blame(self.parts.pop(lease))
        for lease in [lease for lease, grant in self.open.items() if grant.slot == slot]:
            self.over.append(self.open.pop(lease))
        for lease in [lease for lease, (grant, _, _) in self.saving.items() if grant.slot == slot]:
            self.over.append(self.saving.pop(lease)[0])

    def blame(self, grant):
        if self.scheduler.board.holder(grant.lease) is not None:
            deaths = self.jobs[grant.job]["deaths"]
            deaths[grant.part] = deaths.get(grant.part, 0) + 1

    @rule(parts=st.integers(1, 5), done=st.sets(st.integers(0, 4)))
    def add_job(self, parts, done):
        """Add a job, or one that an earlier controller began."""
        self.last_job += 1
        key = self.last_job
        done = {part for part in done if part < parts}
        self.jobs[key] = {"parts": parts, "done": set(done), "deaths": {}, "failed": False}
        self.tell(JobAdded(JobState(key=key, parts=parts, done=done)))

    @precondition(lambda self: self.parts)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["done", "done", "done", "failed", "unsaved"]),
        seconds=st.sampled_from([0.0, 0.1, 5.0]),
    )
    def part_ends(self, data, outcome, seconds):
        self.end_part(self.parts[data.draw(st.sampled_from(sorted(self.parts)))], outcome, seconds)

    def end_part(self, grant, outcome, seconds=0.1):
        del self.parts[grant.lease]
        if self.scheduler.board.holder(grant.lease) is None or self.draining:
            outcome = "discarded"
        elif outcome == "done":
            self.jobs[grant.job]["done"].add(grant.part)
        elif outcome == "failed":
            self.jobs[grant.job]["failed"] = True
        else:
            self.blame(grant)
        self.tell(PartEnded(grant.lease, outcome, seconds))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel_job(self, data):
        self.tell(JobCancelled(data.draw(st.sampled_from(sorted(self.jobs)))))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), outcome=st.sampled_from(["reached", "preempted", "converged"]))
    def lease_is_trained(self, data, outcome):
        """Its slot may have found out more of its group."""
        grant = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        step = grant.to_step
        if outcome == "preempted":
            step = data.draw(st.integers(grant.from_step, grant.to_step))
        elif outcome == "reached" and step == self.totals[grant.run]:
            outcome = "finished"
        self.saving[grant.lease] = (grant, outcome, step)
        self.tell(SlotFreed(grant.lease, outcome, step, data.draw(GROUPS)))

    @precondition(lambda self: self.saving)
    @rule(data=st.data(), works=st.sampled_from([True, True, True, False]), how=st.sampled_from(["failed", "unsaved"]))
    def lease_is_saved(self, data, works, how):
        """A slot writes in order: the oldest lease of one of the slots."""
        slot = data.draw(st.sampled_from(sorted({grant.slot for grant, _, _ in self.saving.values()})))
        self.saved(min(lease for lease, (grant, _, _) in self.saving.items() if grant.slot == slot), works or how)

    def saved(self, lease, works=True):  # noqa: FBT002
        grant, outcome, step = self.saving.pop(lease)
        held = self.scheduler.lease_holder(lease) is not None
        if works is True and held:
            self.committed[grant.run] = step
        elif works == "unsaved" and held:
            self.over.append(grant)
        self.tell(LeaseEnded(lease, outcome if works is True else works, step, step - grant.from_step, 0.1))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), outcome=st.sampled_from(["reached", "preempted", "converged", "failed"]))
    def lease_ends(self, data, outcome):
        grant = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        step = grant.to_step
        if outcome == "preempted":
            step = data.draw(st.integers(grant.from_step, grant.to_step))
        elif outcome == "reached" and step == self.totals[grant.run]:
            outcome = "finished"
        self.end(grant, outcome, step, seconds=data.draw(st.sampled_from([0.0, 0.01, 5.0])))

    def end(self, grant, outcome, step, seconds=0.1):
        for lease in sorted(lease for lease, (other, _, _) in self.saving.items() if other.run == grant.run):
            self.saved(lease)  # a slot says first what it has written of the run
        del self.open[grant.lease]
        if self.scheduler.lease_holder(grant.lease) is None:
            assert self.status[grant.run] == "deleted" or grant.base is not None
            outcome = "discarded"
        elif outcome != "failed":
            self.committed[grant.run] = step
            self.fairness.made[grant.run] += (step - grant.from_step) / self.epoch_steps[grant.run]
        trained = step - grant.from_step
        self.tell(LeaseEnded(grant.lease, outcome, step, trained, seconds, overhead=0.001))

    @precondition(lambda self: self.over)
    @rule(data=st.data(), outcome=st.sampled_from(["reached", "finished", "failed", "discarded"]))
    def dead_slot_speaks(self, data, outcome):
        grant = data.draw(st.sampled_from(self.over))
        free = {slot.index for slot in self.scheduler.slots.values() if slot.phase == "idle"}
        self.tell(LeaseEnded(grant.lease, outcome, grant.to_step))
        assert free == {slot.index for slot in self.scheduler.slots.values() if slot.phase == "idle"}

    def runs_in(self, *statuses):
        return [key for key, status in self.status.items() if status in statuses]

    @precondition(lambda self: self.runs_in("waiting", "leased"))
    @rule(data=st.data())
    def stop(self, data):
        self.tell(StopAsked(data.draw(st.sampled_from(self.runs_in("waiting", "leased")))))

    @precondition(lambda self: self.runs_in("stopped"))
    @rule(data=st.data())
    def resume(self, data):
        key = data.draw(st.sampled_from(self.runs_in("stopped")))
        others = self.scheduler.live_runs()
        self.tell(ResumeAsked(key))
        self.check_joined(self.scheduler.runs[key], others)

    @precondition(lambda self: self.runs_in("waiting", "leased"))
    @rule(data=st.data())
    def stop_and_resume(self, data):
        key = data.draw(st.sampled_from(self.runs_in("waiting", "leased")))
        self.stop_at(key, data.draw(st.floats(0, 1)))
        if self.status[key] == "stopped":
            self.tell(ResumeAsked(key))

    def stop_at(self, key, part):
        """Stop a run when it has done so much of its lease."""
        self.tell(StopAsked(key))
        for grant in [grant for grant in self.open.values() if grant.run == key]:
            self.end(grant, "preempted", grant.from_step + int(part * (grant.to_step - grant.from_step)))

    @precondition(lambda self: self.open)
    @rule(leases=st.integers(1, 80), part=st.sampled_from([0.0, 0.5, 1.0]), data=st.data())
    def time_goes_by(self, leases, part, data):
        """Many leases end but for that of a slow run, and one run is stopped and resumed all the while."""
        slow = data.draw(st.sampled_from([None, *sorted(self.open)]))
        restless = data.draw(st.sampled_from([None, *self.runs_in("waiting", "leased")]))
        for _ in range(leases):
            if self.status.get(restless) in ("waiting", "leased"):
                self.stop_at(restless, part)
            if self.status.get(restless) == "stopped":
                self.tell(ResumeAsked(restless))
            if ready := sorted(self.open.keys() - {slow}):
                self.finish(self.open[ready[0]])

    def finish(self, grant):
        self.end(grant, "finished" if grant.to_step == self.totals[grant.run] else "reached", grant.to_step)

    @precondition(lambda self: self.runs_in("waiting", "leased", "stopped"))
    @rule(data=st.data())
    def delete(self, data):
        self.tell(DeleteAsked(data.draw(st.sampled_from(self.runs_in("waiting", "leased", "stopped")))))

    @precondition(lambda self: self.may_drain)
    @rule()
    def drain(self):
        self.draining = True
        self.tell(DrainAsked())

    # Promises

    @invariant()
    def every_part_is_somewhere(self):
        assert self.scheduler.board.jobs.keys() == self.jobs.keys()
        for key, job in self.scheduler.board.jobs.items():
            assert job.done == self.jobs[key]["done"]
            assert sorted(held.part for held in job.held.values()) == sorted(self.held_parts(key))

    @invariant()
    def steps_are_those_that_were_committed(self):
        for key, run in self.scheduler.runs.items():
            assert run.step == self.committed[key]

    @invariant()
    def every_run_is_somewhere(self):
        phases = {key: "leased" if run.phase == "saving" else run.phase for key, run in self.scheduler.runs.items()}
        assert phases == {key: self.status[key] for key in self.runs_in("waiting", "leased", "stopped")}

    def teardown(self):
        """Everything ends once the slots keep working."""
        for slot in self.dying | {0}:
            if not self.draining:
                self.slot_up(slot)
        leases = sum(total + 1 for total in self.totals.values())
        parts = sum(job["parts"] + 1 for job in self.jobs.values()) + len(self.parts)
        while self.open or self.saving or self.parts:
            if self.parts:
                assert parts >= 0, "parts without progress"
                parts -= 1
                self.end_part(self.parts[min(self.parts)], "done")
                continue
            if self.saving:
                self.saved(min(self.saving))
                continue
            assert leases >= 0, "leases without progress"
            leases -= 1
            grant = self.open[min(self.open)]
            self.finish(grant)
        assert not self.runs_in("leased")
        assert self.draining or not (self.runs_in("waiting") or self.jobs)


Histories.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHistories = Histories.TestCase
