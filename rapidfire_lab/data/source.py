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
from rapidfire_lab.data.objects import absolute_paths, choose_object_columns
from rapidfire_lab.data.store import write_parquet
from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from rapidfire_lab.data.handle import DataHandle

_BLOCK = 2**20


class Source:
    """A partition of a handle. Its file is read when something needs the rows, and only once."""

    def __init__(self, handle: DataHandle, partition: str) -> None:
        self.partition = partition
        self._handle = handle
        self._esf = handle.esf_of(partition)
        self._objects = handle.objects_of(partition)

    @property
    def candidates(self) -> list[str]:
        """Columns that may hold paths of objects."""
        return [] if self._objects is None else [name for name in self._frame.columns if name != "id"]

    @cached_property
    def object_columns(self) -> list[str]:
        if self._objects is None:
            return []
        frame = self._frame
        with self._named_in_errors():
            return choose_object_columns(frame, self._objects, self._handle.download_columns)

    def identity(self) -> list[str | list[str]]:
        """Everything that the prepared file depends on, beside the arguments that all partitions share."""
        with self._named_in_errors():
            digest = _digest(self._esf)
        # The object columns belong to it: files that arrive later make another column one.
        return [self.partition, digest, str(self._objects or ""), self.object_columns]

    def prepare(self, folder: Path) -> PartitionInfo:
        """Check the object files, and write the partition into `folder` unless it is there already."""
        path = folder / f"{self.partition}.parquet"
        paths = self._paths_of_objects()
        if not path.exists():
            frame = self._frame
            for name, values in paths.items():
                frame[name] = values
            with self._named_in_errors():
                write_parquet(frame, path)
        # Frames may be large, and nobody needs this one any more.
        self.__dict__.pop("_frame", None)
        return PartitionInfo(str(path), parquet.read_metadata(path).num_rows, self.object_columns)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        with self._named_in_errors():
            frame = read_esf(self._esf)
        return sample(frame, self._handle.fraction, self._handle.seed, self.partition)

    def _paths_of_objects(self) -> dict[str, pd.Series]:
        if self._objects is None:
            return {}
        frame, columns = self._frame, self.object_columns
        with self._named_in_errors():
            return {name: absolute_paths(frame, name, self._objects) for name in columns}

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            raise DataError(f"locator {self.partition!r}: {error}") from error


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
