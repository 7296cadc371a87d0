"""Stored parameters: exact, checked, private."""

from __future__ import annotations

import math
import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rapidfire_lab.model.errors import InvalidParamsFormatError
from rapidfire_lab.model.parameters import FileParamStore, load_params, save_params

EVERYTHING = {
    "word:a//b": 7,
    "": "empty name",
    "__metadata__": "a name of the format",
    "entries": "another",
    "none": None,
    "yes": True,
    "large": 10**30,
    "float": 0.1,
    "inf": math.inf,
    "text": "naïve \n \0 \ud83d\ude00",
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(24, dtype=np.int16).reshape(2, 3, 4)[:, ::2, 1].T,
    "mixed axes": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "reversed": np.arange(4)[::-1],
    "no rows": np.empty((0, 3), np.float32),
    "no dimensions": np.array(2.5),
    "half": np.array([1, 2], np.float16),
    "bools": np.array([True, False]),
    "big endian": np.array([1, 2], ">i4"),
    "complex": np.array([1 + 2j]),
    "labels": np.array([["a", "zwölf"]]),
    "bytes": np.array([b"a\0b"]),
    "days": np.array(["2026-01-02", "NaT"], "M8[D]"),
    "scalar": np.float32(0.1),
    "count": np.int64(3),
    "phase": np.complex64(1j),
}


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
    else:
        assert found == expected


def test_everything_comes_back_as_it_was(tmp_path):
    store = FileParamStore(tmp_path / "params")
    back = store.load(store.save(EVERYTHING))
    assert list(back) == list(EVERYTHING)
    for name, value in EVERYTHING.items():
        assert_same(back[name], value)


@pytest.mark.parametrize("name", ["weights", "fortran", "mixed axes"])
def test_arrays_lie_in_memory_as_they_did(tmp_path, name):
    save_params(tmp_path / "file", {name: EVERYTHING[name]})
    assert load_params(tmp_path / "file")[name].strides == EVERYTHING[name].strides


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
arrays = npst.arrays(
    st.one_of(npst.scalar_dtypes(), npst.unicode_string_dtypes()), npst.array_shapes(min_dims=0, min_side=0, max_side=4)
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), plain | arrays, max_size=5))
def test_any_parameters_come_back(tmp_path_factory, params):
    path = tmp_path_factory.getbasetemp() / "any.model"
    save_params(path, params)
    back = load_params(path)
    assert list(back) == list(params)
    for name, value in params.items():
        assert_same(back[name], value)


def test_what_is_loaded_can_be_changed(tmp_path):
    save_params(tmp_path / "file", {"a": np.zeros(2), "b": np.array(["x"])})
    params = load_params(tmp_path / "file")
    params["a"][0], params["b"][0] = 1, "y"
    assert params["a"].tolist() == [1, 0]


def test_a_file_is_private_plain_safetensors(tmp_path):
    from safetensors.numpy import load_file

    store = FileParamStore(tmp_path / "params")
    path = tmp_path / "params" / store.save(EVERYTHING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_file(path)["array.weights"].tolist() == EVERYTHING["weights"].tolist()
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_damage_anywhere_is_found(tmp_path):
    path = tmp_path / "file"
    save_params(path, {"weights": np.arange(8.0), "words": "text"})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InvalidParamsFormatError, match="file"):
            load_params(path)
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidParamsFormatError, match="file"):
            load_params(path)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": [1, 2]}, "'layers' is a list"),
        ({"layers": {}}, "'layers' is a dict"),
        ({"object": np.array([{}])}, "'object' is an array of object"),
        ({"table": np.zeros(1, [("a", "i4")])}, "'table' is an array of"),
        ({3: 1}, "name 3 must be a str"),
        ({"\ud800": 1}, "must be a str that UTF-8 can hold"),
        ([], "must give a dict, not a list"),
    ],
)
def test_what_cannot_be_stored_is_named_and_leaves_nothing(tmp_path, params, message):
    with pytest.raises(InvalidParamsFormatError, match=message):
        save_params(tmp_path / "file", params)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, tmp_path / "other")
    with pytest.raises(InvalidParamsFormatError, match="no parameters of a model template"):
        load_params(tmp_path / "other")


@pytest.mark.parametrize("identity", ["../secret", "", "a.model", "/etc/passwd"])
def test_ids_lead_nowhere_else(tmp_path, identity):
    with pytest.raises(InvalidParamsFormatError, match="is no id"):
        FileParamStore(tmp_path).load(identity)
