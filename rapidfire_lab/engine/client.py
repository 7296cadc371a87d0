"""The thin client: finds the engine or starts one, and asks it things."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import zmq

from rapidfire_lab.configs.plain import plain
from rapidfire_lab.engine import launcher
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.engine.protocol import (
    API_LEVEL,
    CheckClone,
    Message,
    Reply,
    RunOperation,
    Shutdown,
    Status,
    decode_from_controller,
    encode,
)
from rapidfire_lab.errors import ERRORS, EngineError
from rapidfire_lab.journal import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rapidfire_lab.engine.protocol import OperationName, Request

_START_SECONDS = 60.0
_ANSWER_SECONDS = 30.0
_LONGEST_ANSWER_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.5
_LOOK_SECONDS = 0.02
_CLONE_SECONDS = 0.1
"""What one more clone may add to the time of an answer."""

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
        deadline = time.monotonic() + timeout
        while self._is_shutting_down():
            if time.monotonic() > deadline:
                message = f"The engine is shutting down, and has not exited yet. {self.home.why_down()}"
                raise EngineError(message)
            time.sleep(_LOOK_SECONDS)
        if not self.is_alive():
            launcher.launch(self.home)
        return self._wait_for_identity(deadline)

    def _is_shutting_down(self) -> bool:
        return self.home.stopped.exists() and self.is_alive()

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

        A controller that restarts in between is not noticed: the new one is sent the request again under the same
        id, and it is carried out once.

        Raises
        ------
        RapidfireLabError
            The engine's own refusal, as the class it raised.
        EngineError
            When there is no answer in time, or no engine and it is not to be started.
        """
        with self._lock:
            reply = self._ask(request, time.monotonic() + timeout, start=start)
        if reply.error is not None:
            raise ERRORS.get(reply.error_type, EngineError)(reply.error)
        return reply.result

    def _ask(self, request: Request, deadline: float, *, start: bool) -> Reply:
        with contextlib.closing(_Line(request)) as line:
            return self._ask_over(line, deadline, start=start)

    def _ask_over(self, line: _Line, deadline: float, *, start: bool) -> Reply:
        while time.monotonic() < deadline:
            if not start and not self.is_alive():
                message = (
                    "The engine is not running. Start it from the sidebar in JupyterLab, by an Experiment in a "
                    "notebook, or with: rapidfire-lab start-engine"
                )
                raise EngineError(message)
            identity = self.start(deadline - time.monotonic()) if start else self._wait_for_identity(deadline)
            reply = line.ask(identity, min(_LOOK_AGAIN_SECONDS, deadline - time.monotonic()))
            if reply is not None:
                return reply
        message = f"The engine did not answer in time. {self.home.why_down()}"
        raise EngineError(message)

    # Operations

    def operate(  # noqa: PLR0913 - one message's fields
        self,
        experiment: str,
        operation: OperationName,
        run_ids: Iterable[int],
        *,
        changes: Sequence[Mapping[str, Any]] | None = None,
        warm_start: bool = False,
        continue_position: bool = False,
        seen: Mapping[str, str] | None = None,
        request_id: str | None = None,
        start: bool = True,
        origin: str = "user",
    ) -> dict[str, Any]:
        """Stop, resume, delete, clone or cancel runs.

        Parameters
        ----------
        run_ids
            The runs; none for cancel, which stops all that are queued or running.
        changes
            For clone: partial configs, each of which gives one clone of each run.
        warm_start
            For clone: start from the run's last commit.
        continue_position
            For clone with ``warm_start``: go on where the run stood at that commit.
        seen
            Statuses that the user saw, by run id as text; if one has changed since, nothing is done.
        request_id
            A repeat under the same id is carried out once, and gets the first answer.
        start
            Start the engine where it is not running.

        Returns
        -------
        dict
            ``run_ids`` of what was steered or made, and ``operation_ids`` in the control ops log, one for each.

        Raises
        ------
        NotFoundError, StaleError, OperationError, ConfigError
            The engine's refusals. Nothing was done.
        EngineError
            When the engine is not running and is not to be started, or does not answer.
        """
        request = RunOperation(
            request_id=request_id or new_request_id(),
            experiment=experiment,
            run_ids=list(dict.fromkeys(run_ids)),
            operation=operation,
            origin=origin,
            changes=[plain(change, "changes") for change in changes or []],
            warm_start=warm_start,
            continue_position=continue_position,
            seen=dict(seen or {}),
        )
        return self.request(request, _patience(request), start=start)

    def check_clone(
        self,
        experiment: str,
        run_ids: Iterable[int],
        *,
        changes: Sequence[Mapping[str, Any]],
        warm_start: bool = False,
        continue_position: bool = False,
    ) -> dict[str, Any]:
        """Say what clones would be, and raise what ``operate`` would; the engine is not started for that.

        Returns
        -------
        dict
            ``clones``, each with its ``parent``, canonical ``config``, and ``changed``: what differs from the parent,
            as dicts of ``knob`` (dotted path), ``from`` and ``to``.
        """
        request = CheckClone(
            request_id=new_request_id(),
            experiment=experiment,
            run_ids=list(dict.fromkeys(run_ids)),
            changes=[plain(change, "changes") for change in changes],
            warm_start=warm_start,
            continue_position=continue_position,
        )
        return self.request(request, _patience(request), start=False)

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

    def stop(self, timeout: float = 60.0) -> bool:
        """Have the engine commit what it is doing and exit; False when none was running.

        Raises
        ------
        EngineError
            When it is still there after ``timeout`` seconds.
        """
        if not self.is_alive():
            return False
        epoch = self._epoch()
        # An engine that is already shutting down does not answer; what counts is that it goes.
        with contextlib.suppress(EngineError):
            self._ask_to_exit(min(timeout, _ANSWER_SECONDS))
        epoch = epoch or self._epoch()
        deadline = time.monotonic() + timeout
        while self.is_alive() and not self._is_succeeded(epoch):
            if time.monotonic() > deadline:
                message = f"The engine did not exit. {self.home.why_down()}"
                raise EngineError(message)
            time.sleep(_LOOK_SECONDS)
        return True

    def _ask_to_exit(self, timeout: float) -> None:
        request = Shutdown(request_id=new_request_id())
        identity = self.home.read_identity()
        if identity is None or identity.api_level == API_LEVEL:
            self.request(request, timeout, start=False)
            return
        # This question is the same at every level: it is how one version makes room for another.
        with contextlib.closing(_Line(request)) as line:
            line.ask(identity, timeout)

    def _epoch(self) -> str | None:
        identity = self.home.read_identity()
        return identity.epoch if identity else None

    def _is_succeeded(self, epoch: str | None) -> bool:
        """Whether another engine is up or coming up: a controller that the old one restarts keeps the wish to stop."""
        return epoch is not None and not self.home.stopped.exists() and self._epoch() != epoch


def _patience(request: RunOperation | CheckClone) -> float:
    clones = len(request.run_ids) * len(request.changes)
    return min(_ANSWER_SECONDS + _CLONE_SECONDS * clones, _LONGEST_ANSWER_SECONDS)


class _Line:
    """One question to the engine, sent once to each controller that may have to answer it."""

    def __init__(self, request: Request) -> None:
        self._frame = encode(request)
        self._ids = ("", request.request_id)  # none: the controller could not read the question
        self._socket: zmq.Socket[bytes] | None = None
        self._asked: tuple[str, str] | None = None

    def ask(self, identity: EngineIdentity, timeout: float) -> Reply | None:
        """Wait for the answer; None when there is none yet.

        Raises
        ------
        EngineError
            When the address cannot be used.
        """
        try:
            return self._answer(self._connected(identity), time.monotonic() + timeout)
        except zmq.ZMQError as error:
            message = f"The engine cannot be reached at {identity.address} ({error})."
            raise EngineError(message) from error

    def _connected(self, identity: EngineIdentity) -> zmq.Socket[bytes]:
        if self._socket is None or self._asked != (identity.address, identity.epoch):
            self.close()
            self._asked = (identity.address, identity.epoch)
            self._socket = zmq.Context.instance().socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(identity.address)
            self._socket.send(self._frame)
        return self._socket

    def _answer(self, socket: zmq.Socket[bytes], deadline: float) -> Reply | None:
        while socket.poll(max(1, int((deadline - time.monotonic()) * 1_000))):
            with contextlib.suppress(msgspec.MsgspecError):
                message = decode_from_controller(socket.recv())
                if isinstance(message, Reply) and message.request_id in self._ids:
                    return message
        return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


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
