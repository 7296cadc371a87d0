"""``metrics`` and ``series``: what charts are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.errors import NotFoundError
from rapidfire_lab.server.handler import RestHandler, experiment_named
from rapidfire_lab.server.questions import Id, Name
from rapidfire_lab.server.runs import run_named
from rapidfire_lab.server.series import thinned

if TYPE_CHECKING:
    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord
    from rapidfire_lab.journal.metric_queries import PlainPoint

_FEWEST_POINTS = 10
_MOST_POINTS = 10_000
_MOST_POINTS_OF_ALL = 8_000
"""Keeps an answer below 200 kB, at up to 22 characters a point."""


class SeriesQuestion(msgspec.Struct):
    """Query of ``GET series``."""

    metric: Name
    per: Literal["step", "epoch"] = "step"
    x: Literal["step", "time"] = "step"
    run: list[Id] = msgspec.field(default_factory=list)
    max_points: Annotated[int, msgspec.Meta(ge=_FEWEST_POINTS, le=_MOST_POINTS)] = 500


class MetricsHandler(RestHandler):
    """The metrics that an experiment has points of."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        self.answer(await self.read(lambda journal: _read_metrics(journal, experiment)))


class SeriesHandler(RestHandler):
    """Points of one metric of many runs."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        question = self.question(SeriesQuestion)
        self.answer(await self.read(lambda journal: read_series(journal, experiment, question)))


def _read_metrics(journal: JournalReader, name: str) -> dict[str, Any]:
    experiment = experiment_named(journal, name)
    return {"metrics": [{"name": metric, "per": per} for metric, per in journal.metrics_of(experiment.id)]}


def read_series(journal: JournalReader, name: str, question: SeriesQuestion) -> dict[str, Any]:
    """The series of all runs of an experiment, or of those asked for; deleted ones have none."""
    experiment = experiment_named(journal, name)
    runs = _chosen(journal, experiment, question.run)
    if (question.metric, question.per) not in journal.metrics_of(experiment.id):
        message = f"Experiment {name!r} has no metric {question.metric!r} per {question.per}."
        raise NotFoundError(message)
    metric = journal.metric_id(question.metric, question.per) or 0
    spans = journal.metric_spans(metric, [run.id for run in runs])
    most = max(_FEWEST_POINTS, min(question.max_points, _MOST_POINTS_OF_ALL // max(1, len(spans))))
    series = []
    for run in runs:
        points, count = (
            thinned(journal, metric, run.id, spans[run.id], per=question.per, most=most) if run.id in spans else ([], 0)
        )
        begin = experiment.created if question.x == "time" else None
        series.append({"run_id": run.run_id, **_columns(points, begin), "points": count})
    return {"metric": question.metric, "per": question.per, "x": question.x, "series": series}


def _chosen(journal: JournalReader, experiment: ExperimentRecord, run_ids: list[int]) -> list[RunRecord]:
    if run_ids:
        runs = [run_named(journal, experiment, str(run_id)) for run_id in dict.fromkeys(run_ids)]
        deleted = next((run for run in runs if run.status == "deleted"), None)
        if deleted is not None:
            message = f"Run {deleted.run_id} of experiment {experiment.name!r} was deleted."
            raise NotFoundError(message)
        return runs
    return [run for run in journal.runs(experiment.id) if run.status != "deleted"]


def _columns(points: list[PlainPoint], begin: float | None) -> dict[str, list[Any]]:
    return {
        "x": [point.step if begin is None else round(point.time - begin, 1) for point in points],
        "y": [None if point.value is None else float(f"{point.value:.6g}") for point in points],
    }
