"""MLflow's page below ``/rapidfire-lab/mlflow/``, behind Jupyter's own authentication."""

from __future__ import annotations

import json
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from rapidfire_lab.errors import RapidfireLabError
from rapidfire_lab.server.mlflow_link import MLFLOW_NAMESPACE
from rapidfire_lab.server.mlflow_rules import (
    comes_from_our_pages,
    headers_for_browser,
    headers_for_mlflow,
    is_foreign_subresource,
)
from rapidfire_lab.server.unix_http import Exchange, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from tornado.httputil import HTTPHeaders
    from tornado.web import RequestHandler

    from rapidfire_lab.server.mlflow_child import MlflowSite


class MlflowHandler(ExtensionHandlerMixin, JupyterHandler):
    """Hands requests to the MLflow process of this server, and its answers back.

    It is no ``APIHandler``, so the page, which polls, does not count as use of the server.
    """

    auth_resource = "rapidfire_lab"
    _exchange: Exchange | None = None
    _begun = False
    _browser_has_gone = False

    # `authorized` remembers the action of its first call, so each verb is a function of its own.

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    @web.authenticated
    @authorized
    async def head(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Answer from MLflow."""
        await self._pass_on()

    def get_login_url(self) -> str:
        """The login page for who opens MLflow's page, 403 for what the page itself asks."""
        if self._target.partition("?")[0] not in {"", "/"}:
            raise web.HTTPError(403)
        return super().get_login_url()

    def check_xsrf_cookie(self) -> None:
        """Refuse what another site has the browser send.

        MLflow's page knows nothing of Jupyter's ``_xsrf`` token. What the token proves, that our own pages ask, the
        browser says as well, in headers that no page can set: Sec-Fetch-Site, or Origin where that is not sent (plain
        HTTP). A document without origin, such as a sandboxed artifact, is another site to both. Who shows a token
        instead of a cookie is no browser that was tricked, as everywhere in Jupyter.
        """
        if not hasattr(self, "_jupyter_current_user"):
            return  # called too early; prepare() calls again
        if self.token_authenticated or self.settings.get("disable_check_xsrf", False):
            return
        if not comes_from_our_pages(self.request):
            raise web.HTTPError(403, "Refused: the request comes from another site.")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell what is wrong: as a page to who opens one, as JSON to scripts."""
        if "text/html" in self.request.headers.get("Accept", ""):
            super().write_error(status_code, **kwargs)
            return
        error = kwargs.get("exc_info", (None, None, None))[1]
        message = error.log_message % error.args if isinstance(error, web.HTTPError) and error.log_message else None
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message or responses.get(status_code, "Unknown error")}))

    def on_connection_close(self) -> None:
        """Stop MLflow's answer when nobody waits for it any more."""
        super().on_connection_close()
        self._browser_has_gone = True
        if self._exchange is not None:
            self._exchange.close()

    @property
    def _prefix(self) -> str:
        return url_path_join(self.base_url, MLFLOW_NAMESPACE)

    @property
    def _target(self) -> str:
        """What MLflow is asked for: path and query as they came, still encoded."""
        uri = self.request.uri or ""
        return uri[len(self._prefix) :]

    async def _pass_on(self) -> None:
        if not self._target.startswith("/"):  # the page's own addresses are relative to the folder
            self.redirect(f"{self._prefix}/{self._target}")
            return
        if is_foreign_subresource(self.request):
            raise web.HTTPError(403, "Refused: the request comes from another site.")
        complete = await self._relay()
        if not complete and not self._begun and self.request.method in {"GET", "HEAD"}:
            complete = await self._relay()  # the process was about to die; to ask once more changes nothing
        if self._browser_has_gone:
            return
        if complete:
            await self.finish()
        elif self._headers_written:  # finished in order, half an answer would look whole
            self.detach().close()
        else:
            raise web.HTTPError(502, "MLflow broke off. Try again.")

    async def _relay(self) -> bool:
        """Ask MLflow and hand its answer on; tells if all of it came."""
        try:
            self._exchange = await self._ask()
        except RapidfireLabError as error:
            raise web.HTTPError(503, "%s", str(error)) from error
        return await self._exchange.relay(self._begin, self._write)

    async def _ask(self) -> Exchange:
        site: MlflowSite = self.extensionapp.mlflow  # type: ignore[attr-defined]
        child = await site.child()
        try:
            return await self._begin_exchange(child.socket)
        except UnreachableError:  # it ended between the two lines, of idleness or by force
            child = await site.child(instead_of=child)
        try:
            return await self._begin_exchange(child.socket)
        except UnreachableError as error:
            raise web.HTTPError(502, "MLflow ended. Try again.") from error

    def _begin_exchange(self, socket: Path) -> Awaitable[Exchange]:
        request = self.request
        return Exchange.begin(socket, request.method or "GET", self._target, headers_for_mlflow(request), request.body)

    def _begin(self, code: int, reason: str, headers: HTTPHeaders) -> None:
        self._begun = True
        self.set_status(code, reason)
        self.clear_header("Content-Type")
        for name, value in headers_for_browser(self._target, headers, self._prefix).get_all():
            self.set_header(name, value)

    async def _write(self, chunk: bytes) -> None:
        self.write(chunk)
        try:
            await self.flush()
        except StreamClosedError:
            self.on_connection_close()


HANDLERS: list[tuple[str, type[RequestHandler]]] = [
    (f"{MLFLOW_NAMESPACE}(?:/.*)?", MlflowHandler),
]
