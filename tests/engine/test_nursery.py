"""Processes that the nursery forks: what they are given, what they must not have, and how their ends are told."""

from __future__ import annotations

import json
import os
import signal
import sys

import psutil
import pytest

from rapidfire_lab.engine.nursery import Nursery
from tests.conftest import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

CHILD = """
import json, os, sys, time

def main(arguments):
    if arguments[0].isdigit():
        sys.exit(int(arguments[0]))
    if arguments[0] == "raise":
        raise ValueError("as told")
    if arguments[0] == "sleep":
        time.sleep(600)
    files = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
    told = {
        "arguments": sys.argv[1:],
        "variable": os.environ.get("NURSERY_TEST"),
        "files": [os.readlink(file) for file in files if os.path.lexists(file)],
        "leads": os.getsid(0) == os.getpid(),
        "name": open("/proc/self/comm").read().strip(),
    }
    with open(arguments[0], "w") as file:
        json.dump(told, file)
"""


@pytest.fixture
def nursery(tmp_path, monkeypatch):
    (tmp_path / "nursling.py").write_text(CHILD)
    monkeypatch.syspath_prepend(str(tmp_path))
    with (tmp_path / "open").open("w"):
        made = Nursery()
        yield made
        made.close()


def start(nursery, argument):
    return nursery.start("rf-test", "nursling", [argument], {"NURSERY_TEST": "1"})


def exit_code(nursling):
    wait_until(lambda: nursling.poll() is not None, "a forked process to end")
    return nursling.poll()


def test_a_process_has_what_it_was_given_and_nothing_else(nursery, tmp_path):
    assert exit_code(start(nursery, str(tmp_path / "told"))) == 0
    told = json.loads((tmp_path / "told").read_text())
    assert told["arguments"] == [str(tmp_path / "told")]
    assert (told["variable"], told["leads"], told["name"]) == ("1", True, "rf-test")
    assert [name for name in told["files"] if not name.startswith(("pipe:", "/dev/null"))] == []
    assert "NURSERY_TEST" not in os.environ


@pytest.mark.parametrize(("argument", "code"), [("0", 0), ("3", 3), ("raise", 1)])
def test_exit_codes_are_told(nursery, argument, code):
    assert exit_code(start(nursery, argument)) == code


def test_several_are_told_apart_and_signals_are_told(nursery):
    sleeper, other, third = start(nursery, "sleep"), start(nursery, "5"), start(nursery, "sleep")
    assert exit_code(other) == 5
    assert sleeper.poll() is None
    os.kill(sleeper.pid, signal.SIGKILL)
    assert exit_code(sleeper) == -signal.SIGKILL
    assert third.poll() is None
    assert exit_code(start(nursery, "6")) == 6


def test_all_end_with_the_nursery_and_it_is_told(nursery):
    sleeper = start(nursery, "sleep")
    os.kill(nursery.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(sleeper.pid), "the sleeper to die")
    with pytest.raises(ConnectionError, match="has died"):
        sleeper.poll()


def test_all_end_when_the_line_is_closed(nursery):
    sleeper = start(nursery, "sleep")
    nursery.close()
    assert not psutil.pid_exists(nursery.pid)
    wait_until(lambda: not psutil.pid_exists(sleeper.pid), "the sleeper to die")
