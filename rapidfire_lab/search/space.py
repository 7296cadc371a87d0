"""Choosing one config of a template with knobs, by whoever chooses: chance, Optuna, a record, or a neighbour's values.

A knob inside the value of a `List` exists only where that value is taken: its name has the number of the value in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.knobs import List, Range

if TYPE_CHECKING:
    import random

Params = dict[str, float]
"""What was chosen, by the names of knobs: the value of a `Range`, or the number of a value of a `List`."""


class Chooser(ABC):
    """Who says what the knobs are to be."""

    @abstractmethod
    def pick(self, name: str, knob: List) -> int:
        """Choose the number of a value, from 0."""

    @abstractmethod
    def number(self, name: str, knob: Range) -> float:
        """Choose a number of an interval."""


def choose(template: object, chooser: Chooser, name: str = "") -> Any:
    """Give the config that ``chooser`` makes of a template; it is asked about outer knobs first."""
    if isinstance(template, Range):
        return chooser.number(name, template)
    if isinstance(template, List):
        index = chooser.pick(name, template)
        return choose(template.values[index], chooser, f"{name}[{index}]")
    if isinstance(template, Mapping):
        return {key: choose(value, chooser, f"{name}.{key}" if name else str(key)) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [choose(value, chooser, f"{name}({index})") for index, value in enumerate(template)]
    return template


class Chance(Chooser):
    """Draws, as `RandomSearch` does."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def pick(self, name: str, knob: List) -> int:  # noqa: ARG002
        return self._rng.randrange(len(knob.values))

    def number(self, name: str, knob: Range) -> float:  # noqa: ARG002
        return knob.sample(self._rng)


class Record(Chooser):
    """Does what was chosen before, or what another one says where nothing was; ``params`` has it all."""

    def __init__(self, params: Params, other: Chooser) -> None:
        self._known = params
        self._other = other
        self.params: Params = {}

    def pick(self, name: str, knob: List) -> int:
        known = self._known.get(name)
        self.params[name] = index = self._other.pick(name, knob) if known is None else int(known)
        return index

    def number(self, name: str, knob: Range) -> float:
        known = self._known.get(name)
        self.params[name] = value = self._other.number(name, knob) if known is None else known
        return value


class Neighbour(Chooser):
    """Moves knobs a little, as population based training explores: by a fifth, or to the next value of a list.

    One in four is drawn anew. Lists whose values hold knobs, or are no plain values, stay as they are.
    """

    def __init__(self, params: Params, rng: random.Random) -> None:
        self._params = params
        self._rng = rng
        self._chance = Chance(rng)

    def pick(self, name: str, knob: List) -> int:
        known = self._params.get(name)
        if known is None:
            return self._chance.pick(name, knob)
        if any(isinstance(value, Mapping | List | Range | list | tuple) for value in knob.values):
            return int(known)
        if self._is_anew():
            return self._chance.pick(name, knob)
        return min(max(int(known) + self._rng.choice((-1, 1)), 0), len(knob.values) - 1)

    def number(self, name: str, knob: Range) -> float:
        known = self._params.get(name)
        if known is None or self._is_anew():
            return self._chance.number(name, knob)
        up = self._rng.random() < 0.5  # noqa: PLR2004 - a fair coin
        step = knob.step or (max(1, round(0.2 * abs(known))) if knob.dtype == "int" else None)
        moved = known * (1.25 if up else 0.8) if step is None else known + (step if up else -step)
        held: float = min(max(moved, knob.start), knob.end)
        return held

    def _is_anew(self) -> bool:
        return self._rng.random() < 0.25  # noqa: PLR2004 - of Jaderberg et al. 2017


def knobs_of(template: object, name: str = "") -> list[tuple[str, List | Range]]:
    """All knobs that there may be, with their names."""
    own: list[tuple[str, List | Range]] = [(name, template)] if isinstance(template, List | Range) else []
    if isinstance(template, Mapping):
        parts = [(f"{name}.{key}" if name else str(key), value) for key, value in template.items()]
    elif isinstance(template, List):
        parts = [(f"{name}[{index}]", value) for index, value in enumerate(template.values)]
    elif isinstance(template, list | tuple):
        parts = [(f"{name}({index})", value) for index, value in enumerate(template)]
    else:
        parts = []
    return own + [found for part, value in parts for found in knobs_of(value, part)]
