"""CSV files: reading them, and finding the line at fault when one cannot be read.

pandas reads fast, but it fills up short rows in silence and counts records where an editor counts lines.
So whatever looks wrong is looked at again with the csv module.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pandas as pd

from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LONGEST_CELL = 2**31 - 1
_UNDECODED = re.compile("[\udc80-\udcff]")
"""What the error handler "surrogateescape" leaves where bytes are not UTF-8."""


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table whose only missing values are empty cells: "" in text columns, NaN in numeric ones."""
    try:
        _check_header(path)
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""], encoding="utf-8", low_memory=False)
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; its first line must name the columns, 'id' among them") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: {_what_is_malformed(path, error)}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {_where_not_utf8(path)} is not UTF-8 text; save the file as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    # A short row shows as a missing last cell, so most files need no second look.
    if frame.shape[1] > 1 and frame.iloc[:, -1].isna().any() and (ragged := _ragged_line(path)):
        raise DataError(f"{path}: {ragged}")
    return _without_gaps(frame)


def lines(path: Path, positions: Sequence[int]) -> list[str]:
    """Name the lines in which the rows at `positions` start."""
    wanted = dict.fromkeys(positions, "line ?")
    with _records(path) as records:
        next(records)
        for position, (line, _) in enumerate(records):
            if position in wanted:
                wanted[position] = f"line {line}"
    return [wanted[position] for position in positions]


def _check_header(path: Path) -> None:
    # Header and one row without telling which is which: a row longer than the header is refused then, while
    # pandas would otherwise take the first cells of all rows as row labels.
    head = pd.read_csv(path, header=None, nrows=2, dtype=str, keep_default_na=False, encoding="utf-8")
    names = head.iloc[0]
    repeated = names[names.duplicated() & (names != "")].unique()
    if len(repeated):
        raise DataError(f"{path} has several columns named {', '.join(map(repr, repeated))}; rename all but one")


def _without_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    for name, column in frame.items():
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "string":
            frame[name] = column.fillna("")
        elif kind == "boolean":
            frame[name] = column.astype("boolean")
    return frame


@contextmanager
def _records(path: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Open the file as (number of the first line, cells), skipping the blank lines that pandas skips."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        with _open_text(path) as file:
            yield _numbered(file)
    finally:
        csv.field_size_limit(limit)


def _numbered(file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file)
    line = 1
    for cells in reader:
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _open_text(path: Path, errors: str = "strict") -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors=errors, newline="")
    return path.open(encoding="utf-8-sig", errors=errors, newline="")


def _what_is_malformed(path: Path, error: Exception) -> str:
    if "EOF inside string" in str(error):
        return f'line {_last_line(path)} opens a quoted cell that never ends; close it with "'
    return _ragged_line(path) or f"is not well-formed CSV: {error}"


def _ragged_line(path: Path) -> str | None:
    with _records(path) as records:
        _, header = next(records)
        for line, cells in records:
            if len(cells) != len(header):
                return (
                    f"line {line} has {len(cells)} cells but the header has {len(header)}; "
                    "put a cell that contains a comma in quotes, and write the comma of an empty cell too"
                )
    return None


def _last_line(path: Path) -> int:
    with _records(path) as records:
        return max(line for line, _ in records)


def _where_not_utf8(path: Path) -> str:
    with _open_text(path, errors="surrogateescape") as file:
        number = next(number for number, line in enumerate(file, start=1) if _UNDECODED.search(line))
    return f"line {number}"
