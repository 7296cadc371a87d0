"""The advisor that draws knobs at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.advisor.draws import drawn, first_unseen
from rapidfire_lab.model.advisor.searching import SearchingAdvisor
from rapidfire_lab.model.knob_space import to_space

if TYPE_CHECKING:
    import random

    from rapidfire_lab.model.base import KnobConfig, Knobs
    from rapidfire_lab.model.constants import Budget
    from rapidfire_lab.search.space import Params


class RandomAdvisor(SearchingAdvisor):
    """Draws each knob on its own, evenly, or evenly over orders of magnitude with ``is_exp``.

    No knobs are proposed twice, and none when all are tried, unless trials share parameters.
    """

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any will do
        """Any knobs will do."""
        return True

    def searched(self, trial_no: int, rng: random.Random) -> tuple[Knobs, Params | None, dict[str, Any]] | None:  # noqa: ARG002 - chance decides
        """Draw knobs that were not drawn before."""
        space = to_space(self.knob_config)
        found = first_unseen(space, self.seen(), lambda: drawn(space, rng), rng)
        return None if found is None else (*found, {})
