"""Experiments saved on the local disk and in a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.cloud_models import (
    AbstractModelSaver,
    KerasGoogleStorageModelSaver,
    KerasS3ModelSaver,
    PyTorchGoogleStorageModelSaver,
    PyTorchS3ModelSaver,
)
from rapidfire_lab.saving.cloud_results import AbstractResultsSaver, GoogleStorageResultsSaver, S3ResultsSaver
from rapidfire_lab.saving.folder import DEFAULT_ROOT, check_names
from rapidfire_lab.saving.interface import AbstractExperimentSaver

if TYPE_CHECKING:
    from rapidfire_lab.saving.result_packages import AbstractResultPackage
    from rapidfire_lab.saving.training_history import TrainingHistory


class BaseFullExperimentSaver(AbstractExperimentSaver):
    """Saves model and results with savers of its own.

    Parameters
    ----------
    model_saver, results_saver
        Save the model and the results.
    project_name, experiment_name
        Names of the folders.
    """

    def __init__(
        self,
        model_saver: AbstractModelSaver,
        results_saver: AbstractResultsSaver,
        project_name: str,
        experiment_name: str,
    ) -> None:
        check_names(project_name, experiment_name)
        self.model_saver = model_saver
        self.results_saver = results_saver
        self.project_name = project_name
        self.experiment_name = experiment_name

    def save_experiment(
        self,
        model: Any,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        separate_files: bool = False,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str]:
        """Save a model and its results; return the paths of the model and of the main results file, from the bucket on.

        All is in the bucket when this returns, with a ``manifest.json`` that was written last. After a failure, the
        same call with the same timestamp sends what is missing.

        Raises
        ------
        ProtectedError
            When a file would be replaced by another and ``protect_existing_folder`` is on.
        StorageError
            When the bucket does not take it. What was saved on this disk stays.
        """
        names = (self.project_name, self.experiment_name)
        model_path, timestamp, _ = self.model_saver.save_model(
            model, *names, experiment_timestamp, protect_existing_folder=protect_existing_folder
        )
        about = (result_package, training_history, *names, timestamp, save_true_pred_labels, separate_files)
        results_path, _ = self.results_saver.save_experiment_results(*about, protect_existing_folder)
        return model_path, results_path


class BaseFullExperimentS3Saver(BaseFullExperimentSaver):
    """Saves with a saver of models, and results to S3."""

    def __init__(
        self,
        model_saver: AbstractModelSaver,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        results_saver = S3ResultsSaver(bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(model_saver, results_saver, project_name, experiment_name)


class FullPyTorchExperimentS3Saver(BaseFullExperimentS3Saver):
    """Saves the model dictionary of a PyTorch training and its results to S3."""

    def __init__(
        self,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        place = (bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(PyTorchS3ModelSaver(*place), project_name, experiment_name, *place)


class FullKerasExperimentS3Saver(BaseFullExperimentS3Saver):
    """Saves a Keras model and its results to S3."""

    def __init__(
        self,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        place = (bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(KerasS3ModelSaver(*place), project_name, experiment_name, *place)


class BaseFullExperimentGoogleStorageSaver(BaseFullExperimentSaver):
    """Saves with a saver of models, and results to Google Storage."""

    def __init__(
        self,
        model_saver: AbstractModelSaver,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        results_saver = GoogleStorageResultsSaver(bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(model_saver, results_saver, project_name, experiment_name)


class FullPyTorchExperimentGoogleStorageSaver(BaseFullExperimentGoogleStorageSaver):
    """Saves the model dictionary of a PyTorch training and its results to Google Storage."""

    def __init__(
        self,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        place = (bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(PyTorchGoogleStorageModelSaver(*place), project_name, experiment_name, *place)


class FullKerasExperimentGoogleStorageSaver(BaseFullExperimentGoogleStorageSaver):
    """Saves a Keras model and its results to Google Storage."""

    def __init__(
        self,
        project_name: str,
        experiment_name: str,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        place = (bucket_name, cloud_dir_prefix, local_model_result_folder_path)
        super().__init__(KerasGoogleStorageModelSaver(*place), project_name, experiment_name, *place)
