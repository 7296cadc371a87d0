"""How long slots have been at one minibatch, told from what they write."""

from __future__ import annotations

import stat

import pytest

from rapidfire_lab.engine.watchdog import Pulse, Watchdog


@pytest.fixture
def watchdog(tmp_path):
    return Watchdog(tmp_path, limit=2.0)


@pytest.fixture
def pulse(watchdog):
    return Pulse(watchdog.watch(0))


def looks(watchdog, start, end, every=0.1):
    """Look from a time on, many times; returns what was overdue, and when."""
    count = round((end - start) / every)
    times = [start + every * number for number in range(1, count + 1)]
    return [(round(time, 1), found) for time in times for found in watchdog.overdue(time)]


def test_who_has_not_begun_is_never_overdue(watchdog, pulse):
    assert looks(watchdog, 0, 10) == []


def test_a_minibatch_that_goes_on_is_told_with_its_step(watchdog, pulse):
    pulse.beat(7)
    [(time, found)] = looks(watchdog, 0, 4)
    assert found == (0, 7)
    assert 2.0 < time <= 2.3


def test_who_goes_on_is_not_overdue(watchdog, pulse):
    for step in range(20):
        pulse.beat(step)
        assert looks(watchdog, step * 1.9, (step + 1) * 1.9) == []


def test_many_beats_at_one_step_are_many_minibatches(watchdog, pulse):
    for turn in range(5):
        pulse.beat(10)  # validation
        assert looks(watchdog, turn * 1.9, (turn + 1) * 1.9) == []


def test_what_comes_after_training_may_take_its_time(watchdog, pulse):
    pulse.beat(7)
    assert looks(watchdog, 0, 1) == []
    pulse.rest()
    assert looks(watchdog, 1, 9) == []


def test_each_slot_has_its_own(watchdog, pulse):
    other = Pulse(watchdog.watch(1))
    pulse.beat(3)
    other.rest()
    assert [found for _, found in looks(watchdog, 0, 3)] == [(0, 3)]


def test_a_slot_that_is_started_again_is_not_blamed_for_the_last_one(watchdog, pulse, tmp_path):
    pulse.beat(7)
    assert looks(watchdog, 0, 1.9) == []
    again = Pulse(tmp_path / "pulse-0")
    again.rest()
    again.beat(7)
    assert looks(watchdog, 1.9, 3.8) == []


def test_a_controller_that_was_held_up_believes_that_the_slots_were_too(watchdog, pulse):
    pulse.beat(7)
    assert watchdog.overdue(0.0) == []
    assert watchdog.overdue(60.0) == []
    assert [found for _, found in looks(watchdog, 60.0, 62.0)] == [(0, 7)]


def test_without_a_watchdog_there_is_nobody_to_tell():
    pulse = Pulse()
    pulse.beat(7)
    assert pulse.read() == (1, 7)


def test_its_files_are_made_anew(watchdog, pulse, tmp_path):
    pulse.beat(7)
    assert stat.S_ISREG((tmp_path / "pulse-0").stat().st_mode)
    assert Pulse(Watchdog(tmp_path, 2.0).watch(0)).read() == (0, -1)
