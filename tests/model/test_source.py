"""Model files: loaded from where they lie, and what is said of those that are no models."""

from __future__ import annotations

import pickle
import sys

import pytest

from rapidfire_lab.model import BaseModel, load_model_class
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.source import check_model_class, knob_config_of, load_model_file

GOOD = """
import dataclasses
from rapidfire_lab.model import BaseModel, IntegerKnob

class Model(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"depth": IntegerKnob(1, 3)}
    def train(self, dataset_path, shared_params=None): ...
    def evaluate(self, dataset_path): return 0.5
    def predict(self, queries): return queries
    def dump_parameters(self): return {}
    def load_parameters(self, params): ...

@dataclasses.dataclass
class State:
    number: int
"""


@pytest.fixture
def model_file(tmp_path):
    """A model file in a folder of its own."""
    path = tmp_path / "Model.py"
    path.write_text(GOOD)
    return path


def test_a_class_is_loaded_and_nothing_written(model_file, monkeypatch):
    monkeypatch.chdir(model_file.parent)
    model = load_model_file("Model.py", "Model")
    assert issubclass(model, BaseModel)
    assert list(knob_config_of(model)) == ["depth"]
    assert [path.name for path in model_file.parent.iterdir()] == ["Model.py"]
    assert model_file.read_text() == GOOD
    assert "Model" not in sys.modules


def test_what_it_pickles_can_be_loaded(model_file):
    model = load_model_file(model_file, "Model")
    state = sys.modules[model.__module__].State(3)
    assert pickle.loads(pickle.dumps(state)) == state


def test_tracebacks_show_its_lines(model_file):
    model_file.write_text(GOOD.replace("return 0.5", "return 1 / 0"))
    model = load_model_file(model_file, "Model")
    with pytest.raises(ZeroDivisionError) as raised:
        model(depth=1).evaluate("")
    assert raised.traceback[-1].path == model_file
    assert "1 / 0" in str(raised.traceback[-1].statement)


def test_a_class_is_loaded_from_content():
    model = load_model_class(GOOD.encode(), "Model", temp_mod_name="a_model_of_tests")
    assert model.__module__ == "a_model_of_tests"
    assert model(depth=1).evaluate("") == 0.5


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (GOOD, "Modle", r"no class 'Modle' in .*Model\.py; its models are: Model"),
        (GOOD, "State", "must be a class that extends BaseModel"),
        (GOOD.replace("def predict(", "def predicted("), "Model", r"lacks predict\(\)"),
        (GOOD.replace("    @staticmethod\n", ""), "Model", r"get_knob_config\(\) in .* must be a @staticmethod"),
        ("def", "Model", r"Model\.py is no Python: invalid syntax"),
    ],
)
def test_what_is_no_model_is_refused(model_file, source, name, message):
    model_file.write_text(source)
    with pytest.raises(InvalidModelClassError, match=message):
        load_model_file(model_file, name)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InvalidModelClassError, match=r"There is no model file .*missing\.py"):
        load_model_file(tmp_path / "missing.py", "Model")


def test_a_file_that_raises_leaves_no_module(model_file):
    good = load_model_file(model_file, "Model")
    for path, left in ((model_file, sys.modules[good.__module__]), (model_file.with_name("Other.py"), None)):
        path.write_text("raise RuntimeError('at once')")
        with pytest.raises(RuntimeError, match="at once"):
            load_model_file(path, "Model")
        assert sys.modules.get(f"rapidfire_lab_model_{path.stem}") is left


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[]", "must give a dict"),
        ("{'depth': 3}", "'depth': 3, which is no knob"),
        ("{3: IntegerKnob(1, 2)}", "3: IntegerKnob"),
    ],
)
def test_knobs_that_are_none_are_refused(model_file, config, message):
    model_file.write_text(GOOD.replace('{"depth": IntegerKnob(1, 3)}', config))
    with pytest.raises(InvalidModelClassError, match=message):
        knob_config_of(load_model_file(model_file, "Model"))


def test_an_old_init_is_told(model_file, capsys):
    model_file.write_text(GOOD.replace("    def train", "    def init(self): ...\n    def train"))
    check_model_class(load_model_file(model_file, "Model"))
    assert "WARNING: Model.init() is never called" in capsys.readouterr().out
