from __future__ import annotations

import dataclasses

import pytest

from rapidfire_lab.engine.scheduler import (
    DeleteAsked,
    DrainAsked,
    GrantLease,
    GrantLeases,
    Group,
    LeaseEnded,
    LeaseLost,
    PreemptLease,
    ResumeAsked,
    RunAdded,
    RunEnded,
    RunsAdded,
    RunState,
    RunWaits,
    Scheduler,
    SlotDown,
    SlotDying,
    SlotFreed,
    SlotUp,
    StopAsked,
)


class Checked(Scheduler):
    """Checks its invariants after every event."""

    def handle(self, event):
        instructions = super().handle(event)
        self.check()
        return instructions

    def up(self, *slots):
        return [instruction for slot in slots for instruction in self.handle(SlotUp(slot))]

    def add(self, *runs, newcomer=False):
        return [instruction for run in runs for instruction in self.handle(RunAdded(run, newcomer))]

    def end(self, grant, outcome="reached", step=None, **measured):
        """Have the slot answer for a lease."""
        return self.handle(LeaseEnded(grant.lease, outcome, grant.to_step if step is None else step, **measured))


def run(key, step=0, **changes):
    """A run of two epochs of eight steps each, in four chunks per epoch."""
    return RunState(**{"key": key, "steps_per_epoch": 8, "epochs": 2, "num_chunks": 4, "step": step, **changes})


def granted(instructions):
    """The only lease among instructions."""
    [grant] = [instruction for instruction in instructions if isinstance(instruction, GrantLease)]
    return grant


def story(scheduler, kind):
    return [entry for entry in scheduler.story if isinstance(entry, kind)]


def play(scheduler, leases):
    """Have every lease end as planned, oldest first, for so many leases; returns the runs in the order of leases."""
    order = []
    for _ in range(leases):
        lease = min(lease for slot in scheduler.slots.values() for lease in slot.leases)
        grant = next(grant for grant in story(scheduler, GrantLease) if grant.lease == lease)
        order.append(grant.run)
        total = scheduler.runs[grant.run].total_steps
        scheduler.end(grant, "finished" if grant.to_step == total else "reached")
    return order


@pytest.fixture
def scheduler():
    return Checked()


# Granting


def test_a_run_waits_until_there_is_a_slot(scheduler):
    assert scheduler.add(run(7)) == [RunWaits(7, 0.0)]
    assert scheduler.up(0) == [GrantLease(lease=1, run=7, slot=0, from_step=0, to_step=2)]


def test_a_slot_waits_until_there_is_a_run(scheduler):
    assert scheduler.up(3) == []
    assert scheduler.add(run(7)) == [RunWaits(7, 0.0), GrantLease(lease=1, run=7, slot=3, from_step=0, to_step=2)]


def test_the_run_with_the_least_share_goes_first(scheduler):
    scheduler.add(run(1, step=6), run(2, step=12), run(3, step=3), run(4, step=0))
    scheduler.up(0)
    assert play(scheduler, 3) == [4, 4, 3]


def test_shares_are_passes_over_the_data_not_steps(scheduler):
    scheduler.add(run(1, step=4), run(2, step=10, steps_per_epoch=100))
    assert granted(scheduler.up(0)).run == 2


def test_leases_end_at_chunk_boundaries_and_with_the_run(scheduler):
    scheduler.add(run(1, step=3))
    grants = [granted(scheduler.up(0))]
    while grants[-1].to_step < 16:
        grants.append(granted(scheduler.end(grants[-1])))
    assert [(grant.from_step, grant.to_step) for grant in grants] == [
        (3, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14), (14, 16),
    ]  # fmt: skip


def test_a_lease_goes_on_from_where_the_last_one_was_committed(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    assert granted(scheduler.end(grant, "preempted", step=1)).from_step == 1


def test_a_run_that_was_stopped_in_its_last_validation_comes_back_for_it(scheduler):
    scheduler.add(run(1, step=14))
    again = granted(scheduler.end(granted(scheduler.up(0)), "preempted", step=16))
    assert (again.from_step, again.to_step) == (16, 16)
    assert scheduler.end(again, "finished") == [RunEnded(1, "completed", "epochs")]


def test_runs_take_turns(scheduler):
    scheduler.add(run(1), run(2), run(3))
    scheduler.up(0)
    assert play(scheduler, 9) == [1, 2, 3] * 3


def test_a_tie_goes_to_the_run_that_the_slot_trained_last(scheduler):
    scheduler.add(run(1), run(2))
    first = granted(scheduler.up(0))
    second = granted(scheduler.up(1))
    assert (first.run, second.run) == (1, 2)
    assert granted(scheduler.end(second)).run == 2
    assert granted(scheduler.end(first)).run == 1


def test_a_tie_goes_to_a_run_without_a_slot_before_one_of_another_slot(scheduler):
    scheduler.add(run(1, slot=5), run(2))
    assert granted(scheduler.up(0)).run == 2


def test_a_tie_goes_to_the_older_run(scheduler):
    scheduler.add(run(3), run(1), run(2))
    scheduler.up(0)
    assert play(scheduler, 3) == [1, 2, 3]


def test_a_lesser_share_counts_more_than_the_slot(scheduler):
    scheduler.add(run(1, step=4, slot=0), run(2, step=2, slot=1))
    assert granted(scheduler.up(0)).run == 2


def test_no_run_is_on_two_slots(scheduler):
    scheduler.add(run(1), run(2))
    assert len(scheduler.up(0, 1, 2)) == 2
    assert {slot.index: list(slot.leases.values()) for slot in scheduler.slots.values()} == {0: [1], 1: [2], 2: []}


def test_leases_are_numbered_on_from_the_last_known_one():
    scheduler = Checked(last_lease=41)
    scheduler.up(0)
    assert granted(scheduler.add(run(1))).lease == 42
    assert scheduler.lease_holder(42) == 1


def test_measured_speed_makes_the_next_lease_longer(scheduler):
    scheduler.add(run(1, num_chunks=None, epochs=50))
    grant = granted(scheduler.up(0))
    grant = granted(scheduler.end(grant, trained_steps=2, seconds=0.02, overhead=0.01))
    assert (grant.from_step, grant.to_step) == (2, 56)  # 0.5 s: more than six epochs of 0.08 s


def test_the_story_tells_what_happened_in_order(scheduler):
    scheduler.add(run(1))
    scheduler.up(0)
    assert [type(entry) for entry in scheduler.story] == [RunAdded, RunWaits, SlotUp, GrantLease]


# Ends


@pytest.mark.parametrize(
    ("outcome", "status", "by"),
    [
        ("finished", "completed", "epochs"),
        ("converged", "completed", "converged"),
        ("failed", "failed", "error"),
    ],
)
def test_a_run_that_has_ended_leaves_and_its_slot_goes_on(scheduler, outcome, status, by):
    scheduler.add(run(1), run(2, step=1))
    grant = granted(scheduler.up(0))
    ended, following = scheduler.end(grant, outcome)
    assert ended == RunEnded(1, status, by)
    assert following.run == 2
    assert 1 not in scheduler.runs


def test_a_failed_lease_commits_nothing(scheduler):
    kept = run(1, step=2)
    scheduler.add(kept)
    scheduler.end(granted(scheduler.up(0)), "failed", step=4)
    assert kept.step == 2


# Stop and resume


def test_a_waiting_run_is_stopped_at_once(scheduler):
    scheduler.add(run(1))
    assert scheduler.handle(StopAsked(1)) == [RunEnded(1, "stopped", "user")]
    assert scheduler.up(0) == []
    assert scheduler.live_runs() == []


def test_a_leased_run_is_stopped_when_its_slot_has_committed(scheduler):
    scheduler.add(run(1), run(2))
    grant = granted(scheduler.up(0))
    assert scheduler.handle(StopAsked(1)) == [PreemptLease(grant.lease, 0, discard=False)]
    ended, following = scheduler.end(grant, "preempted", step=1)
    assert ended == RunEnded(1, "stopped", "user")
    assert following.run == 2
    assert scheduler.runs[1].step == 1


def test_a_stop_that_comes_too_late_for_the_lease_is_carried_out_after_it(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    assert scheduler.end(grant, "reached") == [RunEnded(1, "stopped", "user")]
    assert scheduler.runs[1].step == 2


def test_a_stop_that_comes_too_late_for_the_run_changes_nothing(scheduler):
    scheduler.add(run(1, step=14))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    assert scheduler.end(grant, "finished") == [RunEnded(1, "completed", "epochs")]


def test_a_run_that_fails_while_it_is_being_stopped_has_failed(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    assert scheduler.end(grant, "failed") == [RunEnded(1, "failed", "error")]


def test_a_run_that_loses_its_slot_while_it_is_being_stopped_is_stopped(scheduler):
    scheduler.add(run(1, deaths=2))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    assert scheduler.handle(SlotDown(0, "died")) == [LeaseLost(grant.lease, 1, 3), RunEnded(1, "stopped", "user")]


def test_a_resumed_run_goes_on_where_it_stopped(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    scheduler.end(grant, "preempted", step=1)
    waits, grant = scheduler.handle(ResumeAsked(1))
    assert waits == RunWaits(1, 0.0)
    assert (grant.run, grant.from_step, grant.to_step) == (1, 1, 2)


def test_a_resumed_run_is_not_stopped_again_by_the_old_wish(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(StopAsked(1))
    scheduler.end(grant, "preempted", step=1)
    again = granted(scheduler.handle(ResumeAsked(1)))
    assert granted(scheduler.end(again)).run == 1


def test_a_run_that_is_not_stopped_is_not_resumed(scheduler):
    scheduler.add(run(1), run(2))
    scheduler.up(0)
    assert scheduler.handle(ResumeAsked(1)) == scheduler.handle(ResumeAsked(2)) == []


def test_runs_of_an_earlier_engine_can_be_resumed_and_deleted(scheduler):
    scheduler.up(0)
    for key in (1, 2):
        scheduler.adopt(run(key, step=6))
    assert scheduler.live_runs() == []
    assert granted(scheduler.handle(ResumeAsked(1))).from_step == 6
    assert scheduler.handle(DeleteAsked(2)) == [RunEnded(2, "deleted", "user")]


# Delete


def test_a_waiting_run_is_deleted_at_once(scheduler):
    scheduler.add(run(1))
    assert scheduler.handle(DeleteAsked(1)) == [RunEnded(1, "deleted", "user")]
    assert scheduler.runs == {}


def test_a_deleted_run_keeps_its_slot_busy_until_the_slot_answers(scheduler):
    scheduler.add(run(1), run(2))
    grant = granted(scheduler.up(0))
    assert scheduler.handle(DeleteAsked(1)) == [
        PreemptLease(grant.lease, 0, discard=True),
        RunEnded(1, "deleted", "user"),
    ]
    assert scheduler.slots[0].phase == "busy"
    assert scheduler.lease_holder(grant.lease) is None
    assert granted(scheduler.end(grant, "discarded", step=0)).run == 2


def test_a_lease_that_was_done_before_the_delete_arrived_only_frees_its_slot(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(DeleteAsked(1))
    assert scheduler.end(grant, "reached") == []
    assert scheduler.slots[0].phase == "idle"


def test_a_slot_that_dies_over_a_deleted_run_loses_nothing(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(DeleteAsked(1))
    assert scheduler.handle(SlotDown(0, "died")) == []
    assert scheduler.end(grant, "discarded", step=0) == []
    assert scheduler.slots[0].phase == "down"


# Slots that die


def test_the_run_of_a_dead_slot_goes_back_to_its_last_commit(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.end(granted(scheduler.up(0))))
    assert scheduler.handle(SlotDown(0, "died")) == [LeaseLost(grant.lease, 1, 1), RunWaits(1, 0.0)]
    again = granted(scheduler.up(1))
    assert (again.from_step, again.to_step) == (grant.from_step, grant.to_step)
    assert again.lease > grant.lease


def test_another_slot_takes_the_run_of_a_dead_one_over_at_once(scheduler):
    scheduler.up(0, 1)
    grant = granted(scheduler.add(run(1)))
    assert granted(scheduler.handle(SlotDown(grant.slot, "died"))).slot == 1


def test_an_idle_slot_that_dies_takes_no_run_along(scheduler):
    scheduler.up(0)
    assert scheduler.handle(SlotDown(0, "died")) == []
    assert scheduler.handle(SlotDown(0, "died again")) == []
    assert scheduler.handle(SlotDown(9, "never came up")) == []
    assert scheduler.add(run(1)) == [RunWaits(1, 0.0)]


def test_a_run_that_keeps_losing_its_slot_at_one_place_fails_with_the_reason():
    scheduler = Checked(max_attempts=2)
    scheduler.add(run(1), run(2, step=1))
    scheduler.up(0)
    scheduler.handle(SlotDown(0, "was killed"))
    grant = granted(scheduler.up(0))
    assert grant.run == 1
    assert scheduler.handle(SlotDown(0, "was killed again")) == [
        LeaseLost(grant.lease, 1, 2),
        RunEnded(1, "failed", "error", "was killed again"),
    ]
    assert granted(scheduler.up(0)).run == 2


def test_progress_forgives_earlier_deaths():
    scheduler = Checked(max_attempts=2)
    scheduler.add(run(1))
    scheduler.up(0)
    for _ in range(5):
        scheduler.handle(SlotDown(0, "died"))
        assert scheduler.runs[1].deaths == 1
        grant = granted(scheduler.up(0))
        scheduler.end(grant, "preempted", step=grant.from_step + 1)
        assert scheduler.runs[1].deaths == 0


def test_a_lease_without_progress_forgives_nothing(scheduler):
    scheduler.add(run(1, deaths=2))
    scheduler.end(granted(scheduler.up(0)), "preempted", step=0)
    assert scheduler.runs[1].deaths == 2


def test_results_of_a_lost_lease_are_refused(scheduler):
    scheduler.add(run(1))
    lost = granted(scheduler.up(0))
    scheduler.handle(SlotDown(0, "was thought dead"))
    current = granted(scheduler.up(1))
    assert scheduler.lease_holder(lost.lease) is None
    assert scheduler.end(lost, "finished", step=16) == []
    assert scheduler.runs[1].step == 0
    assert scheduler.lease_holder(current.lease) == 1


def test_a_late_answer_does_not_free_the_slot_for_its_present_lease(scheduler):
    scheduler.add(run(1), run(2))
    lost = granted(scheduler.up(0))
    scheduler.handle(SlotDown(0, "died"))
    current = granted(scheduler.up(0))
    scheduler.end(lost)
    assert list(scheduler.slots[0].leases) == [current.lease]


def test_a_dying_slot_says_its_last_and_gets_no_more_leases(scheduler):
    scheduler.add(run(1), run(2))
    grant = granted(scheduler.up(0))
    assert scheduler.handle(SlotDying(0)) == []
    assert scheduler.end(grant) == [RunWaits(1, 0.0)]
    assert scheduler.runs[1].step == 2
    assert scheduler.handle(SlotDown(0, "died")) == []
    assert granted(scheduler.up(0)).run == 2


def test_a_dying_slot_loses_what_it_did_not_say(scheduler):
    scheduler.add(run(1))
    grant = granted(scheduler.up(0))
    scheduler.handle(SlotDying(0))
    assert scheduler.handle(SlotDown(0, "died")) == [LeaseLost(grant.lease, 1, 1), RunWaits(1, 0.0)]
    assert scheduler.runs[1].deaths == 1


def test_a_slot_that_comes_up_anew_has_lost_what_it_did(scheduler):
    scheduler.add(run(1))
    lost = granted(scheduler.up(0))
    lose, waits, grant = scheduler.up(0)
    assert lose == LeaseLost(lost.lease, 1, 1)
    assert waits == RunWaits(1, 0.0)
    assert (grant.run, grant.lease) == (1, lost.lease + 1)


# Fairness to those who come late


def test_a_newcomer_is_served_like_the_least_advanced_run(scheduler):
    scheduler.add(run(1, step=8), run(2, step=12))
    assert scheduler.add(run(3), newcomer=True) == [RunWaits(3, 1.0)]
    scheduler.up(0)
    assert play(scheduler, 6) == [1, 3, 1, 3, 1, 3]


def test_newcomers_go_by_the_runs_that_are_there_when_they_come(scheduler):
    def share(key):
        scheduler.add(run(key), newcomer=True)
        return scheduler.runs[key].share

    scheduler.add(run(1, step=12), run(2, step=14))
    assert [share(3), share(4)] == [1.5, 1.5]
    for key in (1, 3, 4):
        scheduler.handle(StopAsked(key))
    assert [share(5), share(6)] == [1.75, 1.75]
    scheduler.add(run(7, step=4))
    assert [share(8), share(9)] == [0.75, 0.75], "at what the others are taken to have had, less a pass"


def test_the_first_runs_get_no_handicap(scheduler):
    scheduler.up(0)
    scheduler.add(run(1), run(2), newcomer=True)
    assert story(scheduler, RunWaits) == [RunWaits(1, 0.0), RunWaits(2, 0.0)]


def test_a_resumed_run_does_not_starve_those_that_went_on(scheduler):
    scheduler.add(run(1, epochs=9), run(2, epochs=9))
    scheduler.handle(StopAsked(1))
    scheduler.up(0)
    play(scheduler, 12)
    waits, *_ = scheduler.handle(ResumeAsked(1))
    assert waits.handicap == 3.0
    order = play(scheduler, 8)
    assert order.count(1) == order.count(2) == 4


def test_a_resumed_run_that_is_far_ahead_is_not_starved_by_the_others(scheduler):
    scheduler.adopt(run(1, step=80, epochs=20))
    scheduler.add(run(2, epochs=20), run(3, epochs=20))
    scheduler.up(0)
    play(scheduler, 4)
    assert scheduler.handle(ResumeAsked(1)) == [RunWaits(1, 0.5 - 10.0)]
    order = play(scheduler, 12)
    assert [order.count(key) for key in (1, 2, 3)] == [4, 4, 4]


def test_a_clone_that_goes_on_from_its_parents_step_joins_at_the_level_of_the_others(scheduler):
    scheduler.add(run(1, epochs=20), run(2, epochs=20))
    scheduler.up(0)
    play(scheduler, 4)
    clones = [run(key, step=64, epochs=20) for key in (3, 4, 5)]
    assert scheduler.add(*clones, newcomer=True) == [RunWaits(key, 0.5 - 8.0) for key in (3, 4, 5)]
    order = play(scheduler, 25)
    assert [order.count(key) for key in (1, 2, 3, 4, 5)] == [5] * 5


def test_stopping_and_resuming_does_not_get_a_run_a_slot_sooner(scheduler):
    scheduler.add(run(1, epochs=20), run(2, epochs=20), newcomer=True)
    grant = granted(scheduler.up(0))
    for _ in range(10):
        if grant.run == 1:
            scheduler.handle(StopAsked(1))
            grant = granted(scheduler.end(grant))
            assert grant.run == 2
            assert scheduler.handle(ResumeAsked(1)) == [RunWaits(1, 0.0)]
        else:
            grant = granted(scheduler.end(grant))
    assert scheduler.runs[1].share == scheduler.runs[2].share == 1.25


def test_a_run_that_was_on_a_slot_all_the_time_catches_up_with_one_pass_at_most(scheduler):
    scheduler.add(run(1, num_chunks=1, epochs=20), run(2, epochs=20), newcomer=True)
    slow, quick = scheduler.up(0, 1)
    for _ in range(20):
        quick = granted(scheduler.end(quick))
    assert RunWaits(1, 3.0) in scheduler.end(slow)
    assert scheduler.runs[1].share == 4.0
    assert scheduler.runs[2].share == 5.0


def test_who_is_left_alone_begins_a_new_level(scheduler):
    scheduler.add(run(1, step=80, epochs=20), newcomer=True)
    scheduler.up(0)
    scheduler.handle(DeleteAsked(1))
    assert scheduler.add(run(2), run(3), newcomer=True) == [RunWaits(2, 0.0), RunWaits(3, 0.0)]


def test_the_order_of_a_journal_is_the_order_after_a_restart(scheduler):
    scheduler.add(run(1, step=12, handicap=-1.0), run(2, step=2, handicap=0.0))
    assert story(scheduler, RunWaits) == [RunWaits(1, -1.0), RunWaits(2, 0.0)]
    scheduler.up(0)
    assert play(scheduler, 4) == [2, 2, 1, 1]


def test_a_run_back_from_a_dead_slot_keeps_its_share(scheduler):
    scheduler.add(run(1), run(2, step=8))
    scheduler.up(0)
    assert RunWaits(1, 0.0) in scheduler.handle(SlotDown(0, "died"))


def test_a_run_that_is_ahead_keeps_its_share_when_its_slot_dies(scheduler):
    scheduler.add(run(1), run(2), newcomer=True)
    scheduler.end(granted(scheduler.up(0)))
    grant = story(scheduler, GrantLease)[-1]
    assert grant.run == 2
    assert scheduler.handle(SlotDown(0, "died")) == [LeaseLost(grant.lease, 2, 1), RunWaits(2, 0.0)]
    assert (scheduler.runs[1].share, scheduler.runs[2].share) == (0.25, 0.0)


# Draining


def test_draining_ends_all_leases_and_grants_no_more(scheduler):
    scheduler.add(run(1), run(2), run(3))
    first, second = scheduler.up(0, 1)
    assert scheduler.handle(DrainAsked()) == [PreemptLease(1, 0, discard=False), PreemptLease(2, 1, discard=False)]
    assert scheduler.end(first, "preempted", step=1) == [RunWaits(1, 0.0)]
    assert scheduler.end(second) == [RunWaits(2, 0.0)]
    assert scheduler.up(2) == []
    assert scheduler.add(run(4)) == [RunWaits(4, 0.0)]
    assert len(scheduler.live_runs()) == 4


def test_runs_still_end_while_draining(scheduler):
    scheduler.add(run(1, step=14), run(2), run(3))
    first, second = scheduler.up(0, 1)
    scheduler.handle(StopAsked(first.run))
    scheduler.handle(DrainAsked())
    assert scheduler.end(first, "preempted", step=first.from_step) == [RunEnded(first.run, "stopped", "user")]
    assert scheduler.end(second, "converged") == [RunEnded(second.run, "completed", "converged")]


# The checks themselves


@pytest.mark.parametrize(
    "damage",
    [
        lambda scheduler: scheduler.slots.update({0: dataclasses.replace(scheduler.slots[0], phase="idle")}),
        lambda scheduler: setattr(scheduler.runs[1], "phase", "waiting"),
        lambda scheduler: setattr(scheduler.runs[2], "phase", "leased"),
        lambda scheduler: (
            setattr(scheduler.slots[1], "phase", "idle"),
            setattr(scheduler.runs[2], "phase", "waiting"),
        ),
    ],
)
def test_the_check_sees_damage(damage):
    scheduler = Checked()
    scheduler.add(run(1), run(2))
    scheduler.handle(StopAsked(2))
    scheduler.up(0)
    scheduler.handle(SlotDown(1, "never came"))
    damage(scheduler)
    with pytest.raises(AssertionError):
        scheduler.check()


# Runs with a limit, at which their search decides


def test_a_run_stops_at_its_limit_and_goes_on_to_the_next(scheduler):
    scheduler.up(0)
    assert granted(scheduler.add(run(1, limit=3, num_chunks=2))).to_step == 3
    [grant] = story(scheduler, GrantLease)
    assert scheduler.end(grant) == [RunEnded(1, "stopped", "search")]
    again = granted(scheduler.handle(ResumeAsked(1, limit=8)))
    assert (again.from_step, again.to_step) == (3, 4)
    assert granted(scheduler.end(again)).to_step == 8


def test_a_run_that_is_interrupted_at_its_limit_comes_back_for_the_epochs_end(scheduler):
    scheduler.up(0)
    grant = granted(scheduler.add(run(1, limit=8, step=6)))
    again = granted(scheduler.end(grant, "preempted"))
    assert (again.from_step, again.to_step) == (8, 8)
    assert scheduler.end(again) == [RunEnded(1, "stopped", "search")]


def test_who_resumes_without_a_limit_has_the_run_train_to_its_end(scheduler):
    scheduler.up(0)
    scheduler.end(granted(scheduler.add(run(1, limit=2))))
    grant = granted(scheduler.handle(ResumeAsked(1)))
    while grant.to_step < 16:
        grant = granted(scheduler.end(grant))
    assert scheduler.end(grant, "finished") == [RunEnded(1, "completed", "epochs")]


def test_a_slot_does_not_train_past_a_limit_while_the_checkpoint_is_written(scheduler):
    scheduler.up(0)
    grant = granted(scheduler.add(run(1, limit=2)))
    assert scheduler.handle(SlotFreed(grant.lease, "reached", 2)) == []
    assert scheduler.end(grant) == [RunEnded(1, "stopped", "search")]


def test_a_stop_of_the_users_counts_more_than_a_limit(scheduler):
    scheduler.up(0)
    grant = granted(scheduler.add(run(1, limit=2)))
    scheduler.handle(StopAsked(1))
    assert scheduler.end(grant) == [RunEnded(1, "stopped", "user")]


# Runs that are granted together


ALIKE = Group("alike")


def together(instructions):
    """The runs of each grant, alone or together."""
    return [
        [grant.run for grant in item.grants] if isinstance(item, GrantLeases) else [item.run]
        for item in instructions
        if isinstance(item, GrantLease | GrantLeases)
    ]


def test_runs_of_a_group_are_shared_out_among_the_slots(scheduler):
    scheduler.up(0, 1)
    scheduler.handle(SlotDown(0, "died"))
    scheduler.handle(SlotDown(1, "died"))
    scheduler.add(*[run(key, group=ALIKE) for key in range(1, 7)])
    assert together(scheduler.up(0, 1)) == [[1, 2, 3], [4, 5, 6]]


def test_only_runs_that_stand_at_the_same_step_with_the_same_way_to_go_are_granted_together(scheduler):
    scheduler.add(
        run(1, group=ALIKE),
        run(2, group=ALIKE, epochs=3),
        run(3, group=ALIKE, limit=4),
        run(4, group=Group("others")),
        run(5, group=ALIKE, deaths=1),
        run(6),
        run(7, group=ALIKE, steps_per_epoch=4, epochs=4),
        run(8, group=ALIKE, step=2),
        run(9, group=ALIKE),
    )
    assert together(scheduler.up(0)) == [[1, 9]]


def test_so_few_that_it_does_not_pay_are_granted_one_by_one(scheduler):
    scheduler.add(run(1, group=Group("alike", too_few=2)), run(2, group=ALIKE))
    assert together(scheduler.up(0)) == [[1]]


def test_more_than_that_are_granted_together(scheduler):
    scheduler.add(run(1, group=Group("alike", too_few=2)), run(2, group=ALIKE), run(3, group=ALIKE))
    assert together(scheduler.up(0)) == [[1, 2, 3]]


def leases_of(instructions):
    [granted] = [item for item in instructions if isinstance(item, GrantLeases)]
    return granted.grants


def test_a_slot_is_free_when_all_of_its_leases_are_over(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE), run(3))
    one, two = leases_of(scheduler.up(0))
    assert together(scheduler.handle(SlotFreed(one.lease, "reached", 2, ALIKE))) == []
    assert scheduler.slots[0].phase == "busy"
    assert together(scheduler.handle(SlotFreed(two.lease, "reached", 2, ALIKE))) == [[3]]


def test_a_group_goes_on_together_before_it_is_saved(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE))
    one, two = leases_of(scheduler.up(0))
    scheduler.handle(SlotFreed(one.lease, "reached", 2, ALIKE))
    grants = leases_of(scheduler.handle(SlotFreed(two.lease, "reached", 2, ALIKE)))
    assert [(grant.run, grant.from_step, grant.to_step, grant.base) for grant in grants] == [
        (1, 2, 4, one.lease),
        (2, 2, 4, two.lease),
    ]


def test_a_slot_that_finds_out_that_a_run_is_like_no_other_has_it_trained_alone(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE), run(3, group=ALIKE))
    one, two, three = leases_of(scheduler.up(0))
    scheduler.handle(SlotFreed(one.lease, "reached", 2))
    scheduler.handle(SlotFreed(two.lease, "reached", 2, Group("alike indeed")))
    assert together(scheduler.handle(SlotFreed(three.lease, "reached", 2, Group("alike indeed")))) == [[1]]
    assert scheduler.runs[1].group is None


def test_what_was_found_out_in_a_lease_that_trained_nothing_counts_too(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE))
    one, two = leases_of(scheduler.up(0))
    scheduler.end(one, "preempted", 0)
    assert together(scheduler.end(two, "preempted", 0)) == [[1]]


def test_a_stop_of_one_run_reaches_its_lease_alone(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE))
    _, two = leases_of(scheduler.up(0))
    assert scheduler.handle(StopAsked(2)) == [PreemptLease(two.lease, 0, discard=False)]


def test_a_slot_that_dies_under_a_group_loses_all_its_runs_and_each_is_tried_alone(scheduler):
    scheduler.add(run(1, group=ALIKE), run(2, group=ALIKE))
    one, two = leases_of(scheduler.up(0))
    lost = scheduler.handle(SlotDown(0, "died"))
    assert [item for item in lost if isinstance(item, LeaseLost)] == [
        LeaseLost(one.lease, 1, 1),
        LeaseLost(two.lease, 2, 1),
    ]
    again = granted(scheduler.up(0))
    assert again.run == 1
    assert together(scheduler.end(again)) == [[2]]


def test_runs_that_are_added_at_once_find_each_other(scheduler):
    scheduler.up(0)
    assert together(scheduler.handle(RunsAdded((run(1, group=ALIKE), run(2, group=ALIKE))))) == [[1, 2]]
