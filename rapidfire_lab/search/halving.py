"""Successive halving in all its forms: train many a little, and the best of them further.

Jamieson and Talwalkar 2016 (SHA), Li et al. 2018 (Hyperband), Li et al. 2020 (ASHA).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import Algorithm, Job, State, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.search.searcher import Supply


def rung_epochs(least: int, reduction: int, most: int) -> list[int]:
    """Epochs at which trials are compared: ``least``, ``least * reduction``, ..., and ``most``."""
    rungs = []
    epochs = least
    while epochs < most:
        rungs.append(epochs)
        epochs *= reduction
    return [*rungs, most]


class Halving(Algorithm):
    """Brackets of rungs. Of the trials on a rung, one in ``reduction`` goes on to the next.

    Parameters
    ----------
    rungs
        Epochs of the rungs, rising.
    reduction
        Of so many trials on a rung, one goes on.
    brackets
        The rung at which the trials of each bracket are first compared.
    waits
        Promote when all trials of a rung are there; else as soon as one is among the best of those that are.
    """

    def __init__(
        self,
        rungs: Sequence[int],
        reduction: int,
        brackets: Sequence[int] = (0,),
        *,
        waits: bool = False,
        state: State | None = None,
    ) -> None:
        super().__init__(state)
        self._rungs = list(rungs)
        self._reduction = reduction
        self._waits = waits
        self._brackets = list(brackets)
        self._shares = [_bracket_size(start, len(rungs), reduction) for start in brackets]
        self.state.setdefault("exhausted", False)
        self.state.setdefault("brackets", [_empty_bracket(len(self._rungs)) for _ in brackets])

    def next_job(self, supply: Supply) -> Job | None:
        for bracket, start in zip(self.state["brackets"], self._brackets, strict=True):
            job = self._promotion(bracket, start, supply)
            if job is not None:
                return job
        return self._newcomer(supply)

    def _promotion(self, bracket: dict[str, Any], start: int, supply: Supply) -> Job | None:
        for rung in range(len(self._rungs) - 2, start - 1, -1):
            for trial in self._best(bracket, rung, start):
                if trial not in bracket["promoted"][rung]:
                    bracket["promoted"][rung].append(trial)
                    return self._job(bracket, trial, rung + 1, supply)
        return None

    def _job(self, bracket: dict[str, Any], trial: int, rung: int, supply: Supply) -> Job:
        bracket["under_way"][str(trial)] = rung
        return Job(trial, min(self._rungs[rung], supply.epochs(trial)))

    def _best(self, bracket: dict[str, Any], rung: int, start: int) -> list[int]:
        """Trials of a rung that may go on, the best first."""
        there = [(from_json(cost), trial) for trial, cost in bracket["rungs"][rung]]
        number = len(there) // self._reduction
        if self._is_closed(bracket, rung, start):
            number = max(1, number)
        elif self._waits:
            return []
        ranked = [trial for cost, trial in sorted(there) if math.isfinite(cost) and trial not in bracket["lost"]]
        return ranked[:number]

    def _is_closed(self, bracket: dict[str, Any], rung: int, start: int) -> bool:
        """Whether no further trial can come to a rung."""
        if not self.state["exhausted"] or any(target <= rung for target in bracket["under_way"].values()):
            return False
        return all(
            set(self._best(bracket, lower, start)) <= set(bracket["promoted"][lower]) for lower in range(start, rung)
        )

    def _newcomer(self, supply: Supply) -> Job | None:
        trial = None if self.state["exhausted"] else supply.take()
        if trial is None:
            if self.state["exhausted"]:
                return None
            self.state["exhausted"] = True
            return self.next_job(supply)  # rungs may be closed now
        number = min(
            range(len(self._brackets)),
            key=lambda bracket: (self.state["brackets"][bracket]["size"] + 1) / self._shares[bracket],
        )
        bracket = self.state["brackets"][number]
        bracket["size"] += 1
        return self._job(bracket, trial, self._brackets[number], supply)

    def reached(self, trial: int, cost: float) -> None:
        for bracket in self.state["brackets"]:
            rung = bracket["under_way"].pop(str(trial), None)
            if rung is not None:
                bracket["rungs"][rung].append([trial, to_json(cost)])

    def lost(self, trial: int) -> None:
        for bracket in self.state["brackets"]:
            bracket["under_way"].pop(str(trial), None)
            bracket["lost"].append(trial)


def _empty_bracket(rungs: int) -> dict[str, Any]:
    return {
        "size": 0,
        "rungs": [[] for _ in range(rungs)],
        "promoted": [[] for _ in range(rungs)],
        "under_way": {},
        "lost": [],
    }


def _bracket_size(start: int, rungs: int, reduction: int) -> int:
    """Trials of a bracket in proportion to the others, so that each costs about the same (Hyperband, algorithm 1)."""
    further = rungs - 1 - start
    return math.ceil(rungs / (further + 1) * float(reduction**further))
