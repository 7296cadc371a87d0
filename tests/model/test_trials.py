"""`test_model_class` with models that do one thing wrong, or one thing at all."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from rapidfire_lab import ConfigError
from rapidfire_lab.model import BaseModel, CategoricalKnob, FixedKnob, IntegerKnob, dev
from rapidfire_lab.model.errors import (
    InvalidDatasetFormatError,
    InvalidModelClassError,
    InvalidParamsFormatError,
    MissingDependencyError,
)
from tests.test_kernel_survival import Kernel

FILE = """
from rapidfire_lab.model import BaseModel, CategoricalKnob, FloatKnob
{head}

class Model(BaseModel):
    calls = []

    @staticmethod
    def get_knob_config():
        return {{"level": {knob}}}

    def __init__(self, **knobs):
        self.__dict__.update(knobs)

    def train(self, dataset_path, shared_params=None, **train_args):
        self.calls.append("train")
        {train}

    def evaluate(self, dataset_path):
        return {score}

    def predict(self, queries):
        return {predictions}

    def dump_parameters(self):
        return {params}

    def load_parameters(self, params):
        {load}

    def destroy(self):
        self.calls.append("destroy")

    @staticmethod
    def teardown():
        Model.calls.append("teardown")
"""

USUAL = {
    "head": "",
    "knob": "CategoricalKnob([1, 2, 3])",
    "train": "self.seen = train_args",
    "score": "self.level / 10",
    "predictions": "[self.level for query in queries]",
    "params": "{'level': self.level}",
    "load": "self.level = params['level']",
}


@pytest.fixture
def attempt(tmp_path):
    """Try a model that differs from the usual one in some parts."""
    data = tmp_path / "data.csv"
    data.write_text("a,b\n1,2\n")

    def call(budget=None, queries=("q", "r"), task="OTHER", dependencies=None, train_args=None, **parts):
        (tmp_path / "Model.py").write_text(FILE.format(**{**USUAL, **parts}))
        return dev.test_model_class(
            str(tmp_path / "Model.py"), "Model", task, dependencies or {}, str(data), str(data),
            test_dataset_path=str(data) if queries else None,
            budget=budget, train_args=train_args, queries=queries,
        )  # fmt: skip

    return call


def loaded():
    return sys.modules["rapidfire_lab_model_Model"].Model


def test_the_best_model_is_asked(attempt, capsys):
    predictions, model = attempt()
    assert predictions == [3, 3]
    assert model.level == 3
    assert loaded().calls == ["train", "destroy"] * 3 + ["teardown"]  # all choices are tried, and none again
    out = capsys.readouterr().out
    assert "score 0.3, and 0.3 on the test data" in out
    assert out.endswith("The model was tested without an error.\n")
    assert "\033" not in out  # which is for terminals


def test_the_budget_is_honoured(attempt, capsys):
    attempt(budget={"MODEL_TRIAL_COUNT": 2}, knob="FloatKnob(0, 1)")
    assert loaded().calls.count("train") == 2
    assert attempt(budget={"TIME_HOURS": 0}, knob="FloatKnob(0, 1)") == (None, None)
    assert "'TIME_HOURS': 0.01, 'GPU_COUNT': 0, 'MODEL_TRIAL_COUNT': 2" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="did you mean 'TIME_HOURS'"):
        attempt(budget={"TIME_HOUR": 1})


def test_negative_scores_count(attempt):
    _, model = attempt(score="-1000.0 - self.level")
    assert model.level == 1


def test_nan_never_wins_and_does_not_keep_others_from_it(attempt, capsys):
    _, model = attempt(score="float('nan') if self.level == 3 else -1e9 * self.level")
    assert model.level == 1
    assert "The score is NaN" in capsys.readouterr().out
    assert attempt(score="float('nan')") == (None, None)
    assert "No trial has a score" in capsys.readouterr().out


def test_minus_infinity_is_a_score(attempt):
    _, model = attempt(score="float('-inf')")
    assert model is not None


@pytest.mark.parametrize("score", ["1", "np.float32(0.5)", "np.float64(0.5)", "np.mean([True])"])
def test_any_number_is_a_score(attempt, score):
    assert attempt(score=score, head="import numpy as np")[1] is not None


@pytest.mark.parametrize("score", ["None", "'0.5'", "True", "[0.5]"])
def test_anything_else_is_none(attempt, score):
    with pytest.raises(InvalidModelClassError, match=r"evaluate\(\) must return a float, not"):
        attempt(score=score)


def test_without_queries_there_is_the_model_alone(attempt):
    predictions, model = attempt(queries=None)
    assert predictions is None
    assert model.level == 3


@pytest.mark.parametrize("part", ["train", "score", "params", "predictions", "load"])
def test_after_an_error_all_is_put_away_and_the_next_call_is_fresh(attempt, part):
    with pytest.raises(ZeroDivisionError):
        attempt(**{part: "1 / 0"}, budget={"MODEL_TRIAL_COUNT": 1})
    assert loaded().calls == ["train", "destroy", *(["destroy"] if part == "load" else []), "teardown"]
    assert attempt()[0] == [3, 3]


def test_the_first_error_is_the_one_that_is_shown(attempt):
    destroy = "self.calls.append(1 / 0)"
    with pytest.raises(KeyError, match="first"):
        attempt(train=f"raise KeyError('first')\n\n    def destroy(self):\n        {destroy}", head="")


def test_what_cannot_be_stored_is_named(attempt):
    with pytest.raises(InvalidParamsFormatError, match="'level' is a list"):
        attempt(params="{'level': [1]}")


def test_predictions_are_looked_at(attempt, capsys):
    attempt(predictions="[self.level]")
    assert "must give one prediction a query: 1 came for 2 queries" in capsys.readouterr().out
    with pytest.raises(InvalidModelClassError, match=r"prediction 0 is array\(1\), which JSON cannot hold"):
        attempt(predictions="[np.array(1) for query in queries]", head="import numpy as np")
    with pytest.raises(InvalidModelClassError, match=r"predict\(\) must return a list, not a str"):
        attempt(predictions="'abc'")


def test_a_model_that_does_not_restore_itself_is_told(attempt, capsys):
    attempt(load="self.level = 0")
    assert "The restored model predicts otherwise" in capsys.readouterr().out


def test_a_dict_is_one_query(attempt):
    assert attempt(queries={"a": 1, "b": 2}, predictions="[query['b'] for query in queries]")[0] == [2]


def test_train_args_are_given_as_keywords(attempt):
    attempt(train="assert train_args == {'target': 'b', 'features': ['a']} and shared_params is None",
            train_args={"target": "b", "features": ["a"]}, task="TABULAR_CLASSIFICATION")  # fmt: skip
    assert loaded().calls.count("train") == 3


def test_a_column_that_is_missing_is_told_before_anything_is_trained(attempt, capsys):
    for train_args in ({"target": "c"}, {"features": ["a", "c"]}):
        with pytest.raises(InvalidDatasetFormatError, match=r"data\.csv has no column 'c', only 'a', 'b'"):
            attempt(train_args=train_args, task="TABULAR_REGRESSION")
    assert "train" not in loaded().calls
    attempt(task="TABULAR_REGRESSION")
    assert "No train_args: by the task, all columns but the last are features" in capsys.readouterr().out


def test_a_data_set_that_is_missing_is_told(tmp_path):
    (tmp_path / "Model.py").write_text(FILE.format(**USUAL))
    with pytest.raises(InvalidDatasetFormatError, match=r"no training data set .*nowhere\.zip"):
        dev.test_model_class(str(tmp_path / "Model.py"), "Model", "OTHER", {}, str(tmp_path / "nowhere.zip"), "")


def test_a_library_that_is_missing_is_told_with_what_to_install(attempt, capsys):
    for part in ({"head": "import no_such_library"}, {"train": "import no_such_library"}):
        with pytest.raises(MissingDependencyError, match=r"needs 'no_such_library'.*: pip install no-such==1\.0"):
            attempt(dependencies={"no-such": "1.0"}, **part)
    assert "WARNING: no-such is not installed: pip install no-such==1.0" in capsys.readouterr().out
    with pytest.raises(MissingDependencyError, match="name it in dependencies"):
        attempt(head="import no_such_library")
    attempt(dependencies={"numpy": "0.1"})
    assert f"numpy 0.1 is asked for, {np.__version__} is installed" in capsys.readouterr().out
    with pytest.raises(InvalidModelClassError, match="dependencies must be a dict"):
        attempt(dependencies=["numpy"])


def test_a_gpu_that_is_not_there_is_told(attempt, capsys, monkeypatch):
    monkeypatch.setattr(dev, "_gpus", lambda: 0)
    attempt(budget={"GPU_COUNT": 1, "MODEL_TRIAL_COUNT": 1})
    assert "GPU_COUNT asks for a GPU, and there is none" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "told"), [(0, True), (1, True), (2, False)])
def test_a_number_of_gpus_that_is_not_met_is_told(attempt, capsys, monkeypatch, count, told):
    monkeypatch.setattr(dev, "_gpus", lambda: 2)
    attempt(budget={"GPU_COUNT": count, "MODEL_TRIAL_COUNT": 1})
    words = f"GPU_COUNT={count} has no effect: the model may use each GPU that it sees, of which there are 2. Set CUDA"
    assert (words in capsys.readouterr().out) == told


def test_workers_that_there_are_not_are_told_and_nothing_that_is_met(attempt, capsys, monkeypatch):
    monkeypatch.setattr(dev, "_gpus", lambda: 0)
    attempt(budget={"GPU_COUNT": 0, "DIST_WORKERS": 1, "MODEL_TRIAL_COUNT": 1})
    assert "no effect" not in capsys.readouterr().out
    attempt(budget={"DIST_WORKERS": 2, "MODEL_TRIAL_COUNT": 1})
    assert "DIST_WORKERS has no effect" in capsys.readouterr().out


def test_knobs_and_budget_of_the_command_line_win(attempt, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["program", "--level=7", "--MODEL_TRIAL_COUNT=5"])
    predictions, _ = attempt(budget={"MODEL_TRIAL_COUNT": 1})
    assert predictions == [7, 7]
    monkeypatch.setattr(sys, "argv", ["program", "--MODEL_TRIAL_COUNT=2"])
    attempt(budget={"MODEL_TRIAL_COUNT": 1})
    assert loaded().calls.count("train") == 2


class Notebook(BaseModel):
    """A class that lies in no file."""

    @staticmethod
    def get_knob_config():
        return {"level": IntegerKnob(1, 3), "kind": CategoricalKnob(["a"]), "fixed": FixedKnob(0.5)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self.level = knobs["level"]

    def train(self, dataset_path, shared_params=None): ...

    def evaluate(self, dataset_path):
        return -float(self.level)

    def predict(self, queries):
        return (self.level,) * len(queries)

    def dump_parameters(self):
        return {"level": self.level, "weights": np.ones(3, np.float32)}

    def load_parameters(self, params):
        self.level = params["level"]


def test_a_class_of_a_notebook_is_tuned():
    proposal, test_score, params = dev.tune_model(Notebook, "", "", test_dataset_path="")
    assert (proposal.knobs["level"], test_score, params["level"]) == (1, -1.0, 1)
    assert params["weights"].dtype == np.float32
    predictions, model = dev.make_predictions(["q"], "OTHER", Notebook, proposal, params)
    assert (predictions, model.level) == ([1], 1)
    assert dev.tune_model(Notebook, "", "", budget={"MODEL_TRIAL_COUNT": 0}) == (None, None, None)
    assert math.isclose(proposal.knobs["fixed"], 0.5)


def test_a_notebook_goes_on_after_an_error():
    kernel = Kernel()
    try:
        kernel.run("import sys; from rapidfire_lab.model import *; from rapidfire_lab.model import command_line, dev")
        kernel.run("assert sys.argv[1:] and command_line.arguments() == []")  # they are the kernel's own
        kernel.run(CELL)
        kernel.run("Cell.broken = True\ntry: dev.tune_model(Cell, '', '')\nexcept ZeroDivisionError: pass")
        kernel.run("Cell.broken = False\nassert dev.tune_model(Cell, '', '')[2] == {'f': 3}")
    finally:
        kernel.close()


CELL = """
class Cell(BaseModel):
    def get_knob_config(): return {"f": IntegerKnob(1, 3)}
    get_knob_config = staticmethod(get_knob_config)
    def __init__(self, f): self.f = f
    def train(self, dataset_path, shared_params=None): self.broken and 1 / 0
    def evaluate(self, dataset_path): return float(self.f)
    def predict(self, queries): return queries
    def dump_parameters(self): return {"f": self.f}
    def load_parameters(self, params): ...
"""


def test_pytest_does_not_take_it_for_a_test():
    assert dev.test_model_class.__test__ is False
