"""Which advisor chooses which knobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rapidfire_lab.model.advisor.bayes import BayesAdvisor
from rapidfire_lab.model.advisor.evolution import EvolutionAdvisor
from rapidfire_lab.model.advisor.fixed import FixedAdvisor
from rapidfire_lab.model.advisor.random_draws import RandomAdvisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.model.advisor.base import BaseAdvisor
    from rapidfire_lab.model.base import KnobConfig
    from rapidfire_lab.model.constants import Budget

_BY_PRIORITY: tuple[type[BaseAdvisor], ...] = (FixedAdvisor, BayesAdvisor, EvolutionAdvisor, RandomAdvisor)
"""The first one that is compatible is taken; the last one always is."""


def make_advisor(
    knob_config: KnobConfig,
    budget: Budget,
    *,
    seed: int = 42,
    clock: Callable[[], float] = time.monotonic,
    start: float | None = None,
) -> BaseAdvisor:
    """Make the advisor for these knobs and this budget; the arguments are those of `BaseAdvisor`."""
    kind = next(kind for kind in _BY_PRIORITY if kind.is_compatible(knob_config, budget))
    return kind(knob_config, budget, seed=seed, clock=clock, start=start)
