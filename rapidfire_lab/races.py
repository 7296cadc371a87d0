"""How races between runs stand, as displays and the server's answers show it."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from rapidfire_lab.search.racing import PairedRace, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.journal import ExperimentRecord, JournalReader, PolicyRecord

_MOST_CACHED = 64
Value = TypeVar("Value")


class Interval(msgspec.Struct, kw_only=True):
    """A run held against the best one; the fields are those of the REST API (``docs/openapi.yaml``)."""

    run_id: int
    places: int
    difference: float
    low: float | None
    high: float | None


class Race(msgspec.Struct, kw_only=True):
    """A search by `PairedRacing`, as it stands."""

    search: str
    metric: str
    mode: str
    confidence: float
    best: int | None
    intervals: list[Interval]


class _Rules(NamedTuple):
    metric: str
    mode: str
    arguments: dict[str, Any]


_lock = threading.Lock()
_rules: OrderedDict[tuple[object, ...], _Rules | None] = OrderedDict()
_standings: OrderedDict[tuple[object, ...], Standing] = OrderedDict()


def races_of(journal: JournalReader, experiment: ExperimentRecord) -> list[Race]:
    """Races of an experiment, in the order in which they began."""
    place = (experiment.path, experiment.created)
    trials: dict[tuple[str, int], int] | None = None
    races = []
    for policy in journal.policies(experiment.id):
        rules = _kept(_rules, (*place, policy.id), _rules_of, policy)
        if rules is not None:
            trials = journal.trials(experiment.id) if trials is None else trials
            standing = _kept(_standings, (*place, policy.id, policy.commits), _standing, policy, rules)
            races.append(_race(policy, rules, standing, trials))
    return races


def _kept(
    cache: OrderedDict[tuple[object, ...], Value],
    place: tuple[object, ...],
    make: Callable[..., Value],
    *arguments: object,
) -> Value:
    """What does not change any more at its place: the rules of a search, its standing after a decision."""
    with _lock:
        if place not in cache:
            cache[place] = make(*arguments)
            if len(cache) > _MOST_CACHED:
                cache.popitem(last=False)
        return cache[place]


def _rules_of(policy: PolicyRecord) -> _Rules | None:
    """None for a policy that is no race."""
    if policy.definition is None:
        return None
    definition = json.loads(policy.definition)
    arguments = dict(definition.get("algorithm", {}))  # a tuning has an advisor
    if arguments.pop("kind", None) != "race":
        return None
    [[metric, mode]] = definition["metrics"]
    return _Rules(metric, mode, arguments)


def _standing(policy: PolicyRecord, rules: _Rules) -> Standing:
    return PairedRace(**rules.arguments, state=json.loads(policy.state).get("algorithm", {})).standing()


def _race(policy: PolicyRecord, rules: _Rules, standing: Standing, trials: dict[tuple[str, int], int]) -> Race:
    run_ids = {trial: run_id for (search, trial), run_id in trials.items() if search == policy.name}
    sign = 1 if rules.mode == "min" else -1
    differences = [(run_ids[trial], found) for trial, found in standing.differences.items() if trial in run_ids]
    return Race(
        search=policy.name,
        metric=rules.metric,
        mode=rules.mode,
        confidence=rules.arguments["confidence"],
        best=None if standing.best is None else run_ids.get(standing.best),
        intervals=[_interval(run_id, found, sign) for run_id, found in differences],
    )


def _interval(run_id: int, difference: tuple[int, float, float, float], sign: int) -> Interval:
    """In the metric's own units, where the search has costs."""
    places, mean, *ends = difference
    low, high = sorted(sign * end for end in ends)
    return Interval(run_id=run_id, places=places, difference=sign * mean, low=_finite(low), high=_finite(high))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
