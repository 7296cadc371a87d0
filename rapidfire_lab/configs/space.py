"""The set of configs that a template with knobs in it stands for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.knobs import List, Range

if TYPE_CHECKING:
    import random


def size(template: object) -> float:
    """Count the combinations, repeats included; infinite with a continuous range."""
    if isinstance(template, Range):
        return math.inf if template.size is None else template.size
    if isinstance(template, List):
        return sum(size(value) for value in template.values)
    factors = [size(part) for part in _parts(template)]
    # An endless factor first: a product of integers may be too large to become a float.
    return math.inf if math.inf in factors else math.prod(factors)


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
