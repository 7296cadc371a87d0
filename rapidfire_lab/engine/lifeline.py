"""No process of the engine outlives its parent: after any crash nothing is left holding a device."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_WATCH_SECONDS = 1.0


def die_with_parent(parent: int) -> None:
    """Have this process killed when process ``parent`` dies, also while user code holds the interpreter.

    Linux kills it through the parent-death signal. Elsewhere, and should the parent be gone already, a thread that
    compares the parent's pid does it.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def name_process(name: str) -> None:
    """Have ``top`` and the like show a process under a name of up to 15 characters; forked ones look all the same."""
    if sys.platform == "linux":
        _prctl(_PR_SET_NAME, name.encode())


def _prctl(option: int, value: int | bytes) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
