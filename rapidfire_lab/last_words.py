"""How a log ended, as an error message may say it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES = 64 * 1024
_MOST_CHARACTERS = 300
_SECRETS = re.compile(r"(?<=//)[^/\s@]+@|\b\w*(?:token|password|secret|api_?key)=\S+", re.IGNORECASE)


def last_words(log: Path, since: int = 0) -> str:
    """Last line of what was written after an offset, without users and passwords of addresses and the like.

    Raises
    ------
    OSError
        When there is no such log.
    """
    with log.open("rb") as file:
        file.seek(max(since, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        last = file.read(_TAIL_BYTES).decode(errors="replace").strip().rpartition("\n")[2]
    return _SECRETS.sub("", last)[:_MOST_CHARACTERS] or "nothing was written"
