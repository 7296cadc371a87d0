"""Jobs beside runs: which slots they get, and what becomes of parts that are lost."""

from __future__ import annotations

import pytest

from rapidfire_lab.engine.jobs import (
    GrantPart,
    JobAdded,
    JobCancelled,
    JobEnded,
    JobState,
    PartEnded,
    PartLost,
    minibatches_per_part,
)
from rapidfire_lab.engine.scheduler import DrainAsked, GrantLease, LeaseEnded, PreemptLease, SlotDown, SlotUp
from tests.engine.test_scheduler import Checked, run


def of(instructions, kind):
    return [item for item in instructions if isinstance(item, kind)]


def with_job(slots, parts, **options):
    scheduler = Checked(**options)
    scheduler.up(*range(slots))
    return scheduler, of(scheduler.handle(JobAdded(JobState(key=7, parts=parts))), GrantPart)


def test_all_free_slots_work_on_a_job_and_the_last_part_comes_last():
    scheduler, grants = with_job(3, parts=4)
    assert [(grant.part, grant.slot) for grant in grants] == [(0, 0), (1, 1), (2, 2)]
    [fourth] = scheduler.handle(PartEnded(grants[1].lease, "done"))
    assert (fourth.part, fourth.slot) == (3, 1)
    assert scheduler.handle(PartEnded(grants[0].lease, "done")) == []
    assert scheduler.handle(PartEnded(grants[2].lease, "done")) == []
    [together] = scheduler.handle(PartEnded(fourth.lease, "done"))
    assert together.part == 4
    assert scheduler.handle(PartEnded(together.lease, "done")) == [JobEnded(7, "completed")]


def test_two_jobs_share_the_slots():
    scheduler, _ = with_job(4, parts=9)
    grants = of(scheduler.handle(JobAdded(JobState(key=8, parts=9))), GrantPart)
    assert grants == []
    for lease in (1, 2, 3):
        grants += of(scheduler.handle(PartEnded(lease, "done")), GrantPart)
    assert [grant.job for grant in grants] == [8, 8, 7]


def test_a_death_costs_the_part_alone_and_the_third_the_job():
    scheduler, _ = with_job(1, parts=2, max_attempts=3)
    for deaths in (1, 2):
        [lost] = of(scheduler.handle(SlotDown(0, "died")), PartLost)
        assert (lost.part, lost.deaths) == (0, deaths)
        [again] = scheduler.up(0)
        assert again.part == 0
    lost, ended = scheduler.handle(SlotDown(0, "died"))
    assert (lost.deaths, ended) == (3, JobEnded(7, "failed", "died"))
    assert not scheduler.board.jobs


def test_what_the_disk_does_not_take_is_tried_again():
    scheduler, [grant] = with_job(1, parts=1, max_attempts=2)
    lost, again = scheduler.handle(PartEnded(grant.lease, "unsaved", reason="it is full"))
    assert (lost.deaths, lost.unsaved) == (1, "it is full")
    *_, ended = scheduler.handle(PartEnded(again.lease, "unsaved", reason="it is full"))
    assert ended == JobEnded(7, "failed", "No attempt could be saved: it is full", can_go_on=True)


def test_a_failure_has_the_other_slots_drop_their_parts():
    scheduler, grants = with_job(2, parts=3)
    dropped, ended = scheduler.handle(PartEnded(grants[0].lease, "failed"))
    assert dropped == PreemptLease(grants[1].lease, 1, discard=True)
    assert ended == JobEnded(7, "failed")
    assert scheduler.handle(PartEnded(grants[1].lease, "discarded")) == []
    assert [slot.phase for slot in scheduler.slots.values()] == ["idle", "idle"]


def test_a_job_that_is_cancelled_frees_its_slots_for_runs():
    scheduler, [grant] = with_job(1, parts=3)
    assert of(scheduler.add(run(1)), GrantLease) == []
    dropped, ended = scheduler.handle(JobCancelled(7))
    assert (dropped.lease, ended) == (grant.lease, JobEnded(7, "cancelled"))
    [lease] = of(scheduler.handle(PartEnded(grant.lease, "discarded")), GrantLease)
    assert lease.run == 1


def test_a_draining_engine_gets_its_parts_back_without_blame():
    scheduler, [grant] = with_job(1, parts=2)
    assert scheduler.handle(DrainAsked()) == [PreemptLease(grant.lease, 0, discard=True)]
    assert scheduler.handle(PartEnded(grant.lease, "discarded")) == [PartLost(grant.lease, 7, 0, 0)]
    assert not scheduler.has_leases


def test_what_was_done_is_not_done_again():
    scheduler = Checked()
    scheduler.up(0, 1)
    state = JobState(key=7, parts=3, done={0, 2}, deaths={1: 1})
    [grant] = scheduler.handle(JobAdded(state))
    assert grant.part == 1


@pytest.mark.parametrize(("runs", "slots", "part"), [(1, 1, 0.3), (4, 1, 0.3), (4, 2, 2.0), (3, 3, 0.1)])
def test_beside_runs_a_job_gets_as_much_of_the_slots_as_a_run_does(runs, slots, part):
    """Play leases of 1 s, with a job that does not end."""
    scheduler = Checked()
    scheduler.add(*[run(key, epochs=10_000, num_chunks=1) for key in range(1, runs + 1)], newcomer=True)
    clock, work, seconds = 0.0, {}, {"runs": 0.0, "job": 0.0}

    def take(instructions):
        for grant in of(instructions, GrantLease):
            work[grant.lease] = (clock + 1.0, "runs", LeaseEnded(grant.lease, "reached", grant.to_step, 8, 1.0))
        for grant in of(instructions, GrantPart):
            work[grant.lease] = (clock + part, "job", PartEnded(grant.lease, "done", part))

    for slot in range(slots):
        take(scheduler.handle(SlotUp(slot)))
    take(scheduler.handle(JobAdded(JobState(key=7, parts=1_500))))
    while clock < 100:
        lease = min(work, key=lambda lease: work[lease][0])
        ends, whose, event = work.pop(lease)
        seconds[whose] += 1.0 if whose == "runs" else part
        clock = ends
        take(scheduler.handle(event))
    assert seconds["job"] == pytest.approx(seconds["runs"] / runs, rel=0.1)


def test_a_job_takes_only_what_no_run_wants_without_making_up_for_it():
    scheduler, grants = with_job(2, parts=50)
    for _ in range(10):  # nobody else wants the slots
        grants += of(scheduler.handle(PartEnded(grants.pop(0).lease, "done", 1.0)), GrantPart)
    scheduler.add(run(1, epochs=50), run(2, epochs=50), newcomer=True)
    assert scheduler.board.jobs[7].credit == 0


@pytest.mark.parametrize(("minibatches", "size"), [(1, 1), (64, 1), (65, 2), (1_000, 16), (4_096, 64), (10**6, 64)])
def test_a_part_is_a_64th_of_the_minibatches_and_64_at_most(minibatches, size):
    assert minibatches_per_part(minibatches) == size
