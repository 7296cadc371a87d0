"""The processes of one machine: its slots, the tracker, and the one that calls policies."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import torch

from rapidfire_lab.engine.children import Child, Children
from rapidfire_lab.engine.settings import EngineSettings, available_cores, prepared_bytes
from rapidfire_lab.engine.watchdog import Watchdog
from rapidfire_lab.errors import EngineError

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome

_WARM_SLOTS = 8
"""Slots that are started before there is anything to train."""


class Node:
    """The processes of one machine: slots, tracker and policies."""

    def __init__(self, home: EngineHome, settings: EngineSettings, address: str) -> None:
        self._home = home
        self._settings = settings
        self._address = address
        self._devices = _devices(settings)
        cores = available_cores()
        self.slots = settings.slots or (len(self._devices) if self._devices else cores)
        self._threads = settings.threads_per_slot or max(1, cores // self.slots)
        self._prepared_bytes = prepared_bytes(settings, home.prepared)
        self._children = Children()
        limit = settings.step_timeout_seconds
        self._watchdog = Watchdog(home.runtime, limit) if limit else None
        self.drain_asked = False
        if settings.tracking:
            self._children.add(self._tracker())

    def _tracker(self) -> Child:
        return Child("tracker", "rapidfire_lab.engine.tracker", self._own_arguments(), {"OMP_NUM_THREADS": "1"})

    def _own_arguments(self) -> tuple[str, ...]:
        return ("--home", str(self._home.root), "--address", self._address, "--parent", str(os.getpid()))

    def want_policies(self) -> None:
        """Have the process in which policies are called."""
        if "policies" not in self._children.by_name:
            environment = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
            self._children.add(Child("policies", "rapidfire_lab.policies.process", self._own_arguments(), environment))

    def want_slots(self, runs: int) -> None:
        """Have as many slots as there are runs to train, and some warm ones; never more than the machine offers."""
        for index in range(min(self.slots, max(runs, _WARM_SLOTS))):
            name = _slot_name(index)
            if name not in self._children.by_name:
                self._children.add(self._slot(index))

    def _slot(self, index: int) -> Child:
        arguments: dict[str, object] = {
            "index": index,
            "address": self._address,
            "parent": os.getpid(),
            "device": "cuda" if self._devices else "cpu",
            "threads": self._threads,
            "sharing": math.ceil(self.slots / max(1, len(self._devices))),
            "memory-fraction": self._settings.memory_fraction,
            "prepared": self._home.prepared,
            "prepared-bytes": self._prepared_bytes,
        }
        if self._watchdog:
            arguments["pulse"] = self._watchdog.watch(index)
        environment = {
            "OMP_NUM_THREADS": str(self._threads),
            "MKL_NUM_THREADS": str(self._threads),
            # Or else a loaded machine may take fewer, and round otherwise.
            "MKL_DYNAMIC": "FALSE",
            "OMP_DYNAMIC": "FALSE",
            "CUDA_VISIBLE_DEVICES": self._devices[index % len(self._devices)] if self._devices else "",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "PYTHONUNBUFFERED": "1",
            # Sets of strings have the same order in every slot: a run may move between two minibatches.
            "PYTHONHASHSEED": "0",
        }
        flags = tuple(word for name, value in arguments.items() for word in (f"--{name}", str(value)))
        return Child(_slot_name(index), "rapidfire_lab.worker.slot", flags, environment)

    def start_due(self, now: float) -> None:
        self._children.start_due(now)

    def reap(self, now: float) -> list[tuple[Child, int]]:
        return self._children.reap(now)

    def overdue(self, now: float) -> list[tuple[int, int]]:
        """Slots that have been at one minibatch for longer than they may, each with the step before it."""
        return self._watchdog.overdue(now) if self._watchdog else []

    def kill_slot(self, index: int, now: float) -> None:
        self._children.kill(_slot_name(index), now)

    def slots_are_fine(self) -> None:
        """Forget past crashes, after which a slot is started later and later: a lease has been committed."""
        self._children.forgive()

    def slot_of(self, name: str) -> int | None:
        return int(name.removeprefix("slot-")) if name.startswith("slot-") else None

    def slot_pid(self, index: int) -> int | None:
        return self._children.by_name[_slot_name(index)].pid

    def processes(self) -> dict[str, int | None]:
        """Pids of the engine's processes by role."""
        children = {name: child.pid for name, child in self._children.by_name.items()}
        return {"agent": os.getppid(), "controller": os.getpid(), **children}

    def ask_to_drain(self) -> None:
        """Have the controller shut down at its next turn; safe to call from a signal handler."""
        self.drain_asked = True

    def close(self) -> None:
        self._children.close()


def _slot_name(index: int) -> str:
    return f"slot-{index}"


def _devices(settings: EngineSettings) -> list[str]:
    """Visible GPUs, as values for CUDA_VISIBLE_DEVICES; empty to train on the CPU."""
    if settings.device == "cpu":
        return []
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if settings.device == "cuda" and not count:
        message = "The engine setting device is 'cuda', but torch sees no GPU."
        raise EngineError(message)
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[:count] if len(visible) >= count > 0 else [str(index) for index in range(count)]
