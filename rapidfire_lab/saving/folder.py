"""The folder of an experiment: its name, and files that appear in it whole, with a manifest of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.errors import RapidfireLabError
from rapidfire_lab.files import sync
from rapidfire_lab.storage import digest_of, record, retract
from rapidfire_lab.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_ROOT = "~/project/model_result"
_MARKS = ("/", "\\", "\0")


class ProtectedError(RapidfireLabError, FileExistsError):
    """A file of an experiment would be replaced by another, and ``protect_existing_folder`` is on."""


class FolderNameError(RapidfireLabError, ValueError):
    """A name that cannot be that of a folder."""


def check_names(project_name: str, experiment_name: str, experiment_timestamp: str | None = None) -> None:
    """Refuse names of which a folder could lie elsewhere than below its root.

    Raises
    ------
    FolderNameError
        For an empty name, ``.``, ``..``, and one with a slash or backslash.
    """
    names = {"project_name": project_name, "experiment_name": experiment_name}
    for what, name in {**names, "experiment_timestamp": experiment_timestamp}.items():
        if name is not None and (name in ("", ".", "..") or any(mark in name for mark in _MARKS)):
            raise FolderNameError(
                f"{what} {name!r} cannot be the name of a folder: choose one without slashes that is not empty, '.' or "
                "'..'; the root of all projects is local_model_result_folder_path, or cloud_dir_prefix in a bucket"
            )


class ExperimentFolder:
    """Where an experiment is saved: ``<root>/<project>/<experiment>_<timestamp>``."""

    @staticmethod
    def create_base_folder(
        project_name: str, experiment_name: str, experiment_timestamp: str, local_model_result_folder_path: str
    ) -> str:
        """Make the folder, and those above it, where they are missing."""
        _, experiment = ExperimentFolder.get_base_folder_paths(
            project_name, experiment_name, experiment_timestamp, local_model_result_folder_path
        )
        Path(experiment).mkdir(parents=True, exist_ok=True)
        return experiment

    @staticmethod
    def get_base_folder_paths(
        project_name: str, experiment_name: str, experiment_timestamp: str, local_model_result_folder_path: str
    ) -> tuple[str, str]:
        """Paths of the project and of the experiment, whether they exist or not.

        Raises
        ------
        FolderNameError
            When one of the names would lead elsewhere.
        """
        check_names(project_name, experiment_name, experiment_timestamp)
        project = Path(local_model_result_folder_path).expanduser() / project_name
        return str(project), str(project / f"{experiment_name}_{experiment_timestamp}")


def new_timestamp(project_name: str, experiment_name: str, local_model_result_folder_path: str) -> str:
    """Make a folder that nobody else has, and return its timestamp: local time, numbered within a second."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    number = 0
    while True:
        timestamp = f"{now}-{number}" if number else now
        project, folder = ExperimentFolder.get_base_folder_paths(
            project_name, experiment_name, timestamp, local_model_result_folder_path
        )
        Path(project).mkdir(parents=True, exist_ok=True)
        if _is_made(Path(folder)):
            return timestamp
        number += 1


def _is_made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


class SavedFiles:
    """Files that one save puts into an experiment's folder.

    Each appears whole, under its name, or not at all. A file that is there already with another content is replaced
    only where ``protect`` is off. ``commit`` adds the files to the folder's ``manifest.json``, as the last step.
    """

    def __init__(self, folder: str | Path, *, protect: bool) -> None:
        self._folder = Path(folder)
        self._protect = protect
        self._keys: list[str] = []

    def write(self, key: str, write: Callable[[Path], object]) -> Path:
        """Have ``write`` fill a file of this name elsewhere, and put it in its place.

        Raises
        ------
        ProtectedError
            When another file is there; nothing has changed then.
        """
        target = self._folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as filled:
            write(filled)
            if target.exists() and digest_of(target) != digest_of(filled):
                self._give_up(key, target)
            sync(filled)
            filled.replace(target)
        sync(target.parent)
        self._keys.append(key)
        return target

    def _give_up(self, key: str, target: Path) -> None:
        if self._protect:
            raise ProtectedError(
                f"{target} exists and holds something else; save under another experiment_timestamp, "
                "or with protect_existing_folder=False to replace it"
            )
        retract(LocalStore(self._folder), [key])

    def commit(self) -> None:
        digests = {key: digest_of(self._folder / key) for key in self._keys}
        record(LocalStore(self._folder), {key: (digest.sha256, digest.size) for key, digest in digests.items()})


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file of the same name in a hidden folder on the same disk; Keras goes by the ending of a name."""
    hidden = Path(tempfile.mkdtemp(prefix=".saving-", dir=target.parent))
    try:
        filled = hidden / target.name
        os.close(os.open(filled, os.O_WRONLY | os.O_CREAT, 0o600))
        yield filled
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
