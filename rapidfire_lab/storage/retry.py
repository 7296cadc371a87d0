"""Trying again what may pass: with growing, random pauses, and not for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rapidfire_lab.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.storage.watch import Watch

Result = TypeVar("Result")


class TransientError(StorageError):
    """A failure that the next attempt may not have: throttling, a broken connection, a server's own error."""


@dataclass(frozen=True)
class Retry:
    """How often, and how patiently: pauses are random, up to ``first_seconds`` and twice as much each time."""

    attempts: int = 6
    first_seconds: float = 0.5
    most_seconds: float = 20.0

    def seconds(self, failures: int) -> float:
        """Pause after so many failures in a row."""
        return random.uniform(0, min(self.most_seconds, self.first_seconds * 2 ** (failures - 1)))

    def call(self, action: Callable[[], Result], watch: Watch) -> Result:
        """Return what ``action`` does once it raises no `TransientError` any more.

        Raises
        ------
        StorageError
            The last failure, when all attempts are used up. It is no `TransientError`: nobody tries again.
        """
        tries = Tries(self, watch)
        while True:
            try:
                return action()
            except TransientError as error:
                tries.failed(error)


class Tries:
    """Failures in a row of one piece of work."""

    def __init__(self, retry: Retry, watch: Watch) -> None:
        self._retry = retry
        self._watch = watch
        self._failures = 0

    def progressed(self) -> None:
        """Begin to count anew: something came through."""
        self._failures = 0

    def failed(self, error: TransientError) -> None:
        """Pause before the next attempt, or raise the error where there is none."""
        self._failures += 1
        if self._failures >= self._retry.attempts:
            tried = f" (tried {self._failures} times)" if self._failures > 1 else ""
            raise StorageError(f"{error}{tried}") from error
        self._watch.pause(self._retry.seconds(self._failures))
