"""The server extension's application object."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from rapidfire_lab.server import mlflow
from rapidfire_lab.server.mlflow_child import MlflowSite
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

    mlflow_start_timeout = Float(
        60.0,
        min=0.1,
        config=True,
        help="Seconds that MLflow may take to come up before its page is answered with 503.",
    )

    mlflow_idle_minutes = Float(
        15.0,
        min=0.0,
        config=True,
        help="The process behind MLflow's page ends when nobody has asked it for so long; the next look starts it.",
    )

    def initialize_handlers(self) -> None:
        """Add the routes; the base class puts the server's base URL in front of them."""
        self.mlflow = MlflowSite(idle_seconds=60 * self.mlflow_idle_minutes, start_timeout=self.mlflow_start_timeout)
        self.handlers.extend(HANDLERS + mlflow.HANDLERS)

    async def stop_extension(self) -> None:
        """End MLflow's process with the server."""
        await self.mlflow.stop()
