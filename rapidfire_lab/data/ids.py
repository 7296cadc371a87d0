"""The rules for the column ``id``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

Places = Callable[[Sequence[int]], list[str]]
"""Names, for a reader of the file, the places of the rows at the given positions: lines or rows."""

_INT64 = np.iinfo(np.int64)
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_SHOWN = 3


def checked_ids(ids: pd.Series, path: Path, places: Places) -> pd.Series:
    """Return the column as int64.

    Raises
    ------
    DataError
        When an id is no 64-bit integer or not unique.
    """
    if not pd.api.types.is_integer_dtype(ids.dtype) or ids.max() > _INT64.max:
        raise _not_an_integer(ids, path, places)
    repeated = ids.duplicated()
    if repeated.any():
        raise _not_unique(ids, ids[repeated].unique()[: _SHOWN + 1].tolist(), path, places)
    return ids.astype(np.int64)


def _not_an_integer(ids: pd.Series, path: Path, places: Places) -> DataError:
    position = _first_bad(ids)
    [place] = places([position])
    [value] = ids.iloc[[position]].tolist()
    if pd.api.types.is_scalar(value) and (pd.isna(value) or value == ""):
        return DataError(f"{path}: the id in {place} is empty; give every row its own integer")
    return DataError(
        f"{path}: the id in {place} is {value!r}, but ids are 64-bit integers; "
        "write 3, not 3.0, '3' or a name, and keep names in a column of their own"
    )


def _first_bad(ids: pd.Series) -> int:
    """Position of the first id that keeps the column from being one of integers."""
    if pd.api.types.is_float_dtype(ids.dtype):
        # One gap or fraction turns all other ids into floats: it is the one to name.
        for suspects in (ids.isna(), ids % 1 != 0):
            if suspects.any():
                return int(suspects.to_numpy().argmax())
        return 0
    return next((position for position, value in enumerate(ids.tolist()) if not _is_id(value)), 0)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return _INTEGER.fullmatch(value) is not None and _is_id(int(value))
    return isinstance(value, int) and not isinstance(value, bool) and _INT64.min <= value <= _INT64.max


def _not_unique(ids: pd.Series, values: list[int], path: Path, places: Places) -> DataError:
    pairs = {value: np.flatnonzero(ids == value)[:2] for value in values[:_SHOWN]}
    named = iter(places([int(position) for pair in pairs.values() for position in pair]))
    shown = ", ".join(f"{value} in {next(named)} and {next(named)}" for value in pairs)
    more = ", ..." if len(values) > _SHOWN else ""
    return DataError(f"{path}: ids must be unique, but these repeat: {shown}{more}; give every row its own integer")
