"""``predictions``: what a trial of a model template predicts, by a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.server.handler import RestHandler, experiment_named, told
from rapidfire_lab.server.questions import Id

if TYPE_CHECKING:
    from rapidfire_lab.journal import JournalReader
    from rapidfire_lab.serving import ServedTrial


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
        app: Any = self.extensionapp
        timeout = app.prediction_timeout
        with told():
            async with app.predictors.lent(trial, timeout) as predictor:
                predictions = await self.ask(predictor.predict, body.queries, timeout)
        self.answer({"run_id": trial.run_id, "predictions": predictions})


def find_trial(journal: JournalReader, experiment: str, run_id: int | None) -> ServedTrial:
    # Imported here because model templates are not needed to start a Jupyter server.
    from rapidfire_lab.serving import trial_to_serve

    return trial_to_serve(journal, experiment_named(journal, experiment), run_id)
