"""Hyper-parameters and source of an experiment, beside its results."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.folder import ExperimentFolder, SavedFiles
from rapidfire_lab.saving.plain import open_to_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rapidfire_lab.saving.cloud import BaseDataSaver


class HyperParamSourceReporter:
    """Writes hyper-parameters as text, and copies the code of an experiment, into its folder."""

    file_name = "hyperparams_list.txt"

    def __init__(
        self, project_name: str, experiment_name: str, experiment_timestamp: str, local_model_result_folder_path: str
    ) -> None:
        self.project_name = project_name
        self.experiment_name = experiment_name
        self.experiment_timestamp = experiment_timestamp
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())
        self.experiment_dir_path = ExperimentFolder.create_base_folder(
            project_name, experiment_name, experiment_timestamp, local_model_result_folder_path
        )
        self.local_hyperparams_file_path = str(Path(self.experiment_dir_path) / self.file_name)

    def save_hyperparams_to_text_file(self, hyperparams: Mapping[str, Any], sort_names: bool = False) -> str:
        """Write a line ``name:<TAB>value`` for each, without passwords and keys; return the path."""
        names = sorted(hyperparams) if sort_names else list(hyperparams)
        told = open_to_all(hyperparams)
        text = "".join(f"{name}:\t{told[name]}\n" for name in names)
        return self._write(self.file_name, lambda path: path.write_text(text, encoding="utf-8"))

    def _write(self, key: str, write: Any) -> str:
        files = SavedFiles(self.experiment_dir_path, protect=False)
        path = files.write(key, write)
        files.commit()
        return str(path)

    def copy_to_cloud_storage(
        self, local_hyperparams_file_path: str, cloud_saver: BaseDataSaver, file_name: str | None = None
    ) -> str:
        """Send a file to the experiment's folder in the bucket of a saver of models or results; return its key."""
        folder = cloud_saver.create_experiment_cloud_storage_folder_structure(
            self.project_name, self.experiment_name, self.experiment_timestamp
        ).rpartition("/")[0]
        key = f"{folder}/{file_name or self.file_name}"
        cloud_saver.save_file(local_hyperparams_file_path, key)
        return key

    def save_experiment_python_file(self, hyperparams: Mapping[str, Any]) -> str | None:
        """Copy ``hyperparams["experiment_file_path"]``, else the script or notebook that runs; return where to."""
        source = _script(hyperparams.get("experiment_file_path"))
        if source is None or not source.is_file():
            print("experiment_file_path names no file, so the experiment's code is not copied")
            return None
        return self._write(source.name, partial(shutil.copyfile, source))

    def save_experiment_source_files(self, hyperparams: Mapping[str, Any]) -> str | None:
        """Pack the folders ``hyperparams["source_dirs_paths"]`` into ``source_code.zip``; return its path."""
        folders = hyperparams.get("source_dirs_paths")
        if not isinstance(folders, list | tuple) or not folders:
            return None
        return self._write("source_code.zip", partial(_zip, [Path(folder).expanduser() for folder in folders]))


def _script(given: str | None) -> Path | None:
    """What runs: the given file, the notebook (Jupyter tells its kernels), or the main script."""
    found = given or os.environ.get("JPY_SESSION_NAME") or getattr(sys.modules["__main__"], "__file__", None)
    return Path(found).expanduser() if found else None


def _zip(folders: Sequence[Path], target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, Path(folder.resolve().name) / path.relative_to(folder))
