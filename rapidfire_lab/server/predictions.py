"""``predictions``: what a trial of a model template predicts, by a process of its own.

The processes are the server's: one per trial that somebody asks, a few at most, and none that nobody asks any more.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.server.handler import RestHandler, experiment_named, told
from rapidfire_lab.server.questions import Id

if TYPE_CHECKING:
    from rapidfire_lab.journal import JournalReader
    from rapidfire_lab.serving import Predictor, ServedTrial

_MOST = 2
"""Models that are kept in memory."""


class Queries(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST predictions``; without a run the best trial is asked."""

    queries: list[Any]
    run_id: Id | None = None


class PredictionsHandler(RestHandler):
    """Have a trial's model predict."""

    _track_activity = True

    @web.authenticated
    @authorized
    async def post(self, experiment: str) -> None:
        body = self.body(Queries)
        trial = await self.read(lambda journal: find_trial(journal, experiment, body.run_id))
        # The process dies with the thread that makes it, so that is made in this one, which lasts.
        with told():
            predictor = self.extensionapp.predictors.of(trial)  # type: ignore[attr-defined]
        timeout: float = self.extensionapp.prediction_timeout  # type: ignore[attr-defined]
        predictions = await self.ask(predictor.predict, body.queries, timeout)
        self.answer({"run_id": trial.run_id, "predictions": predictions})


def find_trial(journal: JournalReader, experiment: str, run_id: int | None) -> ServedTrial:
    # Imported here because model templates are not needed to start a Jupyter server.
    from rapidfire_lab.serving import trial_to_serve

    return trial_to_serve(journal, experiment_named(journal, experiment), run_id)


class Predictors:
    """The processes that predict, by trial; the one that was asked longest ago makes room for another."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._known: dict[tuple[str, int], tuple[Predictor, float]] = {}

    def of(self, trial: ServedTrial) -> Predictor:
        """Give the process for a trial, and start it where there is none that lives."""
        from rapidfire_lab.serving import Predictor

        key = (trial.folder, trial.run_id)
        predictor, _ = self._known.pop(key, (None, 0.0))
        if predictor is None or not predictor.alive or predictor.trial != trial:
            if predictor is not None:
                predictor.close()
            predictor = Predictor(trial)
        self._known[key] = (predictor, time.monotonic())
        while len(self._known) > _MOST:
            self._end(next(iter(self._known)))
        return predictor

    def end_idle(self) -> None:
        """End those that nobody has asked for long."""
        for key, (_, asked) in list(self._known.items()):
            if time.monotonic() - asked > self._idle_seconds:
                self._end(key)

    async def stop(self) -> None:
        """End all."""
        for key in list(self._known):
            await asyncio.to_thread(self._end, key)

    def _end(self, key: tuple[str, int]) -> None:
        self._known.pop(key)[0].close()
