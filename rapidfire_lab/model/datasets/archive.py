"""Zip files with data: read entry by entry, and never trusted."""

from __future__ import annotations

import csv
import io
import os
import shutil
import weakref
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from rapidfire_lab.model.errors import InvalidDatasetFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_ENTRY = 1 << 30
"""Bytes that one entry may have when it is read into memory."""

LARGEST_ARCHIVE = 1 << 40
"""Bytes that all entries together may have when they are extracted."""

_SPARE = 1 << 28
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class Archive:
    """A zip file that holds a data set.

    It may be used in several threads, pickled, and used on in a forked process.

    Parameters
    ----------
    path
        Where it lies.

    Raises
    ------
    InvalidDatasetFormatError
        When there is no such file, or it is no zip file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        if not self.path.is_file():
            raise InvalidDatasetFormatError(f"There is no data set {self.path}: give the path of a zip file.")
        try:
            self._zip()
        except _DAMAGE as error:
            raise InvalidDatasetFormatError(f"{self.path} is no readable zip file: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    def read(self, name: str, limit: int = LARGEST_ENTRY) -> bytes:
        """Give the content of an entry."""
        with self.open(name, limit) as file:
            return file.read()

    @contextmanager
    def open(self, name: str, limit: int = LARGEST_ENTRY) -> Iterator[IO[bytes]]:
        """Open an entry; no more is read than the archive says that it has.

        Raises
        ------
        InvalidDatasetFormatError
            When there is none of this name, it is larger than ``limit`` bytes, or it is damaged.
        """
        try:
            size = self._zip().getinfo(name).file_size
        except KeyError:
            raise InvalidDatasetFormatError(f"{self.path} has no file {name!r} at that place") from None
        if size > limit:
            raise InvalidDatasetFormatError(f"{name!r} in {self.path} has {size} bytes, over {limit}")
        try:
            with self._zip().open(name) as file:
                yield file
        except _DAMAGE as error:
            raise InvalidDatasetFormatError(f"{name!r} in {self.path} cannot be read: {error}") from error

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Go through a CSV entry: the number of each row in the file, and its cells by column.

        Raises
        ------
        InvalidDatasetFormatError
            When a column or a cell of it is missing.
        """
        with self.open(name, LARGEST_ARCHIVE) as file:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            try:
                check_columns(f"{name!r} in {self.path}", reader.fieldnames or [], columns)
                for row in reader:
                    if any(row[column] is None for column in columns):
                        raise InvalidDatasetFormatError(
                            f"{name!r} in {self.path}, line {reader.line_num}: too few cells"
                        )
                    yield reader.line_num, row
            except (UnicodeDecodeError, csv.Error) as error:
                raise InvalidDatasetFormatError(f"{name!r} in {self.path} is no CSV in UTF-8: {error}") from error

    def extract(self, folder: Path) -> None:
        """Write all files below a folder.

        Raises
        ------
        InvalidDatasetFormatError
            When one would lie outside of the folder, is no plain file, or there is no room for all; nothing is
            written then.
        """
        entries = [entry for entry in self._zip().infolist() if not entry.is_dir()]
        targets = [folder / _checked(self.path, entry) for entry in entries]
        total = sum(entry.file_size for entry in entries)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        room = shutil.disk_usage(folder).free - _SPARE
        if total > min(room, LARGEST_ARCHIVE):
            raise InvalidDatasetFormatError(
                f"{self.path} has {total} bytes in it, and there is room for {max(room, 0)}"
            )
        for entry, target in zip(entries, targets, strict=True):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.open(entry.filename, LARGEST_ARCHIVE) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)

    def _zip(self) -> zipfile.ZipFile:
        # A forked process shares the position in a file that was opened before.
        if self._opened is None or self._opened[0] != os.getpid():
            opened = zipfile.ZipFile(self.path)
            # Not left to the garbage collector, which may take the file below before the archive that would close it.
            weakref.finalize(self, opened.close)
            self._opened = os.getpid(), opened
        return self._opened[1]


def check_columns(where: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise when a table lacks a column."""
    for column in wanted:
        if column not in found:
            names = ", ".join(map(repr, found)) or "none at all"
            raise InvalidDatasetFormatError(f"{where} has no column {column!r}, only {names}")


def _checked(path: Path, entry: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(entry.filename)
    kind = entry.external_attr >> 28
    if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or "\0" in entry.filename or not name.parts:
        raise InvalidDatasetFormatError(f"{path} has a file {entry.filename!r}, which leads out of its folder")
    if kind not in (0, 8):  # none given, or a regular file
        raise InvalidDatasetFormatError(f"{path} has {entry.filename!r}, which is a link or a device and no file")
    return name
