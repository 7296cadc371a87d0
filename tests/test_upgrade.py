"""An upgrade while the engine of another version is alive: nothing is lost, and the error's remedy works."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rapidfire_lab import EngineError, Experiment
from rapidfire_lab.engine.client import EngineClient
from tests.conftest import SPECS, engine_home, paced_config, wait_until
from tests.contract import fingerprint

CONFIGS = [paced_config(width=width, pause=0.02, epochs=3) for width in (5, 6)]


def test_an_older_engine_trains_on_until_it_is_stopped(points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu") as home:
        undisturbed = Experiment(SPECS / "paced.py", "undisturbed")
        undisturbed.run_fit(points, CONFIGS)
        expected = fingerprint(undisturbed)
        undisturbed.end()
        experiment = Experiment(SPECS / "paced.py", "upgraded")
        experiment.run_fit(points, CONFIGS, wait=False)
        wait_until(lambda: sum(run.live_step for run in experiment.runs()) >= 10, "10 steps")
        identity = json.loads(home.identity.read_text())
        home.identity.write_text(json.dumps({**identity, "api_level": identity["api_level"] - 1, "version": "0.0.1"}))
        remedy = r"engine of rapidfire-lab 0\.0\.1 is still running \(pid \d+\).*rapidfire-lab stop-engine"
        with pytest.raises(EngineError, match=remedy):
            Experiment(SPECS / "paced.py", "upgraded")
        with pytest.raises(EngineError, match=remedy):
            experiment.stop(1)
        steps = sum(run.live_step for run in experiment.runs())
        wait_until(lambda: sum(run.live_step for run in experiment.runs()) > steps, "it to train on")
        subprocess.run([sys.executable, "-m", "rapidfire_lab.cli", "stop-engine"], check=True, timeout=120)
        assert not EngineClient().is_alive()
        again = Experiment(SPECS / "paced.py", "upgraded")
        again.wait(timeout=180)
        assert fingerprint(again) == expected
        again.end()
