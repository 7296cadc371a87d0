"""Training every trial to its end, unless one of Optuna's pruners has it dropped on the way."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import State, from_json, to_json
from rapidfire_lab.search.whole import Whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna

PRUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "median": ("MedianPruner", {}),
    "percentile": ("PercentilePruner", {"percentile": 25.0}),
    "patient": ("PatientPruner", {"wrapped_pruner": None, "patience": 3}),
    "threshold": ("ThresholdPruner", {}),
}
"""Class of Optuna, and arguments where the user gives none."""


def make_pruner(pruner: Mapping[str, Any]) -> optuna.pruners.BasePruner:
    """Make what a name and arguments stand for.

    Raises
    ------
    TypeError, ValueError
        When Optuna does not take the arguments.
    """
    import optuna

    name, defaults = PRUNERS[pruner["name"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made: optuna.pruners.BasePruner = getattr(optuna.pruners, name)(**{**defaults, **pruner["args"]})
    return made


class Pruned(Whole):
    """Asks a pruner after each result of a trial. The steps that it sees count results: epochs, or chunks.

    Optuna's study is made anew from the costs: the pruner compares with trials that have come to their end.
    """

    def __init__(self, pruner: Mapping[str, Any], state: State | None = None) -> None:
        super().__init__(state)
        self._pruner = make_pruner(pruner)
        self.state.setdefault("costs", {})
        self.state.setdefault("ended", [])
        self._study: optuna.Study | None = None

    def observe(self, trial: int, position: float, cost: float) -> Sequence[int]:  # noqa: ARG002 - results are counted
        self.state["costs"].setdefault(str(trial), []).append(to_json(cost))
        study = self._made_study()
        is_out = self._pruner.prune(study, self._frozen(trial))
        return [trial] if is_out else []

    def reached(self, trial: int, cost: float) -> None:
        if math.isfinite(cost):
            self.state["ended"].append(trial)
            self._study = None

    def _made_study(self) -> optuna.Study:
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            self._study = optuna.create_study(pruner=self._pruner)
            self._study.add_trials([self._frozen(trial, has_ended=True) for trial in self.state["ended"]])
        return self._study

    def _frozen(self, trial: int, *, has_ended: bool = False) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        costs = [from_json(cost) for cost in self.state["costs"].get(str(trial), [])]
        steps = {step: cost if math.isfinite(cost) else math.nan for step, cost in enumerate(costs, start=1)}
        if has_ended:
            return create_trial(value=costs[-1], intermediate_values=steps)
        return create_trial(state=TrialState.RUNNING, intermediate_values=steps)
