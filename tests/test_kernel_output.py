"""What a real kernel sends to a notebook while its runs train, and what it does with clicks."""

from __future__ import annotations

import os
import time

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.display.bundle import RUNS_MIME_TYPE, WIDGET_MIME_TYPE
from tests.conftest import SPECS, engine_home, paced_config, wait_until
from tests.test_kernel_survival import EXECUTE_SECONDS, Kernel

SPEC = SPECS / "paced.py"


@pytest.fixture
def kernel():
    made = Kernel()
    yield made
    made.close()


def execute(kernel, code):
    """Run a cell and return the messages that it sent, each with the time it arrived."""
    messages = []
    reply = kernel.client.execute_interactive(
        code,
        timeout=EXECUTE_SECONDS,
        output_hook=lambda message: messages.append((time.monotonic(), message)),
        store_history=False,
    )
    assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
    return messages


def of_type(messages, kind):
    return [message["content"] for _, message in messages if message["msg_type"] == kind]


def button(messages, name):
    """Comm of the button of a name."""
    states = {content["comm_id"]: content["data"]["state"] for content in of_type(messages, "comm_open")}
    return next(comm for comm, state in states.items() if state.get("description") == name)


def click(kernel, comm):
    content = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))


def test_a_kernel_shows_runs_to_every_viewer_while_it_is_busy(kernel, points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu") as home:
        environment = {name: value for name, value in os.environ.items() if name.startswith("RAPIDFIRE_LAB_")}
        execute(
            kernel,
            f"import os; os.environ.update({environment!r})\n"
            "from rapidfire_lab import DataHandle, Experiment\n"
            f"experiment = Experiment({str(SPEC)!r}, 'output')\n"
            f"handle = DataHandle({points.locators!r})",
        )
        quick = [paced_config(width=width, pause=0.1, epochs=2) for width in (5, 6)]
        messages = execute(kernel, f"experiment.run_fit(handle, {quick!r})")
        [shown] = of_type(messages, "display_data")
        updates = of_type(messages, "update_display_data")
        assert {update["transient"]["display_id"] for update in updates} == {shown["transient"]["display_id"]}
        for content in (shown, *updates):
            assert set(content["data"]) == {RUNS_MIME_TYPE, WIDGET_MIME_TYPE, "text/html", "text/plain"}
            reference = {"experiment": "output", "run_ids": [1, 2], "home_key": home.key, "api_level": 2}
            assert content["data"][RUNS_MIME_TYPE] == reference
        assert "2 completed" in updates[-1]["data"]["text/plain"]

        tables = [
            arrived
            for arrived, message in messages
            if message["msg_type"] == "comm_msg" and "<table" in message["content"]["data"]["state"].get("value", "")
        ]
        assert len(tables) > 2, "the table moves while the cell runs"
        assert len(tables) <= 3 + 4 * (tables[-1] - tables[0])

        slow = [paced_config(width=7, pause=0.1, epochs=100)]
        started = time.monotonic()
        messages = execute(kernel, f"experiment.run_fit(handle, {slow!r}, wait=False)")
        print("run_fit(wait=False) took", time.monotonic() - started, "s")
        watcher = Experiment(SPEC, "output")
        click(kernel, button(messages, "Stop"))
        wait_until(lambda: watcher.runs()[-1].status == "stopped", "the click to stop the run")
        assert [run.status for run in watcher.runs()] == ["completed", "completed", "stopped"]

        [shown] = of_type(execute(kernel, "experiment.show()"), "display_data")
        assert shown["data"][RUNS_MIME_TYPE]["run_ids"] is None
        assert "2 completed" in shown["data"]["text/plain"]
        watcher.end()
