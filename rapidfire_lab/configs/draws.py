"""Distinct draws from the space of a template."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.diff import identity
from rapidfire_lab.configs.space import combinations, draw, size
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_ENUMERABLE = 10_000
_MAX_MISSES = 1_000


@dataclass(frozen=True)
class DistinctDraws:
    """``num_runs`` configs, no two alike, in the order of drawing; ``finish`` makes a config of a draw.

    At most ``most_wasted`` draws give what there is already, and no more are gone through to find the rest.
    """

    template: object
    num_runs: int
    seed: int
    finish: Callable[[Any], dict[str, Any]]
    most_wasted: float = math.inf

    def configs(self) -> list[dict[str, Any]]:
        """Draw them: the same ones at each call.

        Raises
        ------
        ConfigError
            When there are not as many.
        """
        rng = random.Random(self.seed)
        found = self._draw(rng)
        if len(found) < self.num_runs:
            self._top_up(found, rng)
        return list(found.values())

    def _draw(self, rng: random.Random) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        wanted = min(self.num_runs, size(self.template))
        misses = wasted = 0
        while len(found) < wanted and misses < _MAX_MISSES and wasted < self.most_wasted:
            config = self.finish(draw(self.template, rng))
            missed = found.setdefault(identity(config), config) is not config
            misses = misses + 1 if missed else 0
            wasted += missed
        return found

    def _top_up(self, found: dict[str, dict[str, Any]], rng: random.Random) -> None:
        """Add the rest from a list of all configs, where drawing hits only known ones."""
        if size(self.template) > min(_ENUMERABLE, self.most_wasted):
            raise ConfigError(self._too_few(len(found), "about "))
        everything = {identity(config): config for config in map(self.finish, combinations(self.template))}
        if len(everything) < self.num_runs:
            raise ConfigError(self._too_few(len(everything)))
        rest = [key for key in everything if key not in found]
        found.update((key, everything[key]) for key in rng.sample(rest, self.num_runs - len(found)))

    def _too_few(self, count: int, about: str = "") -> str:
        return (
            f"num_runs={self.num_runs}, but the knobs give only {about}{count} distinct configs: "
            "lower num_runs or widen a List or Range"
        )
