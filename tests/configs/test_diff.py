from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import Config, differing_knobs, get_path, normalise
from rapidfire_lab.configs.diff import identity

from .sample_configs import lr, nested, train_sections, user_knobs

leaves = st.builds(
    lambda section, knobs: normalise({"train": section, "user_knobs": knobs}), train_sections, user_knobs
)


def differing(*configs: dict[str, Any]) -> list[str]:
    return differing_knobs([normalise(config) for config in configs])


def test_equal_leaves_and_single_ones_differ_in_nothing() -> None:
    assert differing() == differing(nested()) == differing(nested(), nested()) == []


def test_differences_come_as_dotted_paths_training_first() -> None:
    one = nested({"model": "a", "same": 1})
    other = nested({"model": "b", "same": 1, "extra": None}, optimizer=lr(0.2), precision="bf16")
    expected = ["train.optimizer.args.lr", "train.precision", "user_knobs.model", "user_knobs.extra"]
    assert differing(one, other) == expected


def test_an_argument_that_one_leaf_lacks_differs() -> None:
    with_momentum = {"name": "SGD", "args": {"lr": 0.1, "momentum": 0.9}}
    assert differing(nested(), nested(optimizer=with_momentum)) == ["train.optimizer.args.momentum"]


def test_an_optional_part_is_listed_by_what_is_in_it() -> None:
    scheduler = {"name": "StepLR", "args": {"step_size": 1}}
    paths = ["name", "args.step_size", "interval"]
    assert differing(nested(), nested(lr_scheduler=scheduler)) == [f"train.lr_scheduler.{path}" for path in paths]


def test_a_value_that_stands_where_others_have_a_dict_is_kept() -> None:
    assert differing(nested({"x": 5}), nested({"x": {"y": 1}})) == ["user_knobs.x", "user_knobs.x.y"]
    assert differing(nested({"x": None}), nested({"x": {}})) == ["user_knobs.x"]


def test_lists_are_compared_whole() -> None:
    assert differing(nested({"sizes": [1, 2]}), nested({"sizes": [1, 3]})) == ["user_knobs.sizes"]


@pytest.mark.parametrize(
    ("one", "other", "same"), [(1, 1.0, True), (1, True, False), ([2], [2.0], True), (1, "1", False)]
)
def test_numbers_are_compared_by_value(one: Any, other: Any, *, same: bool) -> None:
    assert differing(nested({"x": one}), nested({"x": other})) == ([] if same else ["user_knobs.x"])


@given(leaves, leaves)
def test_leaves_are_the_same_config_exactly_when_no_knob_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (identity(one) == identity(other)) == (differing_knobs([one, other]) == [])
    assert differing_knobs([Config(one), other]) == differing_knobs([one, other])


def test_a_path_leads_to_its_value() -> None:
    leaf = normalise(nested({"a.b": {"c": 1}, "a": {"x": 2}}))
    assert get_path(leaf, "train.optimizer.args.lr") == 0.1
    assert get_path(leaf, "train.optimizer") == lr(0.1)
    assert get_path(leaf, "user_knobs.a.b.c") == 1
    assert get_path(leaf, "user_knobs.a.x") == 2


def test_a_path_that_this_leaf_lacks_gives_the_default() -> None:
    leaf = normalise(nested())
    assert get_path(leaf, "train.lr_scheduler.args.gamma") is None
    assert get_path(leaf, "user_knobs.model", "-") == "-"
    assert get_path(leaf, "train.lr_scheduler", "-") is None


def test_a_path_works_on_what_the_hooks_see() -> None:
    assert get_path(Config(normalise(nested())), "train.optimizer.args.lr") == 0.1
