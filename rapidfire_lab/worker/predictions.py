"""Predictions in files: a Parquet file per part, and all of them in one file of CSV or Parquet.

No more is in memory than some minibatches, or a stretch of rows of one part.
"""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet

from rapidfire_lab.errors import SpecError
from rapidfire_lab.files import is_being_written, write_atomically
from rapidfire_lab.storage import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_ID = "id"
_BYTES_AT_ONCE = 16 << 20
_ROWS_AT_ONCE = 1_024


# A part


def write_part(path: Path, minibatches: Iterable[tuple[list[int], dict[str, Any]]]) -> None:
    """Write ids and outputs of minibatches.

    Raises
    ------
    SpecError
        When an output cannot be written, naming it.
    """
    write_atomically(path, lambda temporary: _write_groups(temporary, map(_table, minibatches)))


def _write_groups(path: Path, tables: Iterable[pa.Table]) -> None:
    writer: parquet.ParquetWriter | None = None
    try:
        for group in _groups(tables):
            if writer is None:
                writer = parquet.ParquetWriter(path, group.schema)
            writer.write_table(_cast(group, writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put minibatches together until they are worth writing."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(item.nbytes for item in held) >= _BYTES_AT_ONCE:
            yield _together(held)
            held = []
    if held:
        yield _together(held)


def _together(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables([_cast(table, _common(table.schema for table in tables)) for table in tables])


def _common(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The schema that all of these can be brought to."""
    distinct = list(dict.fromkeys(schemas))
    for schema in distinct:
        if schema.names != distinct[0].names:
            message = (
                "compute_forward must return the same outputs for all minibatches; it returned "
                f"{distinct[0].names[1:]} and {schema.names[1:]}."
            )
            raise SpecError(message)
    try:
        return pa.unify_schemas(distinct, promote_options="permissive")
    except pa.ArrowException as error:
        message = f"An output of compute_forward has values of different types in different minibatches: {error}"
        raise SpecError(message) from error


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    try:
        return table if table.schema.equals(schema) else table.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        message = f"An output of compute_forward has values of different types in different minibatches: {error}"
        raise SpecError(message) from error


def _table(minibatch: tuple[list[int], dict[str, Any]]) -> pa.Table:
    ids, outputs = minibatch
    if _ID in outputs:
        message = f"compute_forward returned an output {_ID!r}, which is the name of the examples' own; choose another."
        raise SpecError(message)
    columns = {_ID: pa.array(ids, pa.int64())}
    for name, value in outputs.items():
        columns[str(name)] = _column(str(name), value, len(ids))
    return pa.table(columns)


def _column(name: str, value: Any, rows: int) -> pa.Array:
    """One output as a column: a value per row, which is a list where it has dimensions of its own."""
    is_listing = hasattr(value, "__len__") and not (isinstance(value, torch.Tensor | np.ndarray) and not value.ndim)
    found = len(value) if is_listing else None
    if found != rows or isinstance(value, str | bytes | dict):
        what = f"{found} values" if found is not None else type(value).__name__
        message = (
            f"The output {name!r} of compute_forward must have a value for each of the {rows} rows of its minibatch, "
            f"as a tensor or a list; it has {what}."
        )
        raise SpecError(message)
    try:
        if isinstance(value, torch.Tensor):
            return _nested(_numpy(value))
        return _nested(value) if isinstance(value, np.ndarray) else pa.array([_plain(item) for item in value])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        message = f"The output {name!r} of compute_forward cannot be written to a file: {error}"
        raise SpecError(message) from error


def _numpy(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    short = tensor.dtype in (torch.bfloat16, torch.float16)
    array: np.ndarray[Any, Any] = (tensor.float() if short else tensor).detach().cpu().numpy()
    return array


def _nested(array: np.ndarray[Any, Any]) -> pa.Array:
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for level in range(array.ndim - 1, 0, -1):
        lists, length = int(np.prod(array.shape[:level])), array.shape[level]
        offsets = np.arange(lists + 1, dtype=np.int32) * length
        column = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column)
    return column


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


# All parts


def write_csv(parts: list[Path], target: Path, keep_going: Callable[[], None]) -> str:
    """Write all parts to one CSV file; ``keep_going`` is called before each stretch of rows, and may raise.

    Returns
    -------
    SHA-256 of the file.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            # Not every Python takes a carriage return alone for something to be quoted.
            quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            writer.writerow(_schema_of(parts).names)
            for batch in _batches(parts, keep_going):
                columns = [map(_cell, column.to_pylist()) for column in batch.columns]
                for row in zip(*columns, strict=True):
                    breaks = any(isinstance(cell, str) and "\r" in cell for cell in row)
                    (quoting if breaks else writer).writerow(row)

    return _replace(target, write)


def write_parquet(parts: list[Path], target: Path, keep_going: Callable[[], None]) -> str:
    """Write all parts to one Parquet file; gives its SHA-256."""
    schema = _schema_of(parts)

    def write(temporary: Path) -> None:
        with parquet.ParquetWriter(temporary, schema) as writer:
            for batch in _batches(parts, keep_going):
                writer.write_table(_cast(pa.Table.from_batches([batch]), schema))

    return _replace(target, write)


def _replace(target: Path, write: Callable[[Path], None]) -> str:
    for left in target.parent.glob(f".{target.name}.*.tmp"):
        if not is_being_written(left):  # by who was killed here
            left.unlink(missing_ok=True)
    written: list[str] = []

    def write_and_look(temporary: Path) -> None:
        write(temporary)
        written.append(digest_of(temporary).sha256)  # before others can touch it

    write_atomically(target, write_and_look)
    return written[0]


def _schema_of(parts: list[Path]) -> pa.Schema:
    return _common(parquet.read_schema(part) for part in parts)


def _batches(parts: list[Path], keep_going: Callable[[], None]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        with parquet.ParquetFile(part) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                keep_going()
                yield batch


def _cell(value: Any) -> Any:
    if not isinstance(value, list | dict):
        return value
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _json(value) if "NaN" in text or "Infinity" in text else text


def _json(value: Any) -> str:
    """JSON, which knows neither NaN nor infinity: ``null``, and ``1e999``, which any parser of floats takes for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "null" if math.isnan(value) else f"{'-' if value < 0 else ''}1e999"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_json(str(key))}: {_json(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False, default=str)
