"""The files of an experiment that users may see, as the engine lays them out (``docs/architecture.md``, 2)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from rapidfire_lab.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHECKPOINT_KINDS = {".safetensors": "checkpoint", ".json": "metadata"}
_PREDICTION_SUFFIXES = (".csv", ".parquet")


class Artifact(msgspec.Struct):
    """A file, by its path in the experiment's folder."""

    path: str
    kind: str
    run_id: int | None
    size: int
    modified: float


# Paths are spelt here a second time: engine.layout, which makes the files, belongs to the engine alone.


def run_log(root: Path, run_id: int) -> Path:
    return root / "runs" / str(run_id) / "run.log"


def list_artifacts(root: Path) -> list[Artifact]:
    """Every file that may be downloaded: no state of runs, nothing hidden, nothing that a link leads out to."""
    return sorted(_artifacts(root), key=lambda artifact: (artifact.run_id or 0, artifact.path))


def _artifacts(root: Path) -> Iterator[Artifact]:
    for path, kind, run_id in _candidates(root):
        status = _plain_file(root, path)
        if status is not None:
            yield Artifact(path.relative_to(root).as_posix(), kind, run_id, status.st_size, status.st_mtime)


def _candidates(root: Path) -> Iterator[tuple[Path, str, int | None]]:
    yield root / "spec.json", "spec", None
    for path in (root / "spec").rglob("*"):
        if "__pycache__" not in path.parts:
            yield path, "spec", None
    yield from ((path, "prediction", None) for path in _predictions(root))
    for folder in (root / "runs").glob("*"):
        if folder.name.isascii() and folder.name.isdecimal():
            yield from ((path, kind, int(folder.name)) for path, kind in _of_run(folder))


def _of_run(folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / "run.log", "log"
    yield from ((path, "prediction") for path in _predictions(folder))
    for path in (folder / "checkpoints").glob("*"):
        if path.suffix in _CHECKPOINT_KINDS:
            yield path, _CHECKPOINT_KINDS[path.suffix]


def _predictions(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("predictions_*") if path.suffix in _PREDICTION_SUFFIXES)


def _plain_file(root: Path, path: Path) -> os.stat_result | None:
    """Status of a regular file that is neither hidden nor reached through a link out of the folder."""
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return None
    try:
        status = path.stat()
        inside = path.resolve().is_relative_to(root.resolve())
    except OSError:
        return None
    return status if inside and stat.S_ISREG(status.st_mode) else None


def open_artifact(root: Path, name: str) -> tuple[int, Artifact]:
    """Open a file of the listing; what is not in it does not exist.

    Raises
    ------
    NotFoundError
        Where there is no such file, or there is no longer.
    """
    found = next((artifact for artifact in list_artifacts(root) if artifact.path == name), None)
    try:
        if found is not None:
            # A link that has taken the file's place since the listing is not followed.
            return os.open((root / found.path).resolve(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), found
    except OSError:
        pass
    message = f"The experiment has no file {name!r} to download."
    raise NotFoundError(message)
