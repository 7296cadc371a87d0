"""Object columns: their values are paths of files, relative to the objects folder of the partition."""

from __future__ import annotations

import os
import reprlib
from abc import ABC, abstractmethod
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, TypeGuard

from rapidfire_lab.data.esf import is_text
from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

_PROBED = 100
_THREADS = 16
_LISTING_PAYS = 16
"""From so many files in one folder on, listing the folder is faster than asking for each."""


class ObjectsFolder(ABC):
    """The folder that the paths in a partition's object columns start from."""

    @abstractmethod
    def existing(self, paths: Iterable[str]) -> set[str]:
        """Those of the relative paths that are files."""

    @abstractmethod
    def local(self, paths: Iterable[str]) -> Path:
        """A folder of this machine in which these files, which exist, lie under their paths."""

    @abstractmethod
    def address(self, path: str = "") -> str:
        """The folder, or a file in it, for messages."""


def choose_object_columns(frame: pd.DataFrame, folder: ObjectsFolder, wanted: Sequence[str] | None) -> list[str]:
    """Name the object columns, in the order of the file.

    They are the `wanted` ones, or else each text column with a file among its first 100 non-empty values.

    Raises
    ------
    DataError
        When a wanted column holds no text, or when there is no object column at all.
    """
    if wanted is not None:
        chosen = [name for name in frame.columns if name in wanted]
        _check_text(frame, chosen)
        return chosen
    probes = {name: _probe(frame[name]) for name in frame.columns if is_text(frame[name])}
    found = [name for name, values in probes.items() if folder.existing(filter(None, map(_relative, values)))]
    if not found:
        raise _nothing_found(folder, probes)
    return found


def relative_paths(frame: pd.DataFrame, name: str, folder: ObjectsFolder) -> dict[str, str]:
    """Path within the folder, in its shortest spelling, of each value of an object column but empty ones.

    Raises
    ------
    DataError
        When a path leaves the folder or a file is missing, naming column, row id and path.
    """
    relative = {value: _relative(value) for value in frame[name].unique() if _is_path(value)}
    leaving = [value for value, path in relative.items() if path is None]
    if leaving:
        raise DataError(
            f"column {name!r}, id {_ids_with(frame, name, leaving)[0]}: {leaving[0]!r} leaves the objects "
            f"folder {folder.address()}; write a path that starts in it"
        )
    paths = {value: path for value, path in relative.items() if path is not None}
    existing = folder.existing(paths.values())
    absent = [value for value, path in paths.items() if path not in existing]
    if absent:
        raise _files_missing(frame, name, folder, absent)
    return paths


def absolute_paths(column: pd.Series, paths: Mapping[str, str], folder: str) -> pd.Series:
    """Values of an object column as absolute paths; a missing value stays what it is."""
    root = f"{folder}{os.sep}"  # no Path for each: there may be millions
    return column.map(lambda value: root + paths[value] if value in paths else value)


def _is_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _relative(value: str) -> str | None:
    """Path within the objects folder in its shortest spelling; None when it leaves the folder."""
    path = os.path.normpath(value)
    leaves = path == os.pardir or path.startswith((os.sep, os.pardir + os.sep))
    return None if leaves else path


class LocalFolder(ObjectsFolder):
    """One of this machine, whose files stay where they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def existing(self, paths: Iterable[str]) -> set[str]:
        by_parent: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for path in paths:
            parent, _, name = path.rpartition(os.sep)
            by_parent[parent][name] = path
        # Threads, because on a network file system each answer takes its time.
        with ThreadPoolExecutor(_THREADS) as pool:
            parents = (self._folder / parent for parent in by_parent)
            return set(chain.from_iterable(pool.map(_files_in, parents, by_parent.values())))

    def local(self, paths: Iterable[str]) -> Path:
        del paths
        return self._folder

    def address(self, path: str = "") -> str:
        return str(self._folder / path)


def _files_in(parent: Path, paths: dict[str, str]) -> list[str]:
    """Of the paths, given by their names in the folder `parent`, those that are files."""
    if len(paths) < _LISTING_PAYS:
        # Path.is_file() raises for a name that is too long, and a caption may well be.
        return [path for name, path in paths.items() if os.path.isfile(parent / name)]  # noqa: PTH113
    try:
        with os.scandir(parent) as entries:
            return [paths[entry.name] for entry in entries if entry.name in paths and entry.is_file()]
    except (OSError, ValueError):
        return []


def _probe(column: pd.Series) -> list[str]:
    values = column.dropna()
    return values[values != ""].head(_PROBED).tolist()


def _check_text(frame: pd.DataFrame, names: Iterable[str]) -> None:
    for name in names:
        if not (is_text(frame[name]) or frame[name].isna().all()):
            [value] = frame[name].head(1).tolist()
            raise DataError(f"column {name!r} holds {value!r} and no paths; take it out of download_columns")


def _nothing_found(folder: ObjectsFolder, probes: dict[str, list[str]]) -> DataError:
    short = reprlib.Repr()
    short.maxstring = 80
    tried = [f"{short.repr(values[0])} (column {name!r})" for name, values in probes.items() if values]
    return DataError(
        f"no column holds paths of files in the objects folder {folder.address()}; "
        f"tried {', '.join(tried) or 'nothing, as no column holds text'}. "
        "Make the paths start from that folder, or take its locator out"
    )


def _files_missing(frame: pd.DataFrame, name: str, folder: ObjectsFolder, absent: list[str]) -> DataError:
    ids = _ids_with(frame, name, absent)
    return DataError(
        f"column {name!r}, id {ids[0]}: there is no file {folder.address(absent[0])}; the files of {len(ids)} of "
        f"{len(frame)} rows are missing. Bring them there, or name in download_columns the columns that do "
        "hold paths"
    )


def _ids_with(frame: pd.DataFrame, name: str, values: list[str]) -> list[int]:
    return frame.loc[frame[name].isin(values), "id"].tolist()
