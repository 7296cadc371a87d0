"""Where the configs of trials come from: a list that was made at the start, or a sampler that learns."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import normalise
from rapidfire_lab.configs.diff import identity
from rapidfire_lab.search.searcher import State, Supply
from rapidfire_lab.search.space import Chance, Neighbour, Record, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rapidfire_lab.search.space import Chooser, Params

    Constraint = Callable[[Mapping[str, Any]], object]

MOST_TRIES = 100
"""Choices in vain, because of a constraint or as there is such a trial already, before there are no more trials."""


class Listed(Supply):
    """Trials of which all configs are known from the start."""

    def __init__(self, leaves: Sequence[dict[str, Any]], state: State | None = None) -> None:
        super().__init__(state)
        self._leaves = leaves
        self.state.setdefault("taken", 0)

    def take(self) -> int | None:
        trial: int = self.state["taken"]
        if trial >= len(self._leaves):
            return None
        self.state["taken"] += 1
        return trial

    def config(self, trial: int) -> dict[str, Any]:
        return self._leaves[trial]

    def told(self, trial: int, epochs: float, results: Sequence[float], *, final: bool) -> None:
        """Nothing follows: the configs do not depend on results."""

    def failed(self, trial: int) -> None:
        """Nothing follows."""


class Drawn(Supply):
    """Trials whose configs are chosen one by one from a template; here by chance.

    Parameters
    ----------
    template
        Config with knobs.
    most
        Trials that are taken at most; variations come on top.
    defaults
        Canonical configs that are tried first.
    constraint
        Says of a canonical config whether it may be tried.
    """

    def __init__(
        self,
        template: object,
        most: int,
        seed: int,
        *,
        defaults: Sequence[dict[str, Any]] = (),
        constraint: Constraint | None = None,
        state: State | None = None,
    ) -> None:
        super().__init__(state)
        self._template = template
        self._most = most
        self._seed = seed
        self._defaults = defaults
        self._constraint = constraint
        self.state.setdefault("trials", [])
        self.state.setdefault("taken", 0)
        self._configs: dict[int, dict[str, Any]] = {}
        self._identities: set[str] = set()
        self._identified = 0

    @property
    def _trials(self) -> list[dict[str, Any]]:
        trials: list[dict[str, Any]] = self.state["trials"]
        return trials

    def take(self) -> int | None:
        number = len(self._trials)
        if self.state["taken"] >= self._most:
            return None
        if self.state["taken"] < len(self._defaults):
            self._add({"params": None, "default": self.state["taken"]})
        elif not self._take_new(number):
            self.state["taken"] = self._most
            return None
        self.state["taken"] += 1
        return number

    def _take_new(self, number: int) -> bool:
        known = self._known_identities()
        for attempt in range(MOST_TRIES):
            trial = self._drawn(number, attempt)
            config = self._config_of(trial)
            if identity(config) not in known and self._is_allowed(config):
                self._add(trial)
                return True
        return False

    def _known_identities(self) -> set[str]:
        """Of all trials that there are; each is looked at once."""
        for trial in range(self._identified, len(self._trials)):
            self._identities.add(identity(self.config(trial)))
        self._identified = len(self._trials)
        return self._identities

    def _drawn(self, number: int, attempt: int) -> dict[str, Any]:
        return {"params": self._chosen(Chance(random.Random(f"{self._seed}/{number}/{attempt}")))}

    def _chosen(self, chooser: Chooser) -> Params:
        record = Record({}, chooser)
        choose(self._template, record)
        return record.params

    def _add(self, trial: dict[str, Any]) -> None:
        self._trials.append(trial)

    def _is_allowed(self, config: Mapping[str, Any]) -> bool:
        return self._constraint is None or bool(self._constraint(config))

    def varied(self, trial: int, rng: random.Random) -> int:
        params = self._trials[trial]["params"] or {}
        for _ in range(MOST_TRIES):
            found = {"params": self._chosen(Neighbour(params, rng))}
            if self._is_allowed(self._config_of(found)):
                break
        else:
            found = {"params": params}
        self._add(found)
        return len(self._trials) - 1

    def config(self, trial: int) -> dict[str, Any]:
        if trial not in self._configs:
            self._configs[trial] = self._config_of(self._trials[trial])
        return self._configs[trial]

    def told(self, trial: int, epochs: float, results: Sequence[float], *, final: bool) -> None:
        """Nothing follows: the configs do not depend on results."""

    def failed(self, trial: int) -> None:
        """Nothing follows."""

    def _config_of(self, trial: Mapping[str, Any]) -> dict[str, Any]:
        if trial["params"] is None:
            default: dict[str, Any] = self._defaults[trial["default"]]
            return default
        # What the record lacks, a template without that knob does not ask for.
        return normalise(choose(self._template, Record(trial["params"], Chance(random.Random(self._seed)))))
