"""Training every trial to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.search.searcher import Algorithm, Job

if TYPE_CHECKING:
    from rapidfire_lab.search.searcher import Supply


class Whole(Algorithm):
    """No trial is dropped; what to try is all that is decided."""

    def next_job(self, supply: Supply) -> Job | None:
        trial = supply.take()
        return None if trial is None else Job(trial, supply.epochs(trial))

    def reached(self, trial: int, cost: float) -> None:
        """Nothing follows."""

    def lost(self, trial: int) -> None:
        """Nothing follows."""
