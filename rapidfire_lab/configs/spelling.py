"""Hints for misspelt names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Find the known name most like `word`, whatever its case; None when nothing is near."""
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """End an error message: the nearest known name, or all of them when none is near."""
    names = list(known)
    match = nearest(word, names)
    return f"did you mean {match!r}?" if match else f"known: {', '.join(names) or 'none'}"
