"""Knobs drawn by chance, none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.configs.diff import identity
from rapidfire_lab.configs.space import combinations, size
from rapidfire_lab.search.space import Chance, Record, choose

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from typing import Any

    from rapidfire_lab.model.base import Knobs
    from rapidfire_lab.search.space import Params

MOST_MISSES = 100
"""Draws in vain before all that there are is looked through."""

_ENUMERABLE = 10_000


def drawn(space: Mapping[str, Any], rng: random.Random) -> tuple[Knobs, Params]:
    """Draw knobs; gives them with the numbers that they were made of."""
    record = Record({}, Chance(rng))
    return choose(space, record), record.params


def first_unseen(
    space: Mapping[str, Any], seen: set[str], draw: Callable[[], tuple[Knobs, Params]], rng: random.Random
) -> tuple[Knobs, Params | None] | None:
    """Draw knobs whose identity is not among those seen; None when there are no others.

    Where drawing hits only known ones, the rest is looked through, and what they were made of is not known.
    """
    is_small = size(space) <= _ENUMERABLE
    if is_small and len(seen) >= size(space):
        return None
    for _ in range(MOST_MISSES):
        knobs, params = draw()
        if identity(knobs) not in seen:
            return knobs, params
    left = [knobs for knobs in combinations(space) if identity(knobs) not in seen] if is_small else []
    return (rng.choice(left), None) if left else None
