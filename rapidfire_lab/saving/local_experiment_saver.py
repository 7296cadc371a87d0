"""Experiments saved on the local disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.folder import DEFAULT_ROOT, check_names, new_timestamp
from rapidfire_lab.saving.interface import AbstractExperimentSaver
from rapidfire_lab.saving.local_models import AbstractLocalModelSaver, KerasLocalModelSaver, PyTorchLocalModelSaver
from rapidfire_lab.saving.local_results import LocalResultsSaver

if TYPE_CHECKING:
    from rapidfire_lab.saving.result_packages import AbstractResultPackage
    from rapidfire_lab.saving.training_history import TrainingHistory


class BaseFullExperimentLocalSaver(AbstractExperimentSaver):
    """Saves model and results.

    Parameters
    ----------
    model_saver
        Saves the model.
    project_name, experiment_name
        Names of the folders.
    local_model_result_folder_path
        Root of all projects; made where it is missing.

    Raises
    ------
    TypeError
        When ``model_saver`` is no `AbstractLocalModelSaver`.
    """

    def __init__(
        self,
        model_saver: AbstractLocalModelSaver,
        project_name: str,
        experiment_name: str,
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        if not isinstance(model_saver, AbstractLocalModelSaver):
            raise TypeError(f"model_saver must be an AbstractLocalModelSaver, not {type(model_saver).__name__}")
        check_names(project_name, experiment_name)
        self.model_saver = model_saver
        self.results_saver = LocalResultsSaver(local_model_result_folder_path)
        self.project_name = project_name
        self.experiment_name = experiment_name
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())

    def save_experiment(
        self,
        model: Any,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        separate_files: bool = False,
        protect_existing_folder: bool = True,
    ) -> list[str]:
        """Save a model and its results; return the paths: the model's, those of results, those of plots.

        Raises
        ------
        ProtectedError
            When a file would be replaced by another and ``protect_existing_folder`` is on.
        """
        names = (self.project_name, self.experiment_name)
        timestamp = experiment_timestamp or new_timestamp(*names, self.local_model_result_folder_path)
        _, model_path = self.model_saver.save_model(
            model, *names, timestamp, protect_existing_folder=protect_existing_folder
        )
        results = self.results_saver
        save = results.save_experiment_results_separate_files if separate_files else results.save_experiment_results
        about = (result_package, training_history, *names, timestamp, save_true_pred_labels)
        saved = save(*about, protect_existing_folder)
        return [model_path, *(path for _, path in saved)]


class FullPyTorchExperimentLocalSaver(BaseFullExperimentLocalSaver):
    """Saves the model dictionary of a PyTorch training and its results."""

    def __init__(
        self, project_name: str, experiment_name: str, local_model_result_folder_path: str = DEFAULT_ROOT
    ) -> None:
        saver = PyTorchLocalModelSaver(local_model_result_folder_path)
        super().__init__(saver, project_name, experiment_name, local_model_result_folder_path)


class FullKerasExperimentLocalSaver(BaseFullExperimentLocalSaver):
    """Saves a Keras model and its results."""

    def __init__(
        self, project_name: str, experiment_name: str, local_model_result_folder_path: str = DEFAULT_ROOT
    ) -> None:
        saver = KerasLocalModelSaver(local_model_result_folder_path)
        super().__init__(saver, project_name, experiment_name, local_model_result_folder_path)
