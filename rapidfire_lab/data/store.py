"""The folder of prepared data: one Parquet file for each partition, private and never half written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from rapidfire_lab.errors import DataError
from rapidfire_lab.files import home_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def default_store() -> Path:
    """Folder of prepared data in the engine home."""
    return home_folder() / "data"


def make_private(folder: Path) -> None:
    """Make a folder of the store, and the store if it is new, readable by their owner alone."""
    for level in (folder.parent, folder):
        level.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write the file so that a reader sees all of it or nothing, even after a power cut.

    Raises
    ------
    DataError
        When a column holds what Parquet cannot, such as integers beyond 64 bits.
    """
    table = _to_table(frame)
    write_atomically(path, lambda temporary: parquet.write_table(table, temporary))


def _to_table(frame: pd.DataFrame) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"a column cannot be stored as Parquet; make its values text: {error}") from error
    # What pandas notes there would speak of dtypes and row labels that no reader of ours asks for.
    return table.replace_schema_metadata(None)
