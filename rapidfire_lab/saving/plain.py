"""Values as plain data: what JSON and ``torch.load(weights_only=True)`` take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_ATOMS = (bool, int, float, str, type(None))


def plain(value: Any) -> Any:
    """A copy of a value out of dictionaries, lists, numbers and text. Whatever else there is becomes its text."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, SimpleNamespace) or type(value).__name__ == "Namespace":
        return plain(vars(value))
    if callable(getattr(value, "tolist", None)):  # arrays and numbers of numpy, tensors
        return plain(value.tolist())
    return str(value)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(plain(value), sort_keys=True, indent=4), encoding="utf-8")
