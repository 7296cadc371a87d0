"""Where leaf configs differ, for tables and for telling duplicates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rapidfire_lab.configs.config import Config
from rapidfire_lab.configs.scalars import SCALARS

_ABSENT = object()


def differing_knobs(leaves: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the dotted paths whose values differ, as in "train.optimizer.args.lr".

    A path that only some leaves have counts as different. An optional part that is None in some
    leaves and a dict in others ("train.lr_scheduler") is listed by the paths inside the dict.
    """
    flat = [dict(_flatten(_canonical(leaf))) for leaf in leaves]
    paths = dict.fromkeys(path for leaf in flat for path in leaf)
    sections = list(dict.fromkeys(path.partition(".")[0] for path in paths))
    found = [path for path in paths if _differs(path, flat) and not _is_missing_part(path, paths, flat)]
    return sorted(found, key=lambda path: sections.index(path.partition(".")[0]))


def get_path(leaf: Mapping[str, Any], dotted: str, default: object = None) -> Any:
    """Give the value at a dotted path; `default` where this leaf has none, since another may."""
    value = _find(leaf, dotted)
    return default if value is _ABSENT else value


def identity(leaf: Mapping[str, Any]) -> str:
    """Give a text that two leaves share exactly when they are the same config."""
    return _token(_canonical(leaf))


def _canonical(leaf: Mapping[str, Any]) -> Mapping[str, Any]:
    return leaf.canonical() if isinstance(leaf, Config) else leaf


def _flatten(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _differs(path: str, flat: Sequence[Mapping[str, Any]]) -> bool:
    first, *others = (leaf.get(path, _ABSENT) for leaf in flat)
    return any(not _is_same(first, other) for other in others)


def _is_same(one: object, other: object) -> bool:
    if type(one) is type(other) and not isinstance(one, list | Mapping):
        return one == other  # as their texts would say, and sooner
    return one is not _ABSENT and other is not _ABSENT and _token(one) == _token(other)


def _is_missing_part(path: str, paths: Mapping[str, None], flat: Sequence[Mapping[str, Any]]) -> bool:
    is_part = any(other.startswith(f"{path}.") for other in paths)
    return is_part and all(leaf.get(path) is None for leaf in flat)


def _find(node: Mapping[str, Any], dotted: str) -> object:
    if dotted in node:
        return node[dotted]
    # A key may hold dots itself, so each one that fits is tried.
    for key, child in node.items():
        if isinstance(child, Mapping) and dotted.startswith(f"{key}."):
            value = _find(child, dotted[len(key) + 1 :])
            if value is not _ABSENT:
                return value
    return _ABSENT


def _token(value: object) -> str:
    return json.dumps(_comparable(value), sort_keys=True)


def _comparable(value: object) -> object:
    # 1 and 1.0 are the same setting; True and 1 are not.
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, Mapping):
        return {key: _comparable(item) for key, item in value.items()}
    return [_comparable(item) for item in value] if isinstance(value, list) else value
