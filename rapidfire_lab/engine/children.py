"""The controller's child processes: each is started again alone when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rapidfire_lab.engine.watchdog import TELL_WHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FREE_RESTARTS = 3
_LONGEST_BACKOFF = 30.0
_STABLE_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0
_LOOK_SECONDS = 0.01


class Process(Protocol):
    """A process that has been started: `subprocess.Popen`, or one from the nursery."""

    pid: int

    def poll(self) -> int | None: ...


@dataclass
class Child:
    """A process that is kept alive."""

    name: str
    start: Callable[[], Process]
    process: Process | None = None
    born: float = 0.0
    quick_exits: int = 0
    start_after: float = 0.0
    kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None


@dataclass
class Children:
    """Starts, reaps and restarts children by name. ``now`` is the caller's monotonic clock, in seconds."""

    by_name: dict[str, Child] = field(default_factory=dict)

    def add(self, child: Child) -> None:
        self.by_name[child.name] = child

    def start_due(self, now: float) -> None:
        for child in self.by_name.values():
            if child.process is None and now >= child.start_after:
                child.born = now
                child.process = child.start()

    def reap(self, now: float) -> list[tuple[Child, int]]:
        """Children that have exited, with their exit codes (negative: killed by that signal)."""
        for child in self.by_name.values():
            if child.kill_at is not None and now >= child.kill_at:
                _signal(child.pid, signal.SIGKILL)
        return [(child, code) for child in self.by_name.values() if (code := self._exit_code(child, now)) is not None]

    def _exit_code(self, child: Child, now: float) -> int | None:
        code = child.process.poll() if child.process else None
        if code is None:
            return None
        _kill_descendants(child.pid)
        child.process = child.kill_at = None
        child.quick_exits = child.quick_exits + 1 if now - child.born < _STABLE_SECONDS else 0
        excess = child.quick_exits - _FREE_RESTARTS
        child.start_after = now + (min(2.0**excess, _LONGEST_BACKOFF) if excess > 0 else 0.0)
        return code

    def forgive(self) -> None:
        for child in self.by_name.values():
            if child.quick_exits:
                child.quick_exits, child.start_after = 0, 0.0

    def kill(self, name: str, now: float) -> None:
        """Have a child tell where it is, and kill it a moment later."""
        child = self.by_name[name]
        _signal(child.pid, TELL_WHERE)
        child.kill_at = now + _LAST_WORDS_SECONDS

    def close(self) -> None:
        """Ask all to exit, and kill what has not within some seconds, with all that it has started."""
        running = [child.process for child in self.by_name.values() if child.process is not None]
        for process in running:
            _signal(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _CLOSE_SECONDS
        for process in running:
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
            if process.poll() is None:
                _signal(process.pid, signal.SIGKILL)
            _kill_descendants(process.pid)


def spawn(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Start a module as a process of its own interpreter, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_descendants(pid: int | None) -> None:
    """Kill what a child has started: it leads a process group, in which user code's own processes are."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def exit_reason(code: int) -> str:
    """What an exit code says, for a person."""
    if code >= 0:
        return f"exited with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
