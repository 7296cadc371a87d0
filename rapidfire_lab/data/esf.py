"""Example Structure Files: one table with a row per example and a unique integer column ``id``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from rapidfire_lab.data import csv_file
from rapidfire_lab.data.ids import checked_ids
from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PARQUET_SUFFIXES = (".parquet", ".pq")
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""How pandas names, in Parquet, the row labels that a filtered DataFrame still carries."""


def read_esf(path: Path) -> pd.DataFrame:
    """Read and check an Example Structure File.

    In CSV (UTF-8, comma-separated) only an empty cell is missing: it becomes "" in a text column and NaN in a
    numeric one, while "NA", "null" and "None" stay text. In Parquet nested values stay as they are, and
    integers with gaps become floats, as in pandas.

    Raises
    ------
    DataError
        When the file is malformed, has no rows, or has no column of unique integers named ``id``.
    """
    if path.name.lower().endswith(_PARQUET_SUFFIXES):
        frame, places = _read_parquet(path), _rows
    else:
        frame, places = csv_file.read_csv(path), lambda positions: csv_file.lines(path, positions)
    if "id" not in frame.columns:
        raise DataError(
            f"{path} has no column 'id', only {', '.join(map(repr, frame.columns)) or 'none at all'}; "
            "add one with a unique integer for every row"
        )
    if frame.empty:
        raise DataError(f"{path} has no rows; an Example Structure File needs at least one example")
    frame["id"] = checked_ids(frame["id"], path, places)
    return frame


def is_text(column: pd.Series) -> bool:
    """Whether all values are text, missing ones aside."""
    # Nested values never are, and to look into them pandas would copy them all.
    nested = isinstance(column.dtype, pd.ArrowDtype)
    return not nested and pd.api.types.infer_dtype(column, skipna=True) == "string"


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        # Not read_table(), to which a folder called "split=train" on the way would be a column.
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    names = table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has several columns named {', '.join(map(repr, repeated))}; rename all but one")
    table = table.drop_columns([name for name in names if _UNNAMED_INDEX.fullmatch(name)])
    # A category is its text here. With its metadata pandas would hide an "id" that was the writer's index.
    table = table.cast(pa.schema([_without_dictionary(field) for field in table.schema]))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_nested_as_arrow)
    return frame


def _without_dictionary(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def _nested_as_arrow(kind: pa.DataType) -> pd.ArrowDtype | None:
    """Keep nested columns in Arrow: through NumPy they would come back changed."""
    return pd.ArrowDtype(kind) if pa.types.is_nested(kind) else None


def _rows(positions: Sequence[int]) -> list[str]:
    return [f"row {position + 1}" for position in positions]
