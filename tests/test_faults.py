"""An engine that is stopped by command while runs train. What kills it is in ``tests/faults``."""

from __future__ import annotations

import threading

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, paced_config, wait_until
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
