"""``artifacts``: what can be downloaded, and what cannot."""

from __future__ import annotations

import json
import os

import pytest
from tornado.httpclient import HTTPClientError

from rapidfire_lab.errors import NotFoundError
from rapidfire_lab.server.files import open_artifact
from tests.server.conftest import fetch_route

pytest_plugins = ("pytest_jupyter.jupyter_server",)

ARTIFACTS = "experiments/digits/artifacts"


@pytest.fixture
def folder(filled):
    return filled.experiments / "digits"


async def listed(ask):
    return {artifact["path"]: artifact for artifact in (await ask(ARTIFACTS))["artifacts"]}


async def test_the_listing(ask, folder):
    found = await listed(ask)
    assert {path: (artifact["kind"], artifact["run_id"]) for path, artifact in found.items()} == {
        "spec.json": ("spec", None),
        "spec/spec.py": ("spec", None),
        "predictions_1.csv": ("prediction", None),
        "runs/1/run.log": ("log", 1),
        "runs/1/checkpoints/final.safetensors": ("checkpoint", 1),
        "runs/1/checkpoints/final.json": ("metadata", 1),
        "runs/2/run.log": ("log", 2),
    }
    assert found["runs/1/checkpoints/final.safetensors"]["size"] == 7_000
    assert found["spec.json"]["modified"] == pytest.approx((folder / "spec.json").stat().st_mtime)
    assert await ask("experiments/old/artifacts") == {"artifacts": []}


async def test_every_listed_file_can_be_downloaded(ask, jp_fetch, folder):
    for path in await listed(ask):
        response = await fetch_route(jp_fetch, f"{ARTIFACTS}/{path}")
        assert response.body == (folder / path).read_bytes()


async def test_a_download_is_saved_and_never_run(jp_fetch, folder):
    (folder / 'predictions_é;".csv').write_text("x")
    (folder / "spec" / "page.html").write_text("<script>alert(1)</script>")
    response = await fetch_route(jp_fetch, f"{ARTIFACTS}/spec/page.html")
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''page.html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    response = await fetch_route(jp_fetch, f'{ARTIFACTS}/predictions_é;".csv')
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''predictions_%C3%A9%3B%22.csv"


async def test_a_large_file_comes_in_pieces(jp_fetch, folder):
    content = os.urandom(3_500_000)
    (folder / "runs/1/checkpoints/epoch-1.safetensors").write_bytes(content)
    response = await fetch_route(jp_fetch, f"{ARTIFACTS}/runs/1/checkpoints/epoch-1.safetensors")
    assert response.body == content


@pytest.mark.parametrize(
    "path",
    [
        "nothing.csv",
        "notes.txt",
        ".hidden.csv",
        "spec",
        "spec/__pycache__/spec.pyc",
        "runs/1/state/lease-1.safetensors",
        "runs/1/checkpoints/.final.safetensors.tmp",
        "spec//spec.py",
        "./spec.json",
        "spec/../spec.json",
        "/etc/passwd",
        "x\x00y",
    ],
)
async def test_what_is_not_listed_does_not_exist(refused, folder, path):
    code, message = await refused(f"{ARTIFACTS}/{path}")
    assert code == 404
    assert "to download" in message


@pytest.mark.parametrize("path", ["../../journal.sqlite", "spec/../../../journal.sqlite", "/etc/hostname", ""])
def test_no_path_leads_out(folder, path):
    # Clients tidy such paths up before they send them, so the function is asked.
    with pytest.raises(NotFoundError):
        open_artifact(folder, path)


async def test_links_are_followed_inside_alone(ask, refused, folder, tmp_path):
    outside = tmp_path / "secret.csv"
    outside.write_text("secret")
    (folder / "predictions_out.csv").symlink_to(outside)
    (folder / "predictions_in.csv").symlink_to(folder / "predictions_1.csv")
    (folder / "predictions_loop.csv").symlink_to(folder / "predictions_loop.csv")
    (folder / "predictions_gone.csv").symlink_to(folder / "nothing.csv")
    (folder / "predictions_folder.csv").mkdir()
    (folder / "runs" / "3").symlink_to(tmp_path)
    os.mkfifo(folder / "predictions_pipe.csv")
    assert {path for path in await listed(ask) if path.startswith("predictions")} == {
        "predictions_1.csv",
        "predictions_in.csv",
    }
    assert (await refused(f"{ARTIFACTS}/predictions_out.csv"))[0] == 404


async def test_a_folder_that_is_gone(ask, refused, journal):
    journal._db.execute("UPDATE experiments SET path = '/nowhere/at/all' WHERE id = 2")
    assert await ask(ARTIFACTS) == {"artifacts": []}
    assert (await refused(f"{ARTIFACTS}/spec.json"))[0] == 404


async def test_a_file_that_cannot_be_read(jp_fetch, folder, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("rapidfire_lab.server.files.os.open", refuse)
    with pytest.raises(HTTPClientError) as caught:
        await fetch_route(jp_fetch, f"{ARTIFACTS}/spec.json")
    assert caught.value.code == 404
    assert "spec.json" in json.loads(caught.value.response.body)["message"]
