"""Functions as text: what is taken along, and what cannot be."""

from __future__ import annotations

import functools
import math
import operator
from fractions import Fraction

import pytest

from rapidfire_lab.errors import PolicyError
from rapidfire_lab.policies.source import load_policy, source_of

LIMIT = 3
NAMES = {"best": ["a", 1.5, None]}
SAMPLE = object()


def helper(value):
    return other(value) + LIMIT


def other(value):
    return value if value > 0 else helper(value + 1)


def uses_much(runs, control, start=LIMIT):
    step = math.floor(2.7)  # not the name of anything outside
    inner = [helper(run) for run in runs if run != NAMES["best"]]
    return [start, step, operator.itemgetter(0)(inner), str(Fraction(1, 3))]


def annotated(runs: list[NotThere], control: Elsewhere) -> None:  # noqa: F821
    control.append(len(runs))


def uses_object(runs, control):
    return SAMPLE


def uses_nothing_that_is(runs, control):
    return not_defined  # noqa: F821


def three(runs, control, more):
    return more


def decorated(function):
    @functools.wraps(function)
    def wrapper(runs, control):
        return function(runs, control)

    return wrapper


@decorated
def with_decorator(runs, control):
    return None


ALIAS = helper


def by_another_name(runs, control):
    return ALIAS(1)


def test_all_that_it_uses_is_taken_along():
    source = source_of(uses_much)
    assert load_policy(source, "uses_much")([1, 2], None) == uses_much([1, 2], None) == [3, 2, 4, "1/3"]
    assert "import math" in source
    assert "from fractions import Fraction as Fraction" in source
    assert "LIMIT = 3" in source
    assert "SAMPLE" not in source


def test_the_same_function_has_the_same_source():
    assert source_of(uses_much) == source_of(uses_much)


def test_annotations_are_not_looked_up():
    found = []
    load_policy(source_of(annotated), "annotated")([1, 2], found)
    assert found == [2]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda runs, control: None, "and no lambda"),
        (print, "is a function, def policy"),
        (3, "is a function, def policy"),
        (three, r"must take two arguments, def three\(runs, control\)"),
        (uses_object, "uses SAMPLE, a object, which cannot be taken along"),
        (uses_nothing_that_is, "uses not_defined, which is not defined"),
        (with_decorator, "with_decorator has a decorator"),
        (by_another_name, "calls the function helper by the name ALIAS: call it by its own"),
    ],
)
def test_what_cannot_be_taken_along_is_named(policy, words):
    with pytest.raises(PolicyError, match=words):
        source_of(policy)


def test_a_function_inside_of_another_is_refused_when_it_uses_its_variables():
    limit = 3

    def policy(runs, control):
        return limit

    with pytest.raises(PolicyError, match="policy uses limit of the function around it"):
        source_of(policy)


def test_a_function_without_source_is_refused():
    namespace = {}
    exec("def policy(runs, control): pass", namespace)
    with pytest.raises(PolicyError, match="source of policy cannot be found"):
        source_of(namespace["policy"])
