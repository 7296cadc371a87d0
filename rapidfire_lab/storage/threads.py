"""Work in several threads. Those of ``concurrent.futures`` refuse work while Python exits; these do not.

An upload in the background may still be on its way when a script has ended: Python waits for its thread, which must
be able to finish.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")


def in_parallel(actions: Sequence[Callable[[], Result]], workers: int) -> list[Future[Result]]:
    """Begin all actions, so many at a time; each has its own outcome. One alone is done at once, in this thread."""
    futures: list[Future[Result]] = [Future() for _ in actions]
    left, lock = iter(zip(futures, actions, strict=True)), threading.Lock()
    if len(actions) <= 1:
        _work(left, lock)
    for _ in range(min(workers, len(actions)) if len(actions) > 1 else 0):
        threading.Thread(target=_work, args=(left, lock), name="rapidfire_lab-transfer").start()
    return futures


def _work(left: Iterator[tuple[Future[Result], Callable[[], Result]]], lock: threading.Lock) -> None:
    while True:
        with lock:
            future, action = next(left, (None, None))
        if future is None or action is None:
            return
        try:
            future.set_result(action())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is asked for
            future.set_exception(error)
