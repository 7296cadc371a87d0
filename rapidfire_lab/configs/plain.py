"""Config values as plain JSON data: what the journal, the wire and the browser all hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from rapidfire_lab.configs.knobs import Knob, Range
from rapidfire_lab.configs.scalars import LIMIT, SCALARS, describe, from_numpy
from rapidfire_lab.configs.space import refuse_depth
from rapidfire_lab.errors import ConfigError


def plain(value: object, path: str, depth: int = 0) -> Any:
    """Copy a value into dicts, lists and Python scalars, or say why JSON cannot hold it.

    Parameters
    ----------
    value
        What the user wrote; numpy scalars and tuples are converted.
    path
        Where it stands ("train.optimizer.args.lr"), for error messages.
    depth
        How many levels it stands below the top.
    """
    refuse_depth(path, depth)
    value = from_numpy(value)
    if isinstance(value, SCALARS):
        return _scalar(value, path)
    if isinstance(value, Mapping):
        return {_key(key, path): plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _scalar(value, path)


def refuse_knob(value: object, path: str) -> None:
    """Raise when a knob stands where a value has to: nothing has expanded it."""
    if isinstance(value, Knob):
        generator = "RandomSearch" if isinstance(value, Range) else "GridSearch(config) or RandomSearch"
        raise ConfigError(
            f"{path!r} holds a {type(value).__name__}: wrap the whole config in {generator}(config, num_runs=8)",
        )


def _key(key: object, path: str) -> str:
    key = from_numpy(key)
    if isinstance(key, str):
        return str.__str__(key)
    raise ConfigError(f"{path!r} has the key {describe(key)}: JSON keys are strings, write {str(key)!r}")


def _scalar(value: object, path: str) -> str | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    # Subclasses (enums, numpy strings) shrink to the plain type that JSON would give back.
    if isinstance(value, str):
        return _text(str.__str__(value), path)
    if isinstance(value, int):
        return _whole(int(value), path)
    if isinstance(value, float):
        return _finite(value, path)
    refuse_knob(value, path)
    raise _not_json(value, path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{path!r} is no text that UTF-8 can hold ({error.reason})") from error
    return value


def _whole(value: int, path: str) -> int:
    if -LIMIT <= value < LIMIT:
        return value
    raise ConfigError(f"{path!r} is {describe(value)}: whole numbers have 64 bits, write a smaller one or a float")


def _finite(value: float, path: str) -> float:
    if math.isfinite(value):
        return float(value)
    raise ConfigError(f"{path!r} is {value}: JSON has no such number, write a finite one or None")


def _not_json(value: object, path: str) -> ConfigError:
    if isinstance(value, AbstractSet):
        hint = "a set has no order, write a list"
    elif hasattr(value, "tolist"):
        hint = "write value.tolist()"
    elif isinstance(value, type) and path.startswith("train."):
        hint = f"write its name, {value.__name__!r}"
    else:
        hint = "pass a string and look it up in your MLSpec"
    return ConfigError(f"{path!r} is of type {type(value).__name__}, which JSON cannot hold: {hint}")
