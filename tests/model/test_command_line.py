"""Knobs and budget from the arguments of a program."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rapidfire_lab import ConfigError
from rapidfire_lab.model import ArchKnob, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, PolicyKnob
from rapidfire_lab.model.command_line import arguments, budget_from, knobs_from
from rapidfire_lab.model.dependencies import parse_model_install_command

KNOBS = {
    "depth": IntegerKnob(1, 4),
    "lr": FloatKnob(1e-4, 1),
    "kind": CategoricalKnob(["a", "b"]),
    "exact": FixedKnob(True),  # noqa: FBT003
    "share": PolicyKnob("SHARE_PARAMS"),
    "cell": ArchKnob([["x"], [0, 1]]),
    "f": IntegerKnob(0, 1),
}


@pytest.mark.parametrize(
    ("given", "knobs"),
    [
        ([], {}),
        (["--depth=99"], {"depth": 99}),
        (["--depth", "-2", "--lr", "1e-3"], {"depth": -2, "lr": 0.001}),
        (["--kind=a=b", "--kind="], {"kind": ""}),
        (["--exact=False", "--share", "true"], {"exact": False, "share": True}),
        (["--cell=['x', 1]"], {"cell": ["x", 1]}),
        (["--depth=1", "--depth=2"], {"depth": 2}),
        (["--train_path", "data.zip", "--dep=3", "-depth=3", "depth=3", "--features=1", "--other"], {}),
    ],
)
def test_knobs_are_read_by_their_type(given, knobs):
    assert knobs_from(given, KNOBS) == knobs


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--depth=1.5"], "--depth=1.5 must be of type int"),
        (["--share=2"], "--share=2 must be of type bool"),
        (["--cell=3"], "--cell=3 must be of type list"),
        (["--cell=__import__('os').getcwd()"], "must be of type list"),
        (["--depth"], "--depth needs a value"),
        (["--depth", "--lr=1"], "--depth needs a value"),
    ],
)
def test_values_of_another_type_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        knobs_from(given, KNOBS)


def test_only_what_is_given_is_in_the_budget():
    assert budget_from(["--TIME_HOURS=0.5", "--depth=3"]) == {"TIME_HOURS": 0.5}
    assert budget_from(["--MODEL_TRIAL_COUNT", "3", "--GPU_COUNT=0"]) == {"MODEL_TRIAL_COUNT": 3, "GPU_COUNT": 0}


def test_programs_have_arguments_and_kernels_have_none(tmp_path):
    program = "import sys; from rapidfire_lab.model.command_line import arguments; print(arguments())"
    (tmp_path / "program.py").write_text(program)
    for call, expected in ((["program.py"], "['--f=1']\n"), (["-c", program], "[]\n")):
        finished = subprocess.run(
            [sys.executable, *call, "--f=1"], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert finished.stdout == expected
    assert arguments() == sys.argv[1:]


@pytest.mark.parametrize(
    ("dependencies", "gpu", "command"),
    [
        ({}, False, ""),
        ({"scikit-learn": "0.20.0", "torch": ""}, False, "pip install scikit-learn==0.20.0; pip install torch"),
        ({"tensorflow": "1.12.0"}, True, "pip install tensorflow-gpu==1.12.0"),
        ({"tensorflow": "2.15.0"}, True, "pip install tensorflow==2.15.0"),
        ({"singa": "3.0"}, False, "conda install -y -c nusdbsystem singa-cpu=3.0"),
        ({"a; rm": "1"}, False, "pip install 'a; rm==1'"),
    ],
)
def test_the_command_installs_what_a_model_names(dependencies, gpu, command):
    assert parse_model_install_command(dependencies, enable_gpu=gpu) == command
