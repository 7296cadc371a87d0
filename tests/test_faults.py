"""An engine that is stopped by command while runs train, and whose processes die one after the other.

What kills it at chosen places is in ``tests/faults``.
"""

from __future__ import annotations

import threading

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, engine_processes, kill, paced_config, wait_until
from tests.contract import fingerprint

SPEC = SPECS / "paced.py"
WIDTHS = (5, 6, 7, 8)


@pytest.fixture(scope="module")
def undisturbed(home, points):
    experiment = Experiment(SPEC, "undisturbed")
    experiment.run_fit(points, [paced_config(width=width, epochs=3) for width in WIDTHS])
    expected = fingerprint(experiment)
    experiment.end()
    return expected


def test_stopping_the_engine_commits_and_the_next_one_goes_on(undisturbed, points, tmp_path, capsys, monkeypatch):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu") as home:
        experiment = Experiment(SPEC, "stopped-engine")
        configs = [paced_config(width=width, pause=0.03, epochs=3) for width in WIDTHS]
        experiment.run_fit(points, configs, wait=False)
        wait_until(lambda: sum(run.live_step for run in experiment.runs()) >= 20, "20 steps")
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
        assert not (home.runtime / "wire.sock").exists()
        assert "Detached: the engine was stopped" in capsys.readouterr().out
        experiment.wait(timeout=180)
        assert fingerprint(experiment) == undisturbed
        experiment.end()


def test_every_process_may_die_and_nothing_is_left(undisturbed, points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu", max_attempts=9) as home:
        experiment = Experiment(SPEC, "all-die")
        configs = [paced_config(width=width, pause=0.03, epochs=3) for width in WIDTHS]
        experiment.run_fit(points, configs, num_chunks=2, wait=False)
        for number, role in enumerate(("slot-1", "nursery", "controller", "slot-0", "nursery", "agent"), start=1):
            wait_until(lambda least=15 * number: sum(run.live_step for run in experiment.runs()) >= least, "steps")
            kill(role)
            if role == "agent":
                wait_until(lambda: not EngineClient().is_alive(), "the engine's lock to be free")
                wait_until(lambda: not engine_processes(home), "everything to die with the agent")
        experiment.wait(timeout=180)
        assert fingerprint(experiment) == undisturbed
        experiment.end()
