"""kill -9 of the engine's processes while runs train: the results are those of an undisturbed engine."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, engine_processes, paced_config, wait_until
from tests.contract import fingerprint

SPEC = SPECS / "paced.py"
CONFIGS = [paced_config(width=width, pause=0.03, epochs=3) for width in (5, 6, 7, 8)]


@pytest.fixture(scope="module")
def undisturbed(home, points):
    experiment = Experiment(SPEC, "undisturbed")
    experiment.run_fit(points, [paced_config(width=width, epochs=3) for width in (5, 6, 7, 8)])
    expected = fingerprint(experiment)
    experiment.end()
    return expected


def total_steps(experiment):
    return sum(run.live_step for run in experiment.runs())


def kill(role):
    status = EngineClient().status()
    os.kill(status["processes"][role], signal.SIGKILL)


@pytest.mark.parametrize("role", ["slot-0", "controller", "agent"])
def test_a_killed_process_changes_nothing(role, undisturbed, points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu", max_attempts=10) as home:
        experiment = Experiment(SPEC, f"killed-{role}")
        experiment.run_fit(points, CONFIGS, num_chunks=2, wait=False)
        for progress in (15, 60):
            wait_until(lambda progress=progress: total_steps(experiment) >= progress, f"{progress} steps")
            old = {process.pid for process in engine_processes(home)}
            kill(role)
            if role == "agent":
                wait_until(lambda old=old: old.isdisjoint(p.pid for p in engine_processes(home)), "all to die")
                wait_until(lambda: not EngineClient().is_alive(), "the engine's lock to be free")
                EngineClient().start()
        experiment.wait(timeout=180)
        assert list(experiment.get_runs_info()["status"]) == ["completed"] * 4
        assert fingerprint(experiment) == undisturbed
        experiment.end()


def test_stopping_the_engine_commits_and_the_next_one_goes_on(undisturbed, points, tmp_path, capsys, monkeypatch):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu"):
        experiment = Experiment(SPEC, "stopped-engine")
        experiment.run_fit(points, CONFIGS, wait=False)
        wait_until(lambda: total_steps(experiment) >= 20, "20 steps")
        watching, goes_on = threading.Event(), experiment._engine_goes_on
        monkeypatch.setattr(experiment, "_engine_goes_on", lambda: watching.set() or goes_on())
        waiting = threading.Thread(target=experiment.wait)
        waiting.start()
        assert watching.wait(60)
        assert EngineClient().stop()
        waiting.join(timeout=60)
        committed = sum(run.step for run in experiment.runs())
        assert committed >= 20
        assert not waiting.is_alive()
        assert not EngineClient().is_alive()
        assert "Detached: the engine was stopped" in capsys.readouterr().out
        experiment.wait(timeout=180)
        assert fingerprint(experiment) == undisturbed
        experiment.end()
