"""Trials of a model template under fault: whoever dies where, a tuning gives what an undisturbed one gives.

The points are those of the recovery matrix (``matrix.py``): evaluation is the validation of a trial, what it begins
warm with is restored, and its parameters are its checkpoint.
"""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import suppress

import pytest

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal import ACTIVE_STATUSES
from rapidfire_lab.model.parameters import load_params
from rapidfire_lab.model.source import load_model_file
from tests.conftest import DEADLINE, engine_home
from tests.faults import checks
from tests.faults.matrix import Cell
from tests.faults.session import INJECTION, SETTINGS, Session
from tests.faults.user import write

BUDGET = {"MODEL_TRIAL_COUNT": 8}
CELLS = [
    Cell("slot", "restore", "warm"),
    Cell("slot", "validation", "first"),
    Cell("slot", "before-checkpoint", "warm"),
    Cell("slot", "after-checkpoint", "first"),
    Cell("controller", "validation", "warm"),
    Cell("controller", "after-checkpoint", "first"),
    Cell("controller", "before-commit", "warm"),
    Cell("controller", "after-commit", "first"),
    Cell("agent", "before-checkpoint", "first"),
    Cell("agent", "before-commit", "warm"),
    Cell("machine", "after-checkpoint", "warm"),
    Cell("machine", "after-commit", "first"),
]
"""Of ``machine`` the client lives on: it is this test."""

MODEL = """
import random
import time

import numpy as np
from rapidfire_lab.model import BaseModel, FloatKnob, IntegerKnob, PolicyKnob, logger


class Drawing(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"size": IntegerKnob(2, 9), "rate": FloatKnob(0.1, 2.0), "share": PolicyKnob("SHARE_PARAMS")}

    def __init__(self, **knobs):
        self.knobs = knobs

    def train(self, dataset_path, shared_params=None):
        logger.define_plot("Drawn", ["loss"], x_axis="epoch")
        self.weights = np.zeros(9) if shared_params is None else shared_params["weights"].copy()
        for epoch in range(1, 5):
            self.weights[: self.knobs["size"]] += self.knobs["rate"] * np.random.normal(size=self.knobs["size"])
            logger.log(f"epoch {epoch}", loss=float(np.abs(self.weights).sum()) + random.random(), epoch=epoch)
            time.sleep(0.1)

    def evaluate(self, dataset_path):
        return -float(np.abs(self.weights).sum()) - random.random()

    def predict(self, queries):
        return [self.weights.tolist() for _ in queries]

    def dump_parameters(self):
        return {"weights": self.weights}

    def load_parameters(self, params):
        self.weights = params["weights"]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The class, and its data, which it does not look at."""
    folder = tmp_path_factory.mktemp("drawing")
    (folder / "drawing.py").write_text(MODEL)
    (folder / "data").touch()
    return load_model_file(folder / "drawing.py", "Drawing"), "OTHER", folder / "data", folder / "data"


@pytest.fixture(scope="module")
def undisturbed(model, tmp_path_factory):
    with engine_home(tmp_path_factory.mktemp("undisturbed"), **SETTINGS, tracking=False):
        experiment = Experiment(None, "trials")
        experiment.tune(*model, budget=BUDGET)
        found = results(experiment)
        experiment.end()
    assert {trial["warm"] for trial in found} == {True, False}
    return found


def results(experiment):
    """All that a tuning gives, by trial; only times are left out."""
    with experiment.reader() as reader:
        return [
            {
                "trial": run.trial,
                "run_id": run.run_id,
                "parent": run.parent,
                "warm": run.warm_start,
                "config": run.leaf,
                "status": run.status,
                "scores": rows(reader.points(run.id, per="epoch")),
                "metrics": rows(reader.points(run.id, per="step")),
                "files": files_of(experiment.path / "runs" / str(run.run_id)),
            }
            for run in experiment.runs()
        ]


def rows(points):
    return sorted((point.name, point.step, point.epoch, point.value) for point in points)


def files_of(folder):
    """Content of what is kept of a trial; a file of parameters names them in any order."""
    [(name, weights)] = load_params(folder / "checkpoints" / "final.safetensors").items()
    return {name: (weights.dtype, weights.tolist()), "plots": json.loads((folder / "plots.json").read_text())}


def keep_going(experiment, session):
    """Have an engine, whatever becomes of it, until the tuning is over and every fault has struck."""
    end = time.monotonic() + 2 * DEADLINE
    client = EngineClient()
    while session.armed() or any(run.status in ACTIVE_STATUSES for run in experiment.runs()) or not is_done(experiment):
        assert time.monotonic() < end, session.story()
        with suppress(EngineError):
            client.start()
        time.sleep(0.05)


def is_done(experiment):
    return [row["status"] for row in experiment.get_policies().to_dict("records")] == ["done"]


@pytest.mark.timeout(4 * DEADLINE)
def test_a_tuning_under_fault_gives_what_an_undisturbed_one_gives(model, undisturbed, tmp_path, capsys):
    seed = os.environ.get("FAULTS_SEED") or str(random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nFAULTS_SEED={seed}")
    session = Session(tmp_path / "f", {}, seed, kernel=False)
    write(session.folder / "up" / "user", os.getpid())
    with engine_home(session.home, **SETTINGS, tracking=False):
        os.environ["FAULTS_FOLDER"] = str(session.folder)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(INJECTION), *filter(None, [os.environ.get("PYTHONPATH")])])
        experiment = Experiment(None, "trials")
        session.arm(CELLS)
        experiment.tune(*model, budget=BUDGET, wait=False)
        keep_going(experiment, session)
        assert session.fired() == set(map(tuple, CELLS)), session.story()
        for trial, expected in zip(results(experiment), undisturbed, strict=True):
            assert trial == expected
        with experiment.reader() as reader:
            committed = reader._all("SELECT run FROM leases WHERE state = 'committed' ORDER BY run")
        assert [row["run"] for row in committed] == [run.id for run in experiment.runs()]
        experiment.end()
    checks.assert_nothing_left(EngineHome(session.home), session.folder)
