import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rapidfire_lab.engine.chunks import (
    FIRST_CHUNKS,
    MOST_CHUNKS,
    OVERHEAD_SHARE,
    SHORTEST_CHUNK,
    Pace,
    is_soon_done,
    next_boundary,
)

steps_per_epoch = st.integers(1, 300)
epochs = st.integers(1, 6)
chunks = st.none() | st.integers(1, 400)
paces = st.builds(
    Pace,
    step_seconds=st.none() | st.floats(0, 100),
    hop_seconds=st.floats(0, 20),
)


def boundary(step, *, spe=100, total=1_000, chunks=None, pace=None):
    return next_boundary(step, steps_per_epoch=spe, total=total, chunks=chunks, pace=pace or Pace())


def boundaries(spe, total, chunks=None, pace=None):
    """Every step at which a run that is never disturbed stops."""
    steps = [0]
    while steps[-1] < total:
        steps.append(boundary(steps[-1], spe=spe, total=total, chunks=chunks, pace=pace))
        assert steps[-1] > steps[-2]
    return steps[1:]


# Where the user says how many chunks


@given(steps_per_epoch, epochs, st.integers(1, 400), paces)
def test_as_many_chunks_per_epoch_as_asked_for(spe, epochs, chunks, pace):
    found = boundaries(spe, spe * epochs, chunks, pace)
    assert len(found) == epochs * min(chunks, spe)
    assert {epoch * spe for epoch in range(1, epochs + 1)} <= set(found)


@given(steps_per_epoch, st.integers(1, 400))
def test_chunks_differ_by_one_step_at_most(spe, chunks):
    found = [0, *boundaries(spe, spe, chunks)]
    lengths = {after - before for before, after in itertools.pairwise(found)}
    assert max(lengths) - min(lengths) <= 1


# Where it is left to the engine


def test_before_anything_was_measured_an_epoch_has_four_chunks():
    assert FIRST_CHUNKS == 4
    assert boundaries(100, 200) == [25, 50, 75, 100, 125, 150, 175, 200]
    assert boundaries(10, 10) == [3, 5, 8, 10]
    assert boundaries(3, 6) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("epoch_seconds", "parts"),
    [(1000.0, 64), (16.0, 64), (15.9, 32), (2.1, 8), (1.0, 4), (0.9, 2), (0.5, 2), (0.49, 1), (0.25, 1)],
)
def test_chunks_are_as_short_as_is_worth_while_and_powers_of_two(epoch_seconds, parts):
    pace = Pace(step_seconds=epoch_seconds / 6_400)
    assert boundary(0, spe=6_400, total=64_000, pace=pace) == 6_400 // parts
    assert SHORTEST_CHUNK == 0.25
    assert MOST_CHUNKS == 64


def test_a_costly_hop_makes_chunks_longer():
    pace = Pace(step_seconds=0.1, hop_seconds=0.5)
    assert boundary(0, spe=1_000, total=9_000, pace=pace) == 250
    assert pace.chunk_seconds == 25.0


def test_short_epochs_are_put_together_and_the_lease_ends_with_an_epoch():
    pace = Pace(step_seconds=0.01)  # 25 steps are worth a chunk
    assert boundary(0, spe=10, total=1_000, pace=pace) == 30
    assert boundary(13, spe=10, total=1_000, pace=pace) == 40
    assert boundary(990, spe=10, total=1_000, pace=pace) == 1_000
    assert boundary(0, spe=20, total=1_000, pace=pace) == 40
    assert boundary(0, spe=25, total=1_000, pace=pace) == 25


def test_time_that_cannot_be_measured_counts_as_short():
    assert boundary(0, pace=Pace(step_seconds=0.0)) == 1_000


@given(steps_per_epoch, epochs, chunks, paces, st.data())
def test_there_is_always_progress_and_never_past_the_end(spe, epochs, chunks, pace, data):
    total = spe * epochs
    step = data.draw(st.integers(0, total - 1))
    reached = boundary(step, spe=spe, total=total, chunks=chunks, pace=pace)
    assert step < reached <= total
    assert reached % spe == 0 or reached // spe == step // spe


@given(steps_per_epoch, epochs, st.floats(1.001, 9), st.data())
def test_a_lease_over_several_epochs_ends_with_one(spe, epochs, worth, data):
    total = spe * epochs
    step = data.draw(st.integers(0, total - 1))
    pace = Pace(step_seconds=SHORTEST_CHUNK / spe / worth)
    reached = boundary(step, spe=spe, total=total, pace=pace)
    assert reached % spe == 0
    assert reached == total or reached > (step // spe + 1) * spe


@given(steps_per_epoch, paces, paces, st.data())
def test_the_faster_run_stops_wherever_the_slower_one_does(spe, one, other, data):
    """However the paces differ, the coarser cut of an epoch is part of the finer, so runs can be compared."""
    found = [set(boundaries(spe, spe, pace=pace)) for pace in (one, other)]
    few, many = sorted(found, key=len)
    assume(len(many) < spe)
    assert few <= many
    assert len(many).bit_count() == 1


@given(steps_per_epoch, st.integers(0, 6), st.integers(0, 6))
def test_powers_of_two_of_chunks_have_their_boundaries_in_common(spe, one, other):
    few, many = sorted((one, other))
    assert set(boundaries(spe, spe, 1 << few)) <= set(boundaries(spe, spe, 1 << many))


@given(steps_per_epoch, epochs, paces, st.data())
def test_a_run_that_was_stopped_anywhere_comes_back_to_the_common_boundaries(spe, epochs, pace, data):
    total = spe * epochs
    regular = boundaries(spe, total, pace=pace)
    step = data.draw(st.integers(0, total - 1))
    reached = boundary(step, spe=spe, total=total, pace=pace)
    assert reached in regular or reached % spe == 0


@given(steps_per_epoch, epochs, chunks, paces)
def test_a_run_with_its_last_validation_to_do_gets_a_lease_without_steps(spe, epochs, chunks, pace):
    total = spe * epochs
    assert boundary(total, spe=spe, total=total, chunks=chunks, pace=pace) == total


# Measuring


def test_the_first_measurement_counts_whole_and_later_ones_half():
    pace = Pace()
    pace.observe(10, 20.0, 1.0)
    assert (pace.step_seconds, pace.hop_seconds) == (2.0, 1.0)
    pace.observe(10, 40.0, 3.0)
    assert (pace.step_seconds, pace.hop_seconds) == (3.0, 2.0)


def test_steps_that_are_faster_count_at_once():
    pace = Pace()
    pace.observe(10, 40.0, 1.0)
    pace.observe(10, 10.0, 1.0)
    assert pace.step_seconds == 1.0
    pace.observe(10, 20.0, 1.0)
    assert pace.step_seconds == 1.5


def test_what_is_left_of_a_run_is_soon_done_when_it_is_worth_no_chunk():
    assert is_soon_done(steps=5, seconds=0.01, left=100)
    assert not is_soon_done(steps=5, seconds=0.01, left=SHORTEST_CHUNK / 0.01 * 5 + 1)
    assert not is_soon_done(steps=0, seconds=0.0, left=100), "nothing was measured"
    assert not is_soon_done(steps=5, seconds=0.01, left=0)


def test_a_lease_without_a_step_tells_nothing():
    pace = Pace(step_seconds=2.0, hop_seconds=1.0)
    pace.observe(0, 5.0, 9.0)
    assert pace == Pace(step_seconds=2.0, hop_seconds=1.0)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0.001, 60), st.floats(0, 10)), min_size=1),
    st.integers(10, 300),
)
def test_hopping_costs_two_percent_at_most(leases, spe):
    pace = Pace()
    for lease in leases:
        pace.observe(*lease)
    total = spe * 50
    reached = boundary(0, spe=spe, total=total, pace=pace)
    assume(reached < total)
    # Steps are whole: a chunk may lack a part of one.
    assert pace.hop_seconds <= OVERHEAD_SHARE * (reached + 1) * pace.step_seconds * (1 + 1e-9)
