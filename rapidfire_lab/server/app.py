"""The server extension's application object."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Bool, Float, Int

from rapidfire_lab.server import mlflow
from rapidfire_lab.server.activity import is_training, may_keep_alive, note_activity
from rapidfire_lab.server.mlflow_child import MlflowSite
from rapidfire_lab.server.predictors import Predictors
from rapidfire_lab.server.routes import HANDLERS

if TYPE_CHECKING:
    from tornado.web import Application

_ACTIVITY_SECONDS = 60.0


class RapidfireLabApp(ExtensionApp):
    """Serves what the JupyterLab extension shows, and passes on what it asks of the engine."""

    # An ExtensionApp rather than a loader function: only this one is asked for its activity before
    # the server shuts itself down.
    name = "rapidfire_lab"
    description = "REST routes of RapidFire Lab, for its JupyterLab extension."

    journal_timeout = Float(
        10.0,
        min=0.1,
        config=True,
        help="Seconds that a request may wait for the engine's journal before it is answered with 503.",
    )
    start_timeout = Float(
        60.0, min=0.1, config=True, help="Seconds that an engine may take to come up before that is told as an error."
    )
    stop_timeout = Float(
        60.0, min=0.1, config=True, help="Seconds that an engine may take to exit before that is told as an error."
    )
    keep_alive_while_training = Bool(
        default_value=True,
        config=True,
        help="Whether runs in training count as activity, so that neither this server nor a hub culls them.",
    )
    keep_alive_hours = Float(
        24.0,
        min=0.0,
        config=True,
        help="Hours after the last use of the server for which runs in training count as activity.",
    )

    _activity: PeriodicCallback | None = None
    _training = True
    """What the last look at the journal said; until the first, a minute after the start, it is taken for granted."""

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

    prediction_timeout = Float(
        120.0,
        min=0.1,
        config=True,
        help="Seconds that a model template may take to be loaded and to predict before that is told as an error; and "
        "those that a request may wait while all processes that predict have others to answer.",
    )

    prediction_processes = Int(
        2, min=1, config=True, help="Processes that predict at the same time, each with the model of one trial."
    )

    prediction_idle_minutes = Float(
        15.0, min=0.0, config=True, help="A process that predicts ends when nobody has asked it for so long."
    )

    def initialize_handlers(self) -> None:
        """Add the routes; the base class puts the server's base URL in front of them."""
        self.mlflow = MlflowSite(idle_seconds=60 * self.mlflow_idle_minutes, start_timeout=self.mlflow_start_timeout)
        self.predictors = Predictors(60 * self.prediction_idle_minutes, self.prediction_processes)
        self.handlers.extend(HANDLERS + mlflow.HANDLERS)
        self._activity = PeriodicCallback(self.refresh_activity, _ACTIVITY_SECONDS * 1_000)
        self._activity.start()

    async def stop_extension(self) -> None:
        """End with the server, and with it MLflow's process and those that predict."""
        if self._activity is not None:
            self._activity.stop()
        await self.predictors.stop()
        await self.mlflow.stop()

    def current_activity(self) -> bool:
        """Whether the server must not shut itself down: runs were in training a minute ago or less."""
        return self._training and self._counts()

    async def refresh_activity(self) -> None:
        """See whether runs are in training, and let a hub see that the server is in use while they are."""
        self.predictors.end_idle()
        self._training = await asyncio.to_thread(is_training)
        if self.current_activity():
            note_activity(self._web_app)

    def _counts(self) -> bool:
        return self.keep_alive_while_training and may_keep_alive(self._web_app, self.keep_alive_hours)

    @property
    def _web_app(self) -> Application:
        assert self.serverapp is not None  # noqa: S101 - it is what loads an extension
        return self.serverapp.web_app
