"""The server extension as a whole: who may ask, the engine's state, and what must not be loaded or disturbed."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from rapidfire_lab import __version__
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import JournalReader, JournalWriter
from rapidfire_lab.server.app import RapidfireLabApp
from rapidfire_lab.server.handler import RestHandler
from rapidfire_lab.server.routes import API_LEVEL, HANDLERS
from tests.server.conftest import all_verbs, fetch_route

pytest_plugins = ("pytest_jupyter.jupyter_server",)

EVERYTHING = pytest.mark.parametrize(("verb", "route"), all_verbs())
GETS = pytest.mark.parametrize("route", [route for verb, route in all_verbs() if verb == "GET"])


class NobodyMay(Authorizer):
    """Denies our resource alone, so that a route that asks for another one is found."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "rapidfire_lab"


@pytest.fixture
def extension(jp_serverapp):
    (app,) = jp_serverapp.extension_manager.extension_apps["rapidfire_lab"]
    return app


def body_of(verb):
    return {} if verb == "POST" else None


# Who may ask


def test_every_handler_has_verbs_of_its_own():
    for _, handler in HANDLERS:
        assert issubclass(handler, RestHandler)
        own = [verb for verb in ("get", "post", "put", "patch", "delete") if verb in vars(handler)]
        assert own, handler
        for base in handler.__mro__[1:]:
            if base.__module__.startswith("rapidfire_lab"):
                assert not {"get", "post", "put", "patch", "delete"} & vars(base).keys()


@EVERYTHING
async def test_without_token_nothing_is_told(refused, filled, verb, route):
    code, message = await refused(route, body_of(verb), headers={"Authorization": ""})
    assert code == 403
    assert "digits" not in message


@EVERYTHING
@pytest.mark.parametrize("server_options", [{"authorizer_class": NobodyMay}])
async def test_the_authorizer_is_asked(refused, filled, verb, route):
    code, message = await refused(route, body_of(verb))
    assert code == 403
    action = "write" if verb == "POST" else "read"
    assert f"not authorized to {action} on resource: rapidfire_lab" in message


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH"])
async def test_other_verbs_are_refused(jp_fetch, filled, verb):
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("rapidfire-lab/api/runs", method=verb, body=None if verb == "DELETE" else "{}")
    assert caught.value.code == 405


# Missing and broken homes


@GETS
async def test_before_the_first_engine(jp_fetch, refused, home, route):
    if route in ("engine", "runs", "experiments"):
        assert (await fetch_route(jp_fetch, route)).code == 200
    else:
        code, message = await refused(route, metric="val_loss")
        assert code == 404
        assert "There are no experiments yet" in message
    assert not home.root.exists()


@GETS
async def test_a_file_that_is_no_journal_is_told(refused, ask, home, route):
    home.create()
    home.journal.write_bytes(b"no database at all" * 100)
    if route == "engine":
        assert (await ask("engine"))["state"] == "not running"
    else:
        code, message = await refused(route, metric="val_loss")
        assert code == 503
        assert "no readable journal" in message


@GETS
async def test_experiments_that_do_not_exist(refused, filled, route):
    if "digits" in route:
        code, message = await refused(route.replace("digits", "100% nö"), metric="val_loss")
        assert (code, message) == (404, "There is no experiment '100% nö'; known: old, digits.")


async def test_an_error_of_ours_tells_nothing_of_the_inside(refused, filled, monkeypatch):
    monkeypatch.setattr(JournalReader, "run_counts", lambda _: 1 / 0)
    assert await refused("experiments") == (500, "Unhandled error")


@pytest.mark.parametrize("app_options", [{"journal_timeout": 0.2}])
async def test_a_slow_disk_is_not_waited_for(refused, filled, monkeypatch):
    monkeypatch.setattr(JournalReader, "run_counts", lambda _: time.sleep(1) or {})
    code, message = await refused("experiments")
    assert code == 503
    assert "could not be read within 0.2 seconds" in message


@pytest.mark.parametrize("app_options", [{"journal_timeout": 0.2}])
async def test_files_that_hang_keep_nobody_from_the_journal(ask, refused, filled, monkeypatch):
    hanging = threading.Event()
    monkeypatch.setattr("rapidfire_lab.server.artifacts.list_artifacts", lambda _: hanging.wait(60))
    try:
        for _ in range(6):
            assert (await refused("experiments/digits/artifacts"))[0] == 503
        assert (await ask("runs"))["runs"]
    finally:
        hanging.set()


async def test_a_journal_that_fails_once_it_is_asked_is_told(ask, refused, engine, monkeypatch):
    def fail(*_):
        message = "disk I/O error"
        raise sqlite3.OperationalError(message)

    monkeypatch.setattr(JournalReader, "_all", fail)
    code, message = await refused("experiments")
    assert code == 503
    assert message.startswith(f"The journal {engine.journal} cannot be read (disk I/O error). Try again")
    assert (await ask("engine"))["state"] == "idle"


async def test_requests_are_answered_while_others_wait(ask, engine, monkeypatch):
    stopped = threading.Event()
    monkeypatch.setattr(EngineClient, "stop", lambda *_: stopped.wait(60))
    slow = [asyncio.ensure_future(ask("engine", {"action": "stop"})) for _ in range(8)]
    await ask("runs")
    assert not any(request.done() for request in slow)
    stopped.set()
    await asyncio.gather(*slow)


# The engine


async def test_a_home_without_engine_is_not_running(ask, home):
    assert await ask("engine") == {
        "version": __version__,
        "api_level": API_LEVEL,
        "state": "not running",
        "home": str(home.root),
        "home_key": home.key,
    }


async def test_the_state_is_told_without_asking_the_engine(ask, engine, journal):
    # Nobody listens where the identity says that the engine is.
    assert (await ask("engine"))["state"] == "running"
    assert (await ask("runs"))["engine"] == {"state": "running"}
    with journal.transaction():
        for run in journal.active_runs():
            journal.update_run(run.id, status="stopped")
    assert (await ask("engine"))["state"] == "idle"
    assert (await ask("runs"))["engine"] == {"state": "idle"}


async def test_a_dead_engine_is_told_with_the_last_truth(ask, filled):
    answer = await ask("runs")
    assert answer["engine"] == {"state": "not running"}
    assert [run["status"] for run in answer["runs"]] == ["completed", "running", "failed", "stopped", "queued"]


async def test_the_engine_is_started_and_stopped(ask, filled, monkeypatch):
    asked = []
    monkeypatch.setattr(EngineClient, "start", lambda _, timeout: asked.append(("start", timeout)))
    monkeypatch.setattr(EngineClient, "stop", lambda _, timeout: asked.append(("stop", timeout)))
    assert (await ask("engine", {"action": "start"}))["state"] == "not running"
    assert (await ask("engine", {"action": "stop"}))["home"] == str(filled.root)
    assert asked == [("start", 60.0), ("stop", 60.0)]


async def test_an_engine_that_does_not_come_up_is_told_with_the_reason(refused, home, monkeypatch):
    def start(*_):
        message = "The engine did not come up. 100% of settings.json is nonsense."
        raise EngineError(message)

    monkeypatch.setattr(EngineClient, "start", start)
    code, message = await refused("engine", {"action": "start"})
    assert (code, message) == (503, "The engine did not come up. 100% of settings.json is nonsense.")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("{}", "missing required field `action`"),
        ('{"action": "explode"}', "at 'action': invalid enum value 'explode'"),
        ('{"action": "start", "now": 1}', "unknown field `now`"),
        ("[]", "expected `object`"),
        ("{", "is no JSON"),
        ("", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        ("[" * 100_000, "expected `object`"),
        ('{"action": ' + "[" * 100_000, "expected `str`"),
    ],
)
async def test_bodies_that_do_not_fit(refused, home, raw, words):
    code, message = await refused("engine", raw=raw)
    assert code == 400
    assert words in message.replace("Object", "object")


async def test_a_body_may_not_be_huge(refused, home):
    code, message = await refused("engine", raw=" " * (1 << 20) + "{}")
    assert code == 413
    assert "1,048,576 bytes" in message


# Restarts


async def test_a_fresh_server_gives_the_same_answers(ask, filled):
    # The routes keep nothing: all that this server knows is from a journal that it did not see being written.
    answer = await ask("runs")
    again = await ask("runs", epoch=answer["epoch"], since=answer["rev"])
    assert again["runs"] == []
    assert not again["full"]


async def test_an_engine_that_was_started_anew_is_read_anew(ask, filled):
    cursor = await ask("runs")
    JournalWriter(filled.journal, "controller-2").close()
    answer = await ask("runs", epoch=cursor["epoch"], since=cursor["rev"])
    assert answer["full"]
    assert answer["epoch"].startswith("controller-2")
    assert len(answer["runs"]) == 5


def test_neither_torch_nor_mlflow_nor_the_wire_is_loaded_with_the_server():
    code = (
        "import sys, rapidfire_lab.server.app\n"
        "print([name for name in ('torch', 'mlflow', 'pandas', 'zmq', 'rich') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(result.stdout.replace("'", '"'))) <= {"zmq"}  # jupyter_server has that one


# Activity


@GETS
async def test_polling_does_not_count_as_activity(jp_fetch, jp_web_app, filled, route):
    before = jp_web_app.settings.get("api_last_activity")
    await fetch_route(jp_fetch, route, **({"metric": "val_loss", "per": "epoch"} if "series" in route else {}))
    assert jp_web_app.settings.get("api_last_activity") == before


async def test_what_a_user_does_counts(ask, jp_web_app, filled, monkeypatch):
    monkeypatch.setattr(EngineClient, "stop", lambda *_: None)
    before = jp_web_app.last_activity()
    await ask("engine", {"action": "stop"})
    assert jp_web_app.last_activity() > before


async def test_runs_in_training_keep_the_server_alive(extension, jp_serverapp, engine):
    web_app = jp_serverapp.web_app
    before = web_app.last_activity()
    assert extension.current_activity()
    assert jp_serverapp.extension_manager.any_activity()
    await extension.refresh_activity()
    assert web_app.last_activity() > before
    assert web_app.last_activity() == web_app.settings["last_activity_times"]["rapidfire_lab"]


async def test_whether_runs_train_is_not_read_on_the_event_loop(extension, engine, journal, monkeypatch):
    await extension.refresh_activity()
    monkeypatch.setattr("rapidfire_lab.server.activity.state_of", pytest.fail)
    assert extension.current_activity()
    monkeypatch.undo()
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(engine.root))
    with journal.transaction():
        for run in journal.active_runs():
            journal.update_run(run.id, status="stopped")
    await extension.refresh_activity()
    assert not extension.current_activity()


async def test_a_server_that_has_just_started_is_kept_alive_until_it_has_looked(extension, filled):
    assert extension.current_activity()
    await extension.refresh_activity()
    assert not extension.current_activity()


async def test_nothing_else_does(extension, jp_serverapp, engine, journal):
    with journal.transaction():
        for run in journal.active_runs():
            journal.update_run(run.id, status="stopped")
    await extension.refresh_activity()
    assert not extension.current_activity()
    assert "rapidfire_lab" not in jp_serverapp.web_app.settings["last_activity_times"]


async def test_a_dead_engine_keeps_nothing_alive(extension, jp_serverapp, filled):
    await extension.refresh_activity()
    assert not extension.current_activity()
    assert "rapidfire_lab" not in jp_serverapp.web_app.settings["last_activity_times"]


@pytest.mark.parametrize("app_options", [{"keep_alive_while_training": False}])
async def test_the_administrator_may_refuse(extension, jp_serverapp, engine):
    await extension.refresh_activity()
    assert not extension.current_activity()
    assert "rapidfire_lab" not in jp_serverapp.web_app.settings["last_activity_times"]


@pytest.mark.parametrize("app_options", [{"keep_alive_hours": 2.0}])
async def test_training_alone_keeps_alive_for_so_long(extension, jp_serverapp, engine):
    settings = jp_serverapp.web_app.settings
    await extension.refresh_activity()
    settings["started"] = datetime.now(timezone.utc) - timedelta(hours=3)
    settings.pop("api_last_activity", None)
    noted = settings["last_activity_times"]["rapidfire_lab"]
    jp_serverapp.kernel_manager.last_kernel_activity = settings["started"]
    assert not extension.current_activity()
    await extension.refresh_activity()
    assert settings["last_activity_times"]["rapidfire_lab"] == noted
    settings["api_last_activity"] = datetime.now(timezone.utc) - timedelta(hours=1)
    assert extension.current_activity()


def test_the_extension_is_an_application(extension):
    assert isinstance(extension, RapidfireLabApp)
    assert extension._activity.is_running()
