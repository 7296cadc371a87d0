"""The server extension's application object."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from rapidfire_lab.server.routes import HANDLERS


class RapidfireLabApp(ExtensionApp):
    """Serves what the JupyterLab extension shows; it neither starts nor stops an engine."""

    # An ExtensionApp rather than a loader function: only this one is asked for its activity before
    # the server shuts itself down.
    name = "rapidfire_lab"
    description = "REST routes of RapidFire Lab, for its JupyterLab extension."

    engine_timeout = Float(
        5.0,
        min=0.1,
        config=True,
        help="Seconds that a request may wait for the engine before it is answered with 503.",
    )

    def initialize_handlers(self) -> None:
        """Add the routes; the base class puts the server's base URL in front of them."""
        self.handlers.extend(HANDLERS)
