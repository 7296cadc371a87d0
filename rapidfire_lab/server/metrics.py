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
from rapidfire_lab.server.series import thinned, thinned_against

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
    x: Literal["step", "time", "run_time"] = "step"
    by: Name | None = None
    """Metric whose values stand in the place of the steps."""

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
    metric = _metric_id(journal, experiment, question.metric, question.per)
    by = None if question.by is None else _metric_id(journal, experiment, question.by, question.per)
    spans = journal.metric_spans(metric, [run.id for run in runs])
    most = max(_FEWEST_POINTS, min(question.max_points, _MOST_POINTS_OF_ALL // max(1, len(spans))))
    series = []
    for run in runs:
        points: list[PlainPoint] = []
        xs: list[float] = []
        count = 0
        if run.id in spans and by is not None:
            points, xs, count = thinned_against(journal, metric, by, run.id, most=most)
        elif run.id in spans:
            points, count = thinned(journal, metric, run.id, spans[run.id], per=question.per, most=most)
            xs = _places(points, question, experiment, run)
        series.append({"run_id": run.run_id, "x": xs, "y": _values(points), "points": count})
    return {"metric": question.metric, "per": question.per, "x": question.x, "series": series}


def _metric_id(journal: JournalReader, experiment: ExperimentRecord, metric: str, per: str) -> int:
    if (metric, per) not in journal.metrics_of(experiment.id):
        message = f"Experiment {experiment.name!r} has no metric {metric!r} per {per}."
        raise NotFoundError(message)
    return journal.metric_id(metric, per) or 0


def _chosen(journal: JournalReader, experiment: ExperimentRecord, run_ids: list[int]) -> list[RunRecord]:
    if run_ids:
        runs = [run_named(journal, experiment, str(run_id)) for run_id in dict.fromkeys(run_ids)]
        deleted = next((run for run in runs if run.status == "deleted"), None)
        if deleted is not None:
            message = f"Run {deleted.run_id} of experiment {experiment.name!r} was deleted."
            raise NotFoundError(message)
        return runs
    return [run for run in journal.runs(experiment.id) if run.status != "deleted"]


def _places(
    points: list[PlainPoint], question: SeriesQuestion, experiment: ExperimentRecord, run: RunRecord
) -> list[float]:
    if question.x == "time":
        return [round(point.time - experiment.created, 1) for point in points]
    if question.x == "run_time":
        return [round(point.time - (run.started or run.created), 3) for point in points]
    return [point.step for point in points]


def _values(points: list[PlainPoint]) -> list[float | None]:
    return [None if point.value is None else float(f"{point.value:.6g}") for point in points]
