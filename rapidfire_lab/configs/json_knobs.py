"""Stand-in: knobs as JSON."""

from __future__ import annotations

from typing import Any

from rapidfire_lab.configs.knobs import List
from rapidfire_lab.errors import ConfigError


def decode(value: Any) -> Any:
    """Turn ``{"$list": [...]}`` into ``List``."""
    if not isinstance(value, dict):
        return value
    if "$list" in value:
        if not isinstance(value["$list"], list):
            raise ConfigError("'$list' must hold a list")
        return List(value["$list"])
    return {key: decode(item) for key, item in value.items()}
