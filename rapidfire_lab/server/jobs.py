"""``jobs``: the tests and predictions of an experiment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.server.handler import RestHandler, experiment_named

if TYPE_CHECKING:
    from rapidfire_lab.journal import JobRecord, JournalReader

_MOST_JOBS = 1_000


class JobsQuestion(msgspec.Struct):
    """Query of the jobs: so many of the newest."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=_MOST_JOBS)] = 50


class JobsHandler(RestHandler):
    """Tests and predictions, newest first, with how far they are and what came of them."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        question = self.question(JobsQuestion)
        self.answer(await self.read(lambda journal: read_jobs(journal, experiment, question.limit)))


def read_jobs(journal: JournalReader, name: str, limit: int) -> dict[str, Any]:
    """The newest jobs of an experiment."""
    jobs = journal.jobs(experiment_named(journal, name).id)
    return {"jobs": [_job(journal, job) for job in reversed(jobs[-limit:])]}


def _job(journal: JournalReader, job: JobRecord) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "run_id": job.run_id,
        "epoch": job.epoch,
        "model_tag": job.model_tag,
        "rows": job.rows,
        "status": job.status,
        "progress": _progress(journal, job),
        "metrics": json.loads(job.metrics) if job.metrics is not None else None,
        "target": job.target,
        "error": job.error,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
    }


def _progress(journal: JournalReader, job: JobRecord) -> float:
    """Share of the minibatches that are through."""
    if job.status == "completed":
        return 1.0
    return min(1.0, journal.minibatches_done(job.id) / -(-job.rows // job.batch_size))
