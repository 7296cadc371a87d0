from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.worker.host_copy import HostCopy
from rapidfire_lab.worker.residency import Residency


@dataclass(eq=False)
class Training:
    """Stands in for a run in memory."""

    bytes: int = 10

    def __post_init__(self):
        self.tensor = torch.arange(self.bytes, dtype=torch.uint8)

    def storages(self):
        return [self.tensor.untyped_storage()] if self.bytes else []

    @property
    def is_whole(self):
        return len(self.tensor.untyped_storage()) == self.bytes and self.tensor.tolist() == list(range(self.bytes))


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
    residency.put(2, lease=2, training=Training(bytes=250))
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
    training.tensor = torch.empty(1_000)
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
        held = residency._device_bytes()
        assert held <= budget or len(residency) == 1
        assert run in residency._on_device


# The level in the host's memory, where each run takes 512 bytes


@pytest.fixture
def levels():
    """Room for one training on the device, and for two on the host."""
    return Residency(budget=10, host_budget=1024)


def put(levels, *runs):
    trainings = {run: Training() for run in runs}
    for run, training in trainings.items():
        levels.put(run, lease=run, training=training)
    return trainings


def test_what_finds_no_room_on_the_device_waits_on_the_host(levels):
    trainings = put(levels, 1, 2)
    assert [trainings[run].is_whole for run in (1, 2)] == [False, True]
    assert levels.take(1, base_lease=1) is trainings[1]
    assert trainings[1].is_whole
    assert len(levels) == 1


def test_the_host_too_gives_up_what_was_used_longest_ago(levels):
    trainings = put(levels, 1, 2, 3, 4)
    assert levels.take(1, base_lease=1) is None
    assert [levels.take(run, base_lease=run) for run in (2, 3, 4)] == [trainings[run] for run in (2, 3, 4)]
    assert all(trainings[run].is_whole for run in (2, 3, 4))


def test_a_run_that_has_gone_on_elsewhere_is_not_brought_back(levels):
    trainings = put(levels, 1, 2)
    assert levels.take(1, base_lease=5) is None
    assert not trainings[1].is_whole
    assert levels.take(1, base_lease=1) is None


def test_what_is_larger_than_the_host_may_keep_goes_out_alone(levels):
    small = put(levels, 1)[1]
    levels.put(2, lease=2, training=Training(bytes=100))
    levels.put(3, lease=3, training=Training())
    assert levels.take(2, base_lease=2) is not None
    levels.put(2, lease=2, training=Training(bytes=250))
    levels._host_budget = 511
    levels.put(4, lease=4, training=Training())
    assert levels.take(2, base_lease=2) is None
    assert levels.take(1, base_lease=1) is small
    assert small.is_whole


def test_all_can_leave_the_device(levels):
    trainings = put(levels, 1, 2)
    assert levels.is_on_device
    levels.vacate()
    assert not levels.is_on_device
    assert len(levels) == 2
    assert not any(training.is_whole for training in trainings.values())
    assert [levels.take(run, base_lease=run) for run in (1, 2)] == [trainings[1], trainings[2]]
    assert all(training.is_whole for training in trainings.values())


def test_without_a_host_budget_what_leaves_the_device_is_out(residency):
    put(residency, 1, 2)
    residency.vacate()
    assert len(residency) == 0


def test_a_device_without_room_leaves_a_run_where_it_is(levels, monkeypatch):
    def no_room(copy):
        raise torch.OutOfMemoryError

    trainings = put(levels, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(HostCopy, "bring_back", no_room)
        with pytest.raises(torch.OutOfMemoryError):
            levels.take(1, base_lease=1)
    assert levels.take(1, base_lease=1) is trainings[1]
    assert trainings[1].is_whole


@given(
    st.integers(0, 40),
    st.integers(0, 2000),
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 30), st.booleans()), max_size=30),
)
def test_both_levels_fit_their_budgets_and_give_back_what_was_put(budget, host_budget, steps):
    levels = Residency(budget, host_budget)
    leases = {}
    for lease, (run, size, vacate) in enumerate(steps, start=1):
        taken = levels.take(run, base_lease=leases.get(run, 0))
        assert taken is None or taken.is_whole
        leases[run] = lease
        levels.put(run, lease, taken or Training(size))
        if vacate:
            levels.vacate()
        assert levels._device_bytes() <= budget or len(levels._on_device) == 1
        assert levels._host_bytes() <= host_budget
        assert not levels._on_device.keys() & levels._on_host.keys()
