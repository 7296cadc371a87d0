"""The rows of a prepared partition, as training workers read them."""

from __future__ import annotations

import operator
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


class Partition:
    """Random access to the rows of one prepared Parquet file.

    Numbers are held as one NumPy matrix for each dtype and everything else as Arrow columns: a row costs few
    microseconds beyond the making of its Series, and the table little more memory than its values.
    """

    def __init__(self, table: pa.Table) -> None:
        self.columns: tuple[str, ...] = tuple(table.column_names)
        self.ids: npt.NDArray[np.int64] = table["id"].to_numpy()
        self._index = pd.Index(self.columns)
        self._numeric = _matrices(table)
        numeric = {place for places, _ in self._numeric for place in places.tolist()}
        self._others = [(place, column) for place, column in enumerate(table.columns) if place not in numeric]

    @classmethod
    def open(cls, path: str | Path) -> Partition:
        """Load a file that `ingest` wrote.

        Raises
        ------
        DataError
            When the file is gone or damaged.
        """
        try:
            with parquet.ParquetFile(path) as file:
                return cls(file.read())
        except (OSError, pa.ArrowException, KeyError) as error:
            raise DataError(f"prepared data {path} cannot be read ({error}); call download() on the handle") from error

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, position: int) -> pd.Series:
        """Make the row at `position`, named by it and indexed by column; it is the caller's own.

        If all columns have one NumPy dtype, so has the row. Otherwise its values are Python objects, so that
        an integer stays one beside floats and text; lists and dictionaries come as such.
        """
        place = operator.index(position)
        if not 0 <= place < len(self.ids):
            raise IndexError(f"row {place} of a partition of {len(self)} rows")
        return pd.Series(self._values(place), index=self._index, name=place, copy=False)

    def texts(self, column: str) -> pa.ChunkedArray | None:
        """A column as Arrow has it; None if it holds numbers alone, as one without any text does."""
        return dict(self._others).get(self.columns.index(column))

    def _values(self, place: int) -> npt.NDArray[Any]:
        if len(self._numeric) == 1 and not self._others:
            _, matrix = self._numeric[0]
            values: npt.NDArray[Any] = matrix[place].copy()
            return values
        values = np.empty(len(self.columns), dtype=object)
        for columns, matrix in self._numeric:
            values[columns] = matrix[place].tolist()
        for column, chunks in self._others:
            values[column] = chunks[place].as_py()
        return values


def _matrices(table: pa.Table) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[Any]]]:
    """Numeric columns by dtype: their places in the row, and their values with one line for each row."""
    places: defaultdict[pa.DataType, list[int]] = defaultdict(list)
    for place, column in enumerate(table.columns):
        if _is_numeric(column):
            places[column.type].append(place)
    return [(np.array(group), _matrix(table, group)) for group in places.values()]


def _matrix(table: pa.Table, places: list[int]) -> npt.NDArray[Any]:
    first = table.column(places[0]).to_numpy()
    matrix = np.empty((len(table), len(places)), dtype=first.dtype)
    for line, place in enumerate(places):
        matrix[:, line] = table.column(place).to_numpy()
    return matrix


def _is_numeric(column: pa.ChunkedArray) -> bool:
    """Whether NumPy can hold the column; in floats a missing value is NaN, elsewhere only Arrow knows it."""
    kind = column.type
    if pa.types.is_floating(kind):
        return True
    complete: bool = column.null_count == 0
    return complete and (pa.types.is_integer(kind) or pa.types.is_boolean(kind))
