from __future__ import annotations

from typing import Any

import pytest

from rapidfire_lab.configs import normalise, top_k
from rapidfire_lab.errors import ConfigError

from .sample_configs import nested


def metrics(value: Any) -> list[str]:
    names: list[str] = normalise({**nested(), "named_metrics": value})["named_metrics"]
    return names


@pytest.mark.parametrize("given", [["top1-accuracy", "top5_accuracy"], ("top1_accuracy", "top5-accuracy")])
def test_hyphen_and_underscore_are_the_same(given: Any) -> None:
    assert metrics(given) == ["top1_accuracy", "top5_accuracy"]


def test_any_k_goes_and_order_stays() -> None:
    assert metrics(["top37_accuracy", "top2_accuracy"]) == ["top37_accuracy", "top2_accuracy"]
    assert metrics(["top05_accuracy"]) == ["top5_accuracy"]


def test_k_can_be_read_back() -> None:
    assert top_k("top12_accuracy") == 12


@pytest.mark.parametrize("name", ["topk_accuracy", "top0_accuracy", "accuracy", "top1accuracy", "top٣_accuracy"])
def test_unknown_names_are_told_with_what_exists(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'named_metrics' .*{name}.*'top1_accuracy'.*'topk_accuracy'"):
        metrics([name])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["top1-accuracy", "top1_accuracy"], "'named_metrics' holds 'top1_accuracy' twice"),
        ("top1_accuracy", "'named_metrics' must be a list"),
        ({"top1_accuracy"}, "'named_metrics' is of type set.*write a list"),
        (3, "'named_metrics' must be a list"),
        ([3], r"'named_metrics\[0\]' must be a metric's name, not 3"),
    ],
)
def test_errors_name_the_key(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        metrics(given)
