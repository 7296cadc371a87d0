"""Successive halving in all its forms: train many a little, and the best of them further.

Jamieson and Talwalkar 2016 (SHA), Li et al. 2018 (Hyperband), Li et al. 2020 (ASHA).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import Algorithm, Job, State, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        self._brackets = list(brackets)
        self._shares = [_bracket_size(start, len(rungs), reduction) for start in brackets]
        self.state.setdefault("exhausted", False)
        self.state.setdefault("waits", waits)
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
                    return self._promoted(bracket, trial, rung, supply)
        return None

    def _promoted(self, bracket: dict[str, Any], trial: int, rung: int, supply: Supply) -> Job:
        bracket["promoted"][rung].append(trial)
        return self._job(bracket, trial, rung + 1, supply)

    def _job(self, bracket: dict[str, Any], trial: int, rung: int, supply: Supply) -> Job:
        bracket["under_way"][str(trial)] = rung
        return Job(trial, min(self._rungs[rung], supply.epochs(trial)))

    def _best(self, bracket: dict[str, Any], rung: int, start: int) -> list[int]:
        """Trials of a rung that may go on, the best first."""
        number = len(bracket["rungs"][rung]) // self._reduction
        if self._is_closed(bracket, rung, start):
            number = max(1, number)
        elif self.state["waits"]:
            return []
        return _ranked(bracket, rung)[:number]

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

    def spare_job(self, supply: Supply, left: float) -> Job | None:
        """Promote who comes next, as though ``reduction`` were smaller, once all configs were tried.

        It must be able to come to its end with what those under way leave: for each of these that comes to a rung,
        one goes on at most.
        """
        coming = [one for bracket in self.state["brackets"] for one in bracket["under_way"].items()]
        if not self.state["exhausted"] or (self.state["waits"] and coming):
            return None
        left -= sum(self._epochs_from(rung, int(trial), supply) for trial, rung in coming)
        for _, rung, _, trial, bracket in sorted(self._next_best(), key=lambda one: one[:4]):
            if 0 < self._epochs_from(rung, trial, supply) <= left:
                self.state["waits"] = False  # all rungs are closed
                return self._promoted(bracket, trial, rung, supply)
        return None

    def _next_best(self) -> Iterator[tuple[float, int, int, int, dict[str, Any]]]:
        """Trials that stay behind on a rung, with the share of this rung that is no worse."""
        for number, bracket in enumerate(self.state["brackets"]):
            for rung, there in enumerate(bracket["rungs"][:-1]):
                for rank, trial in enumerate(_ranked(bracket, rung), start=1):
                    if trial not in bracket["promoted"][rung]:
                        yield rank / len(there), rung, number, trial, bracket

    def _epochs_from(self, rung: int, trial: int, supply: Supply) -> int:
        """Epochs from a rung to the end."""
        return max(0, supply.epochs(trial) - self._rungs[rung])

    def reached(self, trial: int, cost: float) -> None:
        for bracket in self.state["brackets"]:
            rung = bracket["under_way"].pop(str(trial), None)
            if rung is not None:
                bracket["rungs"][rung].append([trial, to_json(cost)])

    def lost(self, trial: int) -> None:
        for bracket in self.state["brackets"]:
            bracket["under_way"].pop(str(trial), None)
            bracket["lost"].append(trial)


def _ranked(bracket: dict[str, Any], rung: int) -> list[int]:
    """Trials on a rung that can go on, the best first."""
    there = sorted((from_json(cost), trial) for trial, cost in bracket["rungs"][rung])
    return [trial for cost, trial in there if math.isfinite(cost) and trial not in bracket["lost"]]


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
