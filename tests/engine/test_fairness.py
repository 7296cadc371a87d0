"""Nobody starves anybody: whole schedules in simulated time, measured in passes over the data."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidfire_lab.engine.scheduler import CATCH_UP, ResumeAsked, RunAdded, SlotDown, SlotUp, StopAsked
from rapidfire_lab.engine.simulate import SimulatedRun, simulate

CHUNK = 0.25
"""Passes of a lease, and seconds that one takes, of the runs below."""


def alike(count, first=1, **changes):
    """Runs of many epochs of 100 steps of 10 ms, in four chunks per epoch."""
    values = {"steps_per_epoch": 100, "epochs": 40, "num_chunks": 4, **changes}
    return {key: SimulatedRun(**values) for key in range(first, first + count)}


def joining(runs, time):
    return [(time, RunAdded(run.state(key), newcomer=True)) for key, run in runs.items()]


def checked(runs, **arguments):
    return simulate(runs, observe=lambda _, scheduler: scheduler.check(), **arguments)


def passes(timeline, runs, key, start, end):
    """Passes that a run committed in a stretch of time."""
    leases = [lease for lease in timeline.leases if lease.run == key and lease.committed and start < lease.end <= end]
    return sum(lease.to_step - lease.from_step for lease in leases) / runs[key].steps_per_epoch


def longest_gap(timeline, key, start, end):
    """Longest time without a commit of a run, in a stretch."""
    times = [start, *(time for time, _ in timeline.progress(key) if start < time < end), end]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize(("alone", "stopped"), [(1, 1), (2, 5)], ids=["far ahead", "far behind"])
def test_a_resumed_run_and_the_others_share_from_then_on(slots, alone, stopped):
    """Run 1 is alone for 8 s, then there are five others; one run that is far from the rest comes back at 24 s."""
    runs = alike(6)
    others = {key: run for key, run in runs.items() if key != 1}
    away = [(8.0, StopAsked(1))] if stopped == 1 else [(8.3, StopAsked(stopped))]
    events = [*joining(others, 8.1), *away, (24.0, ResumeAsked(stopped))]
    timeline = checked(runs, slots=slots, events=events)
    everybody = len(runs) * CHUNK / slots
    for key in runs:
        assert longest_gap(timeline, key, 24.0, 60.0) <= everybody + 3 * CHUNK
    made = [passes(timeline, runs, key, 24.0, 60.0) for key in runs]
    assert max(made) - min(made) <= 3 * CHUNK


@pytest.mark.parametrize("first_step", [0, 850])
@pytest.mark.parametrize("slots", [1, 4])
def test_fifty_clones_that_join_at_once_get_what_the_others_get(first_step, slots):
    early = alike(10, epochs=12)
    clones = alike(50, first=11, epochs=12, first_step=first_step)
    runs = early | clones
    timeline = checked(runs, slots=slots, events=joining(clones, 10.0))
    everybody = len(runs) * CHUNK / slots
    end = 10.0 + 4 * everybody
    for key in runs:
        assert longest_gap(timeline, key, 10.0, end) <= everybody + 3 * CHUNK
    made = [passes(timeline, runs, key, 10.0, end) for key in runs]
    assert max(made) - min(made) <= 3 * CHUNK


def restless(key, start, end, period):
    """Events of a user who stops a run and resumes it at once, again and again."""
    moments = itertools.takewhile(lambda time: time < end, itertools.count(start, period))
    return [event for time in moments for event in [(time, StopAsked(key)), (time + 0.02, ResumeAsked(key))]]


@pytest.mark.parametrize("period", [0.05, 0.26, 0.77])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_stopping_and_resuming_all_the_time_gains_nothing(slots, period):
    runs = alike(6)
    timeline = checked(runs, slots=slots, events=restless(1, 2.0, 30.0, period))
    mine = passes(timeline, runs, 1, 2.0, 30.0)
    for key in (2, 3, 4, 5, 6):
        assert mine <= passes(timeline, runs, key, 2.0, 30.0) + 2 * CHUNK


@pytest.mark.parametrize("period", [0.26, 0.77])
def test_nor_does_it_beside_a_run_that_is_slow(period):
    runs = alike(1, step_seconds=0.2, num_chunks=1) | alike(5, first=2)
    timeline = checked(runs, slots=2, events=restless(2, 2.0, 60.0, period))
    mine = passes(timeline, runs, 2, 2.0, 60.0)
    for key in (3, 4, 5, 6):
        assert mine <= passes(timeline, runs, key, 2.0, 60.0) + 2 * CHUNK


def test_what_joins_beside_a_run_that_is_slow_catches_up_with_the_others_not_with_all_that_it_lacks():
    """Left to itself, the slow run would have those who join at its side take the other slot for 20 passes each."""
    early = alike(1, step_seconds=0.2, num_chunks=1) | alike(4, first=2, epochs=60)
    clones = alike(6, first=6)
    runs = early | clones
    timeline = checked(runs, slots=2, events=joining(clones, 90.0))
    for key in (2, 3, 4, 5):
        assert longest_gap(timeline, key, 90.0, 140.0) <= (CATCH_UP + 2 * CHUNK) * len(runs)
    made = [passes(timeline, runs, key, 90.0, 140.0) for key in range(2, 12)]
    assert max(made) - min(made) <= CATCH_UP + 3 * CHUNK


def test_a_slow_run_keeps_its_slot():
    runs = alike(1, epochs=4, step_seconds=0.1) | alike(4, first=2, epochs=6)
    assert checked(runs, slots=2).makespan == pytest.approx(4 * 100 * 0.1, rel=0.05)


def test_passes_are_shared_not_steps_nor_time():
    runs = {
        key: SimulatedRun(steps, epochs=30, num_chunks=4, step_seconds=0.01)
        for key, steps in enumerate((20, 60, 200), start=1)
    }
    timeline = checked(runs, slots=1)
    end = timeline.end_times[1]
    made = [passes(timeline, runs, key, 0.0, end) for key in runs]
    assert max(made) - min(made) <= 2 * CHUNK


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 12),
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=8),
)
def test_deaths_and_retries_change_no_share(count, deaths):
    events = [
        event
        for time, slot, pause in deaths
        for event in [(time, SlotDown(slot, "died")), (time + pause, SlotUp(slot))]
    ]
    handicaps = set()

    def look(_, scheduler):
        scheduler.check()
        handicaps.update(run.handicap for run in scheduler.runs.values())

    simulate(alike(count, epochs=4), slots=4, events=events, max_attempts=99, observe=look)
    assert handicaps == {0.0}


def test_more_than_a_thousand_runs_that_come_and_go_stay_together():
    """Six hundred runs of five sizes, as many clones a little later, and fifty that are stopped meanwhile."""
    sizes = itertools.cycle((20, 30, 40, 50, 60))
    values = {"epochs": 2, "num_chunks": 2}
    early = {key: SimulatedRun(next(sizes), **values) for key in range(1, 601)}
    clones = {key: SimulatedRun(next(sizes), first_step=20, **values) for key in range(601, 1_201)}
    away = [event for key in range(1, 51) for event in [(5.0, StopAsked(key)), (30.0, ResumeAsked(key))]]
    events, spreads = itertools.count(), []

    def look(_, scheduler):
        if next(events) % 50 == 0:
            shares = [run.share for run in scheduler.live_runs()]
            spreads.append(max(shares, default=0.0) - min(shares, default=0.0))

    timeline = simulate(early | clones, slots=8, events=[*joining(clones, 12.0), *away], observe=look)
    assert {ended.status for ended in timeline.ends.values()} == {"completed"}
    assert len(spreads) > 70
    assert max(spreads) <= 2 * 0.5 + 1e-9
