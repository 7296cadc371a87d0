"""The injector itself: it changes nothing where it is not asked for, and no fault strikes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.faults.session import INJECTION

LOADED = "import json, sys; print(json.dumps([sorted(sys.modules), len(sys.meta_path)]))"
REACH = "import os, fault_strikes; fault_strikes.reached('validation', 'first', os.getpid())"


def python(code, *paths, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FAULTS_FOLDER")}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), **variables}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


def printed(*arguments, **variables):
    output, _ = python(*arguments, **variables).communicate()
    return output


def test_another_sitecustomize_is_run_all_the_same(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the other')")
    assert printed("pass", tmp_path) == "the other\n"
    assert printed("pass", INJECTION, tmp_path) == "the other\n"
    assert printed("pass", INJECTION, tmp_path, FAULTS_FOLDER=str(tmp_path)) == "the other\n"


def test_without_faults_nothing_is_loaded_and_nothing_watches_imports(tmp_path):
    (tmp_path / "sitecustomize.py").touch()
    assert json.loads(printed(LOADED, INJECTION)) == json.loads(printed(LOADED, tmp_path))
    modules, finders = json.loads(printed(LOADED, INJECTION, FAULTS_FOLDER=str(tmp_path)))
    assert "fault_places" in modules
    assert finders == json.loads(printed(LOADED))[1] + 1


@pytest.mark.parametrize("skipped", [0, 2])
def test_a_fault_strikes_once_after_as_many_visits_as_it_lets_pass(skipped, tmp_path):
    for name in ("armed", "fired"):
        (tmp_path / name).mkdir()
    (tmp_path / "armed" / f"000.slot.validation.first.{skipped}").touch()
    (tmp_path / "armed" / "001.slot.validation.later.0").touch()
    visits = [python(REACH, INJECTION, FAULTS_FOLDER=str(tmp_path)) for _ in range(6)]
    for visit in visits:
        visit.communicate()
    assert sorted(visit.returncode for visit in visits) == [-signal.SIGKILL, 0, 0, 0, 0, 0]
    assert [path.name for path in (tmp_path / "fired").iterdir()] == ["000.slot.validation.first"]
    assert [path.name for path in (tmp_path / "armed").iterdir()] == ["001.slot.validation.later.0"]
