"""Names and signatures are those of AIToolbox 1.8 (``signatures.txt``), found where its users import them from."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest

from rapidfire_lab.compat.finder import BridgeFinder, bridge
from rapidfire_lab.compat.packages import AITOOLBOX

LINES = (Path(__file__).parent / "signatures.txt").read_text().splitlines()


@pytest.fixture(scope="module", autouse=True)
def bridged():
    assert bridge(["aitoolbox"]) == ["aitoolbox"]
    yield
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, BridgeFinder)]
    for name in [name for name in sys.modules if name.split(".")[0] == "aitoolbox"]:
        del sys.modules[name]


def expected(text):
    """Names, kinds and defaults of a signature's text."""
    args = ast.parse(f"def f({text}): pass").body[0].args
    defaults = [None] * (len(args.args) - len(args.defaults)) + [ast.unparse(value) for value in args.defaults]
    return [(arg.arg, default) for arg, default in zip(args.args, defaults, strict=True)], args.kwarg is not None


def found(function):
    parameters = list(inspect.signature(function).parameters.values())
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.name != "self"]
    extra = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    assert all(one.default is not one.empty for one in extra), "what was added must be left out as before"
    named = [(one.name, None if one.default is one.empty else repr(one.default)) for one in positional]
    return named, any(one.kind is one.VAR_KEYWORD for one in parameters)


@pytest.mark.parametrize("line", LINES)
def test_a_signature_is_as_it_was(line):
    module, _, rest = line.partition(":")
    path, _, text = rest[:-1].partition("(")
    thing = import_module(module)
    for name in path.split("."):
        thing = getattr(thing, name)
    assert found(thing) == expected(text)


def test_every_module_is_bridged():
    without = {"aitoolbox.cloud", "aitoolbox.cloud.AWS.simple_email_service"}
    assert {line.partition(":")[0] for line in LINES} | without == set(AITOOLBOX)
    from aitoolbox.cloud import gcs_available_options, s3_available_options

    assert (s3_available_options[0], gcs_available_options[0]) == ("s3", "gcs")
