"""Partial configs: what a clone changes of its parent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapidfire_lab.configs.draws import DistinctDraws
from rapidfire_lab.configs.groups import ConfigGroup, RandomSearch, located, walk
from rapidfire_lab.configs.knobs import List
from rapidfire_lab.configs.leaf import SECTIONS, normalise
from rapidfire_lab.configs.plain import plain
from rapidfire_lab.configs.scalars import checked_int, describe
from rapidfire_lab.configs.space import check_depth, combinations, ranges_in, size, width
from rapidfire_lab.errors import ConfigError

MAX_CHANGES = 1_000
"""Clones that one request may ask for: the engine does nothing else while it checks them."""

_MAX_VALUES = 100_000
"""Values in all partial configs of one expansion, which may run in a Jupyter server."""

_MAX_WASTED_VALUES = 10 * _MAX_VALUES
"""Values that draws in vain may cost."""

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
    merged = dict(parent)
    for key, value in _in_sections(parent, changes).items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge_section(merged[key], value)
        else:
            merged[key] = value
    return normalise(merged)


def expand_changes(changes: object, num_runs: int | None = None, seed: int = 42) -> list[dict[str, Any]]:
    """Give the partial configs that changes stand for.

    Parameters
    ----------
    changes
        A partial config in which `List` and `Range` may stand at any depth. Lists alone make a grid, the knob written
        last varying fastest; without any knob there is one partial config. Or a group of such configs: a `GridSearch`,
        a `RandomSearch` (with draws of its own), or a list of any of these, lists nesting at will.
    num_runs
        How many distinct draws to make where there is a `Range`; without one it means nothing.
    seed
        The same seed gives the same draws.

    Raises
    ------
    ConfigError
        When `num_runs` is missing, the knobs give fewer configs, or there is too much to make. Nothing is made then.
    """
    if isinstance(changes, Mapping):
        return _expand_one(changes, num_runs, seed)
    if not isinstance(changes, ConfigGroup | list | tuple | List):
        raise ConfigError(
            "changes must be a dictionary of knobs, a GridSearch or RandomSearch, or a list of these, "
            f"not {type(changes).__name__}."
        )
    check_depth(changes, "changes")
    expanded: list[dict[str, Any]] = []
    for label, node in walk(changes, "changes"):
        with located(label):
            _refuse_too_many(len(expanded) + _promised(node))
            expanded += node.make(_plain) if isinstance(node, ConfigGroup) else _expand_one(node, num_runs, seed)
    _refuse_too_many(len(expanded))
    return expanded


def _promised(node: Mapping[str, Any] | ConfigGroup) -> int:
    return node.num_runs if isinstance(node, RandomSearch) else 0


def _refuse_too_many(number: float) -> None:
    if number > MAX_CHANGES:
        raise ConfigError(f"the changes make {number} configs, over {MAX_CHANGES}: take fewer, or clone in turns")


def _expand_one(changes: Mapping[str, Any], num_runs: int | None, seed: int) -> list[dict[str, Any]]:
    check_depth(changes, "changes")
    drawn = next(ranges_in(changes, "changes"), None)
    number = size(changes) if drawn is None else _number_of_draws(num_runs, drawn)
    _refuse_too_many(number)
    values = width(changes)
    if number * values > _MAX_VALUES:
        message = f"the changes make {number} configs of {values} values each, over {_MAX_VALUES} in all: take fewer"
        raise ConfigError(message)
    if drawn is None:
        return [_plain(combination) for combination in combinations(changes)]
    draws = DistinctDraws(changes, int(number), checked_int("seed", seed), _plain, _MAX_WASTED_VALUES // values)
    return draws.configs()


def _number_of_draws(num_runs: int | None, path: str) -> int:
    if num_runs is None:
        raise ConfigError(f"{path!r} holds a Range: say how many clones to draw, as in num_runs=8, or write a List")
    return checked_int("num_runs", num_runs, 1)


def _plain(changes: object) -> dict[str, Any]:
    result: dict[str, Any] = plain(changes, "changes")
    return result


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
