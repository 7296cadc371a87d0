"""Time left of runs that share slots: as the scheduler would have it, whatever the clock says."""

from __future__ import annotations

import time

import pytest

from rapidfire_lab.engine.simulate import SimulatedRun, simulate
from rapidfire_lab.journal import JournalWriter, MetricPoint
from rapidfire_lab.rows import make_rows
from rapidfire_lab.time_left import TimeLeft
from tests.journal.test_journal import add_experiment, add_run


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        yield writer


@pytest.fixture
def experiment(journal):
    with journal.transaction():
        return add_experiment(journal)


def add(journal, experiment, *, epochs=10, step=0, seconds=0.0, status="running", on_slot=False, **columns):
    """A run of 10 minibatches an epoch; returns its key."""
    with journal.transaction():
        key = add_run(journal, experiment, epochs=epochs, steps_per_epoch=10)
        position = {"step": step, "live_step": step, "seconds": seconds}
        journal.update_run(key, status=status, started=time.time(), **position, **columns)
        if on_slot:
            journal.open_lease(lease=journal.last_lease() + 1, run=key, slot=key, from_step=step, to_step=step + 10)
    return key


def left(journal, *keys):
    found = TimeLeft(journal)
    return [found.of(key) for key in keys]


def test_a_run_alone(journal, experiment):
    key = add(journal, experiment, step=20, seconds=4.0, on_slot=True)
    assert left(journal, key) == [pytest.approx(16.0)]
    with journal.transaction():
        journal.update_run(key, live_step=70)
    assert left(journal, key) == [pytest.approx(6.0)]


def test_runs_take_turns_on_the_slots_that_there_are(journal, experiment):
    keys = [add(journal, experiment, step=50, seconds=5.0, on_slot=number < 2) for number in range(6)]
    assert left(journal, *keys) == [pytest.approx(6 * 5.0 / 2)] * 6


def test_others_count_for_as_long_as_they_train(journal, experiment):
    short = add(journal, experiment, epochs=6, step=50, seconds=5.0, on_slot=True)
    long = add(journal, experiment, epochs=20, step=50, seconds=10.0)
    assert left(journal, short, long) == [pytest.approx(1.0 + 2.0), pytest.approx(1.0 + 30.0)]


def test_a_run_that_is_slow_keeps_a_slot_and_does_not_hold_the_others_up(journal, experiment):
    slow = add(journal, experiment, step=10, seconds=100.0, on_slot=True)
    fast = [add(journal, experiment, step=10, seconds=1.0, on_slot=not number) for number in range(3)]
    assert left(journal, slow, *fast) == [pytest.approx(900.0)] + [pytest.approx(27.0)] * 3


def test_runs_that_have_not_begun_count_like_the_average(journal, experiment):
    begun = add(journal, experiment, step=50, seconds=5.0, on_slot=True)
    waiting = add(journal, experiment, epochs=2, status="queued")
    assert left(journal, begun, waiting) == [pytest.approx(5.0 + 2.0), None]


def test_runs_that_stop_or_have_ended_do_not_count(journal, experiment):
    key = add(journal, experiment, step=50, seconds=5.0, on_slot=True)
    ended = add(journal, experiment, step=50, seconds=5.0, status="stopped")
    stopping = add(journal, experiment, step=50, seconds=5.0, wanted="stopped")
    assert left(journal, key, ended, stopping) == [pytest.approx(5.0), None, None]


def add_losses(journal, key, begin, count, every):
    def point(step):
        return MetricPoint(name="minibatch_loss", per="step", step=step, epoch=1, value=1.0, time=begin + every * step)

    with journal.transaction():
        journal.add_points(key, map(point, range(1, count + 1)))
        journal.update_run(key, live_step=count)


def test_before_the_first_commit_the_minibatches_tell(journal, experiment):
    key = add(journal, experiment, on_slot=True)
    assert left(journal, key) == [None]
    add_losses(journal, key, 1_000.0, 1, 0.5)
    assert left(journal, key) == [None]
    add_losses(journal, key, 1_000.0, 20, 0.5)
    assert left(journal, key) == [pytest.approx(40.0)]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_changes_nothing(journal, experiment, monkeypatch, jump):
    key = add(journal, experiment, step=20, seconds=4.0, on_slot=True)
    add_losses(journal, key, 1_000.0, 10, 0.5)
    add_losses(journal, key, 1_000.0 + jump, 20, 0.5)
    before = left(journal, key)
    now = time.time() + jump
    monkeypatch.setattr(time, "time", lambda: now)
    assert left(journal, key) == before == [pytest.approx(16.0)]


def test_a_clock_that_goes_back_in_the_first_lease_tells_nothing(journal, experiment):
    key = add(journal, experiment, on_slot=True)
    add_losses(journal, key, 1_000.0, 20, -0.5)
    assert left(journal, key) == [None]


def test_rows_have_it_of_runs_that_train(journal, experiment):
    add(journal, experiment, step=50, seconds=5.0, on_slot=True)
    add(journal, experiment, step=50, seconds=5.0, status="stopped")
    rows = make_rows(journal, journal.runs(experiment), [])
    assert [row.seconds_left for row in rows] == [pytest.approx(5.0), None]


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("when", [40.0, 55.0])
def test_it_is_what_the_scheduler_makes_of_it(journal, experiment, slots, when):
    """Runs of many lengths and paces, of which one is much slower than the others."""
    runs = {
        number: SimulatedRun(steps_per_epoch=10, epochs=epochs, step_seconds=seconds, num_chunks=2)
        for number, (epochs, seconds) in enumerate([(20, 0.2), (20, 0.4), (40, 0.1), (10, 0.8), (30, 4.0)], start=1)
    }
    seen = {}

    def look(now, scheduler):
        if now >= when and not seen:
            seen.update({run.key: (run.step, run.phase) for run in scheduler.live_runs()}, now=now)

    ends = simulate(runs, slots=slots, observe=look).end_times
    now = seen.pop("now")
    keys = {
        number: add(
            journal, experiment, epochs=runs[number].epochs, step=step, seconds=step * runs[number].step_seconds,
            on_slot=phase == "leased",
        )
        for number, (step, phase) in seen.items()
    }  # fmt: skip
    assert len(keys) >= 2
    found = left(journal, *keys.values())
    expected = [ends[number] - now for number in keys]
    assert found == [pytest.approx(seconds, rel=0.2, abs=20.0) for seconds in expected]
