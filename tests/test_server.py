"""The server extension: who may ask, what is answered, and what it must not load or disturb."""

from __future__ import annotations

import json
import time

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from rapidfire_lab import __version__
from rapidfire_lab.errors import EngineError
from rapidfire_lab.server import routes
from rapidfire_lab.server.app import RapidfireLabApp

pytest_plugins = ("pytest_jupyter.jupyter_server",)

ENGINE = ("rapidfire-lab", "api", "engine")


class NobodyMayLook(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return (action, resource) != ("read", "rapidfire_lab")


@pytest.fixture
def server_options():
    return {}


@pytest.fixture
def jp_server_config(server_options, monkeypatch, tmp_path):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path / "home of the engine"))
    return {
        "ServerApp": {
            "jpserver_extensions": {"rapidfire_lab": True},
            # With this a handler without authentication is a warning, and warnings are errors here.
            "allow_unauthenticated_access": False,
            **server_options,
        },
        "RapidfireLabApp": {"engine_timeout": 0.3},
    }


@pytest.fixture
def engine_answers(monkeypatch):
    """Put a function in the place of the one that asks the engine."""
    return lambda read: monkeypatch.setattr(routes, "read_engine", read)


async def refused(request):
    """Status and message of a request that must fail."""
    with pytest.raises(HTTPClientError) as caught:
        await request
    return caught.value.code, json.loads(caught.value.response.body)["message"]


async def test_a_home_without_engine_is_not_running(jp_fetch, tmp_path):
    response = await jp_fetch(*ENGINE)
    assert response.code == 200
    assert json.loads(response.body) == {
        "version": __version__,
        "api_level": routes.API_LEVEL,
        "state": "not running",
        "home": str(tmp_path / "home of the engine"),
    }


async def test_asking_creates_nothing(jp_fetch, tmp_path):
    await jp_fetch(*ENGINE)
    assert not (tmp_path / "home of the engine").exists()


async def test_without_token_nothing_is_told(jp_fetch):
    code, _ = await refused(jp_fetch(*ENGINE, headers={"Authorization": ""}))
    assert code == 403


@pytest.mark.parametrize("server_options", [{"authorizer_class": NobodyMayLook}])
async def test_the_authorizer_is_asked(jp_fetch):
    code, message = await refused(jp_fetch(*ENGINE))
    assert code == 403
    assert "not authorized to read on resource: rapidfire_lab" in message


async def test_polling_does_not_count_as_activity(jp_fetch, jp_web_app, engine_answers):
    engine_answers(lambda: {"state": "running", "home": "/srv/lab"})
    before = jp_web_app.settings.get("api_last_activity")
    await jp_fetch(*ENGINE)
    assert jp_web_app.settings.get("api_last_activity") == before


async def test_an_engine_error_keeps_its_words(jp_fetch, engine_answers):
    def read():
        message = "engine.json is not readable; remove it."
        raise EngineError(message)

    engine_answers(read)
    assert await refused(jp_fetch(*ENGINE)) == (503, "engine.json is not readable; remove it.")


async def test_a_silent_engine_is_not_waited_for(jp_fetch, engine_answers):
    engine_answers(lambda: time.sleep(1))
    assert await refused(jp_fetch(*ENGINE)) == (503, "The engine did not answer within 0.3 seconds.")


async def test_the_server_goes_on_while_the_engine_is_asked(jp_fetch, engine_answers):
    asked = []

    def read():
        asked.append(time.monotonic())
        time.sleep(0.2)
        return {"state": "running", "home": "/srv/lab"}

    engine_answers(read)
    first, second = jp_fetch(*ENGINE), jp_fetch(*ENGINE)
    await first
    await second
    assert asked[1] - asked[0] < 0.2


def test_the_extension_is_an_application(jp_serverapp):
    (app,) = jp_serverapp.extension_manager.extension_apps["rapidfire_lab"]
    assert isinstance(app, RapidfireLabApp)
