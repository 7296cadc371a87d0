"""What happens at a place where a fault is armed: it is claimed, written down, and its victim killed then and there.

A fault is a file in ``armed/``, named ``ORDER.VICTIM.POINT.STATE.SKIP``. Renaming it is atomic, so one process has it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ.get("FAULTS_FOLDER", "."))

_TAKE_ALL = ("controller", "agent", "machine")
"""Victims with whom every slot dies."""

_GATHER_SECONDS = 1.5
"""How long a process stands at its place before such a death, so that it finds others at theirs: one death does for
all of them."""

_DEATH_SECONDS = 20.0
_NAMES = {"rf-agent": "agent", "rf-controller": "controller"}
_TRACKER = "rapidfire_lab.engine.tracker"


def reached(point: str, state: str | None, slot: int | None = None) -> None:
    """Die, or kill, if a fault is armed for this point and state of a run, which is on the slot with this pid."""
    for fault in sorted((FOLDER / "armed").glob(f"*.{point}.{state}.*")):
        victim = fault.name.split(".")[1]
        pids = victims(victim, slot)
        if not pids:
            continue
        claimed = _claim(fault)
        if claimed is None:
            reached(point, state, slot)
        elif claimed.parent.name == "fired":
            _strike(claimed.name, victim, pids, slot)
        return


def _claim(fault: Path) -> Path | None:
    """Take a fault, or one of the visits that it lets pass; None when another process was faster."""
    name, skip = fault.name.rsplit(".", 1)
    target = fault.with_name(f"{name}.{int(skip) - 1}") if int(skip) else FOLDER / "fired" / name
    try:
        return fault.rename(target)
    except FileNotFoundError:
        return None


def victims(victim: str, slot: int | None) -> list[int]:
    """Pids of a victim; none while it is down, or not up to its work yet."""
    if victim == "kernel":
        return _reported("user")
    if victim == "server":
        return _reported("server")
    if victim == "machine":
        return [pid for pid, _ in _processes()] if _reported("user") else []
    if victim == "slot" and slot is not None:
        return [slot] if is_alive(slot) else []
    found = [pid for pid, part in _processes() if part == victim]
    return [random.choice(found)] if found else []


def role(name: str, command: list[str]) -> str | None:
    """What a process does. Those that are forked from each other have the same command line, and names of their own."""
    if name.startswith("rf-slot-"):
        return "slot"
    return "tracker" if _TRACKER in command else _NAMES.get(name)


def _reported(name: str) -> list[int]:
    """The pid that a client has left once it was up, while it lives."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((FOLDER / "up" / name).read_text())
        if is_alive(pid):
            return [pid]
    return []


def _processes() -> list[tuple[int, str | None]]:
    """All that was started for this folder of faults, with their roles: engine, clients and what they have started."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("FAULTS_FOLDER") == str(FOLDER) and process.status() != psutil.STATUS_ZOMBIE:
                found.append((process.pid, role(process.name(), process.cmdline())))
    return found


def is_alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _strike(fault: str, victim: str, pids: list[int], slot: int | None) -> None:
    if victim in _TAKE_ALL:
        time.sleep(_GATHER_SECONDS)
        pids = victims(victim, slot) or pids
    kill(fault, pids)
    _see_dead([pid for pid in pids if pid != os.getpid()])
    if victim in _TAKE_ALL:
        time.sleep(_DEATH_SECONDS)  # our own death is under way


def kill(why: str, pids: list[int]) -> None:
    """Write it down, and kill all at the same moment: nobody sees the others die."""
    with (FOLDER / "strikes.log").open("a") as log:
        log.write(f"{time.strftime('%H:%M:%S')} {why}: {os.getpid()} kills {pids}\n")
    # Whoever dies with its parent is dead once that is: ours come last.
    above = _ancestors()
    others = sorted((pid for pid in pids if pid != os.getpid()), key=lambda pid: pid in above)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    if os.getpid() in pids:
        os.kill(os.getpid(), signal.SIGKILL)


def _ancestors() -> set[int]:
    import psutil

    return {process.pid for process in psutil.Process().parents()}


def _see_dead(pids: list[int]) -> None:
    deadline = time.monotonic() + _DEATH_SECONDS
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


if __name__ == "__main__" and (chosen := victims(sys.argv[1], None)):
    kill(f"{sys.argv[1]} at any time", chosen)
