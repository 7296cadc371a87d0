"""``runs``, ``experiments`` and one run: what tables show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.configs.secrets import hide_secrets
from rapidfire_lab.errors import NotFoundError
from rapidfire_lab.races import Race, races_of
from rapidfire_lab.rows import FALLBACK_METRIC, RunRow, experiment_knobs, key_metric, make_rows, most_telling, read_leaf
from rapidfire_lab.server.engine import engine_state
from rapidfire_lab.server.handler import RestHandler, default_home, experiment_named
from rapidfire_lab.server.mlflow_link import mlflow_url
from rapidfire_lab.server.questions import LARGEST, Count, Name

if TYPE_CHECKING:
    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord

_MOST_NOTICES = 3


class RunsQuestion(msgspec.Struct):
    """Query of ``GET runs``. ``epoch`` and ``since`` are the cursor that the last answer gave."""

    experiment: Name | None = None
    epoch: Name | None = None
    since: Count | None = None
    metric: Name | None = None


class RunsAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Answer of ``GET runs``; what is None here by default is left out."""

    epoch: str
    rev: int
    full: bool
    engine: dict[str, str]
    experiment: str | None
    runs: list[RunRow]
    experiments: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    knob_names: list[str] | msgspec.UnsetType = msgspec.UNSET
    metric_names: list[str] | msgspec.UnsetType = msgspec.UNSET
    metric: str | msgspec.UnsetType | None = msgspec.UNSET
    notices: list[str] | msgspec.UnsetType = msgspec.UNSET
    races: list[Race] | msgspec.UnsetType = msgspec.UNSET


class RunsHandler(RestHandler):
    """The runs of an experiment, or what has changed of them."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        question = self.question(RunsQuestion)
        if question.experiment is None and not default_home().journal.exists():
            self.answer(await self.look(_nothing_yet))
        else:
            self.answer(await self.read(lambda journal: read_runs(journal, question)))


class ExperimentsHandler(RestHandler):
    """All experiments."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        if default_home().journal.exists():
            self.answer({"experiments": await self.read(read_experiments)})
        else:
            self.answer({"experiments": []})


class RunHandler(RestHandler):
    """One run with everything that is known of it."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str, run_id: str) -> None:
        self.answer(await self.read(lambda journal: _read_run(journal, experiment, run_id)))


def _nothing_yet() -> RunsAnswer:
    answer = RunsAnswer(epoch="", rev=0, full=True, engine={"state": engine_state(None)}, experiment=None, runs=[])
    answer.experiments, answer.knob_names, answer.metric_names = [], [], []
    answer.metric, answer.notices, answer.races = None, [], []
    return answer


def read_runs(journal: JournalReader, question: RunsQuestion) -> RunsAnswer:
    """All runs of an experiment, or those that changed since the cursor."""
    rev = journal.rev
    experiment = _chosen(journal, question.experiment)
    names = _metric_names(journal, experiment)
    metric = key_metric(names, question.metric)
    epoch = _epoch(journal, metric)
    since = question.since if question.epoch == epoch and (question.since or 0) <= rev else None
    if experiment is not None and since is not None and not journal.runs_seen(experiment.id, since):
        since = None  # every run is news, as of an experiment that was made since
    answer = RunsAnswer(
        epoch=epoch,
        rev=rev,
        full=since is None,
        engine={"state": engine_state(journal)},
        experiment=experiment.name if experiment else None,
        runs=[],
    )
    runs = journal.runs(experiment.id, since=since or 0) if experiment else []
    if since is None:
        runs = [run for run in runs if run.status != "deleted"]
    if runs or since is None:
        answer.knob_names = experiment_knobs(journal, experiment) if experiment else []
        answer.metric_names, answer.metric = names, metric
        answer.runs = make_rows(journal, runs, answer.knob_names, metric or FALLBACK_METRIC)
    if since is None or rev != since:
        answer.races = races_of(journal, experiment) if experiment else []
    if since is None or journal.engine_has_warned(since):
        answer.notices = _notices(journal)
    if since is None or any(record.rev > since for record in journal.experiments()):
        answer.experiments = read_experiments(journal)
    return answer


def _metric_names(journal: JournalReader, experiment: ExperimentRecord | None) -> list[str]:
    metrics = journal.metrics_of(experiment.id) if experiment else []
    return most_telling(name for name, per in metrics if per == "epoch")


def _epoch(journal: JournalReader, metric: str | None) -> str:
    """The journal's epoch and the key metric's number: with another one, the trends of all runs are news."""
    return f"{journal.epoch}.{journal.metric_id(metric, 'epoch')}" if metric else journal.epoch


def _notices(journal: JournalReader) -> list[str]:
    identity = default_home().read_identity()
    return journal.engine_warnings(identity.started)[-_MOST_NOTICES:] if identity else []


def _chosen(journal: JournalReader, name: str | None) -> ExperimentRecord | None:
    if name is not None:
        return experiment_named(journal, name)
    return journal.live_experiment() or next(reversed(journal.experiments()), None)


def read_experiments(journal: JournalReader) -> list[dict[str, Any]]:
    """All experiments, newest first."""
    counts = journal.run_counts()
    tracked = journal.tracked_experiments()
    home_uri = default_home().mlflow_uri
    return [
        {
            "name": record.name,
            "status": record.status,
            "created": record.created,
            "ended": record.ended,
            "path": record.path,
            "runs": counts.get(record.id, 0),
            "mlflow_url": mlflow_url(record.tracking_uri, tracking=record.id in tracked, home_uri=home_uri),
        }
        for record in reversed(journal.experiments())
    ]


def run_named(journal: JournalReader, experiment: ExperimentRecord, run_id: str) -> RunRecord:
    """The run of an experiment with this id, as it stands in a route."""
    number = int(run_id) if run_id.isascii() and run_id.isdecimal() and len(run_id) < len(str(LARGEST)) else 0
    run = journal.run(experiment.id, number)
    if run is None:
        message = f"Experiment {experiment.name!r} has no run {run_id}."
        raise NotFoundError(message)
    return run


def _read_run(journal: JournalReader, name: str, run_id: str) -> dict[str, Any]:
    experiment = experiment_named(journal, name)
    run = run_named(journal, experiment, run_id)
    metrics = _metric_names(journal, experiment)
    knobs = experiment_knobs(journal, experiment)
    [row] = make_rows(journal, [run], knobs, key_metric(metrics) or FALLBACK_METRIC)
    fit = journal.fit(run.fit_id)
    return {
        **msgspec.to_builtins(row),
        "experiment": experiment.name,
        "config": _config(run),
        "traceback": run.traceback,
        "committed_step": run.step,
        "parent_step": run.parent_step,
        "continue_position": run.continue_position,
        "carried": json.loads(run.carried) if run.carried else None,
        "clones": journal.clones(experiment.id, run.run_id),
        "seed": fit.seed,
        "num_chunks": fit.num_chunks,
        "fusion": str(run.last_fusion) if run.last_fusion else None,
        "mlflow_run_id": run.mlflow_run_id,
    }


def _config(run: RunRecord) -> dict[str, Any]:
    empty: dict[str, Any] = {"train": {}, "user_knobs": {}, "named_metrics": [], "fsdp_layer_cls": []}
    return {**empty, **hide_secrets(read_leaf(run.config) or {})}
