"""The metrics of a training, epoch by epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


class TrainingHistory:
    """A dictionary of lists. Setting a value appends it.

    Parameters
    ----------
    has_validation
        Whether ``val_loss`` is there from the start, as ``loss`` and ``accumulated_loss`` are.
    strict_content_check
        Whether a problem with the contents raises ValueError, or is printed.
    """

    def __init__(self, has_validation: bool = True, strict_content_check: bool = False) -> None:
        names = ["loss", "accumulated_loss", *(["val_loss"] if has_validation else [])]
        self.train_history: dict[str, list[Any]] = {name: [] for name in names}
        self.empty_train_history: dict[str, list[Any]] = {name: [] for name in names}
        self.strict_content_check = strict_content_check

    def insert_single_result_into_history(self, metric_name: str, metric_result: Any) -> None:
        """Append a number, or a dictionary of numbers, to what is known of a metric."""
        self.train_history.setdefault(metric_name, []).append(metric_result)

    def get_train_history(self) -> dict[str, list[Any]]:
        return self.train_history

    def get_train_history_dict(self, flatten_dict: bool = False) -> dict[str, list[Any]]:
        """The history; flattened, a metric of dictionaries is a list per key, named ``<metric>_<key>``."""
        if self.train_history == self.empty_train_history:
            self.warn_about_result_data_problem("the training history is empty")
        return _flattened(self.train_history) if flatten_dict else self.train_history

    def wrap_pre_prepared_history(self, history: dict[str, list[Any]]) -> TrainingHistory:
        """Take a history that was made elsewhere, and return self."""
        self.train_history = history
        return self

    def qa_check_history_records(self) -> None:
        """Say which metrics have not as many values as the first one."""
        lengths = {name: len(values) for name, values in self.train_history.items()}
        first = next(iter(lengths.values()), 0)
        for name, length in lengths.items():
            if length != first:
                self.warn_about_result_data_problem(f"{name} has {length} values, where the first metric has {first}")

    def warn_about_result_data_problem(self, msg: str) -> None:
        if self.strict_content_check:
            raise ValueError(msg)
        print(msg)

    def add_history_dict(self, other: dict[str, Any]) -> None:
        """Append one value to each of several metrics."""
        if type(other) is not dict:
            raise TypeError(f"a history is added to with a dict of values, not with {type(other).__name__}")
        for name, value in other.items():
            self.insert_single_result_into_history(name, value)

    def __add__(self, other: dict[str, Any]) -> TrainingHistory:
        added = copy.deepcopy(self)
        added.add_history_dict(other)
        return added

    __radd__ = __add__

    def __iadd__(self, other: dict[str, Any]) -> TrainingHistory:  # noqa: PYI034 - no Self before Python 3.11
        self.add_history_dict(other)
        return self

    def __getitem__(self, item: str) -> list[Any]:
        return self.train_history[item]

    def __setitem__(self, key: str, value: Any) -> None:
        self.insert_single_result_into_history(key, value)

    def __contains__(self, item: object) -> bool:
        return item in self.train_history

    def __iter__(self) -> Iterator[str]:
        return iter(self.train_history)

    def __len__(self) -> int:
        return len(self.train_history)

    def __str__(self) -> str:
        return str(self.train_history)

    def keys(self) -> Any:
        return self.train_history.keys()

    def items(self) -> Any:
        return self.train_history.items()


def _flattened(history: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    flat: dict[str, list[Any]] = {}
    for name, values in history.items():
        if not values:
            flat[name] = []
        for value in values:
            for path, number in _leaves(name, value):
                flat.setdefault(path, []).append(number)
    return flat


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, item in value.items():
        yield from _leaves(f"{name}_{key}", item)
