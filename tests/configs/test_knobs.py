from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import List, Range
from rapidfire_lab.errors import ConfigError


def draws(knob: List | Range, count: int = 2000) -> list[Any]:
    rng = random.Random(0)
    return [knob.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("values", [[1, 2], (1, 2), range(1, 3), (x for x in (1, 2)), np.array([1, 2])])
def test_list_takes_any_sequence_of_values(values: Any) -> None:
    knob = List(values)
    assert knob.values == (1, 2)
    assert {type(value) for value in knob.values} == {int}
    assert set(draws(knob)) == {1, 2}


@pytest.mark.parametrize("values", ["sgd", b"x", {"a": 1}, {1, 2}, 3, None])
def test_list_refuses_what_has_no_written_order(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"List takes a list of values, not .*write List\(\[\.\.\.\]\)"):
        List(values)


def test_list_refuses_to_be_empty() -> None:
    with pytest.raises(ConfigError, match="List needs at least one value"):
        List([])


def test_list_shows_its_values() -> None:
    assert repr(List((1, "a"))) == "List([1, 'a'])"


@pytest.mark.parametrize(
    ("knob", "dtype"),
    [
        (Range(1, 9), "int"),
        (Range(*np.array([1, 9])), "int"),
        (Range(1, 9.0), "float"),
        (Range(1, 9, step=0.5), "float"),
        (Range(1.0, 9.0, dtype="int"), "int"),
        (Range(1, 9, dtype="float"), "float"),
        (Range(*np.array([0.5, 9])), "float"),
    ],
)
def test_range_values_have_the_type_of_its_bounds(knob: Range, dtype: str) -> None:
    assert knob.dtype == dtype
    assert {type(value).__name__ for value in draws(knob, 20)} == {dtype}
    assert {type(knob.start).__name__, type(knob.end).__name__} == {dtype}


def test_integer_range_reaches_both_ends_and_nothing_else() -> None:
    assert set(draws(Range(3, 6))) == {3, 4, 5, 6}
    assert Range(3, 6).size == 4


def test_uniform_range_fills_its_interval() -> None:
    values = draws(Range(-1.0, 3.0))
    assert all(-1 <= value <= 3 for value in values)
    assert sum(values) / len(values) == pytest.approx(1.0, abs=0.1)
    assert Range(-1.0, 3.0).size is None


def test_log_range_is_even_over_orders_of_magnitude() -> None:
    values = draws(Range(1e-5, 1e-1, log=True))
    assert all(1e-5 <= value <= 1e-1 for value in values)
    assert sum(map(math.log10, values)) / len(values) == pytest.approx(-3.0, abs=0.1)


def test_log_range_of_integers_reaches_both_ends() -> None:
    values = draws(Range(1, 64, log=True))
    assert {1, 64} <= set(values)
    assert sum(value <= 8 for value in values) > len(values) * 0.4


def test_stepped_range_holds_both_ends_without_rounding_noise() -> None:
    knob = Range(0.1, 0.7, step=0.2)
    assert set(draws(knob)) == {0.1, 0.3, 0.5, 0.7}
    assert knob.size == 4
    assert set(draws(Range(2, 8, step=3))) == {2, 5, 8}


@given(st.integers(-50, 50), st.integers(1, 40), st.sampled_from([1, 2, 0.1, 0.25, 1e-3]))
def test_stepped_range_enumerates_from_start_to_end(start: int, steps: int, step: float) -> None:
    end = round(start + steps * step, 6)
    knob = Range(start, end, step=step)
    values = [knob.at(index) for index in range(knob.size or 0)]
    assert (values[0], values[-1], len(set(values))) == (start, end, steps + 1)


@given(st.data())
def test_any_draw_lies_within_the_bounds(data: st.DataObject) -> None:
    bounds = st.integers(1, 10**6) | st.floats(1e-6, 1e6)
    start, end = sorted([data.draw(bounds), data.draw(bounds)])
    if start < end:
        knob = Range(start, end, log=data.draw(st.booleans()))
        assert start <= knob.sample(random.Random(data.draw(st.integers()))) <= end


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "a", "end": 2}, "Range start must be a finite number"),
        ({"start": True, "end": 2}, "Range start must be a finite number"),
        ({"start": 1, "end": math.inf}, "Range end must be a finite number"),
        ({"start": 1, "end": None}, "Range end must be a finite number"),
        ({"start": 1, "end": 10**400, "dtype": "float"}, "Range end must have at most 64 bits"),
        ({"start": 1, "end": 10**400, "log": True}, "Range end must have at most 64 bits"),
        ({"start": -(10**5000), "end": 1}, "Range start must have at most 64 bits"),
        ({"start": 1, "end": 1e300, "dtype": "int"}, "Range end must have at most 64 bits"),
        ({"start": 1, "end": 2, "step": math.nan}, "Range step must be a finite number"),
        ({"start": 2, "end": 2}, "Range start must be below end: start=2, end=2"),
        ({"start": 3, "end": 2}, "Range start must be below end"),
        ({"start": 0, "end": 2, "log": True}, "needs start above 0, not start=0"),
        ({"start": 1, "end": 3, "log": True, "step": 1}, "log or step, not both"),
        ({"start": 1, "end": 3, "step": 0}, "Range step must be above 0"),
        ({"start": 1, "end": 3, "step": -1}, "Range step must be above 0"),
        ({"start": 0.1, "end": 0.95, "step": 0.1}, r"step=0\.1 does not lead .* write end=0\.9$"),
        ({"start": 1, "end": 3, "step": 5}, r"step=5 does not lead .* write end=6$"),
        ({"start": 0.5, "end": 3, "dtype": "int"}, r"Range start=0\.5 is no integer"),
        ({"start": 1, "end": 3, "step": 0.5, "dtype": "int"}, r"Range step=0\.5 is no integer"),
        ({"start": 1, "end": 3, "dtype": "double"}, "Range dtype must be"),
    ],
)
def test_range_names_the_argument_at_fault(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Range(**arguments)
