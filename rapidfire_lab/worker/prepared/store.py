"""The folder of all shelves: finding them, and keeping them within a number of bytes.

::

    prepared/<what rows depend on beside knobs>/<facts>/facts.json, *.rows, claims, banned
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import uuid4

from rapidfire_lab.worker.prepared.shelf import Shelf, read_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rapidfire_lab.worker.prepared.questions import Facts

_MOST_OPEN = 16
_FRESH_SECONDS = 60.0
"""What was used so lately is not removed to make room."""
_LOOKS_PER_BUDGET = 64
_GONE = ".gone-"


class FullError(OSError):
    """Raised when there is no room left in the store for more rows."""


class PreparedStore:
    """Shelves below a folder, of which this process keeps some open.

    Parameters
    ----------
    root
        Need not exist.
    budget
        Bytes that all shelves together may take; who writes looks after it, with a slack of 1/64 for each process.
    fresh
        Seconds since its last use from which a shelf may be removed to make room.
    """

    def __init__(self, root: Path, budget: int, fresh: float = _FRESH_SECONDS) -> None:
        self.root = root
        self._budget = budget
        self._fresh = fresh
        self._unseen: int | None = None
        """Bytes written since the last look at the whole store; None before the first."""
        self._open: OrderedDict[tuple[str, str], Shelf] = OrderedDict()

    def names(self, base: str) -> list[str]:
        """Name every shelf of a base."""
        try:
            return [name for name in os.listdir(f"{self.root}/{base}") if name[0] != "."]  # noqa: PTH208 - hot
        except OSError:
            return []

    def facts(self, base: str, name: str) -> Facts | None:
        """What the rows of a shelf were prepared under; None where it has not been made yet, or is damaged."""
        return read_facts(self.root / base / name)

    def open(self, base: str, name: str, rows: int) -> Shelf | None:
        """Open a shelf; None when it is gone."""
        shelf = self._open.get((base, name))
        if shelf is None and (facts := self.facts(base, name)):
            shelf = Shelf(self.root / base / name, facts, rows)
        return shelf and self._remember(base, name, shelf)

    def make(self, base: str, facts: Facts, rows: int) -> Shelf:
        """Open the shelf of these facts, made where there is none.

        Raises
        ------
        OSError
            When the disk does not take it.
        """
        opened = self.open(base, facts.name, rows)
        return opened or self._remember(base, facts.name, Shelf.create(self.root / base / facts.name, facts, rows))

    def _remember(self, base: str, name: str, shelf: Shelf) -> Shelf:
        self._open[base, name] = shelf
        self._open.move_to_end((base, name))
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return shelf

    # Room

    def make_room(self, size: int) -> None:
        """Have room for so many bytes that are about to be written.

        Raises
        ------
        FullError
            When all that is there was used a moment ago.
        """
        if self._unseen is not None and self._unseen + size <= self._budget // _LOOKS_PER_BUDGET:
            self._unseen += size
            return
        used = self._remove_until(self._budget - size)
        if used + size > self._budget:
            self._unseen = None
            raise FullError(f"the {self._budget / 1e9:.1f} GB for prepared rows (prepared_gigabytes) are in use")
        self._unseen = size

    def _remove_until(self, target: int) -> int:
        """Remove the shelves used longest ago until the rest takes no more than this; returns what it takes."""
        found = sorted(self._sizes(), key=lambda one: one[1])
        used = sum(size for size, _, _ in found)
        oldest_to_stay = time.time() - self._fresh
        for size, last_use, folder in found:
            if used <= target or last_use > oldest_to_stay:
                break
            self._remove(folder)
            used -= size
        return used

    def _sizes(self) -> Iterator[tuple[int, float, Path]]:
        """Bytes, time of last use, and folder of each shelf, and of what a crash has left of one."""
        for folder in self.root.glob("*/*"):
            with contextlib.suppress(OSError):
                files = [path.stat() for path in folder.iterdir()]
                last_use = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
                yield sum(file.st_blocks * 512 for file in files), last_use, folder

    def _remove(self, folder: Path) -> None:
        # Under another name first: whoever writes there makes a new one, and whoever reads has mapped what it reads.
        gone = folder.with_name(f"{_GONE}{uuid4().hex}")
        with contextlib.suppress(OSError):
            if not folder.name.startswith(_GONE):
                folder.rename(gone)
                folder = gone
            shutil.rmtree(folder)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()
