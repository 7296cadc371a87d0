"""Checkpoints that are written while the next lease trains.

A lease's work counts once its checkpoint is on the disk, but its slot need not wait for that: what is to be written is
a snapshot, and a thread writes it.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.engine.protocol import LeaseDone
    from rapidfire_lab.worker.training import TrainingRun

_LARGEST_COPY = 256 << 20
"""Bytes of a run state in the CPU's memory of which a copy is made."""

_MOST_WAITING = 2
"""Snapshots that may wait for the disk: a slot that is faster than it waits, or memory would run out."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run's checkpoint is to hold."""

    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]
    is_live: bool
    """Whether the tensors are those of the run itself, which must not train on until they are written."""

    @classmethod
    def of(cls, training: TrainingRun) -> Checkpoint:
        """Take a copy, unless that would take much of the memory that the run is in."""
        tensors, state = training.weights(), training.state()
        if training.device.type == "cpu" and size_of([tensors, state]) > _LARGEST_COPY:
            return cls(tensors, state, is_live=True)
        tensors, state = snapshot((tensors, state))
        return cls(tensors, state, is_live=False)


@dataclass(frozen=True)
class _Job:
    run: int
    write: Callable[[], LeaseDone]
    is_live: bool


class Saver:
    """Writes checkpoints in order, in a thread of its own. All methods are for the slot's thread.

    ``wakeup`` is a socket that has something to read when there are answers; ``finished`` empties it.
    """

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._answers: deque[LeaseDone] = deque()
        self._changed = threading.Condition()
        address = f"inproc://saver-{id(self)}"
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self.wakeup: zmq.Socket[bytes] = context.socket(zmq.PULL)
        self.wakeup.bind(address)
        self._told: zmq.Socket[bytes] = context.socket(zmq.PUSH)
        self._told.connect(address)
        threading.Thread(target=self._serve, name="saver", daemon=True).start()

    def save(self, run: int, write: Callable[[], LeaseDone], *, is_live: bool) -> None:
        """Have ``write`` called, which may not raise; waits while there is too much to write."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._jobs) < _MOST_WAITING)
            self._jobs.append(_Job(run, write, is_live))
            self._changed.notify_all()

    def wait_for(self, run: int, *, live: bool = False) -> None:
        """Wait until all that was to be written of a run is on the disk, or all that it must not change meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not any(job.run == run and job.is_live >= live for job in self._jobs))

    @property
    def has_answers(self) -> bool:
        return bool(self._answers)

    def finished(self) -> list[LeaseDone]:
        """Give the answers since the last call, in order."""
        while self.wakeup.poll(0):
            self.wakeup.recv()
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        return answers

    def close(self) -> None:
        """Wait until everything is on the disk."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job = self._jobs[0]
            self._answers.append(job.write())
            self._told.send(b"")
            with self._changed:
                self._jobs.popleft()
                self._changed.notify_all()


def snapshot(value: Any) -> Any:
    """Copy of nested plain data with all tensors on the CPU; what is one tensor under two names stays one."""
    return _Snapshot().of(value)


class _Snapshot:
    def __init__(self) -> None:
        self._copies: dict[tuple[Any, ...], torch.Tensor] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if type(value) is dict:
            return {key: self.of(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(map(self.of, value))
        return copy.deepcopy(value)

    def _tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        identity = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() == 0 or identity not in self._copies:
            self._copies[identity] = tensor.detach().to("cpu", copy=True)
        return self._copies[identity]


def size_of(value: Any) -> int:
    """Bytes of all tensors in nested plain data."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(size_of, value.values()))
    return sum(map(size_of, value)) if isinstance(value, list | tuple) else 0
