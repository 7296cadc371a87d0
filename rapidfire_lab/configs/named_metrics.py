"""Names of metrics: of those that need no code in the MLSpec, and those that an MLSpec cannot give its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rapidfire_lab.configs.scalars import describe
from rapidfire_lab.errors import ConfigError

RESERVED_METRICS = ("loss", "minibatch_loss", "train_loss", "val_loss", "learning_rate", "run_id", "epoch", "step")
"""Names of the engine's own metrics, which custom metrics cannot have; nor can they those of named metrics in use."""

COLUMNS_OF_TESTS = ("test_id", "test_loss", "model_tag", "rows")
"""What else stands in the table of tests: a test with a metric of such a name has no place for it."""

_TOP_K = re.compile(r"top([0-9]{1,9})_accuracy")
_KNOWN = "write 'top1_accuracy', or 'topk_accuracy' with a number of 1 or more for k, as in 'top5_accuracy'"


def top_k(name: str) -> int:
    """Give the k of "top<k>_accuracy"; a hyphen may stand for the underscore."""
    match = _TOP_K.fullmatch(name.replace("-", "_"))
    if match is None or int(match[1]) < 1:
        raise ConfigError(f"'named_metrics' holds the unknown metric {name!r}: {_KNOWN}")
    return int(match[1])


def normalise_metrics(value: object) -> list[str]:
    """Give the canonical names, in the user's order; `value` is plain data."""
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(f"'named_metrics' must be a list, not {describe(value)}: write ['top1_accuracy']")
    names: list[str] = []
    for index, given in enumerate(value):
        name = _canonical(given, f"named_metrics[{index}]")
        if name in names:
            raise ConfigError(f"'named_metrics' holds {name!r} twice: leave one out")
        names.append(name)
    return names


def _canonical(given: object, path: str) -> str:
    if not isinstance(given, str):
        raise ConfigError(f"{path!r} must be a metric's name, not {describe(given)}: {_KNOWN}")
    return f"top{top_k(given)}_accuracy"
