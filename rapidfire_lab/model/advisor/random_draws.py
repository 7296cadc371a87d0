"""The advisor that draws knobs at random."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from rapidfire_lab.configs.diff import identity
from rapidfire_lab.configs.space import combinations, draw, size
from rapidfire_lab.model.advisor.base import BaseAdvisor, policy_knobs
from rapidfire_lab.model.advisor.proposal import ParamsType, Proposal
from rapidfire_lab.model.knob_space import to_space

if TYPE_CHECKING:
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

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any will do
        """Any knobs will do."""
        return True

    def choose(self, trial_no: int, spent: float) -> Proposal | None:
        """Draw knobs, unless the budget is spent or there are no others."""
        if spent >= 1:
            return None
        rng = random.Random(f"{self.seed}/{trial_no}")
        if policy_knobs(self.knob_config, "SHARE_PARAMS"):
            return self._sharing(trial_no, spent, rng)
        knobs = self._unseen(rng)
        return None if knobs is None else Proposal(trial_no, knobs)

    def _sharing(self, trial_no: int, spent: float, rng: random.Random) -> Proposal:
        knobs = draw(to_space(self.knob_config), rng)
        shares = rng.random() >= math.exp(-_SHARING_PACE * spent) and self.lender(ParamsType.GLOBAL_BEST) is not None
        knobs.update(dict.fromkeys(policy_knobs(self.knob_config, "SHARE_PARAMS"), shares))
        which = ParamsType.GLOBAL_BEST if shares else ParamsType.NONE
        return Proposal(trial_no, knobs, params_type=which, to_cache_params=True)

    def _unseen(self, rng: random.Random) -> Knobs | None:
        space = to_space(self.knob_config)
        # Knobs that are given beside ours do not make a choice another one.
        chosen = ({name: tried.proposal.knobs[name] for name in space} for tried in self.tried.values())
        seen = {identity(knobs) for knobs in chosen}
        draws = (draw(space, rng) for _ in range(_MOST_MISSES))
        knobs: Knobs | None = next((knobs for knobs in draws if identity(knobs) not in seen), None)
        if knobs is None and size(space) <= _ENUMERABLE:
            left = [knobs for knobs in combinations(space) if identity(knobs) not in seen]
            knobs = rng.choice(left) if left else None
        return knobs
