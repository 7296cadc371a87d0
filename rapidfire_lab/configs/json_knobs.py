"""Knobs in plain JSON, as the browser and the command line write them.

``{"$list": [...]}`` stands for `List`, ``{"$range": {"start": ..., "end": ...}}`` for `Range`, with its ``dtype``,
``log`` and ``step``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapidfire_lab.configs.knobs import List, Range
from rapidfire_lab.configs.plain import plain
from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.configs.space import check_depth
from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError

_BOUNDS = ("start", "end")
_RANGE_KEYS = (*_BOUNDS, "dtype", "log", "step")


def decode(value: object, path: str = "changes") -> Any:
    """Put `List` and `Range` in the place of what stands for them, at any depth of plain JSON.

    Raises
    ------
    ConfigError
        When one is malformed or stands too deep; the message names its path.
    """
    check_depth(value, path)
    return _decode(value, path)


def _decode(value: object, path: str) -> Any:
    if isinstance(value, list):
        return [_decode(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    for mark, make in (("$list", _list), ("$range", _range)):
        if mark in value:
            _check_alone(mark, value, path)
            return make(value[mark], path)
    return {key: _decode(item, f"{path}.{key}") for key, item in value.items()}


def _check_alone(mark: str, value: dict[str, Any], path: str) -> None:
    others = [key for key in value if key != mark]
    if others:
        raise ConfigError(f"{path!r} has {mark!r} beside {', '.join(map(repr, others))}: it must stand alone")


def _list(values: object, path: str) -> List:
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{path!r}: '$list' must be a list of at least one value, not {describe(values)}")
    return List([_decode(value, f"{path}[{index}]") for index, value in enumerate(values)])


def _range(arguments: object, path: str) -> Range:
    if not isinstance(arguments, dict):
        raise ConfigError(f"{path!r}: '$range' must be a dict with 'start' and 'end', not {describe(arguments)}")
    for key in arguments:
        if key not in _RANGE_KEYS:
            raise ConfigError(f"{path!r}: '$range' has no {key!r} ({did_you_mean(key, _RANGE_KEYS)})")
    for key in _BOUNDS:
        if key not in arguments:
            raise ConfigError(f"{path!r}: '$range' lacks {key!r}")
    if not isinstance(arguments.get("log", False), bool):
        raise ConfigError(f"{path!r}: 'log' must be true or false, not {describe(arguments['log'])}")
    try:
        return Range(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{path!r}: {error}") from None


def encode(value: object) -> Any:
    """Give plain JSON that `decode` makes the same template of."""
    if isinstance(value, List):
        return {"$list": [encode(item) for item in value.values]}
    if isinstance(value, Range):
        return {"$range": {key: getattr(value, key) for key in _RANGE_KEYS}}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return plain(value, "configs")
