from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import GridSearch, List, RandomSearch, Range, expand, normalise
from rapidfire_lab.configs.changes import MAX_CHANGES, apply_changes, expand_changes
from rapidfire_lab.errors import ConfigError

from .sample_configs import lr, nested, train_sections, user_knobs

SGD = {"name": "SGD", "args": {"lr": 0.1, "momentum": 0.9}}
STEP = {"name": "StepLR", "args": {"step_size": 2, "gamma": 0.5}, "interval": "step"}
PARENT = normalise(
    {
        **nested({"width": 16, "model": "cnn", "deep": {"a": 1, "b": 2}}, optimizer=SGD, lr_scheduler=STEP),
        "named_metrics": ["top1_accuracy"],
    },
)
leaves = st.builds(
    lambda section, knobs: normalise({"train": section, "user_knobs": knobs}), train_sections, user_knobs
)


def changed(changes: dict[str, Any], parent: dict[str, Any] = PARENT) -> dict[str, Any]:
    """What the changes made of the parent, by dotted path of two levels."""
    before = copy.deepcopy(parent)
    leaf = apply_changes(parent, changes)
    assert parent == before
    assert normalise(leaf) == leaf
    found = {}
    for section, value in leaf.items():
        if isinstance(value, dict):
            pairs = {f"{section}.{key}": item for key, item in value.items()}
        else:
            pairs = {section: value}
        old = parent[section]
        found |= {
            path: item
            for path, item in pairs.items()
            if item != (old.get(path.partition(".")[2], ...) if isinstance(old, dict) else old)
        }
    return found


# Where changes may stand


@pytest.mark.parametrize("changes", [{"batch_size": 64}, {"train": {"batch_size": 64}}])
def test_a_training_knob_is_named_flat_or_in_its_section(changes: dict[str, Any]) -> None:
    assert changed(changes) == {"train.batch_size": 64}


@pytest.mark.parametrize("changes", [{"width": 32}, {"user_knobs": {"width": 32}}])
def test_a_user_knob_is_named_flat_or_in_its_section(changes: dict[str, Any]) -> None:
    assert changed(changes) == {"user_knobs.width": 32}


def test_flat_knobs_and_sections_mix_in_any_order() -> None:
    expected = {"train.batch_size": 64, "train.epochs": 9, "user_knobs.width": 32, "user_knobs.model": "mlp"}
    changes = {"batch_size": 64, "train": {"epochs": 9}, "user_knobs": {"width": 32}, "model": "mlp"}
    assert changed(changes) == expected
    assert changed(dict(reversed(changes.items()))) == expected


def test_a_new_user_knob_stands_in_its_section() -> None:
    assert changed({"user_knobs": {"dropout": 0.5}}) == {"user_knobs.dropout": 0.5}


def test_a_default_that_the_parent_never_wrote_can_be_changed() -> None:
    assert changed({"gradient_clip_norm": 1.0, "precision": "bf16"}) == {
        "train.gradient_clip_norm": 1.0,
        "train.precision": "bf16",
    }


def test_lists_and_dicts_are_replaced_as_a_whole() -> None:
    assert changed({"named_metrics": ["top5-accuracy"]}) == {"named_metrics": ["top5_accuracy"]}
    assert changed({"deep": {"c": 3}}) == {"user_knobs.deep": {"c": 3}}


def test_no_changes_leave_the_parent_as_it_is() -> None:
    assert changed({}) == changed({"train": {}, "user_knobs": {}}) == changed({"width": 16}) == {}


# Optimizers and schedulers


def test_arguments_of_the_same_optimizer_are_changed_one_by_one() -> None:
    expected = {"train.optimizer": {"name": "SGD", "args": {"lr": 0.2, "momentum": 0.9}}}
    assert changed({"optimizer": {"args": {"lr": 0.2}}}) == expected
    assert changed({"optimizer": lr(0.2)}) == expected
    assert changed({"train": {"optimizer": lr(0.2)}}) == expected
    assert changed({"optimizer": {"args": {"nesterov": True}}})["train.optimizer"]["args"] == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": True,
    }


def test_another_optimizer_brings_its_own_arguments() -> None:
    assert changed({"optimizer": lr(0.01, "AdamW")}) == {"train.optimizer": lr(0.01, "AdamW")}
    assert changed({"optimizer": {"name": "AdamW"}}) == {"train.optimizer": {"name": "AdamW", "args": {}}}
    assert changed({"optimizer": "AdamW"}) == {"train.optimizer": {"name": "AdamW", "args": {}}}


@pytest.mark.parametrize("optimizer", ["SGD", {"name": "SGD"}, {"name": "SGD", "args": {}}])
def test_the_same_optimizer_without_arguments_changes_nothing(optimizer: Any) -> None:
    assert changed({"optimizer": optimizer}) == {}


def test_a_scheduler_is_changed_replaced_added_and_taken_out() -> None:
    args = {"step_size": 2, "gamma": 0.9}
    assert changed({"lr_scheduler": {"args": {"gamma": 0.9}}}) == {"train.lr_scheduler": {**STEP, "args": args}}
    assert changed({"lr_scheduler": {"interval": "epoch"}}) == {"train.lr_scheduler": {**STEP, "interval": "epoch"}}
    other = {"name": "ExponentialLR", "args": {"gamma": 0.9}}
    assert changed({"lr_scheduler": other}) == {"train.lr_scheduler": {**other, "interval": "epoch"}}
    assert changed({"lr_scheduler": None}) == {"train.lr_scheduler": None}
    without = normalise(nested(optimizer=SGD))
    assert changed({"lr_scheduler": STEP}, without) == {"train.lr_scheduler": STEP}


# What is refused


def refusal(changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        apply_changes(PARENT, changes)
    return str(caught.value)


def test_a_knob_that_the_run_does_not_have_is_refused_beside_those_it_has() -> None:
    message = refusal({"widht": 32})
    assert "no knob 'widht'" in message
    assert "batch_size, deep, epochs" in message
    assert 'Put a new one under "user_knobs"' in message


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"batch_size": 0}, "train.batch_size"),
        ({"train": {"batch_sise": 4}}, "train.batch_sise"),
        ({"train": 5}, "train"),
        ({"train": None}, "train"),
        ({"train": 5, "batch_size": 4}, "train"),
        ({"batch_size": 4, "train": 5}, "train"),
        ({"user_knobs": [1], "width": 4}, "user_knobs"),
        ({"user_knobs": {"batch_size": 4}}, "user_knobs.batch_size"),
        ({"optimizer": {"args": 5}}, "train.optimizer.args"),
        ({"optimizer": {"args": None}}, "train.optimizer.args"),
        ({"optimizer": {"lr": 0.1}}, "train.optimizer.lr"),
        ({"optimizer": None}, "train.optimizer"),
        ({"optimizer": 5}, "train.optimizer"),
        ({"optimizer": {"name": 5}}, "train.optimizer.name"),
        ({"lr_scheduler": {"interval": "week"}}, "train.lr_scheduler.interval"),
        ({"named_metrics": {"top1_accuracy": 1}}, "named_metrics"),
        ({"named_metrics": ["accuracy"]}, "named_metrics"),
        ({"width": float("nan")}, "user_knobs.width"),
        ({"width": object()}, "user_knobs.width"),
        ({"width": List([1, 2])}, "user_knobs.width"),
    ],
)
def test_what_makes_no_valid_config_is_refused_by_path(changes: Any, path: str) -> None:
    assert f"'{path}" in refusal(changes)


def test_arguments_for_a_scheduler_that_is_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"train\.lr_scheduler\.name"):
        apply_changes(normalise(nested()), {"lr_scheduler": {"args": {"gamma": 0.1}}})


# Any


@given(leaves, leaves)
def test_the_whole_of_another_leaf_gives_that_leaf(parent: dict[str, Any], other: dict[str, Any]) -> None:
    leaf = apply_changes(parent, other)
    assert leaf["user_knobs"] == {**parent["user_knobs"], **other["user_knobs"]}
    for key, value in leaf["train"].items():
        old, new = parent["train"][key], other["train"][key]
        if isinstance(old, dict) and isinstance(new, dict) and old["name"] == new["name"]:
            new = {**new, "args": {**old["args"], **new["args"]}}
        assert value == new


@given(leaves)
def test_the_leaf_itself_changes_nothing(leaf: dict[str, Any]) -> None:
    assert apply_changes(leaf, leaf) == apply_changes(leaf, {}) == leaf
    assert apply_changes(leaf, {**leaf["train"], **leaf["user_knobs"]}) == leaf


@given(leaves, st.data())
def test_the_result_shares_nothing_with_what_it_was_made_of(leaf: dict[str, Any], data: st.DataObject) -> None:
    changes = {"user_knobs": {"new": {"deep": [1]}}}
    before = copy.deepcopy(leaf)
    result = apply_changes(leaf, changes)
    result["user_knobs"]["new"]["deep"].append(2)
    result["train"]["optimizer"]["args"]["lr"] = -1
    assert changes == {"user_knobs": {"new": {"deep": [1]}}}
    assert leaf == before


# Changes with knobs in them


@pytest.mark.parametrize("changes", [{}, {"width": 32}, {"train": {"optimizer": lr(0.1)}, "deep": [1, {"a": None}]}])
def test_without_knobs_there_is_one(changes: dict[str, Any]) -> None:
    assert expand_changes(changes) == expand_changes(changes, num_runs=5) == [changes]


def test_lists_make_a_grid_in_the_order_written() -> None:
    changes = {"width": List([8, 16]), "train": {"batch_size": List([32, 64])}}
    assert [(one["width"], one["train"]["batch_size"]) for one in expand_changes(changes)] == [
        (8, 32),
        (8, 64),
        (16, 32),
        (16, 64),
    ]
    nested_lists = {"optimizer": List([lr(List([0.1, 0.2])), "Adam"])}
    assert expand_changes(nested_lists) == [{"optimizer": lr(0.1)}, {"optimizer": lr(0.2)}, {"optimizer": "Adam"}]


@given(st.integers(1, 30), st.integers())
def test_a_range_makes_distinct_draws(num_runs: int, seed: int) -> None:
    changes = {"width": Range(1, 8), "optimizer": List([lr(Range(1e-4, 1e-1, log=True)), lr(0.1)])}
    found = expand_changes(changes, num_runs, seed)
    assert len(found) == num_runs
    assert all(one not in found[:index] for index, one in enumerate(found))
    assert found == expand_changes(changes, num_runs, seed)


@pytest.mark.parametrize(
    ("changes", "num_runs", "words"),
    [
        ({"deep": {"a": Range(1, 2)}}, None, r"'changes.deep.a' holds a Range: say how many .*num_runs=8"),
        ({"width": Range(1, 2)}, 0, "num_runs must be a whole number of 1 or more"),
        ({"width": Range(1, 2)}, MAX_CHANGES + 1, "take fewer"),
        ({"width": Range(1, 2)}, 3, "only 2 distinct configs"),
        ({"width": List(range(200)), "depth": List(range(200))}, None, "40000 configs, over 1000"),
        ({str(index): List([1, 2]) for index in range(50_000)}, None, "inf configs, over 1000"),
        ({"width": List(range(600)), "deep": [0] * 200}, None, "600 configs of 201 values each, over 100000 in all"),
        ({"width": Range(0.0, 1.0), "deep": [0] * 200}, 600, "600 configs of 201 values each, over 100000 in all"),
        ([1], None, r"'changes\[0\]' must be a config dict"),
        ({"width": Range(1, 2), "same": List([0] * 30_000), "deep": [0] * 20_000}, 3, "only about 2 distinct"),
        ({"width": {1, 2}}, None, "'changes.width' is of type set"),
    ],
)
def test_what_cannot_be_expanded_is_told(changes: Any, num_runs: int | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        expand_changes(changes, num_runs)


def test_what_a_list_offers_beside_each_other_counts_once() -> None:
    assert len(expand_changes({"width": List([[index] * 90 for index in range(MAX_CHANGES)])})) == MAX_CHANGES


# Depth


@pytest.mark.parametrize("levels", [33, 490, 100_000])
@pytest.mark.parametrize("inner", [1, Range(0.0, 1.0), List([1])])
def test_what_is_nested_too_deep_is_refused_by_path(levels: int, inner: Any) -> None:
    changes: dict[str, Any] = {"a": inner}
    for _ in range(levels):
        changes = {"a": changes}
    for refusing in (expand_changes, GridSearch, expand, normalise, lambda changes: apply_changes(PARENT, changes)):
        with pytest.raises(ConfigError, match=r"(\.a){20}.*\.\.\.' is nested over 32 levels deep") as caught:
            refusing({"user_knobs": changes})
        assert len(str(caught.value)) < 200


def test_what_is_nested_just_so_goes_through_all() -> None:
    changes: dict[str, Any] = {"a": List([1, 2])}
    for _ in range(28):
        changes = {"a": changes}
    first, second = (apply_changes(PARENT, one) for one in expand_changes({"user_knobs": changes}))
    assert first != second


# Groups


def test_groups_of_changes_are_taken_apart_in_the_order_written() -> None:
    group = [
        {"batch_size": 8},
        GridSearch({"batch_size": List([16, 32]), "width": List([1, 2])}),
        [GridSearch([{"width": List([3, 4])}, {"train": {"epochs": 9}}])],
        {"width": List([5, 6])},
    ]
    assert expand_changes(group) == [
        {"batch_size": 8},
        *({"batch_size": size, "width": width} for size in (16, 32) for width in (1, 2)),
        {"width": 3},
        {"width": 4},
        {"train": {"epochs": 9}},
        {"width": 5},
        {"width": 6},
    ]


def test_a_random_search_brings_its_own_draws() -> None:
    search = RandomSearch({"width": Range(1, 1000)}, num_runs=5, seed=3)
    drawn = expand_changes(search)
    assert drawn == expand_changes([search], num_runs=2, seed=99)
    assert len({config["width"] for config in drawn}) == 5


def test_a_whole_config_group_is_one_of_changes_too() -> None:
    whole = GridSearch({**nested({"width": List([32, 64])}, optimizer=SGD), "named_metrics": ["top1_accuracy"]})
    found = [apply_changes(PARENT, changes) for changes in expand_changes(whole)]
    assert [leaf["user_knobs"]["width"] for leaf in found] == [32, 64]
    # What it does not name stays as it is in the parent.
    assert {leaf["user_knobs"]["model"] for leaf in found} == {"cnn"}
    assert all(leaf["train"]["lr_scheduler"] == PARENT["train"]["lr_scheduler"] for leaf in found)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ([], "'changes' is an empty list"),
        ([{"width": 1}, 3], r"'changes\[1\]' must be a config dict"),
        ([GridSearch({"width": Range(1, 9)})], r"changes\[0\]: .*holds a Range"),
        ([{"width": Range(1, 9)}], r"changes\[0\]: .*num_runs=8"),
        (GridSearch({"width": List(list(range(MAX_CHANGES + 1)))}), f"over {MAX_CHANGES}"),
        (RandomSearch({"width": Range(0.0, 1.0)}, num_runs=MAX_CHANGES + 1), f"over {MAX_CHANGES}"),
        (7, "a GridSearch or RandomSearch, or a list of these, not int"),
    ],
)
def test_groups_that_cannot_be_used(group: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        expand_changes(group)
