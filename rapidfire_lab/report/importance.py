"""Which knobs mattered: PED-ANOVA of Optuna over all runs, at an epoch that most of them have reached.

PED-ANOVA (Watanabe et al. 2023) asks how differently the best runs and all runs are spread over a knob. It needs
neither a model nor scikit-learn, as fANOVA would, and gives knobs their due that only some configs have.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.diff import get_path
from rapidfire_lab.configs.secrets import hide_secret_at
from rapidfire_lab.rows import read_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna
    from optuna.distributions import BaseDistribution

    from rapidfire_lab.journal import JournalReader, RunRecord

FEWEST_RUNS = 8
_FEWEST_BEST = 5
"""Runs that count as the best, at least: with fewer the method says little."""
_BEST_SHARE = 0.1
_LOG_RATIO = 30
"""A ratio of largest to smallest value from which on a knob is looked at on a logarithmic axis, as in charts."""
_ABSENT = object()


@dataclass(frozen=True)
class Importance:
    """Shares of knobs in what made runs good; they add up to 1.

    Attributes
    ----------
    epoch
        Runs were compared after this one; 0 where they were not.
    runs
        How many were compared.
    reason
        Why there are no shares; empty where there are.
    """

    shares: dict[str, float] = field(default_factory=dict)
    epoch: int = 0
    runs: int = 0
    reason: str = ""


def weigh(
    journal: JournalReader, runs: Sequence[RunRecord], knobs: Sequence[str], metric: str, mode: str
) -> Importance:
    """Tell how much each knob mattered."""
    if not knobs:
        return Importance(reason="no knob differs between the runs")
    epoch = _common_epoch(runs)
    values = _values(journal, runs, metric, epoch)
    known = [run for run in runs if run.id in values]
    if len(known) < FEWEST_RUNS:
        return Importance(
            reason=f"it takes {FEWEST_RUNS} runs with the same number of epochs, and there are {len(known)}"
        )
    configs = [_knobs_of(run, knobs) for run in known]
    shares = _ped_anova(configs, [values[run.id] for run in known], mode)
    return Importance(shares=shares, epoch=epoch, runs=len(known))


def _common_epoch(runs: Sequence[RunRecord]) -> int:
    """The last epoch that half of the runs have come to: what was dropped early is not compared with what has grown."""
    come = sorted((run.completed_epochs for run in runs if run.completed_epochs), reverse=True)
    return come[(len(come) - 1) // 2] if come else 0


def _values(journal: JournalReader, runs: Sequence[RunRecord], metric: str, epoch: int) -> dict[int, float]:
    identifier = journal.metric_id(metric, "epoch")
    if identifier is None or not epoch:
        return {}
    places = [(run.id, epoch * run.steps_per_epoch) for run in runs]
    found = journal.values_at(identifier, places)
    return {key: value for key, value in found if value is not None and math.isfinite(value)}


def _knobs_of(run: RunRecord, knobs: Sequence[str]) -> dict[str, Any]:
    """Values of the knobs that a run has."""
    leaf = read_leaf(run.config) or {}
    found = {name: hide_secret_at(name, get_path(leaf, name, _ABSENT)) for name in knobs}
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _ped_anova(configs: Sequence[Mapping[str, Any]], values: Sequence[float], mode: str) -> dict[str, float]:
    import optuna

    kinds = {name: _kind([config[name] for config in configs if name in config]) for name in _names(configs)}
    quantile = min(0.5, max(_BEST_SHARE, _FEWEST_BEST / len(values)))
    with warnings.catch_warnings():
        # Experimental in some versions; and of few runs it says that it knows little, as do we.
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            study = optuna.create_study(direction="minimize" if mode == "min" else "maximize")
            study.add_trials([_trial(config, kinds, value) for config, value in zip(configs, values, strict=True)])
            evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
            shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        finally:
            optuna.logging.set_verbosity(verbosity)
    return {name: float(share) for name, share in shares.items()}


def _names(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for config in configs for name in config))


def _kind(values: Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if all(map(_is_number, values)):
        low, high = float(min(values)), float(max(values))
        return FloatDistribution(low, high, log=low > 0 and high / low >= _LOG_RATIO)
    return CategoricalDistribution(sorted({json.dumps(value, sort_keys=True) for value in values}))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _trial(config: Mapping[str, Any], kinds: Mapping[str, BaseDistribution], value: float) -> optuna.trial.FrozenTrial:
    from optuna.distributions import FloatDistribution
    from optuna.trial import create_trial

    params = {
        name: float(knob) if isinstance(kinds[name], FloatDistribution) else json.dumps(knob, sort_keys=True)
        for name, knob in config.items()
    }
    return create_trial(value=value, params=params, distributions={name: kinds[name] for name in config})
