"""Knobs as config sets: what `GridSearch` and `RandomSearch` go through, and back again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.draws import DistinctDraws
from rapidfire_lab.configs.groups import MAX_GRID
from rapidfire_lab.configs.knobs import List, Range
from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.configs.space import combinations, has_knobs, ranges_in, size
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.knobs import (
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobValue,
    PolicyKnob,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rapidfire_lab.model.base import KnobConfig, Knobs

LEAST = 1e-12
"""Lower bound of a `FloatKnob` with ``is_exp`` that begins at 0, which no order of magnitude does."""

_MOST_STEPS = 1_000


def to_space(knob_config: KnobConfig) -> dict[str, Any]:
    """Give the config set that a knob config stands for: a dict with `List` and `Range` in it.

    A `CategoricalKnob` becomes a `List`; an `IntegerKnob` or `FloatKnob` a `Range`, with ``log`` for ``is_exp`` where
    there is a logarithm, or its only value; a `FixedKnob` its value; an `ArchKnob` a list with a `List` per place; a
    `PolicyKnob` False, which policies are unless an advisor makes use of them.

    Raises
    ------
    ConfigError
        When a knob is of another type.
    """
    return {name: _to_part(name, knob) for name, knob in knob_config.items()}


def to_knob_config(space: Mapping[str, Any]) -> KnobConfig:
    """Give the knob config that a config set stands for.

    The other way round than `to_space`: plain values become a `FixedKnob`, and a `Range` with ``step`` a
    `CategoricalKnob` of its values. Places of an `ArchKnob` share no `KnobValue`.

    Raises
    ------
    ConfigError
        When a value has no knob that stands for it; the message names its key.
    """
    knobs = {}
    for name, value in space.items():
        with _named(f"{name!r} cannot become a knob"):
            knobs[name] = _to_knob(value)
    return knobs


def all_choices(knob_config: KnobConfig) -> list[Knobs]:
    """Give all combinations of knobs, the one written last varying fastest, as a grid goes through them.

    Raises
    ------
    ConfigError
        When a knob is an interval, or there are over 100,000.
    """
    space = to_space(knob_config)
    for name in ranges_in(space, "knobs"):
        raise ConfigError(f"{name!r} is an interval, which a grid cannot go through: write CategoricalKnob([...])")
    if size(space) > MAX_GRID:
        raise ConfigError(f"the knobs have {size(space)} combinations, over {MAX_GRID}: draw some of them")
    return list(combinations(space))


def random_choices(knob_config: KnobConfig, num_runs: int, seed: int = 42) -> list[Knobs]:
    """Draw distinct choices of knobs; the same seed gives the same ones.

    Raises
    ------
    ConfigError
        When there are not as many.
    """
    return DistinctDraws(to_space(knob_config), num_runs, seed, dict).configs()


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: {error}") from None


def _to_part(name: str, knob: BaseKnob) -> Any:
    if isinstance(knob, CategoricalKnob):
        return List(_plain(knob.values))
    if isinstance(knob, FixedKnob):
        return knob.value.value
    if isinstance(knob, PolicyKnob):
        return False
    if isinstance(knob, IntegerKnob | FloatKnob):
        with _named(f"the knob {name!r}"):
            return _to_range(knob)
    if isinstance(knob, ArchKnob):
        return [List(_plain(candidates)) for candidates in knob.items]
    raise ConfigError(f"the knob {name!r} is a {type(knob).__name__}, which no config set stands for")


def _to_range(knob: IntegerKnob | FloatKnob) -> Any:
    low: float = knob.value_min
    if isinstance(knob, FloatKnob) and knob.is_exp and low == 0:
        low = min(LEAST, knob.value_max)
    if low == knob.value_max:
        return low
    return Range(
        low, knob.value_max, dtype="int" if isinstance(knob, IntegerKnob) else "float", log=knob.is_exp and low > 0
    )


def _to_knob(value: object) -> BaseKnob:
    if isinstance(value, List):
        return CategoricalKnob(list(value.values))
    if isinstance(value, Range):
        return _from_range(value)
    if isinstance(value, list | tuple):
        return ArchKnob([_candidates(item) for item in value])
    if has_knobs(value):
        raise ConfigError(f"knobs within knobs have no equal: {describe(value)}")
    return FixedKnob(value)  # type: ignore[arg-type]  # it checks by itself


def _candidates(item: object) -> list[Any]:
    if isinstance(item, Range):
        raise ConfigError("a Range stands in a list, where only List can: write List([...])")
    return list(item.values) if isinstance(item, List) else [item]


def _from_range(value: Range) -> BaseKnob:
    if value.step is not None:
        if value.size is None or value.size > _MOST_STEPS:
            raise ConfigError(f"a Range with step and over {_MOST_STEPS} values: leave out step")
        return CategoricalKnob([value.at(place) for place in range(value.size)])
    if value.dtype == "int":
        return IntegerKnob(int(value.start), int(value.end), value.log)
    return FloatKnob(value.start, value.end, value.log)


def _plain(values: list[KnobValue]) -> list[Any]:
    return [value.value for value in values]
