from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidfire_lab.engine.scheduler import (
    DeleteAsked,
    DrainAsked,
    ResumeAsked,
    RunAdded,
    RunEnded,
    SlotDown,
    SlotUp,
    StopAsked,
)
from rapidfire_lab.engine.simulate import SimulatedLease, SimulatedRun, simulate


def alike(count, **changes):
    """Runs of two epochs of 100 steps of 10 ms, in four chunks per epoch."""
    values = {"steps_per_epoch": 100, "epochs": 2, "num_chunks": 4, **changes}
    return {key: SimulatedRun(**values) for key in range(1, count + 1)}


def work_of(runs):
    return math.fsum(run.steps_per_epoch * run.epochs * run.step_seconds for run in runs.values())


def checked(runs, **arguments):
    """Simulate, with the scheduler's invariants checked after every event."""
    return simulate(runs, observe=lambda _, scheduler: scheduler.check(), **arguments)


def spreads(runs, **arguments):
    """Differences between the largest and smallest share of live runs, after every event of a simulation."""
    found = []

    def look(_, scheduler):
        shares = [run.share for run in scheduler.live_runs()]
        found.append(max(shares, default=0.0) - min(shares, default=0.0))

    simulate(runs, observe=look, **arguments)
    return found


random_runs = st.lists(
    st.builds(
        SimulatedRun,
        steps_per_epoch=st.integers(4, 60),
        epochs=st.integers(1, 4),
        step_seconds=st.sampled_from([0.003, 0.01, 0.2]),
        restore_seconds=st.sampled_from([0.0, 0.5]),
        commit_seconds=st.sampled_from([0.0, 0.1]),
        num_chunks=st.none() | st.integers(1, 6),
    ),
    min_size=1,
    max_size=12,
).map(lambda runs: dict(enumerate(runs, start=1)))


# The simulator itself


def test_a_single_run_takes_its_steps_and_its_commits():
    timeline = checked(alike(1, commit_seconds=0.1, restore_seconds=0.5), slots=1)
    assert timeline.makespan == pytest.approx(2.0 + 8 * 0.1 + 0.5)  # restored once: it stays in memory
    assert timeline.training_seconds == pytest.approx(2.0)
    assert timeline.busy(0) == pytest.approx(timeline.makespan)
    assert [step for _, step in timeline.progress(1)] == [25, 50, 75, 100, 125, 150, 175, 200]
    assert timeline.ends == {1: RunEnded(1, "completed", "epochs")}


def test_a_run_is_restored_on_a_slot_that_does_not_hold_it():
    runs = alike(1, restore_seconds=0.5)
    timeline = checked(runs, slots=2, events=[(1.0, SlotDown(0, "died"))])
    lost, again = (lease for lease in timeline.leases if lease.end > 0.75 and lease.start < 1.1)
    assert lost == SimulatedLease(1, 0, 25, 50, pytest.approx(0.75), 1.0, committed=False)
    assert (again.slot, again.start, again.end) == (1, 1.0, pytest.approx(1.75))
    assert timeline.makespan == pytest.approx(3.25)


def test_a_stop_takes_effect_after_the_minibatch_under_way():
    timeline = checked(alike(1, commit_seconds=0.1), slots=1, events=[(0.104, StopAsked(1))])
    assert timeline.progress(1) == [(pytest.approx(0.21), 11)]
    assert timeline.ends[1].status == "stopped"


def test_a_stop_during_the_checkpoint_changes_nothing_of_the_lease():
    events = [(0.104, StopAsked(1)), (0.15, DrainAsked())]
    assert checked(alike(1, commit_seconds=0.1), slots=1, events=events).progress(1) == [(pytest.approx(0.21), 11)]


def test_a_resumed_run_finishes():
    timeline = checked(alike(1), slots=1, events=[(0.105, StopAsked(1)), (5.0, ResumeAsked(1))])
    assert timeline.makespan == pytest.approx(5.0 + 2.0 - 0.11)
    assert timeline.ends[1].status == "completed"


def test_a_deleted_run_commits_nothing_more():
    timeline = checked(alike(2), slots=1, events=[(0.105, DeleteAsked(1))])
    assert timeline.leases[0] == SimulatedLease(1, 0, 0, 11, 0.0, pytest.approx(0.11), committed=False)
    assert timeline.ends[1].status == "deleted"
    assert timeline.makespan == pytest.approx(2.11)


def test_a_later_run_joins():
    runs = alike(2)
    timeline = checked(runs, slots=1, events=[(1.01, RunAdded(runs[2].state(2), newcomer=True))])
    first = next(lease for lease in timeline.leases if lease.run == 2)
    assert first.start == pytest.approx(1.25)


def test_a_run_that_kills_every_slot_fails():
    deaths = [event for time in (0.1, 0.2, 0.3) for event in [(time, SlotDown(0, "killed")), (time, SlotUp(0))]]
    timeline = checked(alike(2), slots=1, events=deaths, max_attempts=3)
    assert timeline.ends[1] == RunEnded(1, "failed", "error", "killed")
    assert timeline.ends[2].status == "completed"


@settings(max_examples=40, deadline=None)
@given(
    random_runs,
    st.integers(1, 4),
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3), st.floats(0, 2)), max_size=6),
)
def test_every_run_completes_whatever_dies_as_long_as_it_comes_back(runs, slots, deaths):
    events = [
        event
        for time, slot, pause in deaths
        for event in [(time, SlotDown(slot % slots, "died")), (time + pause, SlotUp(slot % slots))]
    ]
    timeline = checked(runs, slots=slots, events=events, max_attempts=99)
    assert {ended.status for ended in timeline.ends.values()} == {"completed"}
    assert timeline.ends.keys() == runs.keys()
    assert timeline.training_seconds == pytest.approx(work_of(runs))
    for key, run in runs.items():
        commits = timeline.progress(key)
        assert commits == sorted(commits)
        assert commits[-1][1] == run.steps_per_epoch * run.epochs


@settings(max_examples=40, deadline=None)
@given(random_runs, st.integers(1, 4))
def test_a_slot_does_one_thing_at_a_time_and_a_run_is_in_one_place(runs, slots):
    leases = sorted(checked(runs, slots=slots).leases, key=lambda lease: lease.start)
    for mine in ("slot", "run"):
        ends = {}
        for lease in leases:
            assert lease.start >= ends.get(getattr(lease, mine), 0.0)
            ends[getattr(lease, mine)] = lease.end


# What users are promised


@pytest.mark.parametrize(("count", "slots"), [(8, 1), (8, 4), (9, 4), (16, 8), (3, 2)])
def test_all_slots_work_until_the_end(count, slots):
    runs = alike(count)
    timeline = checked(runs, slots=slots)
    chunk = 0.25
    assert timeline.makespan <= work_of(runs) / slots + chunk
    for slot in range(slots):
        assert timeline.busy(slot) >= timeline.makespan - 2 * chunk


@pytest.mark.parametrize("num_chunks", [1, 4, 16])
def test_slots_with_runs_of_many_speeds_work_until_the_end(num_chunks):
    runs = {
        key: SimulatedRun(100, epochs=3, step_seconds=0.01 * (1 + key % 5), num_chunks=num_chunks)
        for key in range(1, 33)
    }
    timeline = checked(runs, slots=4)
    longest_chunk = 100 * 0.05 / num_chunks
    assert timeline.makespan <= work_of(runs) / 4 + longest_chunk


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_the_first_comparison_comes_after_one_chunk_of_each(slots):
    timeline = checked(alike(8), slots=slots)
    assert timeline.first_chunks == pytest.approx(8 * 0.25 / slots)


def test_hopping_costs_two_percent_once_the_speed_is_known():
    runs = alike(8, steps_per_epoch=10_000, epochs=3, num_chunks=None, restore_seconds=0.15, commit_seconds=0.05)
    timeline = checked(runs, slots=2)
    assert timeline.makespan <= 1.02 * work_of(runs) / 2 + 10.0


@settings(max_examples=40, deadline=None)
@given(random_runs)
def test_on_one_slot_live_runs_are_never_more_than_a_chunk_apart(runs):
    runs = {key: SimulatedRun(**{**vars(run), "num_chunks": run.num_chunks or 4}) for key, run in runs.items()}
    # The largest chunk as part of an epoch: steps are whole.
    chunk = max(
        math.ceil(run.steps_per_epoch / min(run.num_chunks, run.steps_per_epoch)) / run.steps_per_epoch
        for run in runs.values()
    )
    assert max(spreads(runs, slots=1)) <= chunk + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 6))
def test_runs_of_one_speed_are_never_more_than_a_chunk_apart(count, slots, chunks):
    runs = alike(count, steps_per_epoch=60, num_chunks=chunks)
    assert max(spreads(runs, slots=slots)) <= math.ceil(60 / chunks) / 60 + 1e-9


def test_late_and_resumed_runs_do_not_hold_the_others_up():
    runs = alike(6, epochs=8)
    newcomer = RunAdded(runs[6].state(6), newcomer=True)
    timeline = checked(runs, slots=2, events=[(0.3, StopAsked(1)), (9.0, ResumeAsked(1)), (12.0, newcomer)])
    round_of_all = len(runs) * 0.25 / 2
    for key in (2, 3, 4, 5):
        times = [time for time, _ in timeline.progress(key)]
        assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= round_of_all + 0.25


def test_late_and_resumed_runs_stay_within_a_chunk_of_the_others():
    runs = alike(6, epochs=8)
    newcomer = RunAdded(runs[6].state(6), newcomer=True)
    events = [(0.3, StopAsked(1)), (9.0, ResumeAsked(1)), (12.0, newcomer)]
    assert max(spreads(runs, slots=2, events=events)) <= 0.25 + 1e-9


def test_a_thousand_runs_on_eight_slots():
    runs = alike(1_000, epochs=1, num_chunks=4)
    timeline = simulate(runs, slots=8)
    assert len(timeline.leases) == 4_000
    assert timeline.makespan == pytest.approx(work_of(runs) / 8)
    assert timeline.first_chunks == pytest.approx(timeline.makespan / 4)
