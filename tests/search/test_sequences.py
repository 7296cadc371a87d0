"""The confidence sequence holds its level at all times together, and finds what there is."""

from __future__ import annotations

import numpy as np

from rapidfire_lab.search.sequences import t_radius


def covers(mean, alpha, times=200, tries=1_000, deviation=1.0):
    """Share of sequences that never leave the mean out, and how many have found at the end that it is not 0."""
    rng = np.random.default_rng(3)
    values = rng.normal(mean, deviation, size=(tries, times))
    count = np.arange(1, times + 1)
    means = values.cumsum(axis=1) / count
    squares = (values**2).cumsum(axis=1)
    variance = np.maximum(squares - count * means**2, 0.0) / np.maximum(count - 1, 1)
    radius = t_radius(np.broadcast_to(count, variance.shape), variance, alpha)
    always = (np.abs(means - mean) <= radius).all(axis=1)
    found = np.abs(means[:, -1]) > radius[:, -1]
    return always.mean(), found.mean()


def test_it_covers_the_mean_at_all_times_whatever_the_scale():
    for deviation in (1e-3, 1.0, 1e3):
        covered, _ = covers(0.0, 0.1, deviation=deviation)
        assert covered >= 0.9


def test_it_finds_a_difference_of_half_a_deviation():
    covered, found = covers(0.5, 0.05)
    assert covered >= 0.95
    assert found > 0.95


def test_few_observations_and_small_levels_say_nothing():
    radius = t_radius(np.array([1, 2, 3]), np.array([1.0, 1.0, 1.0]), 1e-4)
    assert np.isinf(radius[:2]).all()
    assert (t_radius(np.array([50]), np.array([1.0]), 0.05) < 0.6).all()
