"""Starting an engine that outlives its starter.

``python -m rapidfire_lab.engine.launcher`` is a short-lived process that forks the agent and exits: the kernel neither
has to reap the engine nor finds it among its descendants. The engine gets a session of its own, no inherited output and
an environment without the kernel's marks.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from typing import IO, TYPE_CHECKING

from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.environment import without_jupyter
from rapidfire_lab.errors import EngineError
from rapidfire_lab.files import HOME_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

MARKER_VARIABLE = "RAPIDFIRE_LAB_ENGINE"
"""In the environment of every process of an engine: its home, so that leftovers can be told."""

_KERNEL_VARIABLES = (
    "MPLBACKEND",
    "PYDEVD_USE_FRAME_EVAL",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
    "PAGER",
    "GIT_PAGER",
)
"""What Jupyter sets for a kernel, beside variables of its own, and would confuse an engine."""

_LOCK_SECONDS = 0.5
_LARGEST_LOG = 10_000_000


def _try_lock(path: Path, mode: int) -> IO[bytes] | None:
    lock = path.open("ab")
    try:
        fcntl.flock(lock, mode | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def is_alive(home: EngineHome) -> bool:
    """Whether an engine of this home lives: its lock is held, whatever pids say.

    A shared lock asks, so that two who ask at once do not take each other for an engine.
    """
    if not home.engine_lock.exists():
        return False
    lock = _try_lock(home.engine_lock, fcntl.LOCK_SH)
    if lock is None:
        return True
    lock.close()
    return False


def _take_lock(home: EngineHome) -> IO[bytes] | None:
    """Take the lock of a home for an engine; None when an engine has it.

    Somebody who only asks holds it for an instant, so one refusal is not believed.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while (lock := _try_lock(home.engine_lock, fcntl.LOCK_EX)) is None:
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)
    return lock


def launch(home: EngineHome) -> None:
    """Start an engine for this home, unless one lives; returns before it can be talked to.

    Raises
    ------
    EngineError
        When the launcher process fails.
    """
    home.create()
    result = subprocess.run(
        [sys.executable, "-m", "rapidfire_lab.engine.launcher"],
        cwd=home.root,  # not the notebook folder: what only that folder offers would be missing later
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        message = f"The engine could not be started: {result.stderr.strip() or result.stdout.strip()}"
        raise EngineError(message)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def _environment(home: EngineHome) -> dict[str, str]:
    kept = {name: value for name, value in without_jupyter(os.environ).items() if name not in _KERNEL_VARIABLES}
    own = {
        HOME_VARIABLE: str(home.root),
        MARKER_VARIABLE: str(home.root),
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "PYTHONUNBUFFERED": "1",
        # For slots, which are forked from what begins here. Sets of strings have the same order in every one of them,
        # since a run may move between two minibatches,
        "PYTHONHASHSEED": "0",
        # and a loaded machine takes no fewer threads than an idle one, or it would round otherwise.
        "MKL_DYNAMIC": "FALSE",
        "OMP_DYNAMIC": "FALSE",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    return kept | own


def _become_agent(home: EngineHome, lock: IO[bytes]) -> None:
    """Leave session and output of whoever started us, and be the agent, which has the lock for as long as it lives."""
    os.setsid()
    log_path = home.logs / "engine.log"
    _rotate(log_path)
    with log_path.open("ab") as log:
        for output in (1, 2):
            os.dup2(log.fileno(), output)
    for old in home.runtime.glob("rendezvous-*"):
        old.unlink(missing_ok=True)
    rendezvous = tempfile.mktemp(prefix="rendezvous-", dir=home.runtime)  # noqa: S306 - in a folder of our own
    import_module("rapidfire_lab.engine.agent").run(home, rendezvous, lock.fileno())


def main() -> None:
    """Entry point of the launcher process."""
    os.umask(0o077)
    home = EngineHome.default()
    home.create()
    lock = _take_lock(home)
    if lock is None:
        return
    home.identity.unlink(missing_ok=True)
    home.failure.unlink(missing_ok=True)
    home.stopped.unlink(missing_ok=True)
    if os.fork() == 0:
        _become_agent(home, lock)


if __name__ == "__main__":
    main()
