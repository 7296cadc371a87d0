"""The advisor of architectures: what did well is changed a little (regularised evolution, Real et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.advisor.draws import drawn, first_unseen
from rapidfire_lab.model.advisor.searching import SearchingAdvisor
from rapidfire_lab.model.knob_space import to_space
from rapidfire_lab.model.knobs import ArchKnob
from rapidfire_lab.search.space import Chooser, Neighbour, Record, choose

if TYPE_CHECKING:
    import random

    from rapidfire_lab.configs.knobs import List, Range
    from rapidfire_lab.model.base import KnobConfig, Knobs
    from rapidfire_lab.model.constants import Budget
    from rapidfire_lab.search.space import Params

_BY_CHANCE = 10
_POPULATION = 20
_CANDIDATES = 5


class EvolutionAdvisor(SearchingAdvisor):
    """Changes one place of an architecture, or one other knob, of the best of five out of the last twenty trials.

    The first ten are drawn by chance. The old die, however good: a score that was luck does not stay.
    """

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any budget will do
        """Whether there is an architecture among the knobs."""
        return any(isinstance(knob, ArchKnob) for knob in knob_config.values())

    def searched(self, trial_no: int, rng: random.Random) -> tuple[Knobs, Params | None, dict[str, Any]] | None:  # noqa: ARG002 - the trials before decide
        """Change a good one."""
        space = to_space(self.knob_config)
        scored = [tried for tried in self.history() if tried.score is not None and tried.proposal.meta["params"]]

        def draw() -> tuple[Knobs, Params]:
            if len(scored) < _BY_CHANCE:
                return drawn(space, rng)
            population = scored[-_POPULATION:]
            candidates = rng.sample(population, min(_CANDIDATES, len(population)))
            parent = max(candidates, key=lambda tried: tried.score or 0.0)
            return self._changed(space, parent.proposal.meta["params"], rng)

        found = first_unseen(space, self.seen(), draw, rng)
        return None if found is None else (*found, {})

    @staticmethod
    def _changed(space: dict[str, Any], params: Params, rng: random.Random) -> tuple[Knobs, Params]:
        gene = rng.choice(list(params))
        record = Record({name: value for name, value in params.items() if name != gene}, _Mutation(params, rng))
        return choose(space, record), record.params


class _Mutation(Chooser):
    """Another value of a list, or a number that is not far."""

    def __init__(self, params: Params, rng: random.Random) -> None:
        self._params = params
        self._rng = rng
        self._near = Neighbour(params, rng)

    def pick(self, name: str, knob: List) -> int:
        others = [place for place in range(len(knob.values)) if place != self._params.get(name)]
        return self._rng.choice(others) if others else 0

    def number(self, name: str, knob: Range) -> float:
        return self._near.number(name, knob)
