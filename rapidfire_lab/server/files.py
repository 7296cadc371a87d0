"""The files of an experiment that users may see, as the engine lays them out (``docs/architecture.md``, 2)."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from rapidfire_lab.configs.secrets import hide_secrets
from rapidfire_lab.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHECKPOINT_KINDS = {".safetensors": "checkpoint", ".json": "metadata"}
_PREDICTION_SUFFIXES = (".csv", ".parquet")
_PLACES = (
    "spec.json",
    "spec/**/*",
    "templates/**/*",
    "predictions_*",
    "runs/*/run.log",
    "runs/*/plots.json",
    "runs/*/predictions_*",
    "runs/*/checkpoints/*",
)
"""Where to look for what ``_kind`` knows."""

_MOST_METADATA_BYTES = 16 << 20


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


def run_plots(root: Path, run_id: int) -> Path:
    return root / "runs" / str(run_id) / "plots.json"


def list_artifacts(root: Path) -> list[Artifact]:
    """Every file that may be downloaded: no state of runs, nothing hidden, nothing that a link leads elsewhere."""
    return sorted(_artifacts(root), key=lambda artifact: (artifact.run_id or 0, artifact.path))


def _artifacts(root: Path) -> Iterator[Artifact]:
    for place in _PLACES:
        for path in root.glob(place):
            parts = path.relative_to(root).parts
            kind = _kind(parts)
            if kind is None:
                continue
            try:
                status = _target(root, path).lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Artifact("/".join(parts), *kind, status.st_size, status.st_mtime)


def _kind(parts: Sequence[str]) -> tuple[str, int | None] | None:
    """Kind and run of the file at this place in an experiment's folder; None for what is not to be had."""
    if any(not part or part.startswith(".") or not _is_text(part) for part in parts):
        return None
    match parts:
        case ["spec.json"]:
            return "spec", None
        case ["spec" | "templates", *_, _] if "__pycache__" not in parts:
            return "spec", None
        case [name] if _is_prediction(name):
            return "prediction", None
        case ["runs", run, *place] if run.isascii() and run.isdecimal():
            kind = _kind_in_run(place)
            return (kind, int(run)) if kind else None
    return None


def _kind_in_run(parts: Sequence[str]) -> str | None:
    match parts:
        case ["run.log"]:
            return "log"
        case ["plots.json"]:
            return "plots"
        case [name] if _is_prediction(name):
            return "prediction"
        case ["checkpoints", name]:
            return _CHECKPOINT_KINDS.get(Path(name).suffix)
    return None


def _is_prediction(name: str) -> bool:
    return name.startswith("predictions_") and name.endswith(_PREDICTION_SUFFIXES)


def _is_text(name: str) -> bool:
    """Whether a file's name is UTF-8, as JSON and addresses are."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _target(root: Path, path: Path) -> Path:
    """What a name in an experiment's folder stands for: a link may lead to files alone that may be had as well.

    Raises
    ------
    OSError
        Where it leads out of the folder, or to a file of another kind.
    """
    home, target = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    asked = _kind(path.relative_to(root).parts)
    found = _kind(target.relative_to(home).parts) if target.is_relative_to(home) else None
    if asked is None or found is None or asked[0] != found[0]:
        message = f"{path} is nothing to be shown."
        raise PermissionError(message)
    return target


def open_inside(root: Path, path: Path) -> BinaryIO:
    """Open a plain file of an experiment's folder that may be shown.

    Raises
    ------
    OSError
        Where there is none.
    """
    # The target's name has no link in it: one that has taken its place since is not followed, nor a pipe waited for.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(_target(root, path), flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    message = f"{path} is no plain file."
    raise PermissionError(message)


def open_artifact(root: Path, name: str) -> BinaryIO:
    """Open a file of the listing; what is not in it does not exist. Secrets in a checkpoint's metadata are hidden.

    Raises
    ------
    NotFoundError
        Where there is no such file, or there is no longer.
    """
    parts = name.split("/")
    kind = _kind(parts)
    try:
        if kind is not None:
            file = open_inside(root, root.joinpath(*parts))
            return _without_secrets(file) if kind[0] == "metadata" else file
    except (OSError, ValueError, RecursionError):
        pass
    message = f"The experiment has no file {name!r} to download."
    raise NotFoundError(message)


def _without_secrets(file: BinaryIO) -> BinaryIO:
    """JSON with secrets hidden; the same bytes where there are none."""
    with file:
        content = file.read(_MOST_METADATA_BYTES)
    told = msgspec.json.decode(content)
    shown = hide_secrets(told)
    return io.BytesIO(content if shown == told else msgspec.json.format(msgspec.json.encode(shown)))
