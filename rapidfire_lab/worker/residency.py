"""Runs that stay in this slot's memory between leases, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rapidfire_lab.worker.training import TrainingRun


@dataclass
class _Resident:
    training: TrainingRun
    lease: int
    """The lease whose commit this state is; another slot may have gone on since."""
    size: int


class Residency:
    """An LRU of run states under a budget in bytes. What is evicted is on disk: every lease ends with a checkpoint.

    The last run stays also when it is larger than the budget, unless the budget is 0.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._residents: OrderedDict[int, _Resident] = OrderedDict()

    def take(self, run: int, base_lease: int) -> TrainingRun | None:
        """Take a run out, if what is here is the state that ``base_lease`` committed."""
        resident = self._residents.pop(run, None)
        return resident.training if resident and resident.lease == base_lease else None

    def put(self, run: int, lease: int, training: TrainingRun) -> None:
        self._residents.pop(run, None)
        self._residents[run] = _Resident(training, lease, training.size())
        least = 1 if self._budget else 0
        while len(self._residents) > least and sum(r.size for r in self._residents.values()) > self._budget:
            self._residents.popitem(last=False)

    def clear(self) -> None:
        self._residents.clear()

    def __len__(self) -> int:
        return len(self._residents)
