from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import Config, GridSearch, List, RandomSearch, Range, expand, normalise
from rapidfire_lab.errors import ConfigError

from .sample_configs import lr, nested, train


def epochs(leaves: list[dict[str, Any]]) -> list[int]:
    return [leaf["train"]["epochs"] for leaf in leaves]


def test_one_config_is_one_leaf() -> None:
    assert expand(train(epochs=3)) == [normalise(nested(epochs=3))]
    assert expand(Config(normalise(nested()))) == [normalise(nested())]


def test_configs_and_groups_nest_in_the_order_written() -> None:
    grid = GridSearch(nested(epochs=List([3, 4])))
    search = RandomSearch(nested(epochs=Range(5, 6)), 2)
    leaves = expand([nested(epochs=1), ([grid], (nested(epochs=2),)), search])
    assert epochs(leaves)[:4] == [1, 3, 4, 2]
    assert set(epochs(leaves)[4:]) == {5, 6}


nestings: st.SearchStrategy[Any] = st.recursive(
    st.none(), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8
)


@given(nestings)
def test_nesting_changes_nothing_but_the_brackets(shape: Any) -> None:
    numbers = iter(range(1, 100))

    def fill(node: Any) -> Any:
        return nested(epochs=next(numbers)) if node is None else [fill(child) for child in node]

    found = epochs(expand(fill(shape)))
    assert found == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    ("ml_config", "message"),
    [
        ([], "'ml_config' is an empty list"),
        ([nested(), [[]]], r"'ml_config\[1\]\[0\]' is an empty list"),
        ("grid", "'ml_config' must be a config dict, a GridSearch or RandomSearch, or a list.*'grid'"),
        ([nested(), 5], r"'ml_config\[1\]' must be a config dict.* not 5 \(int\)"),
        (Range(1, 2), "'ml_config' must be a config dict"),
        (nested(epochs=0), r"^'train\.epochs' must"),
        ([nested(), nested(epochs=0)], r"^ml_config\[1\]: 'train\.epochs' must"),
        ([nested(), [GridSearch(nested(epochs=List([1, 0])))]], r"ml_config\[1\]\[0\]: 'train\.epochs' must"),
        (
            nested(optimizer=lr(List([1, 2]))),
            r"'train\.optimizer\.args\.lr' holds a List: wrap the whole config",
        ),
        (nested({"x": Range(1, 2)}), r"'user_knobs\.x' holds a Range: wrap the whole config in RandomSearch"),
    ],
)
def test_errors_name_the_place(ml_config: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand(ml_config)


def test_a_duplicate_is_told_by_place_and_by_its_knobs() -> None:
    grid = GridSearch(nested({"model": List(["a", "b"])}, optimizer=lr(List([0.1, 0.2]))))
    message = (
        r"^ml_config\[0\]\.leaves\(\)\[3\] and ml_config\[1\]\[1\] are the same config "
        r"\(equal train\.optimizer\.args\.lr=0\.2, user_knobs\.model='b'\): keep one of them$"
    )
    with pytest.raises(ConfigError, match=message):
        expand([grid, [nested({"model": "c"}), nested({"model": "b"}, optimizer=lr(0.2))]])


def test_duplicates_without_any_difference_around_them() -> None:
    with pytest.raises(ConfigError, match=r"ml_config\[0\] and ml_config\[1\] and ml_config\[2\].*all knobs equal"):
        expand([nested(), train(), nested(gradient_accumulation_steps=1)])


def test_many_duplicates_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"leaves\(\)\[0\] and .*\[1\].*user_knobs\.x=1.*; 1 more such case"):
        expand(GridSearch(nested({"x": List([1, 1.0, 2, 2])})))


def test_long_lists_of_equal_knobs_are_cut() -> None:
    wide = {f"k{index}": 1 for index in range(9)}
    with pytest.raises(ConfigError, match=r"user_knobs\.k5=1, \.\.\.\)"):
        expand([nested(wide), nested(), nested(wide)])


def test_a_flag_and_a_number_are_no_duplicates() -> None:
    assert len(expand([nested({"x": 1}), nested({"x": True})])) == 2


def test_expanding_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from rapidfire_lab.configs import *\n"
        "expand(RandomSearch({'epochs': Range(1, 9), 'batch_size': 8, 'optimizer': 'SGD'}, 3))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
