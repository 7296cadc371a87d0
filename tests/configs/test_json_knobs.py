from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import List, Range
from rapidfire_lab.configs.json_knobs import decode
from rapidfire_lab.errors import ConfigError

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner),
    max_leaves=20,
)


@given(plain_json)
def test_what_holds_no_knobs_stays_as_it_is(value: Any) -> None:
    assert decode(value) == value


def test_knobs_stand_anywhere() -> None:
    text = """{
        "train": {"optimizer": {"args": {"lr": {"$range": {"start": 0.001, "end": 0.1, "log": true}}}}},
        "width": {"$list": [8, {"$list": [16, {"deep": {"$range": {"start": 1, "end": 9, "step": 2}}}]}]},
        "layers": [1, {"$list": ["a", null]}]
    }"""
    found = decode(json.loads(text))
    assert found["train"]["optimizer"]["args"]["lr"] == Range(0.001, 0.1, log=True)
    assert found["width"].values[0] == 8
    assert found["width"].values[1].values == (16, {"deep": Range(1, 9, step=2)})
    assert isinstance(found["layers"][1], List)
    assert found["layers"][1].values == ("a", None)


def test_a_range_may_name_its_dtype() -> None:
    assert decode({"$range": {"start": 1, "end": 2, "dtype": "float"}}) == Range(1, 2, dtype="float")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"$list": []}, "at least one value"),
        ({"$list": "abc"}, "at least one value"),
        ({"$list": [1], "other": 2}, "beside 'other'"),
        ({"$range": {"start": 1, "end": 2}, "$list": [1]}, "must stand alone"),
        ({"$range": [1, 2]}, "must be a dict with 'start' and 'end'"),
        ({"$range": {"start": 1}}, "lacks 'end'"),
        ({"$range": {"start": 1, "end": 2, "lgo": True}}, "has no 'lgo' .*'log'"),
        ({"$range": {"start": 1, "end": 2, "log": 1}}, "must be true or false"),
        ({"$range": {"start": 2, "end": 1}}, "start must be below end"),
        ({"$range": {"start": "1", "end": 2}}, "must be a finite number"),
        ({"$range": {"start": 1, "end": 2, "dtype": "double"}}, "dtype must be"),
    ],
)
def test_a_malformed_knob_is_named_by_its_path(value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"'changes\.train\.epochs'.*{words}"):
        decode({"train": {"epochs": value}})
    with pytest.raises(ConfigError, match=rf"'changes\.deep\[1\]\[0\]'.*{words}"):
        decode({"deep": [0, {"$list": [value]}]})


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}, lambda value: {"$list": [value]}])
def test_what_is_nested_too_deep_is_refused(wrap: Any) -> None:
    value: Any = 1
    for _ in range(500):
        value = wrap(value)
    with pytest.raises(ConfigError, match=r"'changes.*\.\.\.' is nested over 32 levels deep"):
        decode(value)
