"""The REST routes below ``/rapidfire-lab/api/``; ``docs/openapi.yaml`` has what they take and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.rows import API_LEVEL
from rapidfire_lab.server.artifacts import ArtifactHandler, ArtifactsHandler
from rapidfire_lab.server.engine import EngineHandler
from rapidfire_lab.server.jobs import JobsHandler
from rapidfire_lab.server.logs import EventsHandler, OperationsHandler, RunLogHandler
from rapidfire_lab.server.metrics import MetricsHandler, SeriesHandler
from rapidfire_lab.server.operations import OpsCheckHandler, OpsHandler
from rapidfire_lab.server.plots import PlotsHandler
from rapidfire_lab.server.predictions import PredictionsHandler
from rapidfire_lab.server.runs import ExperimentsHandler, RunHandler, RunsHandler

if TYPE_CHECKING:
    from tornado.web import RequestHandler

__all__ = ["API_LEVEL", "API_NAMESPACE", "HANDLERS"]

API_NAMESPACE = "/rapidfire-lab/api"
_EXPERIMENT = "experiments/([^/]+)"
_RUN = f"{_EXPERIMENT}/runs/([^/]+)"

_ROUTES: list[tuple[str, type[RequestHandler]]] = [
    ("engine", EngineHandler),
    ("runs", RunsHandler),
    ("experiments", ExperimentsHandler),
    (_RUN, RunHandler),
    (f"{_RUN}/log", RunLogHandler),
    (f"{_EXPERIMENT}/metrics", MetricsHandler),
    (f"{_EXPERIMENT}/series", SeriesHandler),
    (f"{_EXPERIMENT}/plots", PlotsHandler),
    (f"{_EXPERIMENT}/events", EventsHandler),
    (f"{_EXPERIMENT}/operations", OperationsHandler),
    (f"{_EXPERIMENT}/jobs", JobsHandler),
    (f"{_EXPERIMENT}/ops", OpsHandler),
    (f"{_EXPERIMENT}/ops/check", OpsCheckHandler),
    (f"{_EXPERIMENT}/predictions", PredictionsHandler),
    (f"{_EXPERIMENT}/artifacts", ArtifactsHandler),
    (f"{_EXPERIMENT}/artifacts/(.+)", ArtifactHandler),
]

HANDLERS = [(f"{API_NAMESPACE}/{route}", handler) for route, handler in _ROUTES]
