from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.worker.residency import Residency


@dataclass(eq=False)
class Training:
    """Stands in for a run in memory."""

    bytes: int = 10

    def size(self):
        return self.bytes


@pytest.fixture
def residency():
    """Room for three trainings of the usual size."""
    return Residency(budget=30)


def test_a_run_is_given_back_once(residency):
    training = Training()
    residency.put(1, lease=5, training=training)
    assert residency.take(1, base_lease=5) is training
    assert residency.take(1, base_lease=5) is None


def test_an_unknown_run_is_not_here(residency):
    assert residency.take(1, base_lease=0) is None


@pytest.mark.parametrize("base_lease", [0, 4, 6])
def test_a_state_of_another_lease_is_not_given_and_forgotten(residency, base_lease):
    residency.put(1, lease=5, training=Training())
    assert residency.take(1, base_lease) is None
    assert residency.take(1, base_lease=5) is None
    assert len(residency) == 0


def test_the_least_recently_used_goes_first(residency):
    for run in (1, 2, 3):
        residency.put(run, lease=run, training=Training())
    residency.put(1, lease=4, training=residency.take(1, base_lease=1))
    residency.put(5, lease=5, training=Training())
    assert residency.take(2, base_lease=2) is None
    assert [residency.take(run, lease) is not None for run, lease in ((1, 4), (3, 3), (5, 5))] == [True] * 3


def test_a_run_that_is_put_back_without_being_taken_is_used_all_the_same(residency):
    for run in (1, 2, 3):
        residency.put(run, lease=run, training=Training())
    residency.put(1, lease=4, training=Training())
    residency.put(5, lease=5, training=Training())
    assert residency.take(1, base_lease=4) is not None
    assert residency.take(2, base_lease=2) is None


def test_large_runs_take_the_room_of_several(residency):
    for run in (1, 2, 3):
        residency.put(run, lease=run, training=Training())
    residency.put(4, lease=4, training=Training(bytes=20))
    assert [residency.take(run, base_lease=run) is not None for run in (1, 2, 3, 4)] == [False, False, True, True]


def test_the_last_run_stays_however_large_it_is(residency):
    residency.put(1, lease=1, training=Training())
    residency.put(2, lease=2, training=Training(bytes=1_000))
    assert len(residency) == 1
    assert residency.take(2, base_lease=2) is not None


def test_without_a_budget_nothing_stays():
    residency = Residency(budget=0)
    residency.put(1, lease=1, training=Training())
    assert len(residency) == 0
    assert residency.take(1, base_lease=1) is None


def test_a_run_is_as_large_as_it_was_when_it_was_put(residency):
    training = Training()
    residency.put(1, lease=1, training=training)
    training.bytes = 1_000
    residency.put(2, lease=2, training=Training())
    assert len(residency) == 2


def test_clearing_forgets_all(residency):
    residency.put(1, lease=1, training=Training())
    residency.clear()
    assert len(residency) == 0
    assert residency.take(1, base_lease=1) is None


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), max_size=20))
def test_what_is_kept_fits_the_budget_or_is_one_run(budget, puts):
    residency = Residency(budget)
    for lease, (run, size) in enumerate(puts, start=1):
        residency.take(run, base_lease=0)
        residency.put(run, lease, Training(size))
        held = sum(resident.size for resident in residency._residents.values())
        assert held <= budget or len(residency) == 1
        assert run in residency._residents
