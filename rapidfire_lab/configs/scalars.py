"""Numbers as configs hold them: Python's own, never a bool in an integer's place."""

from __future__ import annotations

import math
import reprlib
from typing import Any, TypeGuard

from rapidfire_lab.errors import ConfigError

LIMIT = 1 << 63
"""Whole numbers lie from ``-LIMIT`` up to below it, as in the journal and on the wire."""

SCALARS = (str, int, float, type(None))
"""What most values are. To ask first whether one is a Mapping, as only the others can be, is slow."""


def from_numpy(value: object) -> Any:
    """Give the Python scalar that a numpy scalar stands for, anything else as it is."""
    # By module name: configs must not pull in numpy only to ask this.
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return getattr(value, "item", lambda: value)()
    return value


def is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    return is_int(value) or isinstance(value, float)


def describe(value: object) -> str:
    """Name a value and its type the way error messages show it."""
    if is_int(value) and abs(value) >= LIMIT:  # Python refuses to write out the largest ones
        return f"a whole number of over 64 bits ({type(value).__name__})"
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def checked_int(name: str, value: object, least: float = -math.inf) -> int:
    """Give a whole number that is no less than ``least``, or say that ``name`` must be one."""
    value = from_numpy(value)
    if is_int(value) and value >= least:
        return value
    bound = f" of {least} or more" if least > -math.inf else ""
    raise ConfigError(f"{name} must be a whole number{bound}, not {describe(value)}")
