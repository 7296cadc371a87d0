"""Trials whose configs one of Optuna's samplers proposes, from the results of the trials before."""

from __future__ import annotations

import hashlib
import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

from rapidfire_lab.search.space import Chooser, choose
from rapidfire_lab.search.supplies import Drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna
    from optuna.distributions import BaseDistribution

    from rapidfire_lab.configs.knobs import List, Range
    from rapidfire_lab.search.searcher import State
    from rapidfire_lab.search.space import Params
    from rapidfire_lab.search.supplies import Constraint

SAMPLERS = ("tpe", "gp", "nsga2", "cmaes")
_POPULATION = 16
_GENERATION = "cma:generation"
_OPTIMIZER = "cma:optimizer"
"""Names under which Optuna's CMA-ES keeps what it needs of a trial."""
_MOST_PROPOSALS = 10
"""Proposals that are there already or not allowed, before chance takes over."""


class OptunaSupply(Drawn):
    """Asks a sampler for each trial.

    The study is made anew from ``state`` for every question, with a seed of that question's own: a proposal depends on
    the results alone, and nothing of Optuna's has to be stored.

    Parameters
    ----------
    sampler
        ``"tpe"``, ``"gp"``, ``"nsga2"`` or ``"cmaes"``.
    directions
        ``"minimize"`` or ``"maximize"`` for each result of a trial.
    """

    def __init__(
        self,
        template: object,
        most: int,
        seed: int,
        *,
        sampler: str,
        directions: Sequence[Literal["minimize", "maximize"]],
        defaults: Sequence[dict[str, Any]] = (),
        constraint: Constraint | None = None,
        state: State | None = None,
    ) -> None:
        super().__init__(template, most, seed, defaults=defaults, constraint=constraint, state=state)
        self._sampler = sampler
        self._directions: list[Literal["minimize", "maximize"]] = list(directions)

    def _drawn(self, number: int, attempt: int) -> dict[str, Any]:
        if attempt >= _MOST_PROPOSALS:
            return super()._drawn(number, attempt)
        params, notes = self._proposed(f"{self._seed}/{number}/{attempt}")
        # Of what a sampler notes itself: the generations of NSGA-II and CMA-ES.
        return {"params": params, "notes": {key: note for key, note in notes.items() if isinstance(note, int)}}

    def _proposed(self, key: str) -> tuple[Params, Mapping[str, Any]]:
        """Ask for a trial; gives what the sampler noted of it, too."""
        study = self._study(key, [self._frozen(record) for record in self._trials if record["params"]])
        if self._sampler == "cmaes":
            return self._evolved(key, study)
        return self._ask(study)

    def _ask(self, study: optuna.Study) -> tuple[Params, Mapping[str, Any]]:
        params = self._chosen(_Asked(study.ask()))
        return params, study.get_trials(deepcopy=False)[-1].system_attrs

    def _evolved(self, key: str, whole: optuna.Study) -> tuple[Params, Mapping[str, Any]]:
        """Have CMA-ES live through its generations again, one with each question: what it makes of them is not stored.

        Optuna would keep its optimizer with the trials, pickled. Here it is handed on from question to question, and no
        further.
        """
        from optuna.trial import TrialState

        trials = whole.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        optimizer: dict[str, Any] = {}
        for generation in range(len(trials) + 1):
            known = [trial for trial in trials if trial.system_attrs.get(_GENERATION) == generation]
            params, notes = self._ask(self._study(key, [*known, *_bearer(trials[-1:], optimizer)]))
            optimizer = {name: note for name, note in notes.items() if name.startswith(_OPTIMIZER)}
            if not optimizer:
                break
        return params, notes

    def told(self, trial: int, epochs: float, results: Sequence[float], *, final: bool) -> None:
        record = self._trials[trial]
        record.setdefault("results", []).append([epochs, [_finite(value) for value in results]])
        record["final"] = final

    def failed(self, trial: int) -> None:
        self._trials[trial]["failed"] = True

    def _study(self, key: str, trials: Sequence[optuna.trial.FrozenTrial]) -> optuna.Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(directions=self._directions, sampler=_sampler(self._sampler, seed))
            study.add_trials(trials)
        return study

    def _frozen(self, record: Mapping[str, Any]) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        shapes = _Kinds.of(self._template, record["params"])
        reached = record.get("results", [])
        state, values = TrialState.RUNNING, None
        last = [value for value in reached[-1][1] if value is not None] if reached else []
        if record.get("failed") or (record.get("final") and len(last) < len(self._directions)):
            state = TrialState.FAIL
        elif record.get("final"):
            state, values = TrialState.COMPLETE, last
        elif reached and len(self._directions) == 1:
            state = TrialState.PRUNED
        steps = {round(epochs): values[0] for epochs, values in reached if values[0] is not None}
        return create_trial(
            state=state,
            values=values,
            params=record["params"],
            distributions=shapes,
            intermediate_values=steps if len(self._directions) == 1 else {},
            system_attrs=dict(record.get("notes", {})),
        )


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    if name == "tpe":
        return samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
    if name == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if name == "gp":
        return samplers.GPSampler(seed=seed)
    return samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)


def _bearer(trials: Sequence[optuna.trial.FrozenTrial], notes: Mapping[str, Any]) -> list[optuna.trial.FrozenTrial]:
    """Give a trial other notes: one of no generation, which the optimizer is read from."""
    from optuna.trial import create_trial

    return [
        create_trial(
            value=trial.value, params=trial.params, distributions=trial.distributions, system_attrs=dict(notes)
        )
        for trial in trials
    ]


class _Asked(Chooser):
    """Asks a trial of a study."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def pick(self, name: str, knob: List) -> int:
        return int(self._trial.suggest_categorical(name, range(len(knob.values))))

    def number(self, name: str, knob: Range) -> float:
        if knob.dtype == "int":
            step = 1 if knob.log else int(knob.step or 1)
            return self._trial.suggest_int(name, int(knob.start), int(knob.end), step=step, log=knob.log)
        return self._trial.suggest_float(name, knob.start, knob.end, step=knob.step, log=knob.log)


class _Kinds(Chooser):
    """Notes what kind of knob each name is."""

    def __init__(self, params: Mapping[str, float]) -> None:
        self._params = params
        self.kinds: dict[str, BaseDistribution] = {}

    @staticmethod
    def of(template: object, params: Mapping[str, float]) -> dict[str, BaseDistribution]:
        kinds = _Kinds(params)
        choose(template, kinds)
        return kinds.kinds

    def pick(self, name: str, knob: List) -> int:
        from optuna.distributions import CategoricalDistribution

        self.kinds[name] = CategoricalDistribution(range(len(knob.values)))
        return int(self._params[name])

    def number(self, name: str, knob: Range) -> float:
        from optuna.distributions import FloatDistribution, IntDistribution

        if knob.dtype == "int":
            step = 1 if knob.log else int(knob.step or 1)
            self.kinds[name] = IntDistribution(int(knob.start), int(knob.end), log=knob.log, step=step)
        else:
            self.kinds[name] = FloatDistribution(knob.start, knob.end, log=knob.log, step=knob.step)
        return self._params[name]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
