"""Values as plain data: what JSON and ``torch.load(weights_only=True)`` take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.secrets import HIDDEN, is_secret

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
    if _is_namespace(value):
        return plain(vars(value))
    if callable(getattr(value, "tolist", None)):  # arrays and numbers of numpy, tensors
        return plain(value.tolist())
    return str(value)


def _is_namespace(value: Any) -> bool:
    return isinstance(value, SimpleNamespace) or type(value).__name__ == "Namespace"


def open_to_all(value: Any, name: str = "") -> Any:
    """Hyper-parameters with ``***`` for passwords and keys: what is saved goes through many hands."""
    if is_secret(name) and not (value is None or isinstance(value, bool)):
        return HIDDEN
    if _is_namespace(value):
        return open_to_all(vars(value))
    if isinstance(value, Mapping):
        return {key: open_to_all(item, str(key)) for key, item in value.items()}
    return type(value)(map(open_to_all, value)) if type(value) in (list, tuple) else value


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(plain(value), sort_keys=True, indent=4), encoding="utf-8")
