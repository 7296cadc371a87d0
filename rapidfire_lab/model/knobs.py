"""Knobs: what a model template leaves open, one object per knob name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, Union

from rapidfire_lab.configs.scalars import describe, from_numpy, is_int, is_number
from rapidfire_lab.configs.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

Number = TypeVar("Number", int, float)

POLICIES = ["SHARE_PARAMS", "EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE"]


class KnobValue:
    """A value that a knob may take.

    Parameters
    ----------
    value
        An int, float, bool or str. In an `ArchKnob`, one object used at several places means the same thing at all
        of them, while two objects of equal value may mean two things.

    Raises
    ------
    TypeError
        When the value is of another type.
    """

    def __init__(self, value: str | float | bool) -> None:
        value = from_numpy(value)
        if not isinstance(value, bool | int | float | str):
            raise TypeError(f"a knob's value must be an int, float, bool or str, not {describe(value)}")
        self._value = value
        self._dtype = next(dtype for dtype in (bool, int, float, str) if isinstance(value, dtype))

    def __repr__(self) -> str:
        return f"KnobValue({self._value!r})"

    @property
    def value(self) -> str | float | bool:
        """The value itself."""
        return self._value

    @property
    def dtype(self) -> type:
        """Its type: bool, int, float or str."""
        return self._dtype


CategoricalValue: TypeAlias = Union[str, int, float, bool, KnobValue]  # noqa: UP007 - what users annotate with


class BaseKnob(ABC):
    """The base class of all knobs."""

    @property
    @abstractmethod
    def value_type(self) -> type:
        """The type of a realised value."""


class CategoricalKnob(BaseKnob):
    """One of several values.

    Parameters
    ----------
    values
        At least one value; all ints, floats, bools or strs (bools may stand among ints).

    Raises
    ------
    ValueError
        When there is none.
    TypeError
        When their types differ.
    """

    def __init__(self, values: list[CategoricalValue]) -> None:
        self._values = _wrapped(values)
        if not self._values:
            raise ValueError("CategoricalKnob needs at least one value: write CategoricalKnob([value, ...])")
        dtypes = {value.dtype for value in self._values}
        if len(dtypes) > 1 and dtypes != {bool, int}:
            names = ", ".join(sorted(dtype.__name__ for dtype in dtypes))
            raise TypeError(f"CategoricalKnob values must be of one type, not of {names}: {self!r}")
        self._value_type = int if len(dtypes) > 1 else self._values[0].dtype

    def __repr__(self) -> str:
        return f"CategoricalKnob({[value.value for value in self._values]!r})"

    @property
    def value_type(self) -> type:
        """The type of the values; int when there are bools among ints."""
        return self._value_type

    @property
    def values(self) -> list[KnobValue]:
        """The values, each wrapped."""
        return self._values


class FixedKnob(BaseKnob):
    """A value that is not tuned.

    Parameters
    ----------
    value
        An int, float, bool or str.
    """

    def __init__(self, value: CategoricalValue) -> None:
        (self._value,) = _wrapped([value])

    def __repr__(self) -> str:
        return f"FixedKnob({self._value.value!r})"

    @property
    def value_type(self) -> type:
        """The type of the value."""
        return self._value.dtype

    @property
    def value(self) -> KnobValue:
        """The value, wrapped."""
        return self._value


class PolicyKnob(BaseKnob):
    """Whether a policy is switched on: True or False, False unless the advisor makes use of it.

    Parameters
    ----------
    policy
        ``SHARE_PARAMS`` (load ``shared_params``), ``EARLY_STOP`` (end training early), ``SKIP_TRAIN`` (do not change
        parameters), ``QUICK_EVAL`` (evaluate on a part of the data) or ``DOWNSCALE`` (build a smaller model).

    Raises
    ------
    ValueError
        When there is no such policy.
    """

    def __init__(self, policy: str) -> None:
        if policy not in POLICIES:
            raise ValueError(f"PolicyKnob has no policy {describe(policy)}; {did_you_mean(str(policy), POLICIES)}")
        self._policy = policy

    def __repr__(self) -> str:
        return f"PolicyKnob({self._policy!r})"

    @property
    def value_type(self) -> type:
        """Always bool."""
        return bool

    @property
    def policy(self) -> str:
        """The name of the policy."""
        return self._policy


class IntervalKnob(BaseKnob, Generic[Number]):
    """What `IntegerKnob` and `FloatKnob` share."""

    def __init__(self, low: Number, high: Number, is_exp: object) -> None:
        if low > high:
            name = type(self).__name__
            raise ValueError(f"{name} value_min must not be above value_max: value_min={low}, value_max={high}")
        self._low: Number = low
        self._high: Number = high
        # Model files pass a step or a third bound here, which counts as yes.
        self._is_exp = bool(is_exp)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._low}, {self._high}{', is_exp=True' if self._is_exp else ''})"

    @property
    def value_min(self) -> Number:
        """The least value."""
        return self._low

    @property
    def value_max(self) -> Number:
        """The greatest value."""
        return self._high

    @property
    def is_exp(self) -> bool:
        """Whether to draw evenly over orders of magnitude."""
        return self._is_exp


class IntegerKnob(IntervalKnob[int]):
    """A whole number of an interval, both ends included.

    Parameters
    ----------
    value_min, value_max
        The bounds, which may be equal.
    is_exp
        Draw evenly over orders of magnitude, where ``value_min`` is 1 or more.

    Raises
    ------
    ValueError
        When a bound is no int, or they are the wrong way round.
    """

    def __init__(self, value_min: int, value_max: int, is_exp: bool = False) -> None:
        super().__init__(_integer("value_min", value_min), _integer("value_max", value_max), is_exp)

    @property
    def value_type(self) -> type:
        """Always int."""
        return int


class FloatKnob(IntervalKnob[float]):
    """A number of an interval.

    Parameters
    ----------
    value_min, value_max
        The bounds, which may be equal; ints become floats.
    is_exp
        Draw evenly over orders of magnitude, where ``value_min`` is not negative.

    Raises
    ------
    ValueError
        When a bound is no finite number, or they are the wrong way round.
    """

    def __init__(self, value_min: float, value_max: float, is_exp: bool = False) -> None:
        super().__init__(_finite("value_min", value_min), _finite("value_max", value_max), is_exp)

    @property
    def value_type(self) -> type:
        """Always float."""
        return float


class ArchKnob(BaseKnob):
    """Part of an architecture: a list of values, one for each place.

    Parameters
    ----------
    items
        For each place the list of its candidates, which may be of any types. What is chosen at a place may depend on
        what is chosen before it.

    Raises
    ------
    ValueError
        When a place has no candidate.
    """

    def __init__(self, items: list[list[CategoricalValue]]) -> None:
        self._items = [_wrapped(candidates) for candidates in items]
        for place, candidates in enumerate(self._items):
            if not candidates:
                raise ValueError(f"ArchKnob items[{place}] is empty: write at least one candidate for each place")

    def __repr__(self) -> str:
        return f"ArchKnob({[[value.value for value in candidates] for candidates in self._items]!r})"

    def __len__(self) -> int:
        return len(self._items)

    @property
    def value_type(self) -> type:
        """Always list."""
        return list

    @property
    def items(self) -> list[list[KnobValue]]:
        """The candidates of each place, each wrapped."""
        return self._items


def _wrapped(values: Iterable[CategoricalValue]) -> list[KnobValue]:
    return [value if isinstance(value, KnobValue) else KnobValue(value) for value in values]


def _integer(name: str, value: object) -> int:
    value = from_numpy(value)
    if is_int(value):
        return value
    raise ValueError(f"IntegerKnob {name} must be an int, not {describe(value)}")


def _finite(name: str, value: object) -> float:
    value = from_numpy(value)
    if is_number(value) and math.isfinite(value):
        return float(value)
    raise ValueError(f"FloatKnob {name} must be a finite number, not {describe(value)}")
