"""The advisor of models that have nothing to tune."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.model.advisor.base import BaseAdvisor, only
from rapidfire_lab.model.advisor.proposal import Proposal
from rapidfire_lab.model.knob_space import to_space
from rapidfire_lab.model.knobs import FixedKnob, PolicyKnob

if TYPE_CHECKING:
    from rapidfire_lab.model.base import KnobConfig
    from rapidfire_lab.model.constants import Budget


class FixedAdvisor(BaseAdvisor):
    """Proposes one trial, with all policies off, whatever the budget."""

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any budget will do
        """Whether all knobs are fixed, or policies."""
        return only(knob_config, FixedKnob, PolicyKnob)

    def choose(self, trial_no: int, spent: float) -> Proposal | None:  # noqa: ARG002 - it proposes once
        """Give the fixed values for the first trial."""
        return Proposal(trial_no, to_space(self.knob_config)) if trial_no == 1 else None
