"""The child process that serves MLflow's page: started when somebody looks, one per Jupyter server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING

from tornado.httputil import HTTPHeaders

from rapidfire_lab.environment import without_jupyter
from rapidfire_lab.errors import EngineError
from rapidfire_lab.last_words import last_words
from rapidfire_lab.server.unix_http import Exchange, UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome

_TRY_SECONDS = 0.1
_END_SECONDS = 5.0
_REMEMBERED_SECONDS = 3.0
"""A page asks for many things at once; a start that failed is not tried again for each of them."""

_LARGEST_LOG = 1_000_000


class MlflowChild:
    """A live process, and the socket it answers on."""

    def __init__(self, home: EngineHome, idle_seconds: float) -> None:
        self.socket = home.mlflow_socket(os.getpid())
        self._log = home.logs / "mlflow.log"
        with _open_log(self._log) as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                _command(home, idle_seconds),
                cwd=home.root,
                env=without_jupyter(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in Jupyter's terminal is a question there, and none of its business
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def until_it_answers(self, timeout: float) -> None:
        """Wait for the first answer.

        Raises
        ------
        EngineError
            When the process ends or the time is up before that.
        """
        deadline = time.monotonic() + timeout
        while not await self._answers():
            if not self.alive:
                raise EngineError(f"MLflow did not start. {self._last_words()}")
            if time.monotonic() > deadline:
                raise EngineError(f"MLflow did not answer within {timeout:g} seconds. {self._last_words()}")
            await asyncio.sleep(_TRY_SECONDS)

    async def _answers(self) -> bool:
        headers = HTTPHeaders({"Host": "localhost"})
        try:
            exchange = await Exchange.begin(self.socket, "GET", "/health", headers, b"")
        except UnreachableError:
            return False
        return await exchange.relay(lambda *_: None, _drop)

    def _last_words(self) -> str:
        return f"Its log {self._log} ends: {last_words(self._log, self._log_start)}"

    def tell_to_end(self) -> None:
        self._process.terminate()

    async def end(self) -> None:
        """End the process, and come back when it is gone."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.socket.unlink(missing_ok=True)


class MlflowSite:
    """Gives out the child, and starts it where there is none that lives."""

    def __init__(self, *, idle_seconds: float, start_timeout: float) -> None:
        self._idle_seconds = idle_seconds
        self._start_timeout = start_timeout
        self._lock = asyncio.Lock()
        self._child: MlflowChild | None = None
        self._failure: tuple[float, str] | None = None

    async def child(self, *, instead_of: MlflowChild | None = None) -> MlflowChild:
        """A child that answers, and another one than ``instead_of``. Askers wait for the same start.

        Raises
        ------
        EngineError
            When MLflow does not come up, or the engine's home cannot be used; also where it has just not.
        """
        asked = time.monotonic()
        async with self._lock:
            if self._child is not None and (self._child is instead_of or not self._child.alive):
                await self._end()
            if self._child is None and self._failure is not None and asked < self._failure[0] + _REMEMBERED_SECONDS:
                raise EngineError(self._failure[1])
            return self._child or await self._start()

    async def stop(self) -> None:
        """End the child, if there is one, also while it starts."""
        if self._child is not None:
            self._child.tell_to_end()
        async with self._lock:
            await self._end()

    async def _start(self) -> MlflowChild:
        # Imported here because the engine's libraries are not needed to start a Jupyter server.
        from rapidfire_lab.engine.home import EngineHome

        try:
            home = EngineHome.default()
            home.create()
            self._child = child = MlflowChild(home, self._idle_seconds)
            await child.until_it_answers(self._start_timeout)
        except BaseException as error:
            await self._end()
            if isinstance(error, EngineError):
                self._failure = (time.monotonic(), str(error))
            raise
        return child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()


def _command(home: EngineHome, idle_seconds: float) -> list[str]:
    # Started by name, not imported: the module loads mlflow.
    module = [sys.executable, "-m", "rapidfire_lab.mlflow_site"]
    return [*module, "--home", str(home.root), "--parent", str(os.getpid()), "--idle-seconds", str(idle_seconds)]


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


async def _drop(_: bytes) -> None:
    pass
