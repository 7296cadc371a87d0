"""Model files: loaded from where they lie, and what is said of those that are no models."""

from __future__ import annotations

import pickle
import sys

import pytest

from rapidfire_lab.model import BaseModel, load_model_class
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.source import check_model_class, knob_config_of, load_model_file
from rapidfire_lab.package_source import package_source

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


IN_PACKAGE = """
from ..base import BASE
from .helper import more
""" + GOOD.replace("return 0.5", "\n        from .late import LATE\n        return more() + LATE")


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


@pytest.fixture
def package(tmp_path):
    """A model file in a package within a package, and a module beside both."""
    files = {
        "prices/__init__.py": "",
        "prices/base.py": "BASE = 1",
        "prices/models/__init__.py": "from . import flat",
        "prices/models/helper.py": "from ..base import BASE\ndef more(): return BASE + 1",
        "prices/models/late.py": "LATE = 5",
        "prices/models/flat.py": IN_PACKAGE,
        "outside.py": "",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "prices"


def test_a_model_file_may_import_from_its_package(package):
    before = {path: path.read_bytes() for path in package.parent.rglob("*") if path.is_file()}
    path = package / "models" / "flat.py"
    model = load_model_file(path, "Model")
    assert model.__module__ == "rapidfire_lab_model_prices.models.flat"
    assert model(depth=1).evaluate("") == 7
    state = sys.modules[model.__module__].State(3)
    assert pickle.loads(pickle.dumps(state)) == state
    assert "prices" not in sys.modules
    (package / "base.py").write_text("BASE = 2")
    assert load_model_file(path, "Model")(depth=1).evaluate("") == 8
    (package / "base.py").write_bytes(before[package / "base.py"])
    assert {path: path.read_bytes() for path in package.parent.rglob("*") if path.is_file()} == before


def test_a_folder_without_init_is_a_package_as_far_as_its_imports_lead(package):
    (package / "__init__.py").unlink()
    (package / "models" / "__init__.py").unlink()
    assert load_model_file(package / "models" / "flat.py", "Model")(depth=1).evaluate("") == 7


def test_a_model_may_stand_in_the_package_itself(package):
    (package / "__init__.py").write_text("from .base import BASE\n" + GOOD.replace("return 0.5", "return BASE"))
    model = load_model_file(package / "__init__.py", "Model")
    assert (model.__module__, model(depth=1).evaluate("")) == ("rapidfire_lab_model_prices", 1)


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("models/helper.py", "\nfrom ...other import x", 2, "beyond top-level package"),
        ("models/helper.py", "from .nowhere import x", 1, r"No module named 'prices\.models\.nowhere'"),
        ("models/helper.py", "\n\nfrom . import nowhere", 3, r"cannot import name 'nowhere' from .*'prices\.models'"),
    ],
)
def test_a_relative_import_that_leads_nowhere_is_told(package, name, text, line, message):
    (package / name).write_text(text)
    with pytest.raises(InvalidModelClassError, match=rf"{name}, line {line}: .*{message}.*have what it imports in"):
        load_model_file(package / "models" / "flat.py", "Model")
    assert not [name for name in sys.modules if name.startswith("rapidfire_lab_model_prices")]


def test_other_imports_that_fail_are_those_of_their_author(package):
    (package / "models" / "helper.py").write_text("import no_such_library")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        load_model_file(package / "models" / "flat.py", "Model")


def test_content_alone_has_no_package():
    with pytest.raises(InvalidModelClassError, match=r"line 2: attempted relative import.* load the model from its"):
        load_model_class(b"import sys\nfrom . import helper", "Model")


@pytest.mark.parametrize(
    ("file", "name", "main"),
    [
        ("models/flat.py", "prices.models", "prices/models/flat.py"),
        ("models/flat.py", "rapidfire_lab_model_prices.models", "prices/models/flat.py"),
        ("models/__init__.py", "prices.models", "prices/models/__init__.py"),
        ("absolute.py", "prices", "prices/absolute.py"),
    ],
)
def test_all_of_its_package_goes_with_a_file_and_nothing_else(package, file, name, main):
    (package / "absolute.py").write_text("import outside\nimport prices.base")
    (package / ".hidden").mkdir()
    (package / ".hidden" / "copy.py").touch()
    (package / "data.csv").touch()
    (package / "parts").mkdir()
    (package / "parts" / "one.py").touch()
    source = package_source(package / file, name)
    names = ["__init__", "absolute", "base", "models/__init__", "models/flat", "models/helper", "models/late"]
    expected = [f"prices/{name}.py" for name in (*names, "parts/__init__", "parts/one")]
    assert (source.main, sorted(source.sources)) == (main, sorted(expected))
    assert source.sources["prices/models/flat.py"] == (package / "models" / "flat.py").read_text()


def test_a_file_that_imports_nothing_of_its_package_stands_for_itself(package):
    assert package_source(package / "models" / "late.py", "prices.models") is None
    assert package_source(package / "models" / "flat.py", "") is None


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
