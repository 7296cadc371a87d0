"""What every advisor does, and the budget that they share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rapidfire_lab.model.budget import checked
from rapidfire_lab.model.constants import Budget, BudgetOption
from rapidfire_lab.model.knobs import BaseKnob, PolicyKnob

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.model.advisor.proposal import Proposal, TrialResult
    from rapidfire_lab.model.base import KnobConfig

DEFAULT_TRAIN_HOURS = 0.1
DEFAULT_MAX_TRIALS = -1
"""A negative number means that there is no limit."""


class BaseAdvisor(ABC):
    """Proposes trials until the budget is spent, or there is nothing left to try.

    Parameters
    ----------
    knob_config
        The knobs to choose.
    budget
        Looked at when a trial is asked for; none that runs is cut short.
    seed
        The same seed, feedback and time give the same proposals.
    clock
        Gives the time in seconds.
    """

    def __init__(
        self, knob_config: KnobConfig, budget: Budget, *, seed: int = 42, clock: Callable[[], float] = time.monotonic
    ) -> None:
        budget = checked(budget)
        self.knob_config = knob_config
        self.seed = seed
        self.total_train_hours = float(budget.get(BudgetOption.TIME_HOURS, DEFAULT_TRAIN_HOURS))
        self.max_trials = int(budget.get(BudgetOption.MODEL_TRIAL_COUNT, DEFAULT_MAX_TRIALS))
        self._clock = clock
        self._start = clock()

    @staticmethod
    @abstractmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:
        """Whether this advisor can choose these knobs within this budget."""

    @abstractmethod
    def propose(self, worker_id: str, trial_no: int) -> Proposal | None:
        """Give the trial of this number (from 1) for a worker; None when there shall be no more."""

    @abstractmethod
    def feedback(self, worker_id: str, result: TrialResult) -> None:
        """Hear what came of a trial of this worker."""

    def spent(self, trial_no: int) -> float:
        """How much of the budget is gone when this trial begins, of time or trials: from 0, 1 is all."""
        hours = (self._clock() - self._start) / 3600
        in_time = hours / self.total_train_hours if self.total_train_hours else 1.0
        in_trials = 0.0 if self.max_trials < 0 else (trial_no - 1) / self.max_trials if self.max_trials else 1.0
        return max(in_time, in_trials)


def only(knob_config: KnobConfig, *types: type[BaseKnob]) -> bool:
    """Whether all knobs are of these types."""
    return all(isinstance(knob, types) for knob in knob_config.values())


def policy_knobs(knob_config: KnobConfig, policy: str) -> list[str]:
    """Give the names of the knobs that switch a policy."""
    return [name for name, knob in knob_config.items() if isinstance(knob, PolicyKnob) and knob.policy == policy]
