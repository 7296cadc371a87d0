"""``predictions``: a trial's model predicts in a process of the server's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import psutil
import pytest
from tornado.httpclient import HTTPClientError

from rapidfire_lab.journal import JournalWriter, MetricPoint
from rapidfire_lab.model import FixedKnob, IntegerKnob, PolicyKnob, serialize_knob_config
from rapidfire_lab.model.parameters import save_params
from rapidfire_lab.model.template import Template
from rapidfire_lab.spec_source import SpecSource
from tests.conftest import DEADLINE
from tests.server.conftest import BEGIN

pytest_plugins = ("pytest_jupyter.jupyter_server",)

ROUTE = "experiments/digits/predictions"
MODEL = """
import os, time
from rapidfire_lab.model import BaseModel

class Adding(BaseModel):
    def __init__(self, **knobs):
        self.level = knobs["level"]

    @staticmethod
    def get_knob_config():
        raise AssertionError("nobody asks here")

    def train(self, dataset_path, shared_params=None): ...
    def evaluate(self, dataset_path): ...
    def dump_parameters(self): ...

    def load_parameters(self, params):
        self.total = params["total"]

    def predict(self, queries):
        print("asked for", len(queries))
        if "sleep" in queries:
            time.sleep(60)
        for gate in queries:
            while isinstance(gate, dict) and not os.path.exists(gate["gate"]):
                time.sleep(0.01)
        return [self.one(query) for query in queries]

    def one(self, query):
        if isinstance(query, dict):
            return 0
        return float("nan") if query is None else query + self.total + self.level
"""
KNOBS = {"level": IntegerKnob(1, 9), "quick": PolicyKnob("QUICK_EVAL"), "rate": FixedKnob(0.5)}


@pytest.fixture
def trials(filled):
    """Trials in the journal and on the disk, by their scores: run 7 is the best of those in full."""
    with JournalWriter(filled.journal, "controller-2") as journal, journal.transaction():
        experiment = journal.experiment("digits")
        folder = Path(experiment.path)
        source = SpecSource(folder / "adding.py", "adding.py", {"adding.py": MODEL})
        template = Template(
            main="adding.py", hash=source.hash, original=str(source.path), model_class="Adding", task="OTHER",
            knobs=serialize_knob_config(KNOBS), train="/t", validation="/v", test=None, train_args={},
        )  # fmt: skip
        kept = folder / "templates" / source.hash
        kept.mkdir(parents=True)
        (kept / "adding.py").write_text(MODEL)
        fit = journal.add_fit(experiment_id=experiment.id, data=json.dumps(template.to_data()), seed=1, num_chunks=None)
        for level, quick, score, status in (
            (1, False, -2.0, "completed"),
            (2, True, 5.0, "completed"),
            (3, False, float("nan"), "completed"),
            (4, False, None, "failed"),
        ):
            leaf = {**template.leaf({"level": level, "quick": quick, "rate": 0.5})}
            key = journal.add_run(
                experiment.id, config=leaf, fit_id=fit, source="search", parent=None, epochs=1, steps_per_epoch=1
            )
            journal.update_run(key, status=status)
            if score is not None:
                point = MetricPoint(name="score", per="epoch", step=1, epoch=1, value=score, time=BEGIN)
                journal.add_points(key, [point])
            checkpoints = folder / "runs" / str(journal.run_by_key(key).run_id) / "checkpoints"
            checkpoints.mkdir(parents=True)
            save_params(checkpoints / "final.safetensors", {"total": 10 * level})
    return folder


def processes():
    """Those that predict."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "rapidfire_lab.worker.serving" in child.cmdline()]


@pytest.fixture
def extension(jp_serverapp):
    (app,) = jp_serverapp.extension_manager.extension_apps["rapidfire_lab"]
    return app


async def test_the_best_trial_in_full_predicts_or_the_one_that_is_named(ask, refused, trials, extension):
    assert await ask(ROUTE, {"queries": [1, 2, None]}) == {"run_id": 7, "predictions": [12, 13, None]}
    assert await ask(ROUTE, {"queries": [1], "run_id": 8}) == {"run_id": 8, "predictions": [23]}
    first, second = processes()
    # They stay, and two at most.
    assert await ask(ROUTE, {"queries": [], "run_id": 7}) == {"run_id": 7, "predictions": []}
    assert await ask(ROUTE, {"queries": [1], "run_id": 9}) == {"run_id": 9, "predictions": [34]}
    assert first in processes()
    assert second not in processes()
    code, message = await refused(ROUTE, {"queries": ["text"], "run_id": 7})
    assert code == 422
    assert "Run 7 cannot predict: TypeError" in message
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert await ask(ROUTE, {"queries": [1]}) == {"run_id": 7, "predictions": [12]}
    log = (trials / "runs" / "7" / "run.log").read_text()
    assert "asked for 3" in log
    assert "Traceback" in log
    extension.predictors._idle_seconds = 0
    extension.predictors.end_idle()
    assert processes() == []


async def until(condition):
    """Wait without keeping the server from its work."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while not condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)


@pytest.fixture
def ask_at_gate(ask, trials, tmp_path):
    """Asks a trial, which is to answer once its gate is open, and waits until the model is asked."""

    async def asked(run_id):
        log = trials / "runs" / str(run_id) / "run.log"
        task = asyncio.ensure_future(ask(ROUTE, {"queries": [{"gate": str(tmp_path / f"{run_id}")}], "run_id": run_id}))
        await until(lambda: log.exists() and "asked for" in log.read_text())
        return task

    return asked


async def test_one_that_answers_is_not_ended_for_another(ask, ask_at_gate, tmp_path):
    first, second = await ask_at_gate(7), await ask_at_gate(8)
    before = processes()
    order = []

    async def follow(name, run_id):
        answer = await ask(ROUTE, {"queries": [1], "run_id": run_id})
        order.append(name)
        return answer

    third = asyncio.ensure_future(follow("another trial", 9))
    await ask("engine")  # the one before is in the queue
    again = asyncio.ensure_future(follow("the first again", 7))
    await ask("engine")
    assert processes() == before
    assert not any(task.done() for task in (first, second, third, again))
    (tmp_path / "7").touch()
    assert await first == {"run_id": 7, "predictions": [0]}
    assert await third == {"run_id": 9, "predictions": [34]}
    assert await again == {"run_id": 7, "predictions": [12]}
    assert order == ["another trial", "the first again"]
    assert len(processes()) == 2
    (tmp_path / "8").touch()
    assert await second == {"run_id": 8, "predictions": [0]}


async def test_who_waits_too_long_for_a_place_is_told(ask, refused, ask_at_gate, extension, tmp_path):
    first, second = await ask_at_gate(7), await ask_at_gate(8)
    extension.prediction_timeout = 0.2
    for run_id in (9, 7):
        code, message = await refused(ROUTE, {"queries": [1], "run_id": run_id})
        assert code == 503
        assert f"Run {run_id} cannot predict yet: the 2 processes that predict had others to answer" in message
    extension.prediction_timeout = 120.0
    extension.predictors._idle_seconds = 0
    extension.predictors.end_idle()  # none of those that answer
    gate = {"gate": str(tmp_path / "never")}
    waiting = asyncio.ensure_future(refused(ROUTE, {"queries": [gate], "run_id": 9}))
    await until(lambda: extension.predictors._queue)
    (tmp_path / "7").touch()
    assert await first == {"run_id": 7, "predictions": [0]}
    await until(lambda: not extension.predictors._queue)
    cut_off = asyncio.ensure_future(refused(ROUTE, {"queries": [1], "run_id": 7}))
    await until(lambda: extension.predictors._queue)
    await extension.stop_extension()
    assert await cut_off == (503, "The Jupyter server is shutting down.")
    assert (await waiting)[0] == 422
    with pytest.raises(HTTPClientError):
        await second
    assert processes() == []


async def test_what_cannot_be_asked_is_told(ask, refused, trials, extension):
    assert await refused(ROUTE, {"queries": [1], "run_id": 99}) == (404, "Experiment 'digits' has no run 99.")
    assert await refused("experiments/none/predictions", {"queries": []}) == (
        404,
        "There is no experiment 'none'; known: old, digits.",
    )
    code, message = await refused(ROUTE, {"queries": [1], "run_id": 10})
    assert (code, message) == (409, "Run 10 is failed: only a trial that is completed can predict.")
    code, message = await refused(ROUTE, {"queries": [1], "run_id": 1})
    assert (code, message) == (409, "Run 1 is no trial of a model template: use run_predict.")
    code, message = await refused("experiments/old/predictions", {"queries": [1]})
    assert code == 409
    assert "has no trial with a score yet" in message
    for body in ({}, {"queries": 1}, {"queries": [], "run": 1}, {"queries": [], "run_id": 0}):
        assert (await refused(ROUTE, body))[0] == 400
    assert processes() == []


async def test_a_model_that_hangs_or_was_changed_is_told(ask, refused, trials, extension):
    await ask(ROUTE, {"queries": [1]})
    extension.prediction_timeout = 0.5
    code, message = await refused(ROUTE, {"queries": ["sleep"]})
    assert code == 422
    assert "did not answer in time" in message
    assert processes() == []
    extension.prediction_timeout = 120.0
    next((trials / "templates").glob("*/adding.py")).write_text("raise SystemExit")
    code, message = await refused(ROUTE, {"queries": [1]})
    assert code == 422
    assert "was changed after the experiment was created" in message


async def test_processes_end_with_the_server(ask, trials, extension):
    await ask(ROUTE, {"queries": [1]})
    [process] = processes()
    await extension.stop_extension()
    await asyncio.to_thread(process.wait, 10)
    assert processes() == []
