"""``engine``: whether it is alive, starting it and stopping it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab import __version__
from rapidfire_lab.errors import EngineError, RapidfireLabError
from rapidfire_lab.rows import API_LEVEL
from rapidfire_lab.server.handler import RestHandler, default_home, open_journal

if TYPE_CHECKING:
    from rapidfire_lab.engine.client import EngineClient
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.journal import JournalReader


class EngineAction(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST engine``."""

    action: Literal["start", "stop"]


class EngineHandler(RestHandler):
    """State of the engine, and the two things that can be done to it as a whole."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer whether an engine is alive, and where its home is; none is started for that."""
        self.answer(await self.look(_status))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start the engine or stop it; the answer comes once it is up or has exited."""
        self._track_activity = True
        action = self.body(EngineAction).action
        app = self.extensionapp
        if action == "start":
            await self.ask(start_engine, app.start_timeout)  # type: ignore[attr-defined]
        else:
            await self.ask(stop_engine, app.stop_timeout)  # type: ignore[attr-defined]
        self.answer(await self.look(_status))


def client() -> EngineClient:
    # Imported here because the wire's libraries are not needed to start a Jupyter server.
    from rapidfire_lab.engine.client import EngineClient

    return EngineClient(default_home())


def start_engine(timeout: float) -> None:
    client().start(timeout)


def stop_engine(timeout: float) -> None:
    client().stop(timeout)


def running_client() -> EngineClient:
    """A client whose engine is alive.

    Raises
    ------
    EngineError
        When it is not: the server starts an engine only when it is asked to.
    """
    found = client()
    if not found.is_alive():
        message = "The engine is not running. Start it from the RapidFire Lab panel, or run a cell that uses it."
        raise EngineError(message)
    return found


def engine_state(journal: JournalReader | None) -> str:
    """``running``, ``idle`` or ``not running``, by its lock and the journal: nobody has to answer for that."""
    if not client().is_alive():
        return "not running"
    return "running" if journal is not None and journal.is_training() else "idle"


def state_of(home: EngineHome) -> str:
    """The same where the journal may be missing or unreadable, which an engine that is just starting knows better."""
    try:
        with open_journal(home.journal) as journal:
            return engine_state(journal)
    except RapidfireLabError:
        return engine_state(None)


def _status() -> dict[str, Any]:
    home = default_home()
    return {
        "version": __version__,
        "api_level": API_LEVEL,
        "state": state_of(home),
        "home": str(home.root),
        "home_key": home.key,
    }
