"""What the tests of the REST routes share: a server, a home with a filled journal, an engine's lock."""

from __future__ import annotations

import fcntl
import json
import math
import re

import pytest
from tornado.httpclient import HTTPClientError

from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.journal import JournalWriter, MetricPoint
from rapidfire_lab.server.handler import RestHandler
from rapidfire_lab.server.routes import API_NAMESPACE, HANDLERS
from tests.conftest import DEADLINE

BEGIN = 1_700_000_000.0
STEPS_PER_EPOCH = 100


def config(width=8, **knobs):
    train = {"epochs": 4, "batch_size": 32, "optimizer": {"name": "AdamW", "args": {"lr": 0.01}}}
    return {
        "train": train,
        "user_knobs": {"width": width, **knobs},
        "named_metrics": ["top1_accuracy"],
        "fsdp_layer_cls": [],
    }


def add_experiment(journal, folder, name="digits", **columns):
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    filled = {
        "asked_name": name,
        "path": str(path),
        "spec_path": "/home/me/spec.py",
        "spec_hash": "abc",
        "epoch_checkpoints": False,
        "tracking_uri": None,
        **columns,
    }
    experiment = journal.add_experiment(name=name, **filled)
    journal._db.execute("UPDATE experiments SET created = ? WHERE id = ?", (BEGIN, experiment))
    journal.add_fit(experiment_id=experiment, data=json.dumps({"partitions": {}}), seed=7, num_chunks=None)
    journal.add_event(f"Experiment {name} created", experiment_id=experiment)
    return experiment


def add_run(journal, experiment, *, leaf=None, status="queued", step=0, **columns):
    key = journal.add_run(
        experiment,
        config=config() if leaf is None else leaf,
        fit_id=journal.fits(experiment)[0].id,
        source="clone" if columns.get("parent") else "initial",
        parent=columns.pop("parent", None),
        epochs=4,
        steps_per_epoch=STEPS_PER_EPOCH,
    )
    started = {"started": BEGIN} if status != "queued" else {}
    done = {"step": step, "live_step": step, "completed_epochs": step // STEPS_PER_EPOCH}
    journal.update_run(key, status=status, **done, **started, **columns)
    return key


def add_points(journal, key, to_step, *, value=None, from_step=1):
    """Losses of minibatches, and the metrics of the epochs that they complete."""

    def point(name, per, step, number):
        epoch = -(-step // STEPS_PER_EPOCH)
        return MetricPoint(name=name, per=per, step=step, epoch=epoch, value=number, time=BEGIN + step / 10)

    loss = value or (lambda step: 1 / step)
    points = [point("minibatch_loss", "step", step, loss(step)) for step in range(from_step, to_step + 1)]
    for step in range(from_step, to_step + 1):
        if step % STEPS_PER_EPOCH == 0:
            points.append(point("train_loss", "epoch", step, 2.0 / step))
            points.append(point("learning_rate", "epoch", step, 0.01))
            points.append(point("val_loss", "epoch", step, 1.0 / step))
            points.append(point("top1_accuracy", "epoch", step, math.nan if step == STEPS_PER_EPOCH else 0.5))
    journal.add_points(key, points)


JOB = {"weights": "w", "config": "{}", "data": "{}", "seed": 1, "batch_size": 8, "rows": 30}


def fill(home):
    """Two experiments: an ended one, and a live one with a run of each status."""
    home.create()
    with JournalWriter(home.journal, "controller-1") as journal, journal.transaction():
        old = add_experiment(journal, home.experiments, "old", tracking_uri="https://me:pw@mlflow.example/base")
        add_run(journal, old, status="completed", step=400, ended_by="epochs")
        journal.end_experiment(old)
        live = add_experiment(journal, home.experiments)
        for key, to_step in (
            (add_run(journal, live, leaf=config(8), status="completed", step=400, ended_by="epochs"), 400),
            (add_run(journal, live, leaf=config(16, hf_token="hf_1"), status="running", step=250, slot=0), 250),
            (add_run(journal, live, leaf=config(32), status="failed", step=50, error="ValueError: no\nmore"), 50),
            (add_run(journal, live, leaf=config(64), status="stopped", step=120, ended_by="user", parent=1), 120),
            (add_run(journal, live, leaf=config(128)), 0),
            (add_run(journal, live, leaf=config(256), status="deleted", step=10), 10),
        ):
            add_points(journal, key, to_step)
        journal.update_run(4, traceback="Traceback ...\nValueError: no")
        for operation, run_id in (("stop", 4), ("clone", 1), ("delete", 6)):
            journal.add_operation(
                operation,
                experiment_id=live,
                run_id=run_id,
                origin="user",
                arguments={"changes": {"user_knobs": {"width": 64, "api_key": "sk-1"}}} if operation == "clone" else {},
                result=f"run {run_id}",
                step=400 if operation == "clone" else None,
            )
            journal.add_event(f"{operation} run {run_id}", experiment_id=live, run_id=run_id)
        journal.add_event("Slot 1 died", level="warning")
        _add_jobs(journal, live)
    home.write_identity(
        EngineIdentity(pid=1, epoch="controller-1", version="0", api_level=1, address="ipc://none", started=BEGIN)
    )
    _write_files(home.experiments / "digits")


def _add_jobs(journal, experiment):
    """A completed test with a metric that is no number, and a prediction that failed."""
    tested = journal.add_job(experiment, parts=1, kind="test", run_id=1, epoch=2, **JOB)
    journal.update_job(tested, status="completed", metrics='{"loss": 0.5, "f1": NaN}', started=BEGIN, ended=BEGIN + 9)
    tag = {"model_tag": "s3://bucket/model.pt", "target": "/home/me/predictions_model.csv"}
    failed = journal.add_job(experiment, parts=1, kind="predict", **tag, **JOB)
    journal.update_job(failed, status="failed", error="ValueError: no", started=BEGIN, ended=BEGIN + 1)


def _write_files(folder):
    for name, content in {
        "spec.json": b"{}",
        "spec/spec.py": b"class MLSpec: ...\n",
        "spec/__pycache__/spec.pyc": b"compiled",
        "predictions_1.csv": b"id,prediction\n1,2\n",
        "notes.txt": b"not ours",
        ".hidden.csv": b"hidden",
        "runs/1/run.log": "épochs: ☃ 1\n".encode() * 100,
        "runs/1/state/lease-1.safetensors": b"state",
        "runs/1/checkpoints/final.safetensors": b"weights" * 1_000,
        "runs/1/checkpoints/final.json": b'{"epoch": 4}',
        "runs/1/checkpoints/.final.safetensors.tmp": b"half",
        "runs/2/run.log": b"",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


# Fixtures


@pytest.fixture
def server_options():
    return {}


@pytest.fixture
def app_options():
    return {}


@pytest.fixture
def home(tmp_path):
    return EngineHome(tmp_path / "home of the engine")


@pytest.fixture
def jp_server_config(server_options, app_options, monkeypatch, home):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(home.root))
    return {
        "ServerApp": {
            "jpserver_extensions": {"rapidfire_lab": True},
            # With this a handler without authentication is a warning, and warnings are errors here.
            "allow_unauthenticated_access": False,
            **server_options,
        },
        "RapidfireLabApp": app_options,
    }


@pytest.fixture
def filled(home):
    """The home, with a journal."""
    fill(home)
    return home


@pytest.fixture
def journal(filled):
    """The filled journal, to be written on by the same controller."""
    with JournalWriter(filled.journal, "controller-1") as writer:
        yield writer


@pytest.fixture
def engine(filled):
    """The home, with the lock of a live engine held."""
    with filled.engine_lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield filled


@pytest.fixture
def ask(jp_fetch):
    """GET a route, or POST a body to it, and give the answer's JSON; it must be strict."""

    async def request(route, body=None, **query):
        response = await fetch_route(jp_fetch, route, body, **query)
        return json.loads(response.body, parse_constant=pytest.fail)

    return request


@pytest.fixture
def refused(jp_fetch):
    """Status and message of a request that must fail."""

    async def request(route, body=None, *, raw=None, headers=None, **query):
        with pytest.raises(HTTPClientError) as caught:
            await fetch_route(jp_fetch, route, body, raw=raw, headers=headers, **query)
        answer = json.loads(caught.value.response.body)
        assert set(answer) <= {"message", "reason", "traceback"}
        assert not answer.get("traceback")
        return caught.value.code, answer["message"]

    return request


async def fetch_route(jp_fetch, route, body=None, *, raw=None, headers=None, **query):
    content = raw if raw is not None else None if body is None else json.dumps(body)
    method = {"method": "POST", "body": content} if content is not None else {}
    path = f"{API_NAMESPACE.strip('/')}/{route}"
    pairs = [(name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])]
    given = {"headers": headers} if headers else {}
    return await jp_fetch(path, params=pairs, request_timeout=DEADLINE, **method, **given)


# Every route, so that none can be forgotten


def all_verbs():
    """Every verb of every route, as (verb, route), with values in the route's places."""
    found = []
    for pattern, handler in HANDLERS:
        route = pattern.removeprefix(f"{API_NAMESPACE}/").replace("(.+)", "spec.json")
        for value in ("digits", "1"):
            route = re.sub(r"\(\[\^/\]\+\)", value, route, count=1)
        found += [
            (verb, route)
            for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
            if getattr(handler, verb.lower()) is not getattr(RestHandler, verb.lower())
        ]
    return found
