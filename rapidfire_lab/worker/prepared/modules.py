"""User code that is neither in the spec's snapshot nor installed: modules that `PYTHONPATH` or a link leads to."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import Path

import rapidfire_lab

_ABSENT = ""
_KNOWN = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(rapidfire_lab.__file__).parent),
)
"""Where the code lies that versions stand for. Code of the user's own that is put there is not noticed."""


def foreign_files(snapshot: Path | None) -> set[str]:
    """Files of the loaded modules that lie elsewhere, and not in this folder."""
    known = tuple(f"{folder}{os.sep}" for folder in (*_KNOWN, snapshot) if folder)
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if isinstance(file, str) and os.path.isabs(file) and not file.startswith(known)}  # noqa: PTH117 - thousands


@cache
def state_of_file(path: str) -> str:
    """Size and time that a file had when this process first asked, which is what it has loaded of it."""
    try:
        status = Path(path).stat()
    except OSError:
        return _ABSENT
    return f"{status.st_size}:{status.st_mtime_ns}"
