"""What every advisor does, what it remembers, and the budget that all share."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.advisor.proposal import RECENT, ParamsType, Tried
from rapidfire_lab.model.budget import checked
from rapidfire_lab.model.constants import Budget, BudgetOption
from rapidfire_lab.model.knobs import BaseKnob, PolicyKnob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rapidfire_lab.model.advisor.proposal import Proposal, TrialResult
    from rapidfire_lab.model.base import KnobConfig

DEFAULT_TRAIN_HOURS = 0.1
DEFAULT_MAX_TRIALS = -1
"""A negative number means that there is no limit."""


class BaseAdvisor(ABC):
    """Proposes trials until the budget is spent, or there is nothing left to try.

    What it proposes follows from its seed, the trials so far (``tried``, by number) and the time alone: an advisor that
    is made anew and given these back (`restore`) goes on as if nothing had been.

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
    start
        When the budget began, by that clock; by default now.
    """

    def __init__(
        self,
        knob_config: KnobConfig,
        budget: Budget,
        *,
        seed: int = 42,
        clock: Callable[[], float] = time.monotonic,
        start: float | None = None,
    ) -> None:
        budget = checked(budget)
        self.knob_config = knob_config
        self.seed = seed
        self.total_train_hours = float(budget.get(BudgetOption.TIME_HOURS, DEFAULT_TRAIN_HOURS))
        self.max_trials = int(budget.get(BudgetOption.MODEL_TRIAL_COUNT, DEFAULT_MAX_TRIALS))
        self.tried: dict[int, Tried] = {}
        self._clock = clock
        self._start = clock() if start is None else start

    @staticmethod
    @abstractmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:
        """Whether this advisor can choose these knobs within this budget."""

    @abstractmethod
    def choose(self, trial_no: int, spent: float) -> Proposal | None:
        """Give a trial when so much of the budget is spent; None when there shall be no more."""

    def propose(self, worker_id: str, trial_no: int) -> Proposal | None:  # noqa: ARG002 - all workers are alike
        """Give the trial of this number (from 1) for a worker; None when there shall be no more."""
        proposal = self.choose(trial_no, self.spent(trial_no))
        if proposal is not None:
            self.tried[trial_no] = Tried(proposal)
        return proposal

    def feedback(self, worker_id: str, result: TrialResult) -> None:  # noqa: ARG002 - as above
        """Hear what came of a trial of this worker."""
        score = result.score if result.score is not None and math.isfinite(result.score) else None
        self.tried[result.proposal.trial_no] = Tried(result.proposal, "done", score)

    def failed(self, trial_no: int) -> None:
        """Hear that nothing came of a trial."""
        self.tried[trial_no].status = "failed"

    def lender(self, which: ParamsType) -> int | None:
        """Give the trial whose parameters such a proposal begins with, as far as there is one.

        All workers are one here: what is local to one is what all have.
        """
        lenders = [no for no, tried in self.tried.items() if tried.status == "done" and tried.proposal.to_cache_params]
        if which is ParamsType.NONE or not lenders:
            return None
        return max(lenders) if which in RECENT else max(lenders, key=self._rank)

    def _rank(self, trial_no: int) -> tuple[float, int]:
        """What trials are compared by: the score, and of equal ones the later."""
        score = self.tried[trial_no].score
        return (-math.inf if score is None else score, trial_no)

    def to_jsonable(self) -> list[dict[str, Any]]:
        """Give all that it remembers as plain data."""
        return [tried.to_jsonable() for tried in self.tried.values()]

    def restore(self, jsonable: Iterable[dict[str, Any]]) -> None:
        """Remember what `to_jsonable` gave."""
        found = map(Tried.from_jsonable, jsonable)
        self.tried = {tried.proposal.trial_no: tried for tried in found}

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
