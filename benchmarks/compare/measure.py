"""CPU time, memory and bytes written of a whole tree of processes, however they were started.

Linux hands orphans to the nearest ancestor that asks for them (``PR_SET_CHILD_SUBREAPER``). This process does, so that
an engine, which leaves its starter behind, still descends from it. What a process used is added to its parent's account
once that has waited for it, both CPU time and bytes: the sum over all that are alive misses nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 0.25
_MEGABYTE = 1e6


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent dies.

    Raises
    ------
    OSError
        On a system other than Linux.
    """
    if sys.platform != "linux":
        raise OSError("processes can be measured on Linux alone")
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")


def bury_orphans(own: set[int]) -> None:
    """Wait for adopted processes that have ended; ``own`` are those that somebody else here waits for."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, 0)


def descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@dataclass(frozen=True)
class Used:
    """What all descendants have used so far: seconds of CPU, and bytes that went to disks."""

    cpu: float
    written: int

    @classmethod
    def now(cls) -> Used:
        own = psutil.Process().cpu_times()
        cpu = own.children_user + own.children_system
        # Our own account holds what buried children wrote, too; we write nothing while we measure.
        written = _written(os.getpid())
        for process in descendants():
            with contextlib.suppress(psutil.Error, OSError):
                cpu += sum(process.cpu_times()[:4])
                written += _written(process.pid)
        return cls(cpu, written)


def _written(pid: int) -> int:
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return int(value)
    return 0


@dataclass
class PeakMemory:
    """The most memory that all descendants had together, in megabytes, at the moments at which it was looked at."""

    rss: float = 0.0
    pss: float = 0.0

    def look(self) -> None:
        rss, pss = _memory()
        self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)


@contextlib.contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Look at the memory of all descendants, again and again while the block lasts."""
    peak, done = PeakMemory(), threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _memory() -> tuple[float, float]:
    sizes = [dict(_sizes(process.pid)) for process in descendants()]
    return sum(size.get("Rss", 0.0) for size in sizes), sum(size.get("Pss", 0.0) for size in sizes)


def _sizes(pid: int) -> Iterator[tuple[str, float]]:
    """Rss and Pss of a process; nothing where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split()[:2]
            yield name.rstrip(":"), int(value) * 1024 / _MEGABYTE
