"""Any history of events keeps the scheduler's promises."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rapidfire_lab.engine.scheduler import (
    DeleteAsked,
    DrainAsked,
    GrantLease,
    LeaseEnded,
    ResumeAsked,
    RunAdded,
    RunState,
    Scheduler,
    SlotDown,
    SlotDying,
    SlotUp,
    StopAsked,
)

SLOTS = st.integers(0, 3)


class Histories(RuleBasedStateMachine):
    """The world around a scheduler, which believes nothing but its instructions."""

    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(max_attempts=3)
        self.up = set()
        self.dying = set()
        self.open = {}
        """Leases by number that a slot works on; also those of deleted runs, until the slot answers."""
        self.over = []
        """Leases that slots took with them when they died."""
        self.committed = {}
        self.totals = {}
        self.status = {}
        self.last_lease = 0
        self.draining = False

    @initialize(may_drain=st.booleans())
    def choose(self, may_drain):
        self.may_drain = may_drain

    # Carrying instructions out

    def tell(self, event):
        instructions = self.scheduler.handle(event)
        for instruction in instructions:
            getattr(self, f"on_{type(instruction).__name__}")(instruction)
        self.scheduler.check()
        self.check_order(instructions)

    def on_GrantLease(self, grant):  # noqa: N802 - named by the instruction
        assert not self.draining
        assert grant.lease > self.last_lease
        self.last_lease = grant.lease
        assert grant.slot in self.up - self.dying
        assert grant.slot not in {other.slot for other in self.open.values()}
        assert self.status[grant.run] == "waiting"
        total = self.totals[grant.run]
        assert grant.from_step == self.committed[grant.run]
        # A run that was stopped in its last validation has that alone to do.
        assert grant.from_step < grant.to_step <= total or grant.from_step == grant.to_step == total
        self.status[grant.run] = "leased"
        self.open[grant.lease] = grant

    def on_PreemptLease(self, preempt):  # noqa: N802
        assert self.open[preempt.lease].slot == preempt.slot

    def on_LeaseLost(self, lost):  # noqa: N802
        assert self.over[-1].lease == lost.lease
        assert self.over[-1].run == lost.run
        assert self.status[lost.run] == "leased"
        assert self.scheduler.lease_holder(lost.lease) is None

    def on_RunEnded(self, ended):  # noqa: N802
        assert self.status[ended.run] in ("waiting", "leased", "stopped")
        self.status[ended.run] = ended.status

    def on_RunWaits(self, waits):  # noqa: N802
        assert self.status[waits.run] in ("new", "leased", "stopped")
        self.status[waits.run] = "waiting"

    def check_order(self, instructions):
        """Nobody who still waits had less than those who were chosen."""
        shares = {key: run.share for key, run in self.scheduler.runs.items()}
        waiting = [shares[key] for key, status in self.status.items() if status == "waiting"]
        granted = [shares[item.run] for item in instructions if isinstance(item, GrantLease)]
        assert max(granted, default=0.0) <= min(waiting, default=float("inf"))

    # Events

    @rule(
        steps_per_epoch=st.integers(1, 6),
        epochs=st.integers(1, 3),
        chunks=st.none() | st.integers(1, 5),
        newcomer=st.booleans(),
    )
    def add_run(self, steps_per_epoch, epochs, chunks, newcomer):
        key = len(self.status) + 1
        run = RunState(key=key, steps_per_epoch=steps_per_epoch, epochs=epochs, num_chunks=chunks)
        self.status[key], self.committed[key], self.totals[key] = "new", 0, steps_per_epoch * epochs
        least = self.least_share()
        self.tell(RunAdded(run, newcomer))
        assert run.share == (least if newcomer else 0.0)

    def least_share(self):
        return min((run.share for run in self.scheduler.live_runs()), default=0.0)

    @rule(slot=SLOTS)
    def slot_up(self, slot):
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
        for lease in [lease for lease, grant in self.open.items() if grant.slot == slot]:
            self.over.append(self.open.pop(lease))

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
        del self.open[grant.lease]
        if self.scheduler.lease_holder(grant.lease) is None:
            assert self.status[grant.run] == "deleted"
            outcome = "discarded"
        elif outcome != "failed":
            self.committed[grant.run] = step
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
        least = self.least_share()
        self.tell(ResumeAsked(key))
        assert self.scheduler.runs[key].share >= least

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
    def steps_are_those_that_were_committed(self):
        for key, run in self.scheduler.runs.items():
            assert run.step == self.committed[key]

    @invariant()
    def every_run_is_somewhere(self):
        phases = {key: run.phase for key, run in self.scheduler.runs.items()}
        assert phases == {key: self.status[key] for key in self.runs_in("waiting", "leased", "stopped")}

    def teardown(self):
        """Everything ends once the slots keep working."""
        for slot in self.dying | {0}:
            if not self.draining:
                self.slot_up(slot)
        leases = sum(total + 1 for total in self.totals.values())
        while self.open:
            assert leases >= 0, "leases without progress"
            leases -= 1
            grant = self.open[min(self.open)]
            finished = grant.to_step == self.totals[grant.run]
            self.end(grant, "finished" if finished else "reached", grant.to_step)
        assert not self.runs_in("leased")
        assert self.draining or not self.runs_in("waiting")


Histories.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHistories = Histories.TestCase
