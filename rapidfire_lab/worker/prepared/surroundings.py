"""What rows depend on beside the spec, the data and the knobs: versions, switches of the process, other files."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rapidfire_lab.worker.process_state import ProcessState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.data import Partition

FORMAT = 1
"""Version of the files and of what they stand for; a new one makes all rows be prepared anew."""

_MOST_MISC_FILES = 10_000
_RACY_NS = 50_000_000
"""A file changed so lately may change again without any of its times telling."""


@cache
def versions() -> list[Any]:
    """What this process runs on: Python, everything installed for it, and what the processor can do."""
    return [
        FORMAT,
        sys.version,
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
        sorted({name for folder in sys.path for name in _installed(folder)}),
    ]


def _installed(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info"))]  # noqa: PTH208 - names alone are wanted, of ten thousand
    except OSError:
        return []


def switches() -> tuple[Any, ...]:
    """Switches of the process that may change what code gives."""
    now = ProcessState.capture()
    return now.grad, str(now.dtype), now.threads, now.matmul_precision, now.deterministic, now.cudnn, now.folder


def misc_listing(misc: str | None) -> str | None:
    """Fingerprint of names, sizes and times of the files below a folder; None when there are too many to watch."""
    listing: list[tuple[Any, ...]] = []
    for folder, folders, names in os.walk(misc) if misc else ():
        folders.sort()
        listing += [(folder, name, *_identity(Path(folder) / name)) for name in sorted(names)]
        if len(listing) > _MOST_MISC_FILES:
            return None
    return hashlib.blake2b(repr(listing).encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _identity(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class ObjectFiles:
    """The files that the rows of a partition name."""

    UNKNOWN = 1
    """Stamp of files that are missing or were changed this moment: of rows that are not to be kept."""

    def __init__(self, partition: Partition, columns: Sequence[str]) -> None:
        texts = (partition.texts(name) for name in columns)
        self._columns = [column for column in texts if column is not None]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def stamp(self, position: int) -> int:
        """What stands for the present content of a row's files: a hash of their sizes and times."""
        paths = [column[position].as_py() for column in self._columns]
        identities = [_identity(Path(path)) for path in paths if path]
        latest = time.time_ns() - _RACY_NS
        if not all(identities) or any(max(one[1:]) > latest for one in identities):
            return self.UNKNOWN
        hashed = hashlib.blake2b(repr(identities).encode(), digest_size=8).digest()
        return int.from_bytes(hashed, "big") | 2
