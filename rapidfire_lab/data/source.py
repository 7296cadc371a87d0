"""One partition on its way from the user's files to the store."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pyarrow import parquet

from rapidfire_lab.data.esf import read_esf
from rapidfire_lab.data.ingested import PartitionInfo
from rapidfire_lab.data.locators import objects_key
from rapidfire_lab.data.objects import absolute_paths, choose_object_columns, relative_paths
from rapidfire_lab.data.store import write_parquet
from rapidfire_lab.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from rapidfire_lab.data.copies import Copies
    from rapidfire_lab.data.handle import DataHandle

_BLOCK = 2**20


class Source:
    """A partition of a handle. Its file is fetched and read when something needs it, and only once."""

    def __init__(self, handle: DataHandle, partition: str, copies: Copies) -> None:
        self.partition = partition
        self._handle = handle
        self._copies = copies
        self._esf = handle.esf_of(partition)
        place = handle.objects_of(partition)
        self._objects = None if place is None else copies.objects(place)

    @property
    def candidates(self) -> list[str]:
        """Columns that may hold paths of objects."""
        return [] if self._objects is None else [name for name in self._frame.columns if name != "id"]

    @cached_property
    def object_columns(self) -> list[str]:
        if self._objects is None:
            return []
        frame = self._frame
        with named_in_errors(self.partition):
            return choose_object_columns(frame, self._objects, self._handle.download_columns)

    def identity(self) -> list[str | list[str]]:
        """Everything that the prepared file depends on, beside the arguments that all partitions share."""
        path = self._file
        with named_in_errors(self.partition):
            digest = _digest(path)
        # The object columns belong to it: files that arrive later make another column one.
        return [self.partition, digest, self._brought[0], self.object_columns]

    def prepare(self, folder: Path) -> PartitionInfo:
        """Write the partition into `folder` unless it is there already; its object files are there by then."""
        path = folder / f"{self.partition}.parquet"
        objects, columns = self._brought
        if not path.exists():
            frame = self._frame
            for name, paths in columns.items():
                frame[name] = absolute_paths(frame[name], paths, objects)
            with named_in_errors(self.partition):
                write_parquet(frame, path)
        # Frames may be large, and nobody needs this one any more.
        for large in ("_frame", "_brought"):
            self.__dict__.pop(large, None)
        return PartitionInfo(str(path), parquet.read_metadata(path).num_rows, self.object_columns)

    @cached_property
    def _file(self) -> Path:
        with named_in_errors(self.partition):
            return self._copies.file(self._esf)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        path = self._file
        with named_in_errors(self.partition):
            frame = read_esf(path)
        return sample(frame, self._handle.fraction, self._handle.seed, self.partition)

    @cached_property
    def _brought(self) -> tuple[str, dict[str, dict[str, str]]]:
        """Local folder of the object files, if there are any, and for each object column the paths in it by value."""
        folder, columns = self._objects, self.object_columns
        if folder is None:
            return "", {}
        frame = self._frame
        with named_in_errors(self.partition):
            paths = {name: relative_paths(frame, name, folder) for name in columns}
        with named_in_errors(objects_key(self.partition)):
            return str(folder.local({path for column in paths.values() for path in column.values()})), paths


@contextmanager
def named_in_errors(locator: str) -> Iterator[None]:
    """Have errors about data and their places say which locator led there."""
    try:
        yield
    except (DataError, StorageError) as error:
        raise type(error)(f"locator {locator!r}: {error}") from error


def sample(frame: pd.DataFrame, fraction: float, seed: int, partition: str) -> pd.DataFrame:
    """Choose the rows of a fraction, in file order; a larger fraction includes the smaller ones."""
    if fraction == 1:
        return frame
    # The partition's name keeps two partitions of one table from choosing the same rows.
    generator = np.random.default_rng([seed, *partition.encode()])
    count = max(1, round(len(frame) * fraction))
    chosen = np.sort(generator.permutation(len(frame))[:count])
    return frame.iloc[chosen].reset_index(drop=True)


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); bring the file back") from error
    return digest.hexdigest()
