"""One engine home under fault: arms faults, and keeps the clients alive that the faults kill."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from tests.conftest import ROOT
from tests.faults.user import write
from tests.server.served import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.faults.matrix import Cell

INJECTION = Path(__file__).resolve().parent / "inject"
SETTINGS = {"slots": 2, "threads_per_slot": 1, "device": "cpu", "max_attempts": 1_000, "memory_fraction": 0.0}
"""Nothing stays in a slot's memory: every lease begins with the disk."""

_LOOK_SECONDS = 0.05
_PAGE_SECONDS = 1.0
_MOST_SKIPPED = 1
"""Visits of an armed point that may pass before the fault strikes."""


@dataclass
class Client:
    """A process of the user's that is started again when it was killed."""

    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def keep(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.process = self.start()
            self.starts += 1

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Session:
    """A folder with a home, what is armed and what has fired, the user's book, and the logs of all clients."""

    def __init__(self, folder: Path, locators: dict[str, Path], seed: str, *, kernel: bool, until: float | None = None):
        self.folder = folder
        self.home = folder / "home"
        self._random = random.Random(seed)
        self._kernel = kernel
        self._token = secrets.token_hex()
        self._log: IO[bytes] | None = None
        self._port = 0
        self._orders = 0
        self._cell: BlockingKernelClient | None = None
        for name in ("armed", "fired", "asked", "up"):
            (folder / name).mkdir(parents=True)
        plan = {"seed": seed, "locators": {name: str(path) for name, path in locators.items()}, "until": until}
        write(folder / "plan.json", plan)

    # Faults

    def arm(self, cells: Iterable[Cell]) -> None:
        """Arm faults once the user is prepared, in an order of which the seed decides."""
        shuffled = list(cells)
        self._random.shuffle(shuffled)
        for cell in shuffled:
            self._orders += 1
            name = ".".join([f"{self._orders:05}", *cell, str(self._random.randint(0, _MOST_SKIPPED))])
            (self.folder / "armed" / name).touch()
        (self.folder / "go").touch()

    def armed(self) -> int:
        return len(list((self.folder / "armed").iterdir()))

    def deaths(self) -> int:
        log = self.folder / "strikes.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def fired(self) -> set[tuple[str, ...]]:
        return {tuple(path.name.split(".")[1:4]) for path in (self.folder / "fired").iterdir()}

    def disarm(self) -> None:
        for path in (self.folder / "armed").iterdir():
            path.unlink(missing_ok=True)

    # Clients

    def run(self, deadline: float, prepared: Callable[[], None], tick: Callable[[], None] = lambda: None) -> None:
        """Keep the clients alive until the user is done."""
        end, looked = time.monotonic() + deadline, 0.0
        with ExitStack() as stack:
            self._log = stack.enter_context((self.folder / "clients.log").open("ab"))
            user = Client(self._start_kernel if self._kernel else self._start_program)
            server = Client(self._start_server)
            clients = [user, server] if self._kernel else [user]
            for client in clients:
                stack.callback(client.end)
            stack.callback(self._leave_cell)
            while not (self.folder / "done").exists():
                for client in clients:
                    client.keep()
                if server.process and time.monotonic() > looked + _PAGE_SECONDS:
                    looked = time.monotonic()
                    self._look_at_page(server.process.pid)
                if (self.folder / "go").exists():
                    tick()
                elif (self.folder / "prepared").exists():
                    prepared()
                time.sleep(_LOOK_SECONDS)
                assert not (self.folder / "failed").exists(), self.story()
                assert time.monotonic() < end, f"not done after {deadline:.0f} s\n{self.story()}"

    def story(self) -> str:
        """What has happened, for who has to find out why."""
        told = [f"armed: {sorted(path.name for path in (self.folder / 'armed').iterdir())}"]
        for log in (
            self.folder / "failed",
            self.folder / "strikes.log",
            self.folder / "clients.log",
            self.home / "logs" / "engine.log",
        ):
            if log.exists():
                told += [f"--- {log}", log.read_text(errors="replace")[-4_000:]]
        return "\n".join(told)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAPIDFIRE_LAB_", "JUPYTER"))}
        jupyter = {f"JUPYTER_{name}_DIR": str(self.folder / "jupyter") for name in ("CONFIG", "DATA", "RUNTIME")}
        settings = {f"RAPIDFIRE_LAB_{name.upper()}": str(value) for name, value in SETTINGS.items()}
        return {
            **kept,
            **jupyter,
            **settings,
            "RAPIDFIRE_LAB_HOME": str(self.home),
            "FAULTS_FOLDER": str(self.folder),
            "PYTHONPATH": os.pathsep.join([str(INJECTION), str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]),
        }

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def _start_program(self) -> subprocess.Popen[bytes]:
        return self._start("tests.faults.user", str(self.folder))

    def _leave_cell(self) -> None:
        if self._cell is not None:
            self._cell.stop_channels()
            self._cell = None

    def _start_kernel(self) -> subprocess.Popen[bytes]:
        """A notebook kernel that executes one cell."""
        self._leave_cell()
        path, _ = write_connection_file(str(self.folder / "up" / "kernel.json"))
        process = self._start("ipykernel_launcher", "-f", path)
        self._cell = BlockingKernelClient(connection_file=path, context=zmq.Context.instance())
        self._cell.load_connection_file()
        self._cell.start_channels(iopub=False, stdin=False, hb=False)
        self._cell.execute(f"from tests.faults.user import main; main({str(self.folder)!r})")
        return process

    def _start_server(self) -> subprocess.Popen[bytes]:
        for name in ("server", "server.json"):
            (self.folder / "up" / name).unlink(missing_ok=True)
        self._port = free_port()
        return self._start("tests.faults.server", str(self._port), self._token)

    def _look_at_page(self, server: int) -> None:
        """Ask what a page asks all the time; once it is answered, the server is up."""
        url = f"http://127.0.0.1:{self._port}"
        request = urllib.request.Request(
            f"{url}/rapidfire-lab/api/engine", headers={"Authorization": f"token {self._token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                json.load(answer)
        except OSError:
            return
        if not (self.folder / "up" / "server").exists():
            write(self.folder / "up" / "server.json", {"url": url, "token": self._token})
            write(self.folder / "up" / "server", server)
