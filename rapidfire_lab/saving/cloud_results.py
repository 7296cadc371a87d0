"""Results on the local disk and in a bucket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.saving.cloud import BaseDataSaver, BaseGoogleStorageDataSaver
from rapidfire_lab.saving.folder import DEFAULT_ROOT, new_timestamp
from rapidfire_lab.saving.local_results import LocalResultsSaver

if TYPE_CHECKING:
    from rapidfire_lab.saving.result_packages import AbstractResultPackage
    from rapidfire_lab.saving.training_history import TrainingHistory


class AbstractResultsSaver(ABC):
    """What saves results to a cloud."""

    @abstractmethod
    def save_experiment_results(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        separate_files: bool = False,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str]:
        """Save results; return the path of the main file in the cloud, and the timestamp."""


class BaseResultsSaver(BaseDataSaver):
    """Where results lie in a bucket."""

    def __init__(self, bucket_name: str = "model-result", cloud_dir_prefix: str = "") -> None:
        super().__init__(bucket_name)
        self.cloud_dir_prefix = cloud_dir_prefix

    def create_experiment_cloud_storage_folder_structure(
        self, project_name: str, experiment_name: str, experiment_timestamp: str
    ) -> str:
        return f"{self.experiment_folder(project_name, experiment_name, experiment_timestamp)}/results"


class S3ResultsSaver(AbstractResultsSaver, BaseResultsSaver):
    """Saves results on the local disk, and sends those files to S3 before it returns."""

    def __init__(
        self,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
    ) -> None:
        super().__init__(bucket_name, cloud_dir_prefix)
        self.local_results_saver = LocalResultsSaver(local_model_result_folder_path)

    def save_experiment_results(
        self,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        separate_files: bool = False,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str]:
        local = self.local_results_saver
        root = local.local_model_result_folder_path
        timestamp = experiment_timestamp or new_timestamp(project_name, experiment_name, root)
        save = local.save_experiment_results_separate_files if separate_files else local.save_experiment_results
        about = (result_package, training_history, project_name, experiment_name, timestamp)
        saved = save(*about, save_true_pred_labels, protect_existing_folder)
        folder = self.experiment_folder(project_name, experiment_name, timestamp)
        files = {f"results/{_key(name)}": Path(path) for name, path in saved}
        self.publish(folder, files, protect=protect_existing_folder)
        return f"{self.bucket_name}/{folder}/results/{_key(saved[0][0])}", timestamp


def _key(name: str) -> str:
    return name.replace("\\", "/")


class BaseResultsGoogleStorageSaver(BaseGoogleStorageDataSaver, BaseResultsSaver):
    """Where results lie in a bucket of Google Storage."""


class GoogleStorageResultsSaver(BaseResultsGoogleStorageSaver, S3ResultsSaver):
    """The same for Google Storage."""
