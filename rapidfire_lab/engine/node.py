"""torchrun's worker: brings the controller and this machine's slots up, and recovers what a crash left."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
import uuid
from typing import IO, TYPE_CHECKING

import psutil
import torch

import rapidfire_lab
from rapidfire_lab.engine.children import Child, Children
from rapidfire_lab.engine.controller import Controller
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.engine.launcher import MARKER_VARIABLE
from rapidfire_lab.engine.ledger import Ledger, run_state
from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.engine.protocol import API_LEVEL
from rapidfire_lab.engine.scheduler import RunAdded, Scheduler, StopAsked
from rapidfire_lab.engine.settings import EngineSettings, available_cores
from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import JournalWriter

if TYPE_CHECKING:
    from pathlib import Path

_WARM_SLOTS = 8
"""Slots that are started before there is anything to train."""

_LOCK_SECONDS = 15.0


class Node:
    """The processes of one machine: slots and tracker."""

    def __init__(self, home: EngineHome, settings: EngineSettings, address: str) -> None:
        self._home = home
        self._settings = settings
        self._address = address
        self._devices = _devices(settings)
        cores = available_cores()
        self._slots = settings.slots or (len(self._devices) if self._devices else cores)
        self._threads = settings.threads_per_slot or max(1, cores // self._slots)
        self._children = Children()
        self.drain_asked = False
        if settings.tracking:
            self._children.add(self._tracker())

    def _tracker(self) -> Child:
        arguments = ("--home", str(self._home.root), "--address", self._address, "--parent", str(os.getpid()))
        return Child("tracker", "rapidfire_lab.engine.tracker", arguments, {"OMP_NUM_THREADS": "1"})

    def want_slots(self, runs: int) -> None:
        """Have as many slots as there are runs to train, and some warm ones; never more than the machine offers."""
        for index in range(min(self._slots, max(runs, _WARM_SLOTS))):
            name = _slot_name(index)
            if name not in self._children.by_name:
                self._children.add(self._slot(index))

    def _slot(self, index: int) -> Child:
        arguments = {
            "index": index,
            "address": self._address,
            "parent": os.getpid(),
            "device": "cuda" if self._devices else "cpu",
            "threads": self._threads,
            "slots": self._slots,
            "memory-fraction": self._settings.memory_fraction,
        }
        environment = {
            "OMP_NUM_THREADS": str(self._threads),
            "MKL_NUM_THREADS": str(self._threads),
            "CUDA_VISIBLE_DEVICES": self._devices[index % len(self._devices)] if self._devices else "",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "PYTHONUNBUFFERED": "1",
        }
        flags = tuple(word for name, value in arguments.items() for word in (f"--{name}", str(value)))
        return Child(_slot_name(index), "rapidfire_lab.worker.slot", flags, environment)

    def start_due(self, now: float) -> None:
        self._children.start_due(now)

    def reap(self, now: float) -> list[tuple[Child, int]]:
        return self._children.reap(now)

    def kill_slot(self, index: int) -> None:
        self._children.kill(_slot_name(index))

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


def _recover(journal: JournalWriter, settings: EngineSettings) -> Ledger:
    """Bring the schedule back from the journal: what was on a slot goes back to its last commit."""
    scheduler = Scheduler(last_lease=journal.last_lease(), max_attempts=settings.max_attempts)
    ledger = Ledger(journal, scheduler, tracking=settings.tracking)
    with journal.transaction():
        for key in journal.lose_open_leases():
            run = journal.run_by_key(key)
            journal.trim_points(key, run.step)
            journal.update_run(key, live_step=run.step)
        for run in journal.active_runs():
            ledger.feed(RunAdded(run_state(run, journal.fit(run.fit_id).num_chunks)))
            if run.wanted == "stopped":
                ledger.feed(StopAsked(run.id))
    return ledger


def _kill_leftovers(home: EngineHome) -> None:
    """Kill what an earlier engine of this home may have left; normally everything dies with its parent."""
    own = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARKER_VARIABLE) == str(home.root):
                process.kill()
        except psutil.Error:
            continue


def _lock_writer(path: Path) -> IO[bytes]:
    """Become the journal's writer; a predecessor that is about to die gets some seconds to do so."""
    lock = path.open("wb")
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                message = f"Another controller holds {path} and does not go away."
                raise EngineError(message) from None
            time.sleep(0.05)
        else:
            return lock


def main() -> None:
    """Entry point of the node process."""
    die_with_parent(os.getppid())
    home = EngineHome.default()
    home.create()
    lock = _lock_writer(home.writer_lock)
    _kill_leftovers(home)
    settings = EngineSettings.load(home.settings)
    epoch = uuid.uuid4().hex
    journal = JournalWriter(home.journal, epoch)
    socket_path = home.runtime / "wire.sock"
    socket_path.unlink(missing_ok=True)
    address = f"ipc://{socket_path}"
    node = Node(home, settings, address)
    signal.signal(signal.SIGTERM, lambda *_: node.ask_to_drain())
    signal.signal(signal.SIGINT, lambda *_: node.ask_to_drain())
    controller = Controller(home, settings, _recover(journal, settings), node)
    controller.bind(address)
    home.write_identity(
        EngineIdentity(
            pid=os.getpid(),
            epoch=epoch,
            version=rapidfire_lab.__version__,
            api_level=API_LEVEL,
            address=address,
            started=time.time(),
        )
    )
    try:
        controller.run()
    finally:
        journal.close()
        lock.close()


if __name__ == "__main__":
    try:
        main()
    except EngineError as refusal:
        # Trying again would give the same: leave the reason for the client, and have torchrun end too.
        EngineHome.default().write_failure(str(refusal))
        print(refusal, file=sys.stderr)
