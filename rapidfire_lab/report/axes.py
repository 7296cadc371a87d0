"""Where values stand on an axis of a drawing, as in the charts of the dashboard."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.display.table import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG_RATIO = 30
_MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """A knob or metric from 0, the start of its axis, to 1.

    ``places`` has one entry for each value, None for one that has no place.
    """

    name: str
    places: list[float | None]
    ticks: list[tuple[float, str]]


def axis_of(name: str, values: Sequence[Any]) -> Axis:
    """Choose the axis that suits the values; None stands for a value that is not there."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        return _numbers(name, values, [float(value) for value in there])
    return _words(name, values)


def _numbers(name: str, values: Sequence[Any], there: Sequence[float]) -> Axis:
    low, high = min(there), max(there)
    is_log = low > 0 and high / low >= _LOG_RATIO
    start, end = (math.log10(low), math.log10(high)) if is_log else (low, high)

    def place(value: float) -> float:
        at = math.log10(value) if is_log else value
        return (at - start) / (end - start) if end > start else 0.5

    own = sorted(set(there))
    if len(own) > _MOST_TICKS:
        middle = math.sqrt(low * high) if is_log else (low + high) / 2
        own = [low, middle, high]
    places = [None if value is None else place(float(value)) for value in values]
    return Axis(name, places, [(place(value), format_value(value)) for value in own])


def _words(name: str, values: Sequence[Any]) -> Axis:
    words = sorted({format_value(value) for value in values if value is not None})
    at = {word: index / (len(words) - 1) if len(words) > 1 else 0.5 for index, word in enumerate(words)}
    step = max(1, math.ceil(len(words) / _MOST_TICKS))
    places = [None if value is None else at[format_value(value)] for value in values]
    return Axis(name, places, [(at[word], word) for word in words[::step]])
