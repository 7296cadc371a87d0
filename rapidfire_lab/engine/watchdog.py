"""How long each slot has been at one minibatch.

A slot says in a few bytes of shared memory that it begins with one: no thread of its own has to run for that, and no
message has to be sent, so that user code that holds the interpreter or the device is seen all the same.
"""

from __future__ import annotations

import mmap
import signal
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TELL_WHERE = signal.SIGQUIT
"""Has a slot write the tracebacks of its threads into the run's log."""

_LONGEST_TURN = 1.0
"""Seconds. Where the controller itself was held up for longer, so may the slots have been."""

_BEAT = struct.Struct("=qq")
_RESTING = -1


class Pulse:
    """What a slot says: a number that grows, and the step that it has come to, or that it does not train.

    Parameters
    ----------
    path
        File of the slot, from ``Watchdog.watch``; None where nobody looks.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._memory = mmap.mmap(-1, _BEAT.size)
            return
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _BEAT.size)

    def beat(self, step: int) -> None:
        """Say that what comes after this step begins now."""
        number, _ = self.read()
        _BEAT.pack_into(self._memory, 0, number + 1, step)

    def rest(self) -> None:
        """Say that nothing is trained that could take too long."""
        self.beat(_RESTING)

    def read(self) -> tuple[int, int]:
        return _BEAT.unpack_from(self._memory)


class Watchdog:
    """The pulses of a machine's slots.

    Parameters
    ----------
    folder
        Where their files are made.
    limit
        Seconds that a minibatch may take.
    """

    def __init__(self, folder: Path, limit: float) -> None:
        self._folder = folder
        self._limit = limit
        self._pulses: dict[int, Pulse] = {}
        self._seen: dict[int, tuple[tuple[int, int], float]] = {}
        """By slot: its last beat, and when it was first seen."""
        self._clock = 0.0
        self._last_look: float | None = None

    def watch(self, slot: int) -> Path:
        """Begin to watch a slot; returns the file that it is to write."""
        path = self._folder / f"pulse-{slot}"
        path.write_bytes(_BEAT.pack(0, _RESTING))
        self._pulses[slot] = Pulse(path)
        return path

    def overdue(self, now: float) -> list[tuple[int, int]]:
        """Slots that have been at one minibatch for too long, each with its step; told once.

        ``now`` is the caller's monotonic clock, in seconds.
        """
        if self._last_look is not None:
            self._clock += min(now - self._last_look, _LONGEST_TURN)
        self._last_look = now
        return [(slot, pulse.read()[1]) for slot, pulse in self._pulses.items() if self._is_overdue(slot, pulse)]

    def _is_overdue(self, slot: int, pulse: Pulse) -> bool:
        beat = pulse.read()
        known, since = self._seen.get(slot, (None, 0.0))
        if beat != known:
            self._seen[slot] = (beat, self._clock)
            return False
        overdue = beat[1] != _RESTING and self._clock - since > self._limit
        if overdue:
            self._seen[slot] = (beat, self._clock)
        return overdue
