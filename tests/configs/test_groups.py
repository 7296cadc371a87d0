from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidfire_lab.configs import (
    Config,
    GridSearch,
    List,
    RandomSearch,
    Range,
    RFGridSearch,
    RFRandomSearch,
    get_path,
    normalise,
)
from rapidfire_lab.configs.diff import identity
from rapidfire_lab.errors import ConfigError

from .sample_configs import lr, nested, train

LR = "train.optimizer.args.lr"


def values(leaves: list[dict[str, Any]], *paths: str) -> list[Any]:
    return [tuple(get_path(leaf, path) for path in paths) for leaf in leaves]


def test_the_rapidfire_names_are_the_same_classes() -> None:
    assert RFGridSearch is GridSearch
    assert RFRandomSearch is RandomSearch


def test_a_grid_varies_the_last_knob_fastest() -> None:
    config = nested({"model": List(["ab", "c"]), "drop": List([0, 1])}, epochs=List([1, 2]))
    found = values(GridSearch(config).leaves(), "train.epochs", "user_knobs.model", "user_knobs.drop")
    assert found == [(e, m, d) for e in (1, 2) for m in ("ab", "c") for d in (0, 1)]


def test_knobs_stand_at_any_depth_of_other_knobs() -> None:
    optimizer = List([lr(List([0.1, 0.2])), lr(List([1e-3, 1e-4]), "Adam"), "Adagrad"])
    found = values(GridSearch(train(optimizer=optimizer)).leaves(), "train.optimizer.name", LR)
    assert found == [("SGD", 0.1), ("SGD", 0.2), ("Adam", 1e-3), ("Adam", 1e-4), ("Adagrad", None)]


def test_knobs_stand_inside_plain_lists_and_other_lists() -> None:
    config = nested({"sizes": [List([1, 2]), 3], "x": List([List([5, 6]), 7]), "layers": List([[8], [8, 8]])})
    found = values(GridSearch(config).leaves(), "user_knobs.sizes", "user_knobs.x", "user_knobs.layers")
    assert found[:3] == [([1, 3], 5, [8]), ([1, 3], 5, [8, 8]), ([1, 3], 6, [8])]
    assert len(found) == 2 * 3 * 2


def test_whole_sections_may_be_knobs() -> None:
    config = {
        "train": List([train(), train(epochs=List([3, 4]))]),
        "user_knobs": List([{"a": 1}, {"b": 2}]),
        "named_metrics": List([[], ["top1-accuracy"]]),
    }
    assert len(GridSearch(config).leaves()) == 3 * 2 * 2


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), max_size=4))
def test_the_size_of_a_grid_is_the_product(lengths: list[int]) -> None:
    knobs = {f"knob {index}": List(range(length)) for index, length in enumerate(lengths)}
    for config in (nested(knobs), train(**knobs)):
        leaves = GridSearch(config).leaves()
        assert len(leaves) == math.prod(lengths)
        assert len({identity(leaf) for leaf in leaves}) == len(leaves)
        assert leaves == [normalise(leaf) for leaf in leaves]


def test_groups_and_lists_nest() -> None:
    inner = GridSearch(nested(epochs=List([3, 4])))
    group = GridSearch([nested(epochs=1), [[inner], nested(epochs=List([5, 6]))]])
    assert values(group.leaves(), "train.epochs") == [(1,), (3,), (4,), (5,), (6,)]
    assert len(GridSearch(List([nested(epochs=1), nested(epochs=2)])).leaves()) == 2


def test_a_config_that_a_hook_saw_can_be_searched_around() -> None:
    cfg = Config(normalise(nested({"model": "cnn"})))
    assert GridSearch(cfg).leaves() == [normalise(nested({"model": "cnn"}))]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (nested(optimizer=lr(Range(0.1, 0.2))), LR),
        (train(optimizer=lr(Range(0.1, 0.2))), LR),
        (train(optimizer=List(["SGD", lr(Range(0.1, 0.2))])), LR),
        (train(size=Range(1, 3)), "user_knobs.size"),
        (nested({"sizes": [Range(1, 3)]}), "user_knobs.sizes"),
    ],
)
def test_a_grid_refuses_a_range_by_its_key(config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"^'{path}' holds a Range.*List.*RandomSearch"):
        GridSearch(config).leaves()
    with pytest.raises(ConfigError, match=rf"^configs\[1\]: '{path}' holds a Range"):
        GridSearch([nested(), config]).leaves()


def test_a_grid_beyond_reason_is_refused_before_it_is_built() -> None:
    config = nested({f"k{index}": List(range(10)) for index in range(12)})
    with pytest.raises(ConfigError, match=r"the grid has 1000000000000 configs.*use RandomSearch"):
        GridSearch(config).leaves()


@pytest.mark.parametrize("group", [GridSearch, lambda configs: RandomSearch(configs, 1)])
@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ([], "'configs' is an empty list"),
        ([nested(), []], r"'configs\[1\]' is an empty list"),
        (3, r"'configs' must be a config dict, a GridSearch.* not 3 \(int\)"),
        ([nested(), "x"], r"'configs\[1\]' must be a config dict"),
        (Range(1, 2), "'configs' must be a config dict"),
        (None, "'configs' must be a config dict"),
    ],
)
def test_wrong_arguments_are_told_at_once(group: Any, configs: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        group(configs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_runs": 0}, "num_runs must be a whole number of 1 or more, not 0"),
        ({"num_runs": True}, "num_runs must be a whole number"),
        ({"num_runs": 2.0}, "num_runs must be a whole number"),
        ({"num_runs": 2, "seed": None}, "seed must be a whole number, not None"),
    ],
)
def test_random_search_checks_its_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RandomSearch(nested(), **arguments)


def wide() -> dict[str, Any]:
    optimizer = List([lr(Range(1e-4, 1e-1, log=True)), lr(List([0.1, 0.2]), "Adam")])
    return nested({"width": Range(8, 64, step=8)}, optimizer=optimizer, epochs=Range(1, 3))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers())
def test_random_leaves_are_distinct_and_repeatable(num_runs: int, seed: int) -> None:
    search = RandomSearch(wide(), num_runs, seed=seed)
    leaves = search.leaves()
    assert len({identity(leaf) for leaf in leaves}) == len(leaves) == num_runs
    assert leaves == search.leaves() == RandomSearch(wide(), num_runs, seed).leaves()
    assert leaves == [normalise(leaf) for leaf in leaves]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.integers(0, 99))
def test_fewer_runs_are_a_prefix_of_more(num_runs: int, seed: int) -> None:
    longer = RandomSearch(wide(), 12, seed).leaves()
    assert RandomSearch(wide(), num_runs, seed).leaves() == longer[:num_runs]


def test_another_seed_gives_other_leaves() -> None:
    assert RandomSearch(wide(), 5, seed=1).leaves() != RandomSearch(wide(), 5, seed=2).leaves()


def test_the_global_random_state_is_neither_read_nor_changed() -> None:
    random.seed(1)
    before = random.getstate()
    first = RandomSearch(wide(), 5).leaves()
    assert random.getstate() == before
    random.seed(2)
    assert RandomSearch(wide(), 5).leaves() == first


@pytest.mark.parametrize("seed", range(5))
def test_a_finite_space_can_be_used_up(seed: int) -> None:
    # One leaf in 50,000 draws: only the list of all leaves can find it.
    rare = List([List([0] * 49), List([1])])
    config = nested({"a": List([0] * 9_000 + [1])}, epochs=1)
    assert len(RandomSearch(config, 2, seed).leaves()) == 2
    assert len(RandomSearch(nested({"rare": rare, "n": Range(1, 30)}), 60, seed).leaves()) == 60


@pytest.mark.parametrize(
    ("config", "num_runs", "count"),
    [
        (nested(), 2, "1"),
        (nested({"x": List([1, 2, 3])}), 4, "3"),
        (nested({"x": List([1, 2, 2, 2.0])}), 3, "2"),
        (nested({"x": Range(1, 5), "y": Range(0.0, 1.0, step=0.5)}), 16, "15"),
        (nested(optimizer=List(["SGD", {"name": "SGD"}])), 2, "1"),
        (nested({"x": List([0] * 20_000)}), 2, "about 1"),
        (nested({"x": Range(1.0, math.nextafter(1.0, 2))}), 3, "about 2"),
    ],
)
def test_too_small_a_space_is_told_with_its_count(config: dict[str, Any], num_runs: int, count: str) -> None:
    with pytest.raises(ConfigError, match=f"num_runs={num_runs}, .* only {count} distinct configs"):
        RandomSearch(config, num_runs).leaves()


def test_random_search_draws_from_every_config_and_group() -> None:
    grid = GridSearch(nested(epochs=List([2, 3])))
    search = RandomSearch([nested({"x": Range(0.0, 1.0)}, epochs=1), [grid]], num_runs=30)
    epochs = [leaf["train"]["epochs"] for leaf in search.leaves()]
    assert set(epochs) == {1, 2, 3}
    assert len(epochs) == 30


def test_a_grid_can_hold_a_random_search() -> None:
    search = RandomSearch(wide(), 3)
    assert GridSearch([nested(), search]).leaves() == [normalise(nested()), *search.leaves()]


def test_an_error_in_a_draw_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"'train\.epochs' must be a whole number"):
        RandomSearch(nested(epochs=Range(0.5, 2.0)), 2).leaves()


def test_groups_show_how_they_were_made() -> None:
    assert repr(GridSearch([{"a": List([1])}])) == "GridSearch([{'a': List([1])}])"
    assert repr(RandomSearch({}, 2)) == "RandomSearch({}, num_runs=2, seed=42)"
