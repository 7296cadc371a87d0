"""The controller's child processes: one torch elastic context each, so that one that dies is started again alone."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, PContext, Std, start_processes

from rapidfire_lab.engine.watchdog import TELL_WHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

_FREE_RESTARTS = 3
_LONGEST_BACKOFF = 30.0
_STABLE_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 1.0


@dataclass
class Child:
    """A process that is kept alive."""

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    context: PContext | None = None
    born: float = 0.0
    quick_exits: int = 0
    start_after: float = 0.0
    kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        return next(iter(self.context.pids().values()), None) if self.context else None


@dataclass
class Children:
    """Starts, reaps and restarts children by name. ``now`` is the caller's monotonic clock, in seconds."""

    by_name: dict[str, Child] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The elastic API wants a folder for redirected output; ours redirect themselves and leave it empty.
        self._unused = tempfile.TemporaryDirectory(prefix="rapidfire_lab-", ignore_cleanup_errors=True)

    def add(self, child: Child) -> None:
        self.by_name[child.name] = child

    def start_due(self, now: float) -> None:
        for child in self.by_name.values():
            if child.context is None and now >= child.start_after:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        child.born = now
        with _own_signal_handlers():
            child.context = start_processes(
                name=child.name,
                entrypoint=sys.executable,
                args={0: ("-m", child.module, *child.arguments)},
                envs={0: child.environment},
                logs_specs=DefaultLogsSpecs(log_dir=self._unused.name, redirects=Std.NONE, tee=Std.NONE),
            )

    def reap(self, now: float) -> list[tuple[Child, int]]:
        """Children that have exited, with their exit codes (negative: killed by that signal)."""
        for child in self.by_name.values():
            if child.kill_at is not None and now >= child.kill_at:
                _signal(child.pid, signal.SIGKILL)
        return [(child, code) for child in self.by_name.values() if (code := self._exit_code(child, now)) is not None]

    def _exit_code(self, child: Child, now: float) -> int | None:
        result = child.context.wait(0) if child.context else None
        if result is None:
            return None
        _kill_descendants(child.pid)
        child.context = child.kill_at = None
        child.quick_exits = child.quick_exits + 1 if now - child.born < _STABLE_SECONDS else 0
        excess = child.quick_exits - _FREE_RESTARTS
        child.start_after = now + (min(2.0**excess, _LONGEST_BACKOFF) if excess > 0 else 0.0)
        failure = result.failures.get(0)
        return failure.exitcode if failure else 0

    def forgive(self) -> None:
        for child in self.by_name.values():
            child.quick_exits = 0
            child.start_after = 0.0

    def kill(self, name: str, now: float) -> None:
        """Have a child tell where it is, and kill it a moment later."""
        child = self.by_name[name]
        _signal(child.pid, TELL_WHERE)
        child.kill_at = now + _LAST_WORDS_SECONDS

    def close(self) -> None:
        """Ask all to exit, and kill what has not within some seconds, with all that it has started."""
        running = [child for child in self.by_name.values() if child.context is not None]
        for child in running:
            _signal(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _CLOSE_SECONDS
        for child in running:
            pid = child.pid
            if child.context is not None:
                child.context.close(signal.SIGTERM, timeout=max(0, math.ceil(deadline - time.monotonic())))
            _kill_descendants(pid)
        self._unused.cleanup()


def _kill_descendants(pid: int | None) -> None:
    """Kill what a child has started: it leads a process group, in which user code's own processes are."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Put our signal handlers back: starting an elastic context installs its own."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_reason(code: int) -> str:
    """What an exit code says, for a person."""
    if code >= 0:
        return f"exited with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
