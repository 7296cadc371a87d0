"""Knobs: sets of values that one key of a config may take."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from rapidfire_lab.configs.scalars import LIMIT, describe, from_numpy, is_int, is_number
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    import random


class Knob(ABC):
    """What a generator (`GridSearch`, `RandomSearch`) replaces by one value."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Any:
        """Draw one value; `rng` is the only source of randomness."""


class List(Knob):
    """Alternatives for one key, all equally likely; a value may hold further knobs.

    Parameters
    ----------
    values
        At least one value, in the order in which a grid goes through them.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        # A set or dict iterates in an order that nobody wrote down, a string by its letters.
        if isinstance(values, str | bytes | Mapping | AbstractSet) or not isinstance(values, Iterable):
            raise ConfigError(f"List takes a list of values, not {describe(values)}: write List([...])")
        self.values: tuple[Any, ...] = tuple(from_numpy(value) for value in values)
        if not self.values:
            raise ConfigError("List needs at least one value: write List([value, ...])")

    def __repr__(self) -> str:
        return f"List({list(self.values)!r})"

    def sample(self, rng: random.Random) -> Any:
        """Draw one of the values; knobs inside it are left for the generator."""
        return rng.choice(self.values)


@dataclass(frozen=True)
class Range(Knob):
    """An interval of numbers with both ends included, for `RandomSearch`.

    Parameters
    ----------
    start, end
        The bounds, `start` below `end`.
    dtype
        "int" or "float"; taken from the bounds (and `step`) when not given.
    log
        Draw evenly over orders of magnitude; needs `start` above 0.
    step
        Draw only `start`, `start + step`, ... `end`; not together with `log`.
    """

    start: float
    end: float
    dtype: Literal["int", "float"] | None = None
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        numbers = {"start": self.start, "end": self.end}
        if self.step is not None:
            numbers["step"] = self.step
        numbers = {name: _finite(name, from_numpy(value)) for name, value in numbers.items()}
        dtype = self.dtype or ("int" if all(map(is_int, numbers.values())) else "float")
        if dtype not in ("int", "float"):
            raise ConfigError(f'Range dtype must be "int" or "float", not {describe(dtype)}')
        for name, value in numbers.items():
            object.__setattr__(self, name, _integer(name, value) if dtype == "int" else float(value))
        object.__setattr__(self, "dtype", dtype)
        self._check()

    def _check(self) -> None:
        if not self.start < self.end:
            raise ConfigError(f"Range start must be below end: start={self.start}, end={self.end}")
        if self.log and self.step is not None:
            raise ConfigError("Range takes log or step, not both: leave one of them out")
        if self.log and self.start <= 0:
            raise ConfigError(f"Range with log=True needs start above 0, not start={self.start}")
        if self.step is not None:
            self._check_step(self.step)

    def _check_step(self, step: float) -> None:
        if step <= 0:
            raise ConfigError(f"Range step must be above 0, not step={step}")
        if (steps := (_exact(self.end) - _exact(self.start)) / _exact(step)).denominator != 1:
            ends = [self.at(math.floor(steps)), self.at(math.ceil(steps))]
            raise ConfigError(
                f"Range step={step} does not lead from start={self.start} to end={self.end}: "
                f"write end={ends[0] if ends[0] > self.start else ends[1]}",
            )

    @property
    def size(self) -> int | None:
        """How many values there are; None when the interval is continuous."""
        if self.step is None and self.dtype == "float":
            return None
        return int((_exact(self.end) - _exact(self.start)) / _exact(self.step or 1)) + 1

    def at(self, index: int) -> float:
        """Give the value at a position of an interval that is not continuous."""
        value = _exact(self.start) + index * _exact(self.step or 1)
        return int(value) if self.dtype == "int" else float(value)

    def sample(self, rng: random.Random) -> float:
        """Draw a number of the interval."""
        if self.log:
            return self._sample_log(rng)
        if self.size is not None:
            return self.at(rng.randrange(self.size))
        return self._clamp(rng.uniform(self.start, self.end))

    def _sample_log(self, rng: random.Random) -> float:
        # Half a unit more at both ends gives the outermost integers their full share.
        margin = 0.5 if self.dtype == "int" else 0.0
        value = math.exp(rng.uniform(math.log(self.start - margin), math.log(self.end + margin)))
        return self._clamp(round(value) if self.dtype == "int" else value)

    def _clamp(self, value: float) -> float:
        return min(max(value, self.start), self.end)


def _finite(name: str, value: object) -> float:
    if not is_number(value) or not (is_int(value) or math.isfinite(value)):
        raise ConfigError(f"Range {name} must be a finite number, not {describe(value)}")
    if is_int(value) and abs(value) >= LIMIT:
        raise ConfigError(f"Range {name} must have at most 64 bits, not be {describe(value)}: write a float")
    return value


def _integer(name: str, value: float) -> int:
    if value == int(value):
        return int(_finite(name, int(value)))
    raise ConfigError(f'Range {name}={value} is no integer: write a whole number, or dtype="float"')


def _exact(value: float) -> Fraction:
    # The number as written: 0.1 + 2 * 0.1 is then 0.3, not 0.30000000000000004.
    return Fraction(repr(value))
