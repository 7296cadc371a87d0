"""The command line, as a user calls it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from rapidfire_lab import Experiment
from tests.conftest import DEADLINE, SPECS, engine_home, paced_config


def cli(*arguments):
    command = [sys.executable, "-m", "rapidfire_lab.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


@pytest.fixture(scope="module")
def trained(home, points):
    experiment = Experiment(SPECS / "paced.py", "cli")
    experiment.run_fit(points, [paced_config(fault="print", epochs=1), paced_config(fault="raise")])
    return experiment


def test_status(trained):
    assert json.loads(cli("status", "--json").stdout)["state"] == "idle"
    text = cli("status").stdout
    assert "engine  idle" in text
    assert "slot 0  idle (pid " in text


def test_runs(trained):
    text = cli("runs").stdout
    assert "Experiment cli (live)" in text
    assert "completed" in text
    assert "failed" in text
    assert cli("runs", "--all").stdout.startswith("cli  live  2 runs  ")
    assert cli("runs", "cli").returncode == 0


def test_logs(trained):
    text = cli("logs").stdout
    assert "Experiment cli created" in text
    assert "Run 2 failed, last saved at step 0: ValueError: the user's own mistake" in text
    assert cli("logs", "--run", "1").stdout == "printed by the user\n" * 10
    assert "Traceback" in cli("logs", "cli", "--run", "2").stdout
    assert cli("logs", "--engine").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runs", "absent"), "there is no experiment absent; known: cli"),
        (("logs", "--run", "9"), "experiment 'cli' has no run 9"),
    ],
)
def test_what_is_not_there_is_named(trained, arguments, words):
    result = cli(*arguments)
    assert result.returncode == 1
    assert result.stderr == f"rapidfire-lab: {words}\n"


def test_doctor(trained):
    result = cli("doctor")
    assert result.returncode == 0, result.stdout
    assert all(line.startswith("ok ") for line in result.stdout.splitlines())


def test_without_an_engine(tmp_path):
    with engine_home(tmp_path):
        assert "not running" in cli("status").stdout
        assert cli("stop-engine").stdout == "No engine is running.\n"
        result = cli("runs")
        assert result.returncode == 1
        assert "There is no readable journal" in result.stderr


def test_a_setting_that_cannot_be_is_told_by_the_constructor(tmp_path):
    with engine_home(tmp_path, slots="many"):
        result = cli("doctor")
        assert result.returncode == 1
        assert "FAIL  settings: Engine setting slots cannot be 'many'" in result.stdout
        with pytest.raises(Exception, match="Engine setting slots cannot be 'many'"):
            Experiment(SPECS / "paced.py", "unset")


def test_stop_engine(tmp_path):
    with engine_home(tmp_path, slots=1, tracking=False):
        Experiment(SPECS / "paced.py", "stops")
        assert "The engine has stopped" in cli("stop-engine").stdout
        assert "not running" in cli("status").stdout


def test_start_engine(tmp_path):
    with engine_home(tmp_path, slots=1, tracking=False):
        assert cli("start-engine").stdout == "The engine is running.\n"
        assert cli("start-engine").stdout == "The engine is running already.\n"


def test_runs_are_steered(tmp_path, points):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu"):
        experiment = Experiment(SPECS / "paced.py", "steered")
        experiment.run_fit(
            points, [paced_config(width=width, pause=0.05, epochs=50) for width in (5, 6, 7)], wait=False
        )
        assert cli("stop", "1", "2").stdout == "stop: runs 1, 2\n"
        assert cli("cancel").stdout == "cancel: runs 3\n"
        experiment.wait()
        assert cli("cancel", "--experiment", "steered").stdout == "No run is queued or running.\n"
        assert cli("resume", "2").stdout == "resume: runs 2\n"
        assert cli("delete", "1", "2").stdout == "delete: runs 1, 2\n"
        assert [run.run_id for run in experiment.runs()] == [3]
        assert cli("stop", "3").stderr.startswith("rapidfire-lab: Run 3 is stopped: it cannot stop.")
        assert "no experiment absent" in cli("stop", "3", "--experiment", "absent").stderr


def test_runs_are_cloned(trained):
    result = cli("clone", "1", "--set", "optimizer.args.lr=0.5", "--set", 'width={"$list": [5, 6]}', "--warm-start")
    assert result.stdout == "Cloned run 1 as run 3, run 4\n"
    clones = trained.runs()[2:]
    assert [run.leaf["train"]["optimizer"]["args"] for run in clones] == [{"lr": 0.5}] * 2
    assert [run.leaf["user_knobs"]["width"] for run in clones] == [5, 6]
    assert all(run.warm_start for run in clones)
    draws = cli("clone", "1", "--set", 'pause={"$range": {"start": 0.0, "end": 0.001}}', "--num-runs", "2")
    assert draws.stdout == "Cloned run 1 as run 5, run 6\n"
    trained.wait()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["width"], "as KNOB=VALUE, not 'width'"),
        (["width=5", "width=6"], "takes each knob once"),
        (["width=5", "width.deep=6"], "takes each knob once"),
        (["width=5", "width.deep.deeper=6"], "takes each knob once"),
        (["widht=5"], "no knob 'widht'"),
        (['width={"$list": []}'], "'changes.width': '$list'"),
        (['width={"$range": {"start": 1, "end": 5}}'], "'changes.width' holds a Range"),
        ([], "at least one changed knob"),
    ],
)
def test_clones_that_cannot_be_are_told(trained, settings, words):
    result = cli("clone", "1", *(part for setting in settings for part in ("--set", setting)))
    assert result.returncode == 1
    assert words in result.stderr


def test_mlflow_serves_this_homes_store(tmp_path):
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with engine_home(tmp_path):
        command = [sys.executable, "-m", "rapidfire_lab.cli", "mlflow", "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        try:
            assert b"<html" in _page(f"http://127.0.0.1:{port}/")
        finally:
            import os
            import signal

            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)
        assert (tmp_path / "mlflow.db").exists()


def _page(address):
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return answer.read()
        except OSError:
            assert time.monotonic() < deadline, "MLflow did not come up"
            time.sleep(0.2)
