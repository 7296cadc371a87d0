"""Knobs: their checks, as JSON, and as config sets."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab import ConfigError, GridSearch, List, RandomSearch, Range
from rapidfire_lab.configs.space import draw
from rapidfire_lab.model import (
    ArchKnob,
    BaseKnob,
    CategoricalKnob,
    FixedKnob,
    FloatKnob,
    IntegerKnob,
    KnobValue,
    PolicyKnob,
    deserialize_knob_config,
    serialize_knob_config,
)
from rapidfire_lab.model.knob_space import LEAST, all_choices, random_choices, to_knob_config, to_space

L0, L1 = KnobValue(0), KnobValue(1)
OPS = [KnobValue("conv"), KnobValue("pool"), KnobValue(0)]

# One of each, with the part of a config set that stands for it.
KNOBS = {
    "splitter": (CategoricalKnob(["best", "random"]), "List(['best', 'random'])"),
    "one": (CategoricalKnob([5]), "List([5])"),
    "depth": (IntegerKnob(1, 32), repr(Range(1, 32))),
    "width": (IntegerKnob(1, 1024, is_exp=True), repr(Range(1, 1024, log=True))),
    "shift": (IntegerKnob(-3, 3), repr(Range(-3, 3))),
    "dropout": (FloatKnob(0, 0.4), repr(Range(0, 0.4, dtype="float"))),
    "lr": (FloatKnob(1e-4, 1, is_exp=True), repr(Range(1e-4, 1, dtype="float", log=True))),
    "epochs": (FixedKnob(3), "3"),
    "exact": (FixedKnob(True), "True"),  # noqa: FBT003
    "cell": (ArchKnob([[L0], OPS, [L0, L1], OPS]), repr([List([0]), List(["conv", "pool", 0]), List([0, 1]),
                                                         List(["conv", "pool", 0])])),
}  # fmt: skip
CONFIG = {name: knob for name, (knob, _) in KNOBS.items()}


def describe(knob):
    return type(knob), repr(knob), knob.value_type


@pytest.mark.parametrize(("value", "dtype"), [(1, int), (1.5, float), (True, bool), ("a", str), (np.int64(3), int)])
def test_a_value_knows_its_type(value, dtype):
    assert KnobValue(value).value == value
    assert KnobValue(value).dtype is dtype


@pytest.mark.parametrize("value", [None, [1], (1,), {}, object()])
def test_other_values_are_refused(value):
    for make in (KnobValue, FixedKnob, lambda value: CategoricalKnob([value]), lambda value: ArchKnob([[value]])):
        with pytest.raises(TypeError, match="must be an int, float, bool or str"):
            make(value)


def test_realised_values_have_a_type():
    kinds = {name: knob.value_type for name, knob in CONFIG.items()}
    assert kinds == {
        "splitter": str, "one": int, "depth": int, "width": int, "shift": int, "dropout": float, "lr": float,
        "epochs": int, "exact": bool, "cell": list,
    }  # fmt: skip
    assert PolicyKnob("EARLY_STOP").value_type is bool
    assert CategoricalKnob([True, 2]).value_type is int
    assert CategoricalKnob([True, False]).value_type is bool


def test_what_was_given_can_be_read():
    knob = CategoricalKnob(["a", L1.__class__("b")])
    assert [value.value for value in knob.values] == ["a", "b"]
    assert FixedKnob(0.5).value.value == 0.5
    assert (FloatKnob(1, 2).value_min, FloatKnob(1, 2).value_max) == (1.0, 2.0)
    assert isinstance(FloatKnob(1, 2).value_min, float)
    assert (IntegerKnob(3, 3).value_min, IntegerKnob(3, 3).is_exp) == (3, False)
    assert PolicyKnob("DOWNSCALE").policy == "DOWNSCALE"
    arch = CONFIG["cell"]
    assert len(arch) == 4
    assert arch.items[0][0] is arch.items[2][0] is L0


@pytest.mark.parametrize("knob", [FloatKnob(0.0001, 0.001, 0.01), IntegerKnob(3, 4, 6)])
def test_any_truth_will_do_for_is_exp(knob):
    assert knob.is_exp is True


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CategoricalKnob([]), ValueError, "at least one value"),
        (lambda: CategoricalKnob([1, "a"]), TypeError, "of one type, not of int, str"),
        (lambda: CategoricalKnob([1, 2.0]), TypeError, "of one type, not of float, int"),
        (lambda: IntegerKnob(1.0, 2), ValueError, "value_min must be an int"),
        (lambda: IntegerKnob(1, "2"), ValueError, "value_max must be an int"),
        (lambda: IntegerKnob(3, 2), ValueError, "value_min=3, value_max=2"),
        (lambda: FloatKnob("a", 2), ValueError, "value_min must be a finite number"),
        (lambda: FloatKnob(0, math.inf), ValueError, "value_max must be a finite number"),
        (lambda: FloatKnob(0.2, 0.1), ValueError, "FloatKnob value_min must not be above"),
        (lambda: PolicyKnob("EARLY_STOPPING"), ValueError, "did you mean 'EARLY_STOP'"),
        (lambda: PolicyKnob(None), ValueError, "known: SHARE_PARAMS"),
        (lambda: ArchKnob([[1], []]), ValueError, r"items\[1\] is empty"),
    ],
)
def test_knobs_that_make_no_sense_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_callers_list_stays_as_it_was():
    items = [["a", "b"]]
    ArchKnob(items)
    assert items == [["a", "b"]]


# JSON


def test_a_config_comes_back_from_json():
    config = {**CONFIG, "quick": PolicyKnob("QUICK_EVAL")}
    back = deserialize_knob_config(serialize_knob_config(config))
    assert list(back) == list(config)
    assert [describe(knob) for knob in back.values()] == [describe(knob) for knob in config.values()]
    assert back["quick"].policy == "QUICK_EVAL"


def test_shared_values_stay_shared_and_equal_ones_apart():
    first, ops, later, _ = deserialize_knob_config(serialize_knob_config(CONFIG))["cell"].items
    assert first[0] is later[0]
    assert ops[2].value == 0
    assert ops[2] is not first[0]


def test_the_json_is_that_of_the_constructors():
    text = serialize_knob_config({"depth": IntegerKnob(1, 2), "kind": CategoricalKnob(["a"])})
    assert json.loads(text) == {
        "depth": {"type": "IntegerKnob", "args": {"value_min": 1, "value_max": 2, "is_exp": False}},
        "kind": {"type": "CategoricalKnob", "args": {"values": ["a"]}},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cos\nsystem\n(S'true'\ntR.", "no knob config in JSON"),
        ("[]", "must be an object"),
        ('{"a": 1}', "the knob 'a' must be"),
        ('{"a": {"type": "IntKnob", "args": {}}}', "did you mean 'FixedKnob'|no known type 'IntKnob'"),
        ('{"a": {"type": "FixedKnob", "args": {"valeu": 1}}}', "the knob 'a': .*valeu"),
        ('{"a": {"type": "IntegerKnob", "args": {"value_min": 2, "value_max": 1}}}', "the knob 'a': .*value_min=2"),
        ('{"a": {"type": "ArchKnob", "args": {"values": [1], "items": [[1]]}}}', "the knob 'a': "),
    ],
)
def test_other_json_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        deserialize_knob_config(text)


def test_unknown_knobs_cannot_be_written():
    class OwnKnob(BaseKnob):
        value_type = int

    for convert in (serialize_knob_config, to_space):
        with pytest.raises(ConfigError, match="'mine' is a OwnKnob"):
            convert({"mine": OwnKnob()})


# Config sets


@pytest.mark.parametrize("name", KNOBS)
def test_each_knob_has_its_part_in_a_config_set_and_comes_back(name):
    knob, part = KNOBS[name]
    space = to_space({name: knob})
    assert repr(space[name]) == part
    assert describe(to_knob_config(space)[name]) == describe(knob)


def test_knobs_without_choice_become_their_value():
    space = to_space({"a": IntegerKnob(3, 3), "b": FloatKnob(0.5, 0.5, is_exp=True), "c": PolicyKnob("SKIP_TRAIN")})
    assert space == {"a": 3, "b": 0.5, "c": False}
    assert describe(to_knob_config(space)["c"]) == describe(FixedKnob(False))  # noqa: FBT003


@pytest.mark.parametrize(
    ("knob", "part"),
    [
        (FloatKnob(0, 1, is_exp=True), Range(LEAST, 1, log=True)),
        (FloatKnob(0, 0, is_exp=True), 0.0),
        (FloatKnob(-1, 1, is_exp=True), Range(-1.0, 1.0)),
        (IntegerKnob(0, 8, is_exp=True), Range(0, 8)),
    ],
)
def test_where_there_is_no_logarithm(knob, part):
    assert to_space({"a": knob}) == {"a": part}


def test_a_stepped_range_becomes_its_values():
    knob = to_knob_config({"a": Range(0, 1, step=0.25)})["a"]
    assert describe(knob) == describe(CategoricalKnob([0.0, 0.25, 0.5, 0.75, 1.0]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (List([1, "a"]), "'x' cannot become a knob: .*one type"),
        (List([None]), "'x' cannot become a knob"),
        (None, "'x' cannot become a knob"),
        ({"y": List([1])}, "knobs within knobs"),
        ([Range(0, 1)], "where only List can"),
        (Range(0, 10_000, step=1), "leave out step"),
    ],
)
def test_what_no_knob_stands_for_is_refused(value, message):
    with pytest.raises(ConfigError, match=message):
        to_knob_config({"x": value})


TRAIN = {"epochs": 1, "batch_size": 8, "optimizer": "SGD"}


def test_a_knob_config_feeds_a_grid():
    space = to_space({"depth": CategoricalKnob([1, 2]), "cell": ArchKnob([["a"], ["b", "c"]]), "fixed": FixedKnob(0)})
    leaves = GridSearch({"train": TRAIN, "user_knobs": space}).leaves()
    assert [leaf["user_knobs"] for leaf in leaves] == [
        {"depth": depth, "cell": ["a", op], "fixed": 0} for depth in (1, 2) for op in ("b", "c")
    ]


def test_a_knob_config_feeds_a_random_search():
    others = {name: knob for name, knob in CONFIG.items() if name != "epochs"}  # which is no user knob's name
    leaves = RandomSearch({"train": TRAIN, "user_knobs": to_space(others)}, num_runs=20).leaves()
    assert len(leaves) == 20
    assert all(is_realised(leaf["user_knobs"]) for leaf in leaves)


def test_choices_can_be_had_without_a_config_for_training():
    few = {"epochs": CategoricalKnob([1, 2]), "cell": ArchKnob([["a"], ["b", "c"]])}
    everything = all_choices(few)
    assert everything == [{"epochs": epochs, "cell": ["a", op]} for epochs in (1, 2) for op in ("b", "c")]
    drawn = random_choices(few, 4, seed=1)
    assert sorted(drawn, key=str) == sorted(everything, key=str)
    assert drawn == random_choices(few, 4, seed=1)
    assert all(is_realised(knobs) for knobs in random_choices(CONFIG, 20))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: all_choices({"lr": FloatKnob(0, 1)}), "'knobs.lr' is an interval"),
        (lambda: all_choices({"cell": ArchKnob([list(range(10))] * 6)}), "1000000 combinations, over 100000"),
        (lambda: to_space({"large": IntegerKnob(1, 10**30)}), "the knob 'large': .*at most 64 bits"),
        (lambda: random_choices({"a": CategoricalKnob([1, 2])}, 3), "only 2 distinct"),
    ],
)
def test_too_much_choice_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def is_realised(knobs):
    within = all(1e-4 <= knobs["lr"] <= 1 for _ in knobs)
    first, op, source, other = knobs["cell"]
    chosen = first == 0 and source in (0, 1) and {op, other} <= {"conv", "pool", 0}
    return within and chosen and isinstance(knobs["depth"], int) and 1 <= knobs["depth"] <= 32


numbers = st.one_of(
    st.tuples(st.integers(-1000, 1000), st.integers(0, 1000), st.booleans()).map(
        lambda t: IntegerKnob(t[0], t[0] + t[1], t[2])
    ),
    st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.booleans()).map(lambda t: FloatKnob(t[0], t[0] + t[1], t[2])),
)


@given(numbers, st.integers(0, 1000))
def test_draws_lie_between_the_bounds(knob, seed):
    value = draw(to_space({"a": knob}), random.Random(seed))["a"]
    assert knob.value_min <= value <= max(knob.value_max, LEAST)
    assert isinstance(value, knob.value_type)
