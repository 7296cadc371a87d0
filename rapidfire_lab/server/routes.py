"""The REST routes below ``/rapidfire-lab/api/``."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from rapidfire_lab import __version__
from rapidfire_lab.errors import RapidfireLabError

if TYPE_CHECKING:
    from tornado.web import RequestHandler

API_LEVEL = 1
"""Raised when a route changes in a way that an older front end cannot read."""

API_NAMESPACE = "/rapidfire-lab/api"
AUTH_RESOURCE = "rapidfire_lab"


class EngineHandler(ExtensionHandlerMixin, APIHandler):
    """State of the engine."""

    auth_resource = AUTH_RESOURCE
    # The page polls: that must not count as use of the server, or idle servers are never culled.
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer whether an engine is alive, and where its home is; none is started for that."""
        timeout: float = self.extensionapp.engine_timeout  # type: ignore[attr-defined]
        try:
            status = await asyncio.wait_for(asyncio.to_thread(read_engine), timeout)
        except asyncio.TimeoutError as error:  # on Python 3.10 not yet the builtin
            message = f"The engine did not answer within {timeout:g} seconds."
            raise web.HTTPError(503, message) from error
        except RapidfireLabError as error:
            raise web.HTTPError(503, str(error)) from error
        await self.finish(json.dumps({"version": __version__, "api_level": API_LEVEL, **status}))


def read_engine() -> dict[str, Any]:
    """State and home of the engine. Asks the engine, so it may block."""
    # Imported here because the wire's libraries are not needed to start a Jupyter server.
    from rapidfire_lab.engine.client import engine_status
    from rapidfire_lab.engine.home import EngineHome

    home = EngineHome.default()
    return {"state": engine_status(home)["state"], "home": str(home.root)}


HANDLERS: list[tuple[str, type[RequestHandler]]] = [
    (f"{API_NAMESPACE}/engine", EngineHandler),
]
