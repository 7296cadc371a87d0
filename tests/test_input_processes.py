"""Minibatches that processes of the slot prepare ahead: whole runs, bit for bit those of the plain loop."""

from __future__ import annotations

import psutil

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.settings import EngineSettings, available_cores, input_processes
from tests import contract
from tests.conftest import SPECS, engine_home, kill, wait_until
from tests.contract import ADAMW, SGD, config

SPEC = SPECS / "digits_ahead.py"
SEED = 123


def test_runs_are_those_of_the_plain_loop_also_when_their_slot_is_killed(handle, tmp_path):
    group = [
        config("mlp", SGD, dropout=0.3, augment=True),
        config("cnn", ADAMW, augment=True, batch_size=20),
    ]
    for leaf in group:
        leaf["user_knobs"]["notes"] = str(tmp_path / "notes")
    settings = {"slots": 1, "threads_per_slot": 1, "input_processes": 2, "tracking": False, "device": "cpu"}
    with engine_home(tmp_path / "home", **settings):
        experiment = Experiment(SPEC, "ahead")
        experiment.run_fit(handle, group, seed=SEED, num_chunks=1, wait=False)
        wait_until(lambda: len(processes(tmp_path / "notes")) > 1, "rows that another process prepared")
        kill("slot-0")
        experiment.wait(timeout=300)
        assert set(experiment.get_runs_info()["status"]) == {"completed"}
        expected = contract.plain_results(SPEC, group, contract.tables(handle, tmp_path / "store"), SEED)
        for run_id, result in enumerate(expected, start=1):
            contract.assert_like_plain_loop(experiment, run_id, result)
        slot = psutil.Process(EngineClient().status()["processes"]["slot-0"])
        assert not slot.children()
        experiment.end()


def processes(notes):
    return set(notes.read_text().split()) if notes.exists() else set()


def test_by_default_they_use_the_cores_that_gpus_leave():
    assert input_processes(EngineSettings()) == 0
    assert input_processes(EngineSettings(), 1) == min(8, available_cores() - 1)
    assert input_processes(EngineSettings(slots=1_000), 1) == 0
    assert input_processes(EngineSettings(input_processes=3)) == 3
