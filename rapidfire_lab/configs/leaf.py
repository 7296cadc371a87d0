"""Leaf configs: one model configuration, brought into canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from rapidfire_lab.configs.config import Config
from rapidfire_lab.configs.named_metrics import normalise_metrics
from rapidfire_lab.configs.plain import plain, refuse_knob
from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.configs.spelling import nearest
from rapidfire_lab.configs.training import TRAIN_KEYS, normalise_training
from rapidfire_lab.errors import ConfigError

SECTIONS = ("train", "user_knobs", "named_metrics", "fsdp_layer_cls")
_SURE_TYPO = 0.85


def normalise(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check one config and bring it into canonical, JSON-ready form.

    Parameters
    ----------
    config
        Nested ("train", "user_knobs", ...), or flat: training keys and user knobs side by side.

    Returns
    -------
    dict
        The keys "train", "user_knobs", "named_metrics" and "fsdp_layer_cls", always all of them
        and with every default written out. It shares nothing with `config`.

    Raises
    ------
    ConfigError
        Naming the key by its full path, as in 'train.optimizer.name'.
    """
    return _normalise(config, complete=True)


def normalise_for_inference(config: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same with a config that nothing is trained with: training keys may be missing, and are then missing."""
    return _normalise(config, complete=False)


def _normalise(config: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
    if isinstance(config, Config):
        config = config.canonical()
    if not isinstance(config, Mapping):
        raise ConfigError(f"a config must be a dict, not {describe(config)}")
    sections = _split(config)
    user_knobs = plain(sections["user_knobs"], "user_knobs")
    _check_knob_names(user_knobs)
    other_keys = () if "train" in config else tuple(user_knobs)
    return {
        "train": normalise_training(plain(sections["train"], "train"), other_keys, complete=complete),
        "user_knobs": user_knobs,
        "named_metrics": normalise_metrics(plain(sections["named_metrics"], "named_metrics")),
        "fsdp_layer_cls": _layer_names(sections["fsdp_layer_cls"]),
    }


def key_path(config: Mapping[str, Any], key: str) -> str:
    """Give the canonical path of a top-level key of a nested or flat config."""
    if key in SECTIONS or "train" in config:
        return key
    return f"train.{key}" if key in TRAIN_KEYS else f"user_knobs.{key}"


def _split(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sort the top-level keys of either form into sections."""
    sections: dict[str, Any] = {name: config.get(name) for name in SECTIONS}
    sections |= {name: _section(config, name) for name in ("train", "user_knobs")}
    for key, value in config.items():
        if key in SECTIONS:
            continue
        _check_top_level(config, key)
        sections["train" if key in TRAIN_KEYS else "user_knobs"][key] = value
    return sections


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    refuse_knob(value, name)
    if value is None and not (name == "train" and name in config):
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name!r} must be a dict, not {describe(value)}")
    return dict(value)


def _check_top_level(config: Mapping[str, Any], key: str) -> None:
    if "train" in config:
        home = "train" if key in TRAIN_KEYS else "user_knobs"
        raise ConfigError(f"{key!r} stands at top level beside 'train': put it under '{home}'")
    if key in (config.get("user_knobs") or {}):
        raise ConfigError(f"{key!r} stands at top level and under 'user_knobs': keep one of them")
    # A misspelt optional key would else become a user knob that nobody reads.
    if key not in TRAIN_KEYS and (meant := nearest(str(key), TRAIN_KEYS, _SURE_TYPO)):
        raise ConfigError(
            f"{key!r} looks like the training key {meant!r}: correct it, "
            "or put it under 'user_knobs' if it is a knob of your own",
        )


def _check_knob_names(user_knobs: Mapping[str, Any]) -> None:
    for key in user_knobs:
        if key in TRAIN_KEYS or key in SECTIONS:
            kind = "a training key" if key in TRAIN_KEYS else "a section of the config"
            raise ConfigError(f"'user_knobs.{key}' has the name of {kind}: rename it, or move it there")


def _layer_names(value: object) -> list[str]:
    refuse_knob(value, "fsdp_layer_cls")
    if value is None:
        return []
    if not isinstance(value, AbstractSet | list | tuple):
        raise ConfigError(f"'fsdp_layer_cls' must be a set of classes like {{Layer}}, not {describe(value)}")
    return sorted({_layer_name(item) for item in value})


def _layer_name(layer: object) -> str:
    if isinstance(layer, str):
        return str.__str__(layer)
    if isinstance(layer, type):
        return f"{layer.__module__}:{layer.__qualname__}"
    raise ConfigError(f"'fsdp_layer_cls' holds {describe(layer)}: write classes or 'module:ClassName'")
