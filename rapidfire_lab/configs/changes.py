"""Partial configs: what a clone changes of its parent."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from rapidfire_lab.configs.leaf import SECTIONS, normalise
from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.errors import ConfigError

_KNOBS = ("train", "user_knobs")
_REPLACED_BY_NAME = ("optimizer", "lr_scheduler")


def apply_changes(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a partial config to a canonical leaf and return the canonical result.

    ``changes`` has the sections of a config (``{"train": {"batch_size": 64}}``), or names knobs flat
    (``{"batch_size": 64, "width": 32}``). An optimizer or scheduler of another name brings its own arguments; one of
    the same name keeps those that are not given.

    Raises
    ------
    ConfigError
        When a flat key is no knob of the parent, or the result is no valid config.
    """
    merged = copy.deepcopy(dict(parent))
    for key, value in _in_sections(parent, changes).items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge_section(merged[key], value)
        else:
            merged[key] = value
    return normalise(merged)


def _in_sections(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    sections: dict[str, Any] = {}
    for key, value in changes.items():
        if key in _KNOBS:
            if not isinstance(value, Mapping):
                raise ConfigError(f"{key!r} must be a dict of changed knobs, not {describe(value)}")
            sections[key] = {**sections.get(key, {}), **value}
            continue
        if key in SECTIONS:
            sections[key] = value
            continue
        home = next((name for name in _KNOBS if key in parent[name]), None)
        if home is None:
            known = sorted((*parent["train"], *parent["user_knobs"]))
            message = (
                f"The run has no knob {key!r} to change; its knobs are {', '.join(known)}. "
                'Put a new one under "user_knobs".'
            )
            raise ConfigError(message)
        sections.setdefault(home, {})[key] = value
    return sections


def _merge_section(section: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = {**section, **changes}
    for key in _REPLACED_BY_NAME:
        old, new = section.get(key), changes.get(key)
        if isinstance(new, str):
            new = {"name": new}
        if isinstance(old, dict) and isinstance(new, Mapping) and new.get("name", old["name"]) == old["name"]:
            arguments = new.get("args", {})
            if isinstance(arguments, Mapping):
                arguments = {**old["args"], **arguments}
            merged[key] = {**old, **new, "args": arguments}
    return merged


def expand_changes(changes: Mapping[str, Any], num_runs: int | None, seed: int = 42) -> list[dict[str, Any]]:
    """Stand-in: every combination of the lists in a partial config."""
    del num_runs, seed
    return [dict(changes)]
