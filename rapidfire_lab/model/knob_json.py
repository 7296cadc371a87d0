"""Knob configs as JSON text: ``{"<name>": {"type": "<class>", "args": {...}}}``.

The arguments are those of the constructor. An `ArchKnob` has ``values``, its distinct values, and ``items``, their
positions in it: so it is kept which places share a `KnobValue`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.configs.spelling import did_you_mean
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
    from collections.abc import Callable

    from rapidfire_lab.model.base import KnobConfig


def serialize_knob_config(knob_config: KnobConfig) -> str:
    """Write a knob config as JSON text.

    Raises
    ------
    ConfigError
        When a value is no knob of this package.
    """
    described = {name: {"type": type(knob).__name__, "args": _args(name, knob)} for name, knob in knob_config.items()}
    return json.dumps(described)


def deserialize_knob_config(knob_config_bytes: str) -> KnobConfig:
    """Read what `serialize_knob_config` wrote; nothing in the text is executed.

    Raises
    ------
    ConfigError
        When it is no such text; the message names the knob.
    """
    try:
        described = json.loads(knob_config_bytes)
    except ValueError as error:
        raise ConfigError(f"this is no knob config in JSON: {error}") from None
    if not isinstance(described, dict):
        raise ConfigError(f"a knob config in JSON must be an object, not {describe(described)}")
    return {name: _knob(name, item) for name, item in described.items()}


def _args(name: str, knob: BaseKnob) -> dict[str, Any]:
    if isinstance(knob, CategoricalKnob):
        return {"values": [value.value for value in knob.values]}
    if isinstance(knob, FixedKnob):
        return {"value": knob.value.value}
    if isinstance(knob, PolicyKnob):
        return {"policy": knob.policy}
    if isinstance(knob, IntegerKnob | FloatKnob):
        return {"value_min": knob.value_min, "value_max": knob.value_max, "is_exp": knob.is_exp}
    if isinstance(knob, ArchKnob):
        return _arch_args(knob)
    raise ConfigError(f"the knob {name!r} is a {type(knob).__name__}: use one of {', '.join(_READERS)}")


def _arch_args(knob: ArchKnob) -> dict[str, Any]:
    distinct = list({id(value): value for candidates in knob.items for value in candidates}.values())
    places = {id(value): place for place, value in enumerate(distinct)}
    items = [[places[id(value)] for value in candidates] for candidates in knob.items]
    return {"values": [value.value for value in distinct], "items": items}


def _knob(name: str, item: object) -> BaseKnob:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("args"), dict):
        raise ConfigError(f'the knob {name!r} must be {{"type": ..., "args": {{...}}}}, not {describe(item)}')
    kind = item["type"]
    reader = _READERS.get(kind)
    if reader is None:
        raise ConfigError(f"the knob {name!r} has no known type {kind!r}; {did_you_mean(kind, _READERS)}")
    try:
        return reader(**item["args"])
    except (TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"the knob {name!r}: {error}") from None


def _arch(values: list[Any], items: list[list[int]]) -> ArchKnob:
    wrapped = [KnobValue(value) for value in values]
    return ArchKnob([[wrapped[place] for place in places] for places in items])


_READERS: dict[str, Callable[..., BaseKnob]] = {
    "CategoricalKnob": CategoricalKnob,
    "IntegerKnob": IntegerKnob,
    "FloatKnob": FloatKnob,
    "FixedKnob": FixedKnob,
    "PolicyKnob": PolicyKnob,
    "ArchKnob": _arch,
}
