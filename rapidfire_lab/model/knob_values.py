"""Values of knobs, checked against the knobs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.scalars import describe, from_numpy, is_int, is_number
from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.knobs import ArchKnob, BaseKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.model.base import KnobConfig, Knobs

CUTTING = ("EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE")
"""Policies under which a score tells of another, cheaper training or evaluation."""


def checked_values(knobs: Mapping[str, Any], knob_config: KnobConfig) -> Knobs:
    """Give one value per knob, each of its knob's type. Bounds do not count: who sets a knob may leave them.

    Raises
    ------
    ConfigError
        When a knob is missing, unknown, or of another type; the message names it.
    """
    for name in knobs:
        if name not in knob_config:
            raise ConfigError(f"The model has no knob {name!r}; {did_you_mean(str(name), knob_config)}")
    missing = [name for name in knob_config if name not in knobs]
    if missing:
        raise ConfigError(f"The knobs {', '.join(missing)} have no value")
    return {name: _checked(name, from_numpy(knobs[name]), knob) for name, knob in knob_config.items()}


def is_cut_short(knobs: Mapping[str, Any], knob_config: KnobConfig) -> bool:
    """Whether a policy has such a trial train or evaluate less than the model would."""
    return any(knobs.get(name) for name, knob in knob_config.items() if _policy(knob) in CUTTING)


def _policy(knob: BaseKnob) -> str | None:
    return knob.policy if isinstance(knob, PolicyKnob) else None


def _checked(name: str, value: Any, knob: BaseKnob) -> Any:
    if isinstance(knob, ArchKnob):
        return _checked_arch(name, value, knob)
    if isinstance(knob, PolicyKnob) and isinstance(value, bool):
        return value
    if isinstance(knob, IntegerKnob) and is_int(value):
        return value
    if isinstance(knob, FloatKnob) and is_number(value):
        return float(value)
    if isinstance(knob, CategoricalKnob | FixedKnob) and _is_like(value, knob.value_type):
        return value
    raise ConfigError(f"The knob {name!r} is {knob!r}, and cannot be {describe(value)}")


def _checked_arch(name: str, value: Any, knob: ArchKnob) -> list[Any]:
    candidates = [[candidate.value for candidate in place] for place in knob.items]
    if isinstance(value, list | tuple) and len(value) == len(candidates):
        chosen = [from_numpy(item) for item in value]
        if all(item in place for item, place in zip(chosen, candidates, strict=True)):
            return chosen
    raise ConfigError(f"The knob {name!r} takes one of {candidates} at each place, and cannot be {describe(value)}")


def _is_like(value: object, kind: type) -> bool:
    if kind is float:
        return is_number(value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool) or kind is int)
