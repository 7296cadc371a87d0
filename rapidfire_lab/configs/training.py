"""The "train" section of a config: its keys, their defaults and what each accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rapidfire_lab.configs.scalars import describe, is_int, is_number
from rapidfire_lab.configs.spelling import did_you_mean, nearest
from rapidfire_lab.errors import ConfigError

_PRECISIONS = ("fp32", "bf16", "fp16")
_INTERVALS = ("epoch", "step")


def normalise_training(
    train: Mapping[str, Any], other_keys: tuple[str, ...] = (), *, complete: bool = True
) -> dict[str, Any]:
    """Check plain training knobs and fill in the defaults.

    Parameters
    ----------
    train
        The section as plain data.
    other_keys
        Keys beside the training keys of a flat config; one may be a missing key misspelt.
    complete
        Whether what training cannot do without must be there.
    """
    for key in train:
        if key not in TRAIN_KEYS:
            raise ConfigError(
                f"'train.{key}' is no training key ({did_you_mean(key, TRAIN_KEYS)}); "
                "knobs of your own belong under 'user_knobs'",
            )
    if complete and (missing := [key for key in _REQUIRED if key not in train]):
        raise ConfigError(_describe_missing(missing, other_keys))
    filled = {**_DEFAULTS, **train}
    return {key: check(filled[key], f"train.{key}") for key, check in _CHECKS.items() if key in filled}


def _describe_missing(missing: list[str], other_keys: tuple[str, ...]) -> str:
    wanted = ", ".join(f"'train.{key}' (write {key!r}: {_REQUIRED[key]})" for key in missing)
    misspelt = [(found, key) for key in missing if (found := nearest(key, other_keys))]
    hints = "".join(f"; is {found!r} meant to be {key!r}?" for found, key in misspelt)
    return f"the config lacks {wanted}{hints}"


def _positive_int(value: object, path: str) -> int:
    if is_int(value) and value >= 1:
        return value
    raise ConfigError(f"{path!r} must be a whole number of 1 or more, not {describe(value)}")


def _clip_norm(value: object, path: str) -> float | None:
    if value is None:
        return None
    if is_number(value) and value > 0:
        return float(value)
    raise ConfigError(f"{path!r} must be a number above 0, or None for no clipping, not {describe(value)}")


def _one_of(choices: tuple[str, ...], value: object, path: str) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise ConfigError(f"{path!r} must be one of {', '.join(map(repr, choices))}, not {describe(value)}")


def _precision(value: object, path: str) -> str:
    return _one_of(_PRECISIONS, value, path)


def _optimizer(value: object, path: str) -> dict[str, Any]:
    return _class_and_args(value, path, ("name", "args"), "AdamW")


def _scheduler(value: object, path: str) -> dict[str, Any] | None:
    if value is None:
        return None
    scheduler = _class_and_args(value, path, ("name", "args", "interval"), "StepLR")
    interval = value.get("interval", "epoch") if isinstance(value, Mapping) else "epoch"
    return {**scheduler, "interval": _one_of(_INTERVALS, interval, f"{path}.interval")}


def _class_and_args(value: object, path: str, keys: tuple[str, ...], example: str) -> dict[str, Any]:
    form = f'write {{"name": "{example}", "args": {{...}}}}'
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path!r} must be a dict or a class name, not {describe(value)}: {form}")
    for key in value:
        if key not in keys:
            raise ConfigError(
                f"'{path}.{key}' is not known here ({did_you_mean(key, keys)}); "
                f"arguments of the class belong under '{path}.args'",
            )
    if "name" not in value:
        raise ConfigError(f"the config lacks '{path}.name': {form}")
    if not isinstance(value["name"], str) or not value["name"]:
        raise ConfigError(f"'{path}.name' must be a class name, not {describe(value['name'])}: {form}")
    return {"name": value["name"], "args": _args(value.get("args", {}), f"{path}.args")}


def _args(args: object, path: str) -> dict[str, Any]:
    if isinstance(args, Mapping):
        return dict(args)
    raise ConfigError(f'{path!r} must be a dict of arguments, not {describe(args)}: write {{"lr": 0.01}}')


_REQUIRED = {"epochs": "5", "batch_size": "32", "optimizer": '{"name": "AdamW", "args": {"lr": 0.001}}'}
_DEFAULTS: dict[str, Any] = {
    "lr_scheduler": None,
    "gradient_accumulation_steps": 1,
    "gradient_clip_norm": None,
    "precision": "fp32",
}
_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "epochs": _positive_int,
    "batch_size": _positive_int,
    "optimizer": _optimizer,
    "lr_scheduler": _scheduler,
    "gradient_accumulation_steps": _positive_int,
    "gradient_clip_norm": _clip_norm,
    "precision": _precision,
}
TRAIN_KEYS = tuple(_CHECKS)
