"""A confidence sequence for a mean: an interval that may be looked at after every observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EFFECT = 1.0
"""Standard deviation, in those of an observation, of the effects that the sequence is made to find soon."""


def t_radius(count: NDArray[np.int64], variance: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    r"""Half the width of the anytime-valid interval for the mean of normal observations of unknown variance.

    The chance that the mean is ever outside of its interval, over all counts at once, is at most ``alpha``: so the
    interval may be looked at as often as one likes, and one may stop when one likes.

    Parameters
    ----------
    count
        Observations so far.
    variance
        Their sample variance, with ``count - 1`` in the denominator.
    alpha
        Level.

    Returns
    -------
    Radii; infinite where the observations are too few for an interval.

    Notes
    -----
    Inverts the scale-invariant mixture for the t-test: with an effect size drawn from :math:`N(0, c^2)`, the likelihood
    ratio of the t statistic, with :math:`k = n c^2`,

    .. math:: (1 + k)^{-1/2} \left( \frac{1 + T^2 / (n - 1)}{1 + T^2 / ((n - 1)(1 + k))} \right)^{n / 2}

    is a martingale under the null (Lai 1976; Wang and Ramdas 2025, "Anytime-valid t-tests and confidence sequences for
    Gaussian means with unknown variance"), and by Ville's inequality exceeds 1 / alpha with a chance of alpha at most.
    """
    count = np.maximum(np.asarray(count), 1)
    spread = 1 + count * EFFECT**2
    bound = (spread / alpha**2) ** (1 / count)
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.where(bound < spread, (bound - 1) / (1 - bound / spread), np.inf)
        radius = np.sqrt(squared * (count - 1) * variance / count)
    return np.where((count > 1) & np.isfinite(squared), radius, np.inf)
