"""The thin client: finds the engine or starts one, and asks it things."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import zmq

from rapidfire_lab.engine import launcher
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.engine.protocol import (
    API_LEVEL,
    Message,
    Reply,
    Shutdown,
    Status,
    decode_from_controller,
    encode,
)
from rapidfire_lab.errors import ERRORS, EngineError
from rapidfire_lab.journal import JournalReader

if TYPE_CHECKING:
    from rapidfire_lab.engine.protocol import Request

_START_SECONDS = 60.0
_ANSWER_SECONDS = 30.0
_RESEND_SECONDS = 2.0
_LOOK_SECONDS = 0.02

RequestType = TypeVar("RequestType", bound=Message)


def new_request_id() -> str:
    return uuid.uuid4().hex


class EngineClient:
    """A connection to the engine of one home; may be used by several threads."""

    def __init__(self, home: EngineHome | None = None) -> None:
        self.home = home or EngineHome.default()
        self._lock = threading.Lock()

    def is_alive(self) -> bool:
        return launcher.is_alive(self.home)

    def start(self, timeout: float = _START_SECONDS) -> EngineIdentity:
        """Find the engine, or start it and wait until it answers.

        Raises
        ------
        EngineError
            When it does not come up in time, or an engine of an incompatible version is running.
        """
        if not self.is_alive():
            launcher.launch(self.home)
        return self._wait_for_identity(time.monotonic() + timeout)

    def _wait_for_identity(self, deadline: float) -> EngineIdentity:
        while True:
            identity = self.home.read_identity()
            if identity is not None:
                return _compatible(identity)
            if not self.is_alive() or time.monotonic() > deadline:
                message = f"The engine did not come up. {self.home.why_down()}"
                raise EngineError(message)
            time.sleep(_LOOK_SECONDS)

    def reader(self) -> JournalReader:
        """Open the journal for reading; the engine need not be running."""
        return JournalReader(self.home.journal)

    def request(self, request: Request, timeout: float = _ANSWER_SECONDS, *, start: bool = True) -> dict[str, Any]:
        """Ask the engine, starting it where needed unless told not to, and return the result.

        A controller that restarts in between is not noticed: the request is sent again under the same id, and
        carried out once.

        Raises
        ------
        RapidfireLabError
            The engine's own refusal, as the class it raised.
        EngineError
            When there is no answer in time.
        """
        with self._lock:
            reply = self._ask(request, time.monotonic() + timeout, start=start)
        if reply.error is not None:
            raise ERRORS.get(reply.error_type, EngineError)(reply.error)
        return reply.result

    def _ask(self, request: Request, deadline: float, *, start: bool) -> Reply:
        frame = encode(request)
        while time.monotonic() < deadline:
            identity = self.start(deadline - time.monotonic()) if start else self._wait_for_identity(deadline)
            reply = _exchange(identity.address, frame, min(_RESEND_SECONDS, deadline - time.monotonic()))
            if reply is not None:
                return reply
        message = f"The engine did not answer in time. {self.home.why_down()}"
        raise EngineError(message)

    def status(self) -> dict[str, Any]:
        """What the engine says of itself; it is not started for that."""
        if not self.is_alive():
            return {"state": "not running", "home": str(self.home.root)}
        try:
            result = self.request(Status(request_id=new_request_id()), start=False)
        except EngineError:
            if self.is_alive():
                raise
            return {"state": "not running", "home": str(self.home.root)}
        state = "running" if result["active_runs"] else "idle"
        return {"state": state, "home": str(self.home.root), **result}

    def operate(  # noqa: PLR0913
        self,
        experiment: str,
        operation: str,
        run_ids: list[int],
        *,
        changes: list[dict[str, Any]] | None = None,
        warm_start: bool = False,
        seen: dict[str, str] | None = None,
        request_id: str | None = None,
        start: bool = True,
        origin: str = "user",
    ) -> dict[str, Any]:
        """Stand-in."""
        del experiment, operation, changes, warm_start, seen, request_id, start, origin
        return {"run_ids": run_ids, "operation_ids": []}

    def check_clone(
        self, experiment: str, run_ids: list[int], *, changes: list[dict[str, Any]] | None, warm_start: bool = False
    ) -> dict[str, Any]:
        """Stand-in."""
        del experiment, run_ids, changes, warm_start
        return {"clones": []}

    def stop(self, timeout: float = 60.0) -> bool:
        """Have the engine commit what it is doing and exit; False when none was running.

        Raises
        ------
        EngineError
            When it is still there after ``timeout`` seconds.
        """
        if not self.is_alive():
            return False
        # An engine that is already shutting down does not answer; what counts is that it goes.
        with contextlib.suppress(EngineError):
            self.request(Shutdown(request_id=new_request_id()), min(timeout, _ANSWER_SECONDS), start=False)
        deadline = time.monotonic() + timeout
        while self.is_alive():
            if time.monotonic() > deadline:
                message = f"The engine did not exit. {self.home.why_down()}"
                raise EngineError(message)
            time.sleep(_LOOK_SECONDS)
        return True


def _exchange(address: str, frame: bytes, timeout: float) -> Reply | None:
    """One question and its answer over a fresh socket; None when nobody answered."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    try:
        socket.connect(address)
        socket.send(frame)
        if not socket.poll(max(1, int(timeout * 1_000))):
            return None
        message = decode_from_controller(socket.recv())
        return message if isinstance(message, Reply) else None
    except (zmq.ZMQError, msgspec.MsgspecError):
        return None
    finally:
        socket.close()


def _compatible(identity: EngineIdentity) -> EngineIdentity:
    if identity.api_level != API_LEVEL:
        message = (
            f"An engine of rapidfire-lab {identity.version} is still running (pid {identity.pid}), which this version "
            "cannot talk to. Let its runs finish or stop them, then run: rapidfire-lab stop-engine"
        )
        raise EngineError(message)
    return identity


def engine_status(home: EngineHome) -> dict[str, Any]:
    """State of the engine of a home, for display: ``running``, ``idle`` or ``not running``, and details."""
    return EngineClient(home).status()
