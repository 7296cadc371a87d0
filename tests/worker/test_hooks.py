from __future__ import annotations

import importlib
import py_compile
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from rapidfire_lab.errors import SpecError
from rapidfire_lab.spec_source import SpecSource
from rapidfire_lab.worker import hooks
from rapidfire_lab.worker.hooks import load_spec_class

REQUIRED = ("row_prep", "create_model", "compute_forward")
HOOKS = "".join(f"    def {hook}(self, *args): return NAME\n" for hook in REQUIRED)
PARTS = "    parts = pack.part.X, bare.part.X\n"
MAIN = f"from nets import NAME\nimport pack.part, bare.part\nclass MLSpec:\n{HOOKS}{PARTS}"
FILES = {
    "spec.py": MAIN,
    "nets.py": "NAME = 'nets'",
    "pack/__init__.py": "from . import part",
    "pack/part.py": "X = __name__",
    "bare/part.py": "X = __name__",
}


@pytest.fixture
def snapshot(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    before = sys.path[:], sys.meta_path[:], set(sys.modules)
    yield tmp_path
    sys.path[:], sys.meta_path[:] = before[:2]
    hooks._snapshot_on_path = None
    for name in set(sys.modules) - before[2]:
        del sys.modules[name]


def load(snapshot, files=FILES):
    return load_spec_class(snapshot, "spec.py", SpecSource(snapshot / "spec.py", "spec.py", files).hash)


def plant_bytecode(path):
    """Bytecode that Python takes for that of the file."""
    source = path.read_text()
    path.write_text("raise SystemError('planted')")
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text(source)


def test_a_spec_comes_with_its_modules_and_packages(snapshot):
    found = load(snapshot)
    assert found().create_model() == "nets"
    assert found.parts == ("pack.part", "bare.part")
    assert not list(snapshot.rglob("__pycache__"))


@pytest.mark.parametrize("name", FILES)
def test_bytecode_that_somebody_left_is_not_run(snapshot, name):
    plant_bytecode(snapshot / name)
    assert list(snapshot.rglob("__pycache__/*.pyc"))
    assert load(snapshot)().create_model() == "nets"


@pytest.mark.parametrize("name", ["nets.pyc", f"nets{EXTENSION_SUFFIXES[0]}", "pack/part.so", "colorsys.pyc", "new.py"])
def test_what_could_be_imported_and_is_not_hashed_is_refused(snapshot, name):
    (snapshot / name).write_bytes(b"")
    with pytest.raises(SpecError, match="was changed after the experiment was created"):
        load(snapshot)


def test_other_files_beside_a_spec_are_its_own_business(snapshot):
    (snapshot / "weights.bin").write_bytes(b"\xff")
    with zipfile.ZipFile(snapshot / "data.zip", "w"):
        pass
    assert load(snapshot)


def test_modules_of_an_earlier_snapshot_are_forgotten(snapshot, tmp_path_factory):
    load(snapshot)
    other = tmp_path_factory.mktemp("other")
    files = {"spec.py": f"from nets import NAME\nclass MLSpec:\n{HOOKS}", "nets.py": "NAME = 'others'"}
    for name, text in files.items():
        (other / name).write_text(text)
    assert load(other, files)().create_model() == "others"
    assert load(snapshot)().create_model() == "nets"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pack.missing")
