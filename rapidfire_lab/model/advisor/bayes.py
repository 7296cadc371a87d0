"""The advisor of plain knobs: a model of the scores so far says what to try."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.advisor.base import only
from rapidfire_lab.model.advisor.draws import first_unseen
from rapidfire_lab.model.advisor.searching import SearchingAdvisor
from rapidfire_lab.model.knob_space import to_space
from rapidfire_lab.model.knobs import CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob
from rapidfire_lab.search.optuna_supply import OptunaSupply
from rapidfire_lab.search.space import Chance, Record, choose
from rapidfire_lab.search.supplies import Drawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.model.advisor.proposal import Tried
    from rapidfire_lab.model.base import KnobConfig, Knobs
    from rapidfire_lab.model.constants import Budget
    from rapidfire_lab.search.space import Params

_BY_CHANCE = 10
"""Results that a model needs to begin with."""


class BayesAdvisor(SearchingAdvisor):
    """Has Optuna's TPE propose, once ten trials by chance have scores. Trials that are under way count as poor ones."""

    @staticmethod
    def is_compatible(knob_config: KnobConfig, budget: Budget) -> bool:  # noqa: ARG004 - any budget will do
        """Whether all knobs are single values."""
        return only(knob_config, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob)

    def searched(self, trial_no: int, rng: random.Random) -> tuple[Knobs, Params | None, dict[str, Any]] | None:  # noqa: ARG002 - the number of those before decides
        """Ask the model."""
        space = to_space(self.knob_config)
        records = [_record(tried) for tried in self.history()]
        supply = _KnobSupply(
            space,
            sys.maxsize,
            self.seed,
            sampler="tpe",
            directions=["maximize"],
            state={"trials": records, "taken": len(records)},
        )
        attempts = iter(range(sys.maxsize))

        def draw() -> tuple[Knobs, Params]:
            trial = supply.proposed(next(attempts))
            notes.update(trial.get("notes", {}))
            return supply.knobs(trial), trial["params"]

        notes: dict[str, Any] = {}
        found = first_unseen(space, self.seen(), draw, rng)
        return None if found is None else (*found, {"notes": notes})


class _KnobSupply(OptunaSupply):
    """Proposals for knobs, which are no configs of ours."""

    def proposed(self, attempt: int) -> dict[str, Any]:
        number = len(self.state["trials"])
        scored = sum(record.get("final", False) for record in self.state["trials"])
        # Before that chance is as good, and need not be loaded.
        return Drawn._drawn(self, number, attempt) if scored < _BY_CHANCE else self._drawn(number, attempt)  # noqa: SLF001 - its own base

    def knobs(self, trial: Mapping[str, Any]) -> Knobs:
        found: Knobs = choose(self._template, Record(trial["params"], Chance(random.Random(self._seed))))
        return found


def _record(tried: Tried) -> dict[str, Any]:
    """A trial as the supply remembers it."""
    record = {"params": tried.proposal.meta["params"], "notes": tried.proposal.meta.get("notes", {})}
    if tried.status == "failed":
        return {**record, "failed": True}
    if tried.status == "done":
        scores = [] if tried.score is None else [[1, [tried.score]]]
        return {**record, "results": scores, "final": True}
    return record
