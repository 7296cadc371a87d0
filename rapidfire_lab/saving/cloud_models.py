"""Models on the local disk and in a bucket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.cloud import BaseDataSaver, BaseGoogleStorageDataSaver
from rapidfire_lab.saving.folder import DEFAULT_ROOT, new_timestamp
from rapidfire_lab.saving.local_models import (
    BaseLocalModelSaver,
    KerasLocalModelSaver,
    PyTorchLocalModelSaver,
    models_folder,
)
from rapidfire_lab.storage import retract

if TYPE_CHECKING:
    from collections.abc import Sequence


class AbstractModelSaver(ABC):
    """What saves a model to a cloud."""

    @abstractmethod
    def save_model(
        self,
        model: Any,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        epoch: int | None = None,
        iteration_idx: int | None = None,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str, str]:
        """Save a model; return its path in the cloud, the timestamp and its path on this disk."""


class BaseModelSaver(BaseDataSaver):
    """Where models lie in a bucket."""

    def __init__(
        self, bucket_name: str = "model-result", cloud_dir_prefix: str = "", checkpoint_model: bool = False
    ) -> None:
        super().__init__(bucket_name)
        self.cloud_dir_prefix = cloud_dir_prefix
        self.checkpoint_model = checkpoint_model

    def create_experiment_cloud_storage_folder_structure(
        self, project_name: str, experiment_name: str, experiment_timestamp: str
    ) -> str:
        folder = self.experiment_folder(project_name, experiment_name, experiment_timestamp)
        return f"{folder}/{models_folder(checkpoint=self.checkpoint_model)}"

    def remove_models(self, local_paths: Sequence[str]) -> None:
        """Remove from the bucket what `save_model` sent there of these files, once uploads are through."""
        self.wait()
        for path in map(Path, local_paths):
            kind, experiment, project = path.parent.name, path.parent.parent.name, path.parent.parent.parent.name
            folder = "/".join(part for part in (self.cloud_dir_prefix.strip("/"), project, experiment) if part)
            retract(self.store, [f"{kind}/{path.name}"], folder=folder)
            self.store.delete(f"{folder}/{kind}/{path.name}")


class _CloudModelSaver(AbstractModelSaver, BaseModelSaver):
    """Saves a model on the local disk, and sends that file.

    A checkpoint (``checkpoint_model=True``) is sent in the background, while training goes on: the next save
    raises what went wrong, and so does ``wait``. A final model is in the bucket when the call returns.

    Parameters
    ----------
    bucket_name
        The bucket, which must exist.
    cloud_dir_prefix
        Folder in the bucket below which projects lie.
    local_model_result_folder_path
        Root of all projects on this disk.
    checkpoint_model
        Whether models are checkpoints of a training that goes on.
    """

    _local: type[BaseLocalModelSaver]
    _local_name: str

    def __init__(
        self,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
        local_model_result_folder_path: str = DEFAULT_ROOT,
        checkpoint_model: bool = False,
    ) -> None:
        super().__init__(bucket_name, cloud_dir_prefix, checkpoint_model)
        self.local_saver = self._local(local_model_result_folder_path, checkpoint_model)
        setattr(self, self._local_name, self.local_saver)

    def save_model(
        self,
        model: Any,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        epoch: int | None = None,
        iteration_idx: int | None = None,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str, str]:
        root = self.local_saver.local_model_result_folder_path
        timestamp = experiment_timestamp or new_timestamp(project_name, experiment_name, root)
        name, path = self.local_saver.save_model(
            model, project_name, experiment_name, timestamp, epoch, iteration_idx, protect_existing_folder
        )
        folder = self.experiment_folder(project_name, experiment_name, timestamp)
        key = f"{models_folder(checkpoint=self.checkpoint_model)}/{name}"
        self.publish(folder, {key: Path(path)}, protect=protect_existing_folder, background=self.checkpoint_model)
        return f"{self.bucket_name}/{folder}/{key}", timestamp, path


class PyTorchS3ModelSaver(_CloudModelSaver):
    """PyTorch models in S3."""

    _local, _local_name = PyTorchLocalModelSaver, "pytorch_local_saver"


class KerasS3ModelSaver(_CloudModelSaver):
    """Keras models in S3."""

    _local, _local_name = KerasLocalModelSaver, "keras_local_saver"


class BaseModelGoogleStorageSaver(BaseGoogleStorageDataSaver, BaseModelSaver):
    """Where models lie in a bucket of Google Storage."""


class PyTorchGoogleStorageModelSaver(BaseModelGoogleStorageSaver, PyTorchS3ModelSaver):
    """PyTorch models in Google Storage."""


class KerasGoogleStorageModelSaver(BaseModelGoogleStorageSaver, KerasS3ModelSaver):
    """Keras models in Google Storage."""
