"""MLflow's page behind Jupyter's authentication: who gets in, what passes, and the process behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import psutil
import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.errors import EngineError
from rapidfire_lab.server.mlflow_child import MlflowSite
from rapidfire_lab.server.mlflow_link import mlflow_url
from rapidfire_lab.server.mlflow_rules import below
from tests.conftest import wait_until

pytest_plugins = ("pytest_jupyter.jupyter_server",)

PAGE = ("rapidfire-lab", "mlflow")
SEARCH = (*PAGE, "ajax-api", "2.0", "mlflow", "experiments", "search")
CREATE_RUN = (*PAGE, "ajax-api", "2.0", "mlflow", "runs", "create")
ASSISTANT = (*PAGE, "ajax-api", "3.0", "mlflow", "assistant")
JSON = {"Content-Type": "application/json"}
START_SECONDS = 120.0
HTML = b"<script>fetch('/api/contents')</script>"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


class NobodyMayLook(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "rapidfire_lab"


class ReadOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return action == "read"


class NoSite:
    """Nothing that is refused may start a process."""

    async def child(self, **_):
        pytest.fail("MLflow was started")

    async def stop(self):
        pass


class LentSite(NoSite):
    """A child that outlives the Jupyter servers of single tests."""

    def __init__(self, child):
        self._child = child

    async def child(self, **_):
        return self._child


def new_site(**options):
    return MlflowSite(**{"idle_seconds": 600.0, "start_timeout": START_SECONDS, **options})


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A home of the engine with a live MLflow child."""
    before = os.environ.get("RAPIDFIRE_LAB_HOME")
    os.environ["RAPIDFIRE_LAB_HOME"] = str(tmp_path_factory.mktemp("lab") / "home")
    os.environ["JUPYTER_TOKEN"] = os.environ["JPY_API_TOKEN"] = "for Jupyter alone"
    site = new_site()
    try:
        child = asyncio.run(site.child())
        yield SimpleNamespace(home=EngineHome.default(), child=child)
    finally:
        asyncio.run(site.stop())
        for name in ("RAPIDFIRE_LAB_HOME", "JUPYTER_TOKEN", "JPY_API_TOKEN"):
            del os.environ[name]
        if before is not None:
            os.environ["RAPIDFIRE_LAB_HOME"] = before


@pytest.fixture
def empty_home(monkeypatch, tmp_path):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path / "engine"))
    return EngineHome.default()


@pytest.fixture
def server_options():
    return {}


@pytest.fixture
def jp_server_config(server_options):
    return {
        "ServerApp": {
            "jpserver_extensions": {"rapidfire_lab": True},
            "allow_unauthenticated_access": False,
            **server_options,
        }
    }


@pytest.fixture
def jp_base_url():
    return "/user/ada/"


@pytest.fixture
def app(jp_serverapp):
    (found,) = jp_serverapp.extension_manager.extension_apps["rapidfire_lab"]
    found.mlflow = NoSite()
    return found


@pytest.fixture
def page(app, lab, jp_fetch):
    """Fetch below MLflow's page, which the shared child serves."""
    app.mlflow = LentSite(lab.child)
    return jp_fetch


@pytest.fixture
def cookie_fetch(jp_fetch, jp_serverapp, app):
    """Fetch as a browser that is logged in: by cookie, without token."""

    async def fetch(*parts, headers=None, **options):
        response = await jp_fetch("api", "me")
        cookies = "; ".join(line.partition(";")[0] for line in response.headers.get_list("Set-Cookie"))
        return await jp_fetch(*parts, headers={"Authorization": "", "Cookie": cookies, **(headers or {})}, **options)

    return fetch


async def refused(request):
    with pytest.raises(HTTPClientError) as caught:
        await request
    return caught.value.code, json.loads(caught.value.response.body)["message"]


def body_for(method):
    return None if method == "DELETE" else b"{}"


def write_artifact(folder, name):
    artifact = Path(unquote(urlsplit(folder).path), name)
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(HTML)


# who gets in


@pytest.mark.parametrize("method", ["GET", "HEAD", *UNSAFE])
async def test_without_token_nothing_is_passed_on(app, jp_fetch, method):
    body = None if method in {"GET", "HEAD"} else body_for(method)
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*SEARCH, method=method, body=body, headers={"Authorization": ""})
    assert caught.value.code == 403


async def test_who_opens_the_page_without_login_is_sent_there(app, jp_fetch):
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*PAGE, "/", headers={"Authorization": ""}, follow_redirects=False)
    assert caught.value.code == 302
    assert caught.value.response.headers["Location"].startswith("/user/ada/login?next=")


@pytest.mark.parametrize("server_options", [{"authorizer_class": NobodyMayLook}])
@pytest.mark.parametrize("method", ["GET", *UNSAFE])
async def test_the_authorizer_is_asked(app, jp_fetch, method):
    code, message = await refused(jp_fetch(*SEARCH, method=method, body=None if method == "GET" else body_for(method)))
    action = "read" if method == "GET" else "write"
    assert (code, message) == (403, f"User is not authorized to {action} on resource: rapidfire_lab.")


@pytest.mark.parametrize("server_options", [{"authorizer_class": ReadOnly}])
async def test_who_may_only_read_changes_nothing(page):
    assert (await page(*PAGE, "/")).code == 200
    code, _ = await refused(page(*SEARCH, method="POST", body="{}"))
    assert code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
@pytest.mark.parametrize("method", UNSAFE)
async def test_other_sites_send_nothing(cookie_fetch, method, headers):
    code, message = await refused(cookie_fetch(*SEARCH, method=method, body=body_for(method), headers=headers))
    assert (code, message) == (403, "Refused: the request comes from another site.")


async def test_other_sites_load_nothing(cookie_fetch):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    code, _ = await refused(cookie_fetch(*PAGE, "get-artifact", headers=headers))
    assert code == 403


# what passes


async def test_the_page_and_what_it_loads_work_below_the_prefix(page):
    index = await page(*PAGE, "/")
    script = re.search(rb'src="(static-files/[^"]+)"', index.body)[1].decode()
    assert b'src="/' not in index.body
    assert (await page(*PAGE, script)).headers["Content-Type"].startswith("text/javascript")
    for answer in (index, await page(*PAGE, script)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "sandbox" not in policy
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_folder_is_found_without_its_slash(page):
    with pytest.raises(HTTPClientError) as caught:
        await page(*PAGE, params={"a": 1}, follow_redirects=False)
    assert caught.value.response.headers["Location"] == "/user/ada/rapidfire-lab/mlflow/?a=1"


@pytest.mark.parametrize("own", ["Sec-Fetch-Site", "Origin"])
async def test_the_page_may_search(page, cookie_fetch, jp_http_port, own):
    headers = {"Sec-Fetch-Site": "same-origin"} if own != "Origin" else {"Origin": f"http://127.0.0.1:{jp_http_port}"}
    answer = await cookie_fetch(*SEARCH, method="POST", body='{"max_results": 5}', headers=JSON | headers)
    assert [found["name"] for found in json.loads(answer.body)["experiments"]] == ["Default"]


async def test_a_refusal_of_mlflow_is_passed_on(page):
    with pytest.raises(HTTPClientError) as caught:
        await page(*PAGE, "ajax-api/2.0/mlflow/runs/get", params={"run_id": "a" * 32})
    assert caught.value.code == 404
    assert json.loads(caught.value.response.body)["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_an_artifact_cannot_act_as_the_user(page):
    run = json.loads((await page(*CREATE_RUN, method="POST", body='{"experiment_id": "0"}', headers=dict(JSON))).body)[
        "run"
    ]["info"]
    write_artifact(run["artifact_uri"], "evil.html")
    answer = await page(*PAGE, "get-artifact", params={"path": "evil.html", "run_uuid": run["run_id"]})
    assert answer.body == HTML
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "allow-scripts" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_assistant_that_runs_commands_stays_shut(page):
    with pytest.raises(HTTPClientError) as caught:
        await page(*ASSISTANT, "message", method="POST", body='{"message": "ls"}', headers=dict(JSON))
    assert caught.value.code == 403
    config = await page(*ASSISTANT, "config")
    assert json.loads(config.body)["remote_access_allowed"] is False


async def test_looking_does_not_count_as_activity(page, jp_web_app):
    before = jp_web_app.settings.get("api_last_activity")
    await page(*PAGE, "/")
    assert jp_web_app.settings.get("api_last_activity") == before


@pytest.fixture
def upstream(app, tmp_path):
    """Put a function on a socket in MLflow's place; tells what it was sent."""
    seen = []

    @contextlib.asynccontextmanager
    async def serve(answer):
        async def talk(reader, writer):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            with contextlib.suppress(ConnectionError):
                await answer(writer)
            writer.close()

        path = tmp_path / "upstream.sock"
        async with await asyncio.start_unix_server(talk, path):
            app.mlflow = LentSite(SimpleNamespace(socket=path))
            yield seen

    return serve


async def test_mlflow_sees_no_token_and_sets_no_cookie(upstream, jp_fetch, cookie_fetch, jp_auth_header):
    async def answer(writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nServer: x\r\n"
            b"Access-Control-Allow-Origin: *\r\nX-Mlflow-Kept: yes\r\n\r\nok"
        )

    sent = {
        "X-Mlflow-Workspace": "w",
        "X-Forwarded-For": "127.0.0.1",
        "Referer": "http://h/?token=t",
        "X-XSRFToken": "x",
    }
    async with upstream(answer) as seen:
        by_token = await jp_fetch(*SEARCH, params={"a": "b c"}, headers=dict(sent))
        await cookie_fetch(*SEARCH, headers=sent)
    assert by_token.body == b"ok"
    assert by_token.headers["X-Mlflow-Kept"] == "yes"
    assert "a=b" not in str(by_token.headers.get_list("Set-Cookie"))
    assert by_token.headers.get("Access-Control-Allow-Origin") != "*"
    for request in seen:
        names = {line.partition(b":")[0].lower() for line in request.splitlines()[1:] if line}
        assert names <= {b"host", b"connection", b"accept", b"accept-encoding", b"x-mlflow-workspace"}
        assert b"Host: localhost\r\n" in request
    assert seen[0].startswith(b"GET /ajax-api/2.0/mlflow/experiments/search?a=b+c HTTP/1.1")
    assert jp_auth_header["Authorization"].split()[1].encode() not in b"".join(seen)


@pytest.mark.parametrize("server_options", [{"authorizer_class": ReadOnly}])
async def test_a_large_answer_arrives_whole(upstream, jp_fetch):
    body = os.urandom(1 << 20) * 8

    async def answer(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()

    async with upstream(answer):
        assert (await jp_fetch(*PAGE, "get-artifact")).body == body


async def test_an_answer_ends_when_nobody_reads_it(upstream, jp_auth_header, jp_http_port, http_server):
    ended = asyncio.Event()

    async def answer(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"400\r\n" + bytes(1024) + b"\r\n")
                await writer.drain()
        finally:
            ended.set()

    async with upstream(answer):
        reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
        request = "GET /user/ada/rapidfire-lab/mlflow/get-artifact HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(f"{request}Authorization: {jp_auth_header['Authorization']}\r\n\r\n".encode())
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(ended.wait(), 60)


async def test_half_an_answer_does_not_look_whole(upstream, jp_fetch):
    async def answer(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + bytes(70_000))
        await writer.drain()

    async with upstream(answer):
        with pytest.raises(Exception, match=r"closed|599"):
            await jp_fetch(*PAGE, "get-artifact")


async def test_no_answer_at_all_is_told(upstream, jp_fetch):
    async def answer(writer):
        pass

    async with upstream(answer):
        assert await refused(jp_fetch(*PAGE, "get-artifact")) == (502, "MLflow broke off. Try again.")


def test_redirects_stay_below_the_prefix():
    assert (
        below("/user/ada/rapidfire-lab/mlflow", "http://localhost/a?b=c#d") == "/user/ada/rapidfire-lab/mlflow/a?b=c#d"
    )
    assert below("/p", "/a") == "/p/a"
    assert below("/p", "a/b") == "a/b"
    assert below("/p", "https://bucket.example/a?signed") == "https://bucket.example/a?signed"


# the process


def test_the_child_is_private_and_has_no_port(lab):
    assert stat.S_IMODE(lab.child.socket.stat().st_mode) == 0o600
    assert lab.child.socket.parent == lab.home.runtime
    assert stat.S_IMODE(lab.home.runtime.stat().st_mode) == 0o700
    child = psutil.Process(lab.child.pid)
    assert child.net_connections("inet") == []
    assert child.children() == []
    assert "for Jupyter alone" not in child.environ().values()
    for path in (lab.home.root / "mlflow.db", lab.home.logs / "mlflow.log"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_child_that_is_replaced_when_killed(empty_home):
    async def story():
        site = new_site()
        first, again, third = await asyncio.gather(site.child(), site.child(), site.child())
        assert first is again is third
        os.kill(first.pid, signal.SIGKILL)
        replaced, same = await asyncio.gather(site.child(instead_of=first), site.child(instead_of=first))
        assert replaced is same
        assert replaced.pid != first.pid
        assert replaced.alive
        await site.stop()
        assert not replaced.alive
        assert list(empty_home.runtime.iterdir()) == []

    asyncio.run(story())


async def test_a_killed_child_is_started_again_for_the_next_request(empty_home, app, jp_fetch):
    app.mlflow = new_site()
    assert (await jp_fetch(*PAGE, "/", request_timeout=START_SECONDS)).code == 200
    child = psutil.Process((await app.mlflow.child()).pid)
    child.kill()
    assert (await jp_fetch(*PAGE, "/", request_timeout=START_SECONDS)).code == 200
    assert (await app.mlflow.child()).pid != child.pid
    last = (await app.mlflow.child()).pid
    await app.stop_extension()
    assert not psutil.pid_exists(last)


def test_an_idle_child_ends(empty_home):
    child = asyncio.run(new_site(idle_seconds=1.0).child())
    wait_until(lambda: not child.alive, "the idle child to end", 60)
    assert list(empty_home.runtime.iterdir()) == []


SERVER = """
import asyncio
from rapidfire_lab.server.mlflow_child import MlflowSite

async def main():
    child = await MlflowSite(idle_seconds=600, start_timeout=120).child()
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_child_dies_with_a_killed_server_and_its_socket_is_swept(empty_home):
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(server.stdout.readline()))
    server.kill()
    server.communicate()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child to die", 30)
    left = empty_home.mlflow_socket(server.pid)
    assert left.exists()
    site = new_site()
    asyncio.run(site.child())
    assert not left.exists()
    asyncio.run(site.stop())


async def test_a_start_that_fails_gives_the_reason(empty_home, app, jp_fetch):
    app.mlflow = new_site()
    empty_home.create()
    (empty_home.root / "mlflow.db").write_bytes(b"no database at all, by far" * 100)
    code, message = await refused(jp_fetch(*PAGE, "/", request_timeout=START_SECONDS))
    assert code == 503
    assert message.startswith("MLflow did not start. Its log ")
    assert message.endswith("mlflow.log ends: DatabaseError: file is not a database")
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*PAGE, "/", request_timeout=START_SECONDS, headers={"Accept": "text/html"})
    assert caught.value.code == 503
    assert b"MLflow did not start" in caught.value.response.body
    assert b"<html" in caught.value.response.body


def test_a_start_that_failed_is_not_tried_again_by_who_waited(empty_home, monkeypatch):
    starts = []

    def command(*_):
        starts.append(None)
        return [sys.executable, "-c", "print('no')"]

    async def story():
        site = new_site()
        failures = await asyncio.gather(*(site.child() for _ in range(5)), return_exceptions=True)
        assert {str(failure).partition(" ends: ")[2] for failure in failures} == {"no"}
        assert len(starts) == 1
        monkeypatch.setattr("rapidfire_lab.server.mlflow_child._REMEMBERED_SECONDS", 0.0)
        with pytest.raises(EngineError):
            await site.child()
        assert len(starts) == 2

    monkeypatch.setattr("rapidfire_lab.server.mlflow_child._command", command)
    asyncio.run(story())


def test_a_slow_start_is_given_up(empty_home):
    site = new_site(start_timeout=0.1)
    with pytest.raises(EngineError, match=r"MLflow did not answer within 0\.1 seconds\. Its log .* ends: "):
        asyncio.run(site.child())
    assert list(empty_home.runtime.iterdir()) == []


def test_a_stop_ends_a_start(empty_home):
    async def story():
        site = new_site()
        starting = asyncio.create_task(site.child())
        await asyncio.sleep(0)  # lets it get as far as its first wait for the child
        assert site._child is not None
        await site.stop()
        with pytest.raises(EngineError):
            await starting

    asyncio.run(story())


def test_secrets_in_the_log_are_not_told(empty_home, monkeypatch):
    command = [sys.executable, "-c", "print('cannot reach postgresql://ada:pass@db/x?token=abc')"]
    monkeypatch.setattr("rapidfire_lab.server.mlflow_child._command", lambda *_: command)
    with pytest.raises(EngineError, match=r"ends: cannot reach postgresql://db/x\?$"):
        asyncio.run(new_site().child())


def test_the_server_process_loads_no_mlflow():
    loaded = "{'mlflow', 'torch', 'uvicorn', 'fastapi'} & set(sys.modules)"
    code = f"import rapidfire_lab.server.app, sys; print({loaded} or '')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


# the link


@pytest.mark.parametrize(
    ("tracking_uri", "expected"),
    [
        (None, "rapidfire-lab/mlflow/"),
        ("sqlite:////home/mlflow.db", "rapidfire-lab/mlflow/"),
        ("sqlite:////elsewhere/mlflow.db", None),
        ("file:///elsewhere", None),
        ("databricks", None),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/"),
        ("https://ada:secret@host.example/team/?token=x#y", "https://host.example/team/"),
    ],
)
def test_the_link_to_an_experiments_mlflow(tracking_uri, expected):
    assert mlflow_url(tracking_uri, home_uri="sqlite:////home/mlflow.db") == expected


def test_no_tracking_no_link():
    assert mlflow_url(None, tracking=False) is None
    assert mlflow_url("https://host.example", tracking=False) is None
