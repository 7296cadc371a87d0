"""Knobs and budget from the arguments of the program: ``python model.py --learning_rate=0.01 --TIME_HOURS=0.1``."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.budget import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.model.base import KnobConfig, Knobs
    from rapidfire_lab.model.constants import Budget

_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


def arguments() -> list[str]:
    """Give the arguments of the program that runs; in a notebook they are the kernel's, and none of ours."""
    return sys.argv[1:] if hasattr(sys.modules["__main__"], "__file__") else []


def knobs_from(given: Sequence[str], knob_config: KnobConfig) -> Knobs:
    """Read ``--<knob>=<value>`` or ``--<knob> <value>`` for each knob; arguments for others are left alone.

    Values may lie outside of the knob's own. Lists are written as in Python.

    Raises
    ------
    ConfigError
        When a value is not of the knob's type.
    """
    return {name: value for name, knob in knob_config.items() for value in _read(given, name, knob.value_type)}


def budget_from(given: Sequence[str]) -> Budget:
    """Read ``--TIME_HOURS`` and the other options of a budget, those that are given."""
    return {name: value for name, dtype in OPTIONS.items() for value in _read(given, name, dtype)}


def _read(given: Sequence[str], name: str, dtype: type) -> list[Any]:
    """Give the value of the last such argument, or nothing."""
    flag = f"--{name}"
    texts = [text[len(flag) + 1 :] for text in given if text.startswith(f"{flag}=")]
    for place, text in enumerate(given):
        if text == flag:
            if place + 1 == len(given) or given[place + 1].startswith("--"):
                raise ConfigError(f"{flag} needs a value: write {flag}=...")
            texts.append(given[place + 1])
    return [_converted(flag, text, dtype) for text in texts[-1:]]


def _converted(flag: str, text: str, dtype: type) -> Any:
    try:
        if dtype is bool:
            return _boolean(text)
        return _list(text) if dtype is list else dtype(text)
    except (ValueError, SyntaxError):
        raise ConfigError(f"{flag}={text} must be of type {dtype.__name__}") from None


def _boolean(text: str) -> bool:
    if text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    raise ValueError(text)


def _list(text: str) -> list[Any]:
    value = ast.literal_eval(text)
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError(text)
