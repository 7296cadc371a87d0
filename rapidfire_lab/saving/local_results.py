"""Results on the local disk."""

from __future__ import annotations

import io
import json
import pickle
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import DataError
from rapidfire_lab.saving.folder import DEFAULT_ROOT, ExperimentFolder, SavedFiles, new_timestamp
from rapidfire_lab.saving.plain import open_to_all, write_json
from rapidfire_lab.saving.reports import TrainingHistoryPlotter

if TYPE_CHECKING:
    from rapidfire_lab.saving.result_packages import AbstractResultPackage
    from rapidfire_lab.saving.training_history import TrainingHistory

_ENDINGS = {"pickle": ".p", "json": ".json"}

Paths = list[list[str]]
"""Pairs of the path inside of the results folder, and the path on this disk."""


class AbstractLocalResultsSaver(ABC):
    """What saves results to the local disk. Both ways return `Paths`, the main file first."""

    @abstractmethod
    def save_experiment_results(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        protect_existing_folder: bool = True,
    ) -> Paths:
        """Save everything in one file."""

    @abstractmethod
    def save_experiment_results_separate_files(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None,
        save_true_pred_labels: bool = False,
        protect_existing_folder: bool = True,
    ) -> Paths:
        """Save results, hyper-parameters, training history and labels in a file each."""


class BaseLocalResultsSaver:
    """Where results lie, and in what format.

    Parameters
    ----------
    local_model_result_folder_path
        Root of all projects; made where it is missing.
    file_format
        ``pickle`` or ``json``. Pickles may hold anything, and so load only with care: `load_results` does. JSON has
        arrays as lists, and the text of what has no form in JSON.
    """

    def __init__(self, local_model_result_folder_path: str = DEFAULT_ROOT, file_format: str = "pickle") -> None:
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())
        self.file_format = file_format
        if file_format not in _ENDINGS:
            print(f"file_format must be pickle or json, not {file_format}; results are saved as pickle")
            self.file_format = "pickle"

    def create_experiment_local_folder_structure(
        self, project_name: str, experiment_name: str, experiment_timestamp: str
    ) -> str:
        """Make the folder of the experiment's results, and return it."""
        return self.create_experiment_local_results_folder(
            project_name, experiment_name, experiment_timestamp, self.local_model_result_folder_path
        )

    @staticmethod
    def create_experiment_local_results_folder(
        project_name: str, experiment_name: str, experiment_timestamp: str, local_model_result_folder_path: str
    ) -> str:
        _, _, results = BaseLocalResultsSaver.get_experiment_local_results_folder_paths(
            project_name, experiment_name, experiment_timestamp, local_model_result_folder_path
        )
        Path(results).mkdir(parents=True, exist_ok=True)
        return results

    @staticmethod
    def get_experiment_local_results_folder_paths(
        project_name: str, experiment_name: str, experiment_timestamp: str, local_model_result_folder_path: str
    ) -> tuple[str, str, str]:
        """Paths of the project, the experiment and its results, whether they exist or not."""
        project, experiment = ExperimentFolder.get_base_folder_paths(
            project_name, experiment_name, experiment_timestamp, local_model_result_folder_path
        )
        return project, experiment, str(Path(experiment) / "results")

    def save_file(
        self, result_dict: dict[str, Any], file_name_w_type: str, file_local_path_w_type: str
    ) -> tuple[str, str]:
        """Write a file with the format's ending added to its name; return its name and path."""
        path = Path(file_local_path_w_type + _ENDINGS[self.file_format])
        files = SavedFiles(path.parent.parent, protect=False)
        return _save(files, self.file_format, f"{path.parent.name}/{file_name_w_type}", result_dict)


class LocalResultsSaver(AbstractLocalResultsSaver, BaseLocalResultsSaver):
    """Saves results in one file or in several, with plots of the training history."""

    def save_experiment_results(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        protect_existing_folder: bool = True,
    ) -> Paths:
        saving = _Saving(self, project_name, experiment_name, experiment_timestamp, protect=protect_existing_folder)
        labels = _labels(result_package) if save_true_pred_labels else {}
        contents = {**labels, **saving.about, **_results(result_package), **_history(training_history)}
        saving.write("results_hyperParams_hist", contents)
        return saving.finish(result_package, training_history)

    def save_experiment_results_separate_files(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        protect_existing_folder: bool = True,
    ) -> Paths:
        saving = _Saving(self, project_name, experiment_name, experiment_timestamp, protect=protect_existing_folder)
        found = _results(result_package)
        saving.write("results", {**saving.about, "results": found["results"]})
        saving.write("hyperparams", {**saving.about, "hyperparameters": found["hyperparameters"]})
        saving.write("train_history", {**saving.about, **_history(training_history)})
        if save_true_pred_labels:
            saving.write("true_pred_labels", _labels(result_package))
        return saving.finish(result_package, training_history)


class _Saving:
    """One save of results, on its way."""

    def __init__(
        self, saver: BaseLocalResultsSaver, project: str, experiment: str, timestamp: str | None, *, protect: bool
    ) -> None:
        root = saver.local_model_result_folder_path
        made = timestamp or new_timestamp(project, experiment, root)
        self._name = f"{experiment}_{made}"
        _, folder = ExperimentFolder.get_base_folder_paths(project, experiment, made, root)
        self._folder = Path(folder) / "results"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._format = saver.file_format
        self._files = SavedFiles(self._folder.parent, protect=protect)
        self._paths: Paths = []
        # Below the root: the results may move to another machine, whose root is another.
        place = self._folder.relative_to(root).as_posix()
        self.about = {"experiment_name": experiment, "experiment_results_local_path": place}

    def write(self, kind: str, contents: dict[str, Any]) -> None:
        key = f"results/{kind}_{self._name}"
        self._paths.append(list(_save(self._files, self._format, key, contents)))

    def finish(self, package: AbstractResultPackage, history: TrainingHistory) -> Paths:
        """Add the package's own files and the plots, and have the manifest say that all is there."""
        extra = package.get_additional_results_dump_paths() or []
        plots = TrainingHistoryPlotter(str(self._folder)).write(history, self._files)
        self._files.commit()
        return [*self._paths, *extra, *plots]


def _save(files: SavedFiles, file_format: str, key: str, contents: dict[str, Any]) -> tuple[str, str]:
    write = write_json if file_format == "json" else _write_pickle
    path = files.write(key + _ENDINGS[file_format], partial(_write, write, contents))
    return path.name, str(path)


def _write(write: Any, contents: dict[str, Any], path: Path) -> None:
    write(path, contents)


def _write_pickle(path: Path, contents: dict[str, Any]) -> None:
    path.write_bytes(pickle.dumps(contents))


def _results(package: AbstractResultPackage) -> dict[str, Any]:
    return {"results": package.get_results(), "hyperparameters": open_to_all(package.get_hyperparameters())}


def _history(history: TrainingHistory) -> dict[str, Any]:
    return {"training_history": history.get_train_history()}


def _labels(package: AbstractResultPackage) -> dict[str, Any]:
    return {"y_true": package.y_true, "y_predicted": package.y_predicted}


_LOADED = {
    "builtins": frozenset({"complex", "frozenset", "set", "slice"}),
    "collections": frozenset({"OrderedDict", "defaultdict"}),
    "numpy": frozenset({"dtype", "ndarray"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "numpy.core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy.core.numeric": frozenset({"_frombuffer"}),
}


class _Unpickler(pickle.Unpickler):
    """Takes plain data and numpy arrays, and runs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _LOADED.get(module, ()):
            return super().find_class(module, name)
        raise DataError(
            f"the results hold a {module}.{name}, which is not loaded, as a pickle can run any code; "
            "save them with file_format='json', or load them with pickle if you know where they come from"
        )


def load_results(path: str | Path) -> dict[str, Any]:
    """Load results that were saved in either format, without running code out of a pickle.

    Raises
    ------
    DataError
        When a pickle holds more than plain data and numpy arrays.
    """
    content = Path(path).read_bytes()
    if str(path).endswith(_ENDINGS["json"]):
        return dict(json.loads(content))
    return dict(_Unpickler(io.BytesIO(content)).load())
