"""The controller's process, which the agent keeps alive: brings it up on what the journal and a crash left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
import uuid
from typing import IO, TYPE_CHECKING

import psutil

import rapidfire_lab
from rapidfire_lab.engine.controller import Controller
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.engine.job_ledger import job_state
from rapidfire_lab.engine.jobs import JobAdded
from rapidfire_lab.engine.launcher import MARKER_VARIABLE, is_alive
from rapidfire_lab.engine.ledger import Ledger, run_state
from rapidfire_lab.engine.lifeline import die_with_parent, name_process
from rapidfire_lab.engine.node import Node
from rapidfire_lab.engine.nursery import Nursery
from rapidfire_lab.engine.protocol import API_LEVEL
from rapidfire_lab.engine.scheduler import RunAdded, Scheduler, StopAsked
from rapidfire_lab.engine.settings import EngineSettings
from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import JournalWriter

if TYPE_CHECKING:
    from pathlib import Path

_LOCK_SECONDS = 15.0
_TOLD = 5


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
            ledger.feed(RunAdded(run_state(run, journal.fit(run.fit_id))))
            if run.wanted == "stopped":
                ledger.feed(StopAsked(run.id))
        journal.take_parts_back()
        for job in journal.open_jobs():
            ledger.feed(JobAdded(job_state(job, journal.parts(job.id))))
    return ledger


def _refuse_lost_journal(home: EngineHome) -> None:
    """Refuse to begin an empty journal beside experiments that some journal must have known.

    Raises
    ------
    EngineError
        When it is gone or empty, and they are there.
    """
    if home.journal.exists() and home.journal.stat().st_size:
        return
    known = sorted(folder.parent.name for folder in home.experiments.glob("*/runs") if any(folder.iterdir()))
    if known:
        what = "is empty" if home.journal.exists() else "is gone"
        message = (
            f"The journal {home.journal} {what}, and yet {home.experiments} has runs of {', '.join(known[:_TOLD])}"
            f"{' and others' if len(known) > _TOLD else ''}. Restore it from a backup, or move that folder away to "
            "begin with an empty home."
        )
        raise EngineError(message)


def _kill_leftovers(home: EngineHome) -> None:
    """Kill what an earlier engine of this home may have left; normally everything dies with its parent."""
    this = psutil.Process()
    own = {process.pid for process in [this, *this.parents(), *this.children()]}
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
    """Run the controller; what it refuses to work with, it leaves for clients to read."""
    die_with_parent(os.getppid())
    name_process("rf-controller")
    home = EngineHome.default()
    try:
        if sys.platform == "linux":
            # Before there is anything that a fork must not copy.
            with contextlib.closing(Nursery()) as nursery:
                _run(home, nursery)
        else:
            _run(home, None)
    except EngineError as refusal:
        # Trying again would give the same, so the agent is to end too.
        home.write_failure(str(refusal))
        print(refusal, file=sys.stderr)


def _run(home: EngineHome, nursery: Nursery | None) -> None:
    """Serve until told to stop, or until idle for long enough."""
    home.create()
    if not is_alive(home):
        # The agent died before we could tie our life to its: nobody holds the engine's lock.
        return
    lock = _lock_writer(home.writer_lock)
    _kill_leftovers(home)
    settings = EngineSettings.load(home.settings)
    epoch = uuid.uuid4().hex
    _refuse_lost_journal(home)
    journal = JournalWriter(home.journal, epoch)
    socket_path = home.runtime / "wire.sock"
    socket_path.unlink(missing_ok=True)
    address = f"ipc://{socket_path}"
    node = Node(home, settings, address, nursery)
    signal.signal(signal.SIGTERM, lambda *_: node.ask_to_drain())
    signal.signal(signal.SIGINT, lambda *_: node.ask_to_drain())
    if home.stopped.exists():
        # A launcher removes it: our predecessor died while it shut down.
        node.ask_to_drain()
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
        socket_path.unlink(missing_ok=True)
        journal.close()
        lock.close()
