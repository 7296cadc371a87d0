"""The advisor that draws knobs at random."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

from rapidfire_lab.configs.diff import identity
from rapidfire_lab.configs.space import combinations, draw, size
from rapidfire_lab.model.advisor.base import BaseAdvisor, policy_knobs
from rapidfire_lab.model.advisor.proposal import ParamsType, Proposal, TrialResult
from rapidfire_lab.model.knob_space import to_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.model.base import KnobConfig, Knobs
    from rapidfire_lab.model.constants import Budget

_MOST_MISSES = 100
_ENUMERABLE = 10_000
_SHARING_PACE = 4.0


class RandomAdvisor(BaseAdvisor):
    """Draws each knob on its own, evenly, or evenly over orders of magnitude with ``is_exp``.

    No knobs are proposed twice, and none when all are tried. Policies are off, but for ``SHARE_PARAMS``: where a model
    has it, trials may come again, and begin with the best parameters so far with a probability of 1 - exp(-4 t), t
    the part of the budget that is spent.
    """

    def __init__(
        self, knob_config: KnobConfig, budget: Budget, *, seed: int = 42, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(knob_config, budget, seed=seed, clock=clock)
        self._space = to_space(knob_config)
        self._sharing = policy_knobs(knob_config, "SHARE_PARAMS")
        self._rng = random.Random(seed)
        self._seen: set[str] = set()
        self._has_params = False

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any will do
        """Any knobs will do."""
        return True

    def propose(self, worker_id: str, trial_no: int) -> Proposal | None:  # noqa: ARG002 - all workers are alike
        """Draw knobs, unless the budget is spent or there are no others."""
        spent = self.spent(trial_no)
        if spent >= 1:
            return None
        if self._sharing:
            return self._propose_sharing(trial_no, spent)
        knobs = self._unseen()
        return None if knobs is None else Proposal(trial_no, knobs)

    def feedback(self, worker_id: str, result: TrialResult) -> None:  # noqa: ARG002 - all workers are alike
        """Take note that there are parameters to share."""
        self._has_params |= result.proposal.to_cache_params

    def _propose_sharing(self, trial_no: int, spent: float) -> Proposal:
        knobs = draw(self._space, self._rng)
        shares = self._rng.random() >= math.exp(-_SHARING_PACE * spent) and self._has_params
        knobs.update(dict.fromkeys(self._sharing, shares))
        which = ParamsType.GLOBAL_BEST if shares else ParamsType.NONE
        return Proposal(trial_no, knobs, params_type=which, to_cache_params=True)

    def _unseen(self) -> Knobs | None:
        knobs = next(filter(self._is_new, (draw(self._space, self._rng) for _ in range(_MOST_MISSES))), None)
        if knobs is None and size(self._space) <= _ENUMERABLE:
            left = list(filter(self._is_new, combinations(self._space)))
            knobs = self._rng.choice(left) if left else None
        if knobs is not None:
            self._seen.add(identity(knobs))
        return knobs

    def _is_new(self, knobs: Knobs) -> bool:
        return identity(knobs) not in self._seen
