"""``events``, ``operations`` and what runs printed."""

from __future__ import annotations

import os

import pytest

from rapidfire_lab.server.files import run_log
from rapidfire_lab.server.logs import read_log

pytest_plugins = ("pytest_jupyter.jupyter_server",)

EVENTS = "experiments/digits/events"
OPERATIONS = "experiments/digits/operations"


async def test_events(ask, filled):
    page = await ask(EVENTS)
    assert (page["more_before"], page["more_after"]) == (False, False)
    assert [event["message"] for event in page["items"]] == [
        "Experiment digits created",
        "stop run 4",
        "clone run 1",
        "delete run 6",
    ]
    last = page["items"][-1]
    assert last.pop("time") > 0
    assert last.pop("id") > 0
    assert last == {"run_id": 6, "level": "info", "message": "delete run 6"}


async def test_operations(ask, filled):
    page = await ask(OPERATIONS)
    assert [(item["operation"], item["run_id"]) for item in page["items"]] == [("stop", 4), ("clone", 1), ("delete", 6)]
    clone = page["items"][1]
    assert clone["arguments"] == {"changes": {"user_knobs": {"width": 64, "api_key": "***"}}}
    assert (clone["origin"], clone["step"], clone["result"]) == ("user", 400, "run 1")


@pytest.mark.parametrize("route", [EVENTS, OPERATIONS])
async def test_pages_in_both_directions(ask, filled, route):
    everything = (await ask(route))["items"]
    newest = await ask(route, limit=2)
    assert newest["items"] == everything[-2:]
    assert (newest["more_before"], newest["more_after"]) == (True, False)
    older = await ask(route, limit=2, before=newest["items"][0]["id"])
    assert older["items"] == everything[-4:-2]
    assert (older["more_before"], older["more_after"]) == (False, True)
    newer = await ask(route, limit=1, after=everything[0]["id"])
    assert newer["items"] == everything[1:2]
    assert (newer["more_before"], newer["more_after"]) == (True, True)


async def test_a_log_is_followed_without_a_gap(ask, journal):
    page = await ask(EVENTS)
    seen = [event["message"] for event in page["items"]]
    for number in range(5):
        # Several lines of one transaction have one revision, and some of them may be on a page already.
        with journal.transaction():
            for part in "abc":
                journal.add_event(f"{number}{part}", experiment_id=2)
            journal.add_event("of the engine")
        page = await ask(EVENTS, after=page["items"][-1]["id"], limit=2)
        seen += [event["message"] for event in page["items"]]
    while page["more_after"]:
        page = await ask(EVENTS, after=page["items"][-1]["id"], limit=2)
        seen += [event["message"] for event in page["items"]]
    assert seen[4:] == [f"{number}{part}" for number in range(5) for part in "abc"]


@pytest.mark.parametrize("route", [EVENTS, OPERATIONS])
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": 0}, "at 'limit': expected `int` >= 1"),
        ({"limit": 1_001}, "at 'limit': expected `int` <= 1000"),
        ({"after": "x"}, "at 'after'"),
        ({"before": -3}, "at 'before'"),
        ({"after": 1, "before": 3}, "'after' or 'before', not both"),
    ],
)
async def test_queries_that_do_not_fit(refused, filled, route, query, words):
    code, message = await refused(route, **query)
    assert code == 400
    assert words in message


# What a run printed


async def test_what_a_run_printed(ask, filled):
    content = "épochs: ☃ 1\n" * 100
    size = len(content.encode())
    page = await ask("experiments/digits/runs/1/log")
    assert page == {"text": content, "offset": 0, "next_offset": size, "size": size}
    assert await ask("experiments/digits/runs/1/log", offset=-5) == {
        "text": " 1\n",
        "offset": size - 3,
        "next_offset": size,
        "size": size,
    }
    assert (await ask("experiments/digits/runs/1/log", offset=10**9))["offset"] == size


async def test_a_run_that_printed_nothing(ask, refused, filled):
    nothing = {"text": "", "offset": 0, "next_offset": 0, "size": 0}
    assert await ask("experiments/digits/runs/2/log", offset=-100) == nothing
    assert await ask("experiments/digits/runs/5/log") == nothing
    code, message = await refused("experiments/digits/runs/77/log")
    assert (code, message) == (404, "Experiment 'digits' has no run 77.")
    code, message = await refused("experiments/digits/runs/1/log", offset="end")
    assert (code, "at 'offset'" in message) == (400, True)


def log_in(folder):
    path = run_log(folder, 1)
    path.parent.mkdir(parents=True)
    return path


def pages(path):
    text, offset = "", 0
    while True:
        page = read_log(path.parents[2], path, offset)
        assert 0 <= page["offset"] - offset < 4
        if page["next_offset"] == offset:
            return text
        text, offset = text + page["text"], page["next_offset"]


@pytest.mark.parametrize("lead", range(4))
def test_pages_end_between_characters(tmp_path, lead):
    content = "x" * lead + "é☃😀" * 30_000
    path = log_in(tmp_path)
    path.write_bytes(content.encode())
    assert pages(path) == content


def test_a_character_that_is_half_written_is_waited_for(tmp_path):
    path = log_in(tmp_path)
    path.write_bytes(b"snow \xe2\x98")
    assert read_log(path.parents[2], path, 0) == {"text": "snow ", "offset": 0, "next_offset": 5, "size": 7}
    path.write_bytes(b"snow \xe2\x98\x83")
    assert read_log(path.parents[2], path, 5)["text"] == "☃"


@pytest.mark.parametrize("content", [b"\xff\xfe\x80\x80\x80\x80", b"\x80" * 200_000, b"ok\xe2\x98", b"\xe2"])
def test_what_is_no_text_is_shown_all_the_same(tmp_path, content):
    path = log_in(tmp_path)
    path.write_bytes(content)
    assert "\ufffd" in pages(path)


NOTHING = {"text": "", "offset": 0, "next_offset": 0, "size": 0}


@pytest.mark.parametrize("app_options", [{"journal_timeout": 5.0}])
async def test_pipes_in_the_place_of_logs_wedge_nothing(ask, filled):
    path = run_log(filled.experiments / "digits", 1)
    path.unlink()
    os.mkfifo(path)
    for _ in range(5):
        assert await ask("experiments/digits/runs/1/log") == NOTHING


@pytest.mark.parametrize("target", ["../../spec.json", "../../../../journal.sqlite", "/etc/hostname", "run.log"])
async def test_no_link_leads_from_a_log_to_anything_else(ask, filled, target):
    path = run_log(filled.experiments / "digits", 1)
    path.unlink()
    path.symlink_to(target)
    assert await ask("experiments/digits/runs/1/log") == NOTHING
