"""Model templates tuned by the engine: each trial is a run."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import warnings

import numpy as np
import pytest

from rapidfire_lab import ConfigError, Experiment, OperationError
from rapidfire_lab.compat import bridge
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.tuning import without_effect
from rapidfire_lab.errors import JobError, NotFoundError
from rapidfire_lab.model.errors import InvalidDatasetFormatError, InvalidModelClassError
from rapidfire_lab.model.parameters import load_params
from rapidfire_lab.model.source import load_model_file
from rapidfire_lab.model.trials import restored
from rapidfire_lab.server.runs import RunsQuestion, read_runs
from tests.conftest import SPECS, engine_home, kill, paced_config, wait_until
from tests.model.conftest import TEMPLATES, corpus_zips, digit_zips, tables
from tests.model.test_templates import MODELS
from tests.test_kernel_survival import Kernel

__all__ = ["corpus_zips", "digit_zips", "tables"]

PAUSING = """
import logging
import os
import time

from singa_auto.model import BaseModel, FixedKnob, IntegerKnob, PolicyKnob, logger

from beside import BASE


class Pausing(BaseModel):
    @staticmethod
    def get_knob_config():
        return {
            "level": IntegerKnob(1, 9),
            "pause": FixedKnob(0.0),
            "share": PolicyKnob("SHARE_PARAMS"),
        }

    def __init__(self, **knobs):
        self.__dict__.update(knobs)
        self.total = 0

    def train(self, dataset_path, shared_params=None, broken=0, fault=None):
        self.fault = fault
        if fault == "exit" and self.level % 2:
            os._exit(3)
        assert (shared_params is not None) == self.share
        self.total = shared_params["total"] if self.share else 0
        for epoch in range(1, 4):
            logger.define_plot("Losses", ["loss", "level"], x_axis="epoch")
            logger.log(f"epoch {epoch} begins", loss=self.level / epoch, level=self.level, epoch=epoch)
            self.total += self.level
            time.sleep(self.pause)
        logging.getLogger("library").info("a library's words")
        while os.path.exists(dataset_path + ".hold"):
            time.sleep(0.02)
            if fault == "mute":
                print("held", flush=True)
            else:
                logger.log("held")
        if broken and self.level % 2:
            raise ValueError("odd levels are out of order")

    def evaluate(self, dataset_path):
        return float(BASE - self.total)

    def predict(self, queries):
        return [[query["better" if "worse" in query else "good"] if isinstance(query, dict) else query, self.total]
                for query in queries]

    def dump_parameters(self):
        return {"total": [self.total] if self.fault == "params" else self.total}

    def load_parameters(self, params):
        self.total = params["total"]
"""


CELL = """
import random
import numpy as np
from torch import nn
from rapidfire_lab import Experiment
from rapidfire_lab.model import ArchKnob, BaseModel, KnobValue, logger as log
SHIFT = 2
model = object()  # which the class does not mean by its own variable of this name
"""

CLASSES = """
OPS = [KnobValue("up"), KnobValue("down")]

def shifted(value):
    return value + SHIFT

class Net(nn.Module):
    def forward(self, value):
        return shifted(value)

class InACell(BaseModel):
    names = ["a"]
    size = len(names)

    @staticmethod
    def get_knob_config():
        return {"ops": ArchKnob([OPS, OPS])}

    def __init__(self, **knobs):
        model = Net()
        self.total = model(sum(1 if op == "up" else -1 for op in knobs["ops"]))

    def train(self, dataset_path, shared_params=None):
        log.log(total=self.total)

    def evaluate(self, dataset_path):
        return float(np.float32(self.total))

    def predict(self, queries):
        return [self.total] * len(queries)

    def dump_parameters(self):
        return {"total": self.total}

    def load_parameters(self, params):
        self.total = params["total"]
"""


@pytest.fixture(scope="module", autouse=True)
def bridged():
    bridge()


@pytest.fixture
def experiment(home, request):
    made = Experiment(None, re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60])
    yield made
    made.cancel_current()
    made.end()


@pytest.fixture
def pausing(tmp_path, monkeypatch):
    """A model that tells how it trains, and its data; a file beside these holds trials up."""
    (tmp_path / "pausing.py").write_text(PAUSING)
    (tmp_path / "beside.py").write_text("BASE = -1\n")
    data = tmp_path / "data.csv"
    data.write_text("a\n1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("pausing", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("pausing").Pausing, "OTHER", data, data
    for name in ("pausing", "beside"):
        sys.modules.pop(name, None)


@pytest.fixture
def in_package(tmp_path, monkeypatch):
    """The same in a package, with relative imports, and a module beside the package that is no part of it."""
    files = {
        "prices/__init__.py": "",
        "prices/beside.py": "BASE = -1\n",
        "prices/models/names.py": "LOSS = 'loss'\n",
        "prices/models/pausing.py": PAUSING.replace("from beside", "from . import names\nfrom ..beside"),
        "outside.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "data.csv").write_text("a\n1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("prices.models.pausing").Pausing
    for name in [name for name in sys.modules if name.partition(".")[0] == "prices"]:
        del sys.modules[name]


def hold(given):
    given[2].with_suffix(".csv.hold").touch()


def let_go(given):
    given[2].with_suffix(".csv.hold").unlink()


def trials(experiment):
    """Trials with their runs, in their order."""
    return [run for run in experiment.runs() if run.search]


def tuning(experiment):
    [found] = [row for row in experiment.get_policies().to_dict("records") if row["name"] == "tuning"]
    return found


def training(experiment, number):
    def are_held():
        logs = (experiment.path / "runs" / str(run.run_id) / "run.log" for run in experiment.runs())
        return sum(log.exists() and log.read_text().count("held") > 0 for log in logs) >= number

    wait_until(are_held, f"{number} trials to be held up")


def leases(experiment):
    """Ends of all leases, by run id."""
    keys = {run.id: run.run_id for run in experiment.runs()}
    found = {}
    with experiment.reader() as reader:
        for row in reader._all("SELECT run, state FROM leases ORDER BY id", ()):
            if row["run"] in keys:
                found.setdefault(keys[row["run"]], []).append(row["state"])
    return found


def params_of(experiment, run_id):
    return load_params(experiment.path / "runs" / str(run_id) / "checkpoints" / "final.safetensors")


def log_of(experiment, run_id):
    path = experiment.path / "runs" / str(run_id) / "run.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("name", MODELS)
def test_a_template_is_tuned_and_its_parameters_come_back(experiment, name, request):
    model_name, task, data, queries, least = MODELS[name]
    paths = request.getfixturevalue(data)
    model_class = load_model_file(TEMPLATES / f"{name}.py", model_name)
    experiment.tune(
        model_class, task, paths["train"], paths["validation"],
        test_dataset_path=paths.get("test"), budget={"MODEL_TRIAL_COUNT": 4},
    )  # fmt: skip
    runs = experiment.runs()
    assert [run.status for run in runs] == ["completed"] * (1 if name == "hmm_tagger" else 4)
    results = experiment.get_results().set_index("run_id")
    assert ("test_score" in results) == ("test" in paths)
    for run in runs:
        model = restored(model_class, run.leaf["user_knobs"], params_of(experiment, run.run_id))
        assert model.evaluate(paths["validation"]) == results.loc[run.run_id, "score"]
        assert len(model.predict(queries)) == len(queries)
    assert results["score"].max() > least
    if name == "arch_cnn":  # the last trial is in full, and it alone is tested
        assert [run.leaf["user_knobs"]["quick"] for run in runs] == [True, True, True, False]
        assert results["test_score"].notna().tolist() == [False, False, False, True]


def test_a_slot_that_dies_costs_its_trial_alone_and_only_time(experiment, pausing):
    hold(pausing)
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 5}, wait=False)
    training(experiment, 2)
    slots = EngineClient().status()["slots"]
    assert sorted(slot["phase"] for slot in slots) == ["busy", "busy"]
    os.kill(slots[0]["pid"], signal.SIGKILL)
    killed = next(run.run_id for run in experiment.runs() if run.id in slots[0]["runs"])
    wait_until(lambda: leases(experiment)[killed][0] == "lost", "the loss to be noticed")
    let_go(pausing)
    experiment.wait(timeout=120)
    expected = {run.run_id: ["committed"] for run in experiment.runs()}
    assert leases(experiment) == {**expected, killed: ["lost", "committed"]}
    runs = trials(experiment)
    assert [run.trial for run in runs] == [1, 2, 3, 4, 5]
    assert all(run.status == "completed" for run in runs)
    scores = experiment.get_results()["score"].tolist()
    totals = {}
    for run, score in zip(runs, scores, strict=True):
        totals[run.run_id] = 3 * run.leaf["user_knobs"]["level"] + totals.get(run.parent, 0)
        assert run.leaf["user_knobs"]["share"] == (run.parent is not None) == run.warm_start
        assert score == -1 - totals[run.run_id]
        assert params_of(experiment, run.run_id) == {"total": totals[run.run_id]}


def test_what_a_trial_logs_is_its_runs(experiment, pausing):
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1})
    [run] = experiment.runs()
    level = run.leaf["user_knobs"]["level"]
    with experiment.reader() as reader:
        points = reader.points(run.id, per="step")
    found = {name: [point.value for point in points if point.name == name] for name in ("loss", "level", "epoch")}
    assert found == {"loss": [level, level / 2, level / 3], "level": [level] * 3, "epoch": [1, 2, 3]}
    assert [point.epoch for point in points if point.name == "loss"] == [1, 2, 3]
    assert "epoch 2 begins" in log_of(experiment, 1)
    assert "INFO library: a library's words" in log_of(experiment, 1)
    [plot] = json.loads((experiment.path / "runs" / "1" / "plots.json").read_text())
    assert plot == {"title": "Losses", "metrics": ["loss", "level"], "x_axis": "epoch"}


def test_the_sidebar_shows_trials_like_other_runs(experiment, pausing):
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1})
    with experiment.reader() as reader:
        answer = read_runs(reader, RunsQuestion(experiment=experiment.name))
    [row] = answer.runs
    assert (row.run_id, row.status, row.step, row.total_steps) == (1, "completed", 1, 1)
    assert answer.races == []


def test_the_best_trial_predicts_or_the_one_that_is_named(experiment, pausing):
    with pytest.raises(OperationError, match="no trial with a score yet"):
        experiment.predict([1])
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 6}, train_args={"broken": 1})
    totals = {run.run_id: params_of(experiment, run.run_id)["total"] for run in experiment.runs() if run.base_lease}
    best = min(totals.values())
    assert experiment.predict(["a", np.array([1, 2])]) == [["a", best], [[1, 2], best]]
    for run_id, total in totals.items():
        assert experiment.predict([0.5], run_id) == [[0.5, total]]
    assert experiment.predict([]) == []
    with pytest.raises(JobError, match="KeyError: 'better'"):
        experiment.predict([{"worse": 1}])
    assert "predict" in log_of(experiment, min(totals, key=lambda run_id: totals[run_id]))
    predictor = experiment._predictor
    os.kill(predictor._process.pid, signal.SIGKILL)
    predictor._process.wait()
    assert experiment.predict([1]) == [[1, best]]
    with pytest.raises(NotFoundError, match="has no run 99"):
        experiment.predict([1], 99)
    failed = next(run.run_id for run in experiment.runs() if run.status == "failed")
    with pytest.raises(OperationError, match="is failed: only a trial that is completed"):
        experiment.predict([1], failed)


def test_trials_are_stopped_resumed_cloned_and_deleted(experiment, pausing):
    hold(pausing)
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 2}, wait=False)
    training(experiment, 2)
    experiment.stop(1)
    experiment.delete(2)
    wait_until(lambda: [run.status for run in experiment.runs()] == ["stopped"], "one to stop, the other to go")
    let_go(pausing)
    experiment.wait(timeout=60)
    assert tuning(experiment)["status"] == "done"
    assert "held" in log_of(experiment, 1)
    experiment.resume(1)
    experiment.wait(timeout=60)
    cold = experiment.clone(1, {"level": 2})
    warm = experiment.clone(1, {"user_knobs": {"level": 5}}, warm_start=True)
    experiment.wait(timeout=60)
    first = params_of(experiment, 1)["total"]
    assert params_of(experiment, cold) == {"total": 6}
    assert params_of(experiment, warm) == {"total": first + 15}
    hold(pausing)
    again = experiment.clone(1, {"level": 6}, warm_start=True)
    wait_until(lambda: "held" in log_of(experiment, again), "the clone to be held up")
    experiment.stop(again)
    experiment.wait(timeout=60)
    let_go(pausing)
    experiment.resume(again)
    experiment.wait(timeout=60)
    assert params_of(experiment, again) == {"total": first + 18}
    with pytest.raises(ConfigError, match="no knob 'depth'"):
        experiment.clone(1, {"depth": 3})
    with pytest.raises(ConfigError, match="'level' is IntegerKnob"):
        experiment.clone(1, {"level": "high"})
    with pytest.raises(OperationError, match="no position"):
        experiment.clone(1, {"level": 3}, warm_start=True, continue_position=True)


def test_one_that_raises_is_recorded_and_the_others_go_on(experiment, pausing):
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 6}, train_args={"broken": 1})
    runs = experiment.runs()
    assert len(runs) == 6
    broken = [run for run in runs if run.leaf["user_knobs"]["level"] % 2]
    assert 0 < len(broken) < 6
    for run in runs:
        assert run.status == ("failed" if run in broken else "completed")
    assert broken[0].error == "ValueError: odd levels are out of order"
    assert str(pausing[2].parent / "pausing.py") in broken[0].traceback
    assert tuning(experiment)["status"] == "done"


def test_one_that_takes_its_slot_with_it_fails_after_some_attempts(experiment, pausing):
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 4}, train_args={"fault": "exit"})
    for run in experiment.runs():
        fails = run.leaf["user_knobs"]["level"] % 2
        assert (run.status, run.deaths) == (("failed", 3) if fails else ("completed", 0))
        assert not fails or "exited with code 3 while it trained this run" in run.error
    assert tuning(experiment)["status"] == "done"


def test_one_that_logs_nothing_is_stopped_with_its_slot(pausing, tmp_path):
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu", stop_grace_seconds=0.3):
        experiment = Experiment(None, "mute")
        hold(pausing)
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1}, train_args={"fault": "mute"}, wait=False)
        training(experiment, 1)
        experiment.stop(1)
        experiment.wait(timeout=60)
        [run] = experiment.runs()
        assert (run.status, run.ended_by, run.step) == ("stopped", "user", 0)
        let_go(pausing)
        experiment.resume(1)
        experiment.wait(timeout=60)
        assert experiment.runs()[0].status == "completed"
        experiment.end()


def test_parameters_that_cannot_be_kept_fail_their_trial(experiment, pausing):
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1}, train_args={"fault": "params"})
    [run] = experiment.runs()
    assert run.status == "failed"
    assert "the parameter 'total' is a list, not a str" in run.error


def test_trials_and_the_runs_of_a_spec_take_turns_and_do_not_notice(home, pausing, points):
    config = paced_config(epochs=2, pause=0.01)
    results = []
    for name in ("alone", "beside"):
        experiment = Experiment(SPECS / "paced.py", name)
        experiment.run_fit(points, config, num_chunks=5, wait=False)
        if name == "beside":
            experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 8})
            assert [run.status for run in experiment.runs()] == ["completed"] * 9
        experiment.wait(timeout=120)
        results.append(experiment.get_results(1).dropna(axis="columns"))
        experiment.end()
    assert results[0].equals(results[1])


def test_a_trial_begins_anew_when_the_engine_was_stopped(experiment, pausing):
    hold(pausing)
    experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 2}, wait=False)
    training(experiment, 2)
    EngineClient().stop()
    assert [run.status for run in experiment.runs()] == ["running"] * 2
    let_go(pausing)
    experiment.wait(timeout=120)
    with experiment.reader() as reader:
        for run in experiment.runs():
            assert run.status == "completed"
            losses = [point.value for point in reader.points(run.id, per="step") if point.name == "loss"]
            assert len(losses) == 3


@pytest.mark.parametrize("hard", [False, True])
def test_the_time_limit_lets_trials_finish_or_stops_them(experiment, pausing, hard):
    hold(pausing)
    experiment.tune(*pausing, budget={"TIME_HOURS": 2 / 3600}, stop_at_time_limit=hard, wait=False)
    training(experiment, 2)
    wait_until(lambda: tuning(experiment)["state"].get("closed"), "the time to be over")
    if not hard:
        let_go(pausing)
    experiment.wait(timeout=60)
    statuses = [run.status for run in experiment.runs()]
    assert statuses == ["stopped" if hard else "completed"] * 2 + ["stopped"] * (len(statuses) - 2)
    assert tuning(experiment)["status"] == "done"
    if hard:
        let_go(pausing)


def test_a_class_of_a_package_takes_its_package_along(experiment, in_package, tmp_path):
    data = tmp_path / "data.csv"
    budget = {"MODEL_TRIAL_COUNT": 4}
    for model_class in (in_package, load_model_file(tmp_path / "prices" / "models" / "pausing.py", "Pausing")):
        experiment.tune(model_class, "OTHER", data, data, train_args={"broken": 1}, budget=budget)
    runs = experiment.runs()
    completed = [run for run in runs if run.status == "completed"]
    failed = [run for run in runs if run.status == "failed"]
    assert completed
    assert len(completed) + len(failed) == 8
    totals = {run.run_id: params_of(experiment, run.run_id)["total"] for run in completed}
    assert experiment.predict([1]) == [[1, min(totals.values())]]
    assert str(tmp_path / "prices" / "models" / "pausing.py") in failed[0].traceback
    [kept] = (experiment.path / "templates").iterdir()
    names = ["__init__.py", "beside.py", "models/__init__.py", "models/names.py", "models/pausing.py"]
    files = sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file())
    assert files == [f"prices/{name}" for name in names]


def test_a_budget_that_slots_do_not_meet_is_told(experiment, pausing):
    with pytest.warns(UserWarning, match="has no effect") as told:
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1, "GPU_COUNT": 2, "DIST_WORKERS": 2})
    gpus, workers = sorted((str(warning.message) for warning in told), reverse=True)
    assert "GPU_COUNT=2 has no effect: trials train in the engine's slots, of which there are 2, on the CPU" in gpus
    assert "RAPIDFIRE_LAB_DEVICE" in gpus
    assert "DIST_WORKERS has no effect" in workers
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1, "GPU_COUNT": 0, "DIST_WORKERS": 1})


@pytest.mark.parametrize(("wanted", "told"), [(0, True), (1, True), (2, False), (3, True)])
def test_a_number_of_gpus_that_slots_do_not_have_is_told(wanted, told):
    warned = without_effect({"GPU_COUNT": wanted}, 2, on_gpus=True)
    assert [f"GPU_COUNT={wanted} has no effect" in words and "each with one GPU" in words for words in warned] == [
        True
    ] * told


def test_a_trial_that_says_nothing_for_too_long_is_tried_again_and_one_that_talks_is_not(pausing, tmp_path):
    settings = {"slots": 2, "tracking": False, "device": "cpu", "max_attempts": 2, "step_timeout_seconds": 3.0}
    with engine_home(tmp_path / "home", **settings):
        experiment = Experiment(None, "silence")
        hold(pausing)
        # Of those that are held, one goes on to log, and the other one to print alone.
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1}, train_args={"fault": "mute"}, wait=False)
        training(experiment, 1)
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 1}, wait=False)
        wait_until(lambda: experiment.runs()[0].status == "failed", "the silent trial to fail")
        silent, talking = experiment.runs()
        assert (silent.ended_by, silent.deaths) == ("error", 2)
        assert (talking.status, talking.deaths) == ("running", 0)
        let_go(pausing)
        experiment.wait(timeout=60)
        assert experiment.runs()[1].status == "completed"
        for words in (
            "The trial logged nothing for 3 s",
            "step_timeout_seconds",
            "log more often",
            "last of 2 attempts",
        ):
            assert words in silent.error
        log = log_of(experiment, silent.run_id)
        assert log.count("[rapidfire-lab] The trial logged nothing") == log.count("Current thread ") == 2
        assert "in train" in log
        experiment.end()


def test_what_cannot_be_tuned_is_refused(experiment, pausing):
    model_class, task, data, _ = pausing
    with pytest.raises(InvalidDatasetFormatError, match="no validation data set"):
        experiment.tune(model_class, task, data, data.with_name("none.csv"))
    with pytest.raises(ConfigError, match="no option 'TRIALS'"):
        experiment.tune(*pausing, budget={"TRIALS": 3})
    with pytest.raises(ConfigError, match="train_args must be text"):
        experiment.tune(*pausing, train_args={"file": data})
    namespace = {"__name__": "nowhere"}
    exec(PAUSING, namespace)
    with pytest.raises(InvalidModelClassError, match="in no file or cell"):
        experiment.tune(namespace["Pausing"], task, data, data)
    assert experiment.runs() == []


def test_the_same_is_tried_whoever_dies(pausing, tmp_path):
    decided = []
    for name, deaths in (("undisturbed", ()), ("disturbed", ("controller", "policies", "controller"))):
        with engine_home(tmp_path / name, slots=2, tracking=False, device="cpu", max_attempts=9):
            experiment = Experiment(None, name)
            hold(pausing)
            experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 8}, wait=False)
            training(experiment, 2)
            for role in deaths[:2]:
                kill(role)
            let_go(pausing)
            for role in deaths[2:]:
                kill(role)
            experiment.wait(timeout=120)
            decided.append([(run.trial, run.config, run.parent, run.status) for run in experiment.runs()])
            experiment.end()
    assert decided[0] == decided[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_trials_are_runs_of_mlflow(pausing, tmp_path):
    with engine_home(tmp_path / "home", slots=2, device="cpu") as home:
        experiment = Experiment(None, "tracked")
        experiment.tune(*pausing, budget={"MODEL_TRIAL_COUNT": 2})
        wait_until(lambda: EngineClient().status()["unsent"] == 0, "the outbox to be empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=home.mlflow_uri)
        scores = experiment.get_results()["score"].tolist()
        for run, score in zip(experiment.runs(), scores, strict=True):
            knobs = run.leaf["user_knobs"]
            found = client.get_run(run.mlflow_run_id).data
            assert found.params["user_knobs.level"] == str(knobs["level"])
            assert found.metrics["score"] == score
            losses = client.get_metric_history(run.mlflow_run_id, "loss")
            assert [(point.step, point.value) for point in losses] == [(n, knobs["level"] / n) for n in (1, 2, 3)]
            sources = [item.path for item in client.list_artifacts(run.mlflow_run_id, "spec")]
            assert sorted(sources) == ["spec/beside.py", "spec/pausing.py"]
        experiment.end()


def test_a_class_of_a_notebooks_cell_is_taken_along(home, tmp_path):
    (tmp_path / "data").write_text("")
    kernel = Kernel()
    try:
        kernel.run(CELL)
        kernel.run(CLASSES)
        kernel.run(f"experiment = Experiment(None, 'cells')\npath = {str(tmp_path / 'data')!r}")
        kernel.run("experiment.tune(InACell, 'OTHER', path, path, budget={'MODEL_TRIAL_COUNT': 9})")
        assert kernel.run("print(sorted(experiment.get_results()['score']))").strip() == "[0.0, 2.0, 2.0, 4.0]"
        assert kernel.run("print(experiment.predict([1, 2]))").strip() == "[4, 4]"
        kernel.run("handle = open(path)")
        kernel.run(CLASSES.replace("value + SHIFT", "value + len(handle.name)").replace("InACell", "WithAFile"))
        told = kernel.run(
            "try:\n    experiment.tune(WithAFile, 'OTHER', path, path)\nexcept ValueError as error:\n    print(error)"
        )
        assert "shifted uses handle, a TextIOWrapper that cannot be taken along" in told
        kernel.run("experiment.end()")
    finally:
        kernel.close()
