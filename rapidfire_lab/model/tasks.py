"""What the tasks say about their data sets, checked before anything is trained."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.console import inform_user
from rapidfire_lab.model.datasets.archive import check_columns
from rapidfire_lab.model.errors import InvalidDatasetFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABULAR = ("TABULAR_CLASSIFICATION", "TABULAR_REGRESSION")


def check_datasets(task: str, paths: Mapping[str, str | None], train_args: Mapping[str, Any]) -> None:
    """Check that the files are there, and that tables have the columns that ``train_args`` name.

    Raises
    ------
    InvalidDatasetFormatError
        When not; the message names the file.
    """
    for role, path in paths.items():
        if path is not None and not Path(path).exists():
            raise InvalidDatasetFormatError(f"There is no {role} data set {path}.")
    if task not in _TABULAR:
        return
    if not {"features", "target"} & set(train_args):
        inform_user("No train_args: by the task, all columns but the last are features, and the last is the target.")
    for path in filter(None, paths.values()):
        check_columns(path, _header(Path(path)), _columns(train_args))


def _columns(train_args: Mapping[str, Any]) -> list[str]:
    features, target = train_args.get("features"), train_args.get("target")
    return [*(features or []), *([target] if target is not None else [])]


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv.reader(file), [])
