"""``artifacts``: what can be downloaded, and what cannot."""

from __future__ import annotations

import json
import os

import pytest
from tornado.httpclient import HTTPClientError

from rapidfire_lab.errors import NotFoundError
from rapidfire_lab.server import files
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
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''digits-page.html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    response = await fetch_route(jp_fetch, f"{ARTIFACTS}/runs/1/run.log")
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''digits-run1-run.log"
    response = await fetch_route(jp_fetch, f'{ARTIFACTS}/predictions_é;".csv')
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''digits-predictions_%C3%A9%3B%22.csv"


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
    for path in ("predictions_out.csv", "predictions_pipe.csv", "predictions_folder.csv", "predictions_loop.csv"):
        assert (await refused(f"{ARTIFACTS}/{path}"))[0] == 404


@pytest.mark.parametrize("target", ["runs/1/state/lease-1.safetensors", "runs/1/checkpoints/final.json", ".hidden.csv"])
async def test_a_link_gives_nothing_that_cannot_be_had_without_it(ask, refused, folder, target):
    (folder / "predictions_2.csv").symlink_to(folder / target)
    assert "predictions_2.csv" not in await listed(ask)
    assert (await refused(f"{ARTIFACTS}/predictions_2.csv"))[0] == 404


def test_a_link_that_comes_between_the_check_and_the_look_is_not_followed(folder, monkeypatch, tmp_path):
    path = folder / "predictions_1.csv"

    def swap(root, path, resolved=files._target):
        target = resolved(root, path)
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return target

    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(files, "_target", swap)
    with pytest.raises(NotFoundError):
        open_artifact(folder, path.name)


async def test_a_name_that_is_no_text_is_left_out(ask, folder):
    for place in (folder, folder / "spec"):
        (place / os.fsdecode(b"predictions_\xff.csv")).write_text("x")
    assert len(await listed(ask)) == 7


async def test_one_download_lists_nothing(jp_fetch, folder, monkeypatch):
    monkeypatch.setattr(files, "list_artifacts", pytest.fail)
    monkeypatch.setattr(type(folder), "glob", pytest.fail)
    assert (await fetch_route(jp_fetch, f"{ARTIFACTS}/spec/spec.py")).code == 200


async def test_metadata_are_downloaded_without_secrets(jp_fetch, refused, folder):
    path = folder / "runs/1/checkpoints/final.json"
    kept = {"epoch": 4, "config": {"user_knobs": {"api_key": "sk-1", "width": 8}}}
    path.write_text(json.dumps(kept))
    response = await fetch_route(jp_fetch, f"{ARTIFACTS}/runs/1/checkpoints/final.json")
    assert json.loads(response.body) == {"epoch": 4, "config": {"user_knobs": {"api_key": "***", "width": 8}}}
    assert json.loads(path.read_text()) == kept
    for damaged in ('{"api_key": "sk-1"', "[" * 100_000, b"\xff"):
        path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
        assert (await refused(f"{ARTIFACTS}/runs/1/checkpoints/final.json"))[0] == 404


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
