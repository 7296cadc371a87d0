"""The processes of one machine: its slots, the tracker, and the one that calls policies."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from rapidfire_lab.engine.children import Child, Children, spawn
from rapidfire_lab.engine.gpus import shares, slots_on, visible_gpus
from rapidfire_lab.engine.settings import (
    EngineSettings,
    cpu_threads,
    host_bytes,
    input_processes,
    prepared_bytes,
    slot_count,
)
from rapidfire_lab.engine.watchdog import Watchdog
from rapidfire_lab.errors import EngineError

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.engine.nursery import Nursery

_ALONE = {"OMP_NUM_THREADS": "1"}
_SLOT = "rapidfire_lab.worker.slot"
_WARM_SLOTS = 8
"""Slots that are started before there is anything to train."""


class Node:
    """The processes of one machine: slots, tracker and policies."""

    def __init__(self, home: EngineHome, settings: EngineSettings, address: str, nursery: Nursery | None) -> None:
        self._home = home
        self._settings = settings
        self._address = address
        self._devices = _devices(settings)
        # Nobody has tried yet whether forked slots can use GPUs.
        self._nursery = None if self._devices else nursery
        self.slots = slot_count(settings, len(self._devices))
        self._threads = cpu_threads(settings, len(self._devices))
        self._input_processes = input_processes(settings, len(self._devices))
        self._shares = shares(self.slots, len(self._devices)) if self._devices else [0]
        self._host_bytes = host_bytes(settings, len(self._devices))
        self._prepared_bytes = prepared_bytes(settings, home.prepared)
        self._children = Children()
        limit = settings.step_timeout_seconds
        self._watchdog = Watchdog(home.runtime, limit) if limit else None
        self.drain_asked = False

    def _own_arguments(self) -> tuple[str, ...]:
        return ("--home", str(self._home.root), "--address", self._address, "--parent", str(os.getpid()))

    def want_tracker(self, due: float) -> None:
        """Have the tracker, which starts when it is due, or earlier if it was to."""
        if not self._settings.tracking:
            return
        tracker = self._children.by_name.get("tracker")
        if tracker is None:
            start = partial(spawn, "rapidfire_lab.engine.tracker", self._own_arguments(), _ALONE)
            self._children.add(Child("tracker", start, start_after=due))
        elif not tracker.quick_exits:
            tracker.start_after = min(tracker.start_after, due)

    @property
    def on_gpus(self) -> bool:
        """Whether slots train on GPUs."""
        return bool(self._devices)

    def want_policies(self) -> None:
        """Have the process in which policies are called."""
        if "policies" not in self._children.by_name:
            start = partial(spawn, "rapidfire_lab.policies.process", self._own_arguments(), _ALONE)
            self._children.add(Child("policies", start))

    def want_slots(self, runs: int) -> None:
        """Have as many slots as there are runs to train, and some warm ones; never more than the machine offers."""
        for index in range(min(self.slots, max(runs, _WARM_SLOTS))):
            name = _slot_name(index)
            if name not in self._children.by_name:
                self._children.add(self._slot(index))

    def _slot(self, index: int) -> Child:
        gpus = max(1, len(self._devices))
        gpu = index % gpus
        arguments: dict[str, object] = {
            "index": index,
            "address": self._address,
            "parent": self._nursery.pid if self._nursery else os.getpid(),
            "device": "cuda" if self._devices else "cpu",
            "threads": self._threads,
            "sharing": slots_on(gpu, gpus, self.slots),
            "device-bytes": self._shares[gpu],
            "input-processes": self._input_processes,
            "memory-fraction": self._settings.memory_fraction,
            "host-bytes": self._host_bytes,
            "prepared": self._home.prepared,
            "prepared-bytes": self._prepared_bytes,
        }
        if self._watchdog:
            arguments["pulse"] = self._watchdog.watch(index)
        environment = {
            "OMP_NUM_THREADS": str(self._threads),
            "MKL_NUM_THREADS": str(self._threads),
            "CUDA_VISIBLE_DEVICES": self._devices[gpu] if self._devices else "",
        }
        flags = tuple(word for name, value in arguments.items() for word in (f"--{name}", str(value)))
        if self._nursery is None:
            return Child(_slot_name(index), partial(spawn, _SLOT, flags, environment))
        return Child(
            _slot_name(index), partial(self._nursery.start, f"rf-{_slot_name(index)}", _SLOT, flags, environment)
        )

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
        own = {"agent": os.getppid(), "controller": os.getpid()}
        return own | ({"nursery": self._nursery.pid} if self._nursery else {}) | children

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
    gpus = visible_gpus()
    if settings.device == "cuda" and not gpus:
        message = "The engine setting device is 'cuda', but torch sees no GPU."
        raise EngineError(message)
    return gpus
