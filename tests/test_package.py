"""The package as others import it: lazily, with one version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rapidfire_lab

ROOT = Path(__file__).parent.parent

HEAVY = ("boto3", "mlflow", "torch")


@pytest.mark.parametrize("name", rapidfire_lab.__all__)
def test_public_names_resolve(name):
    assert getattr(rapidfire_lab, name) is not None
    assert name in dir(rapidfire_lab)


def test_every_lazy_name_is_public():
    assert {*rapidfire_lab._HOME_OF, "__version__"} == set(rapidfire_lab.__all__)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="'rapidfire_lab' has no attribute 'Experimnet'"):
        rapidfire_lab.Experimnet  # noqa: B018


def test_package_json_gives_the_version():
    assert rapidfire_lab.__version__ == json.loads((ROOT / "package.json").read_text())["version"]


@pytest.mark.parametrize(
    "module", ["", ".server.app", ".engine.client", ".engine.home", ".saving", ".storage", ".compat"]
)
def test_importing_loads_nothing_heavy(module):
    program = f"import sys, rapidfire_lab{module}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""
