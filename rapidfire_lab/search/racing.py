"""Racing: trials are compared on the same parts of the data, and dropped once they are credibly worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rapidfire_lab.search.searcher import Algorithm, Job, State, from_json, to_json
from rapidfire_lab.search.sequences import t_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rapidfire_lab.search.searcher import Supply

LEAST_VARIATION = 1e-3
"""Standard deviation of differences that is assumed at least, as a share of the mean value: results that happen to be
equal in their first digits are no proof of precision."""

HORIZON = 2.5
"""From the middle of the second half to the double of the whole, in halves."""


@dataclass(frozen=True)
class Standing:
    """How a race stands: every trial held against the best one that is still in it.

    Attributes
    ----------
    best
        The trial that on the average of what they have in common is better than each other one; None before any two
        have something in common.
    differences
        By trial: at how many positions it was compared with the best one, its mean difference in costs, and lower and
        upper end of the interval. Infinite ends say that there is too little to tell.
    """

    best: int | None
    differences: dict[int, tuple[int, float, float, float]]


class PairedRace(Algorithm):
    """Every trial trains to its end unless it is credibly worse than another one.

    Two trials are compared by the differences of their costs at the same positions, from ``grace`` epochs on. A trial
    is dropped when the anytime-valid interval of its mean difference to another one is above 0, and it is not about to
    catch up: going on as it does, it would still be behind after as long again. The level is shared among all ordered
    pairs of ``trials`` (Bonferroni), so that with a chance of ``confidence`` no trial is ever dropped for one that is
    not better on the average of what they were compared on.

    Parameters
    ----------
    trials
        How many there will be at most.
    confidence
        Chance that all that are dropped deserve it.
    grace
        Epochs of the beginning that say nothing yet about the end.
    """

    def __init__(self, trials: int, confidence: float = 0.95, grace: float = 1.0, state: State | None = None) -> None:
        super().__init__(state)
        self._alpha = (1 - confidence) / max(1, trials * (trials - 1))
        self._grace = grace
        self.state.setdefault("series", {})
        self.state.setdefault("racing", [])
        self._places: dict[float, int] = {}
        self._costs = np.full((1, 16), np.nan)
        for trial, series in self.state["series"].items():
            for position, cost in series:
                self._put(int(trial), position, from_json(cost))

    def next_job(self, supply: Supply) -> Job | None:
        trial = supply.take()
        if trial is None:
            return None
        self.state["racing"].append(trial)
        return Job(trial, supply.epochs(trial))

    def observe(self, trial: int, position: float, cost: float) -> list[int]:
        self.state["series"].setdefault(str(trial), []).append([position, to_json(cost)])
        self._put(trial, position, cost)
        if position <= self._grace or trial not in self.state["racing"]:
            return []
        worse, better = self._verdicts(trial)
        dropped = [other for other in self.state["racing"] if other in better]
        if worse:
            dropped.append(trial)
        self.state["racing"] = [other for other in self.state["racing"] if other not in dropped]
        return dropped

    def _verdicts(self, trial: int) -> tuple[set[int], set[int]]:
        """Trials that one is credibly worse than, and those that it is credibly better than."""
        low, high = self.intervals(trial)
        forecast = _forecast(*self._differences(trial))
        worse, better = (low > 0) & (forecast > 0), (high < 0) & (forecast < 0)
        return set(np.flatnonzero(worse).tolist()), set(np.flatnonzero(better).tolist())

    def _put(self, trial: int, position: float, cost: float) -> None:
        place = self._places.setdefault(position, len(self._places))
        rows, columns = self._costs.shape
        if trial >= rows or place >= columns:
            grown = np.full((max(rows, 2 * trial + 1), max(columns, 2 * place + 1)), np.nan)
            grown[:rows, :columns] = self._costs
            self._costs = grown
        self._costs[trial, place] = cost

    def intervals(self, trial: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper end of the mean difference of a trial to each other one, by their numbers."""
        differences, known = self._differences(trial)
        count = known.sum(axis=1)
        divisor = np.maximum(count, 1)
        mean = differences.sum(axis=1) / divisor
        squares = (np.where(known, differences - mean[:, None], 0.0) ** 2).sum(axis=1)
        scale = np.where(known, np.abs(self._compared()[trial]), 0.0).sum(axis=1) / divisor
        variance = np.maximum(squares / np.maximum(count - 1, 1), (LEAST_VARIATION * scale) ** 2)
        radius = t_radius(count, variance, self._alpha)
        return mean - radius, mean + radius

    def standing(self) -> Standing:
        """Hold all trials against the best one."""
        best = self._best()
        if best is None:
            return Standing(None, {})
        differences, known = self._differences(best)
        counts, sums = known.sum(axis=1), differences.sum(axis=1)
        low, high = self.intervals(best)
        return Standing(
            best,
            {
                trial: (int(count), float(-sums[trial] / count), float(-high[trial]), float(-low[trial]))
                for trial, count in enumerate(counts)
                if count and trial != best
            },
        )

    def _best(self) -> int | None:
        """The winner of each against the next."""
        best: int | None = None
        for trial in self.state["racing"]:
            if trial < len(self._costs) and np.isfinite(self._compared()[trial]).any():
                best = trial if best is None or self._differences(trial)[0][best].sum() < 0 else best
        return best

    def _compared(self) -> NDArray[np.float64]:
        """Costs by trial and position, of positions that count."""
        compared = [place for position, place in self._places.items() if position > self._grace]
        return self._costs[:, compared]

    def _differences(self, trial: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Differences of a trial to each other one by position, 0 where they are not known; and where they are."""
        costs = self._compared()
        differences = costs[trial] - costs
        known = np.isfinite(differences)
        return np.where(known, differences, 0.0), known

    def reached(self, trial: int, cost: float) -> None:
        """It has run its race; others are still compared with it."""
        if not math.isfinite(cost):
            self.lost(trial)

    def lost(self, trial: int) -> None:
        self.state["racing"] = [other for other in self.state["racing"] if other != trial]


def _forecast(differences: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where differences would be after as long again, should they go on from their first half to the second as now."""
    order = known.cumsum(axis=1)
    count = order[:, -1:] if order.shape[1] else np.zeros((len(order), 1), dtype=int)
    early = known & (order <= count // 2)
    late = known & ~early
    first, second = ((differences * half).sum(axis=1) / np.maximum(half.sum(axis=1), 1) for half in (early, late))
    forecast: NDArray[np.float64] = second + HORIZON * (second - first)
    return forecast
