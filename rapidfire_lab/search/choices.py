"""What of Optuna a search may use: samplers and pruners, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.knobs import List
from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.search.optuna_supply import SAMPLERS
from rapidfire_lab.search.pruned import PRUNERS, make_pruner
from rapidfire_lab.search.space import knobs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST_NUMBERS = 2
_OURS = {"halving": "ASHA", "successive_halving": "ASHA", "hyperband": "Hyperband", "racing": "PairedRacing"}


def checked_sampler(kind: str, sampler: str) -> str:
    """Give the name of a sampler that there is."""
    known = ("random", *SAMPLERS)
    if sampler not in known:
        raise ConfigError(f"{kind} has no sampler {sampler!r}; {did_you_mean(str(sampler), known)}")
    if sampler == "cmaes" and find_spec("cmaes") is None:
        raise ConfigError(
            f'{kind} sampler="cmaes" needs the package cmaes, which is not installed: '
            'pip install "rapidfire-lab[cmaes]"'
        )
    return sampler


def check_suits(kind: str, sampler: str, template: object, metrics: Sequence[object]) -> None:
    """Refuse a sampler that can do nothing with these knobs, or with so many metrics."""
    if sampler in ("gp", "cmaes") and len(metrics) > 1:
        raise ConfigError(f'{kind} sampler="{sampler}" takes one metric: use "tpe" or "nsga2" for several')
    if sampler != "cmaes":
        return
    knobs = knobs_of(template)
    lists = [name or "the list of configs" for name, knob in knobs if isinstance(knob, List)]
    if lists:
        raise ConfigError(
            f'{kind} sampler="cmaes" moves numbers alone: write a Range instead of the List at {lists[0]!r}, '
            'or use "tpe"'
        )
    if len(knobs) < _FEWEST_NUMBERS:
        raise ConfigError(f'{kind} sampler="cmaes" needs {_FEWEST_NUMBERS} knobs or more: with one, use "tpe" or "gp"')


def checked_pruner(kind: str, pruner: object) -> dict[str, Any] | None:
    """Give a pruner as ``{"name": ..., "args": ...}``."""
    if pruner is None:
        return None
    written = pruner if isinstance(pruner, Mapping) else {"name": pruner}
    name, arguments = written.get("name"), written.get("args", {})
    if set(written) - {"name", "args"} or not isinstance(name, str) or not isinstance(arguments, Mapping):
        raise ConfigError(
            f'{kind} pruner must be a name or {{"name": ..., "args": {{...}}}}, not {describe(pruner)}',
        )
    if name in _OURS:
        raise ConfigError(f"{kind} has no pruner {name!r}: use {_OURS[name]}, with a sampler if you like")
    if name not in PRUNERS:
        raise ConfigError(f"{kind} has no pruner {name!r}; {did_you_mean(name, PRUNERS)}")
    found = {"name": name, "args": dict(arguments)}
    try:
        make_pruner(found)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{kind} pruner {name!r} cannot be made of {dict(arguments)!r}: {error}") from error
    return found
