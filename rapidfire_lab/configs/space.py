"""The set of configs that a template with knobs in it stands for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.knobs import List, Range
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    import random

MAX_DEPTH = 32
"""Levels of dicts and lists in a config: all that goes through one recurses."""

_LONGEST_PATH = 60
_COUNTABLE = 1 << 63


def check_depth(value: object, path: str, depth: int = 0) -> None:
    """Raise when dicts, lists and knobs are nested deeper than `MAX_DEPTH`; comes before all else that recurses."""
    refuse_depth(path, depth)
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_depth(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, List | list | tuple):
        for index, item in enumerate(value.values if isinstance(value, List) else value):
            check_depth(item, f"{path}[{index}]", depth + 1)


def refuse_depth(path: str, depth: int) -> None:
    """Raise for a value that stands too many levels below the top."""
    if depth > MAX_DEPTH:
        shown = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}..."
        raise ConfigError(f"{shown!r} is nested over {MAX_DEPTH} levels deep: make it flatter")


def size(template: object) -> float:
    """Count the combinations, repeats included; infinite with a continuous range, or where nobody would count."""
    if isinstance(template, Range):
        return math.inf if template.size is None else template.size
    if isinstance(template, List):
        return sum(size(value) for value in template.values)
    product: float = 1
    for part in _parts(template):
        product *= size(part)
        if product >= _COUNTABLE:
            return math.inf
    return product


def width(template: object) -> int:
    """Count the values of one combination, of the largest where they differ."""
    if isinstance(template, List):
        return max(width(value) for value in template.values)
    return max(1, sum(width(part) for part in _parts(template)))


def combinations(template: object) -> Iterator[Any]:
    """Go through the whole of a finite space; the last knob varies fastest."""
    if isinstance(template, Range):
        yield from map(template.at, range(template.size or 0))
    elif isinstance(template, List):
        for value in template.values:
            yield from combinations(value)
    elif isinstance(template, Mapping | list | tuple):
        for parts in itertools.product(*(list(combinations(part)) for part in _parts(template))):
            yield _rebuilt(template, parts)
    else:
        yield template


def draw(template: object, rng: random.Random) -> Any:
    """Draw each knob on its own, the outer ones first."""
    if isinstance(template, Range):
        return template.sample(rng)
    if isinstance(template, List):
        return draw(template.sample(rng), rng)
    if isinstance(template, Mapping | list | tuple):
        return _rebuilt(template, [draw(part, rng) for part in _parts(template)])
    return template


def has_knobs(template: object) -> bool:
    """Whether a `List` or `Range` stands anywhere."""
    return isinstance(template, List | Range) or any(map(has_knobs, _parts(template)))


def ranges_in(template: object, path: str) -> Iterator[str]:
    """Give the paths at which a `Range` stands."""
    if isinstance(template, Range):
        yield path
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from ranges_in(value, f"{path}.{key}")
    elif isinstance(template, List | list | tuple):
        for value in template.values if isinstance(template, List) else template:
            yield from ranges_in(value, path)


def _parts(template: object) -> list[Any]:
    if isinstance(template, Mapping):
        return list(template.values())
    return list(template) if isinstance(template, list | tuple) else []


def _rebuilt(template: object, parts: Iterable[Any]) -> dict[Any, Any] | list[Any]:
    return dict(zip(template, parts, strict=True)) if isinstance(template, Mapping) else list(parts)
