"""``jobs``: tests and predictions as pages see them."""

from __future__ import annotations

import pytest

from tests.server.conftest import BEGIN, JOB

pytest_plugins = ("pytest_jupyter.jupyter_server",)

JOBS = "experiments/digits/jobs"


async def test_jobs_are_told_with_progress_and_results(ask, journal):
    with journal.transaction():
        experiment = journal.experiment("digits").id
        key = journal.add_job(experiment, parts=2, kind="predict", run_id=1, target="/home/me/p.csv", **JOB)
        journal.update_job(key, status="running", started=BEGIN)
        journal.update_part(key, 0, state="done", minibatches=3)
    going, failed, tested = (await ask(JOBS))["jobs"]
    assert (tested["kind"], tested["run_id"], tested["epoch"], tested["status"]) == ("test", 1, 2, "completed")
    assert (tested["metrics"], tested["progress"]) == ({"loss": 0.5, "f1": None}, 1.0)
    assert (failed["model_tag"], failed["error"], failed["metrics"]) == ("s3://bucket/model.pt", "ValueError: no", None)
    assert failed["ended"] == BEGIN + 1
    assert (going["status"], going["progress"], going["ended"]) == ("running", 0.75, None)
    assert going["target"] == "/home/me/p.csv"


async def test_the_newest_come_first_and_no_more_than_asked_for(ask, filled):
    assert [job["job_id"] for job in (await ask(JOBS, limit=1))["jobs"]] == [2]
    assert await ask("experiments/old/jobs") == {"jobs": []}


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
async def test_limits_are_checked(refused, limit, filled):
    assert (await refused(JOBS, limit=limit))[0] == 400


async def test_an_experiment_that_is_not_there(refused, filled):
    assert (await refused("experiments/none/jobs"))[0] == 404
