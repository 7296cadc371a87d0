"""The folder of prepared data: one Parquet file for each partition, private and never half written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from jupyter_core.paths import jupyter_data_dir
from pyarrow import parquet

from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def default_store() -> Path:
    """Folder of prepared data in the engine home."""
    home = os.environ.get("RAPIDFIRE_LAB_HOME")
    root = Path(home).expanduser().absolute() if home else Path(jupyter_data_dir()) / "rapidfire_lab"
    return root / "data"


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
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            parquet.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _to_table(frame: pd.DataFrame) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(f"a column cannot be stored as Parquet; make its values text: {error}") from error
    # What pandas notes there would speak of dtypes and row labels that no reader of ours asks for.
    return table.replace_schema_metadata(None)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
