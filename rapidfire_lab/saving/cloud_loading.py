"""Models out of a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.cloud import BaseDataLoader, open_google
from rapidfire_lab.saving.folder import DEFAULT_ROOT, ExperimentFolder
from rapidfire_lab.saving.local_models import model_name
from rapidfire_lab.saving.model_loading import AbstractLocalModelLoader, PyTorchLocalModelLoader

if TYPE_CHECKING:
    from collections.abc import Sequence


class BaseModelLoader(BaseDataLoader):
    """Fetches a model into the layout of the local disk, and loads it from there.

    A file that is on the disk is used only if it is what the bucket has.
    """

    def __init__(
        self,
        local_model_loader: AbstractLocalModelLoader,
        local_model_result_folder_path: str = DEFAULT_ROOT,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
    ) -> None:
        super().__init__(bucket_name, local_model_result_folder_path)
        self.local_model_loader = local_model_loader
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())
        self.cloud_dir_prefix = cloud_dir_prefix

    def load_model(
        self,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str,
        model_save_dir: str = "checkpoint_model",
        epoch_num: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Fetch and load a model; ``kwargs`` go to the local loader.

        Raises
        ------
        ObjectNotFoundError
            When the bucket has no such model.
        """
        name = model_name(experiment_name, experiment_timestamp, epoch_num, kwargs.get("iteration_idx")) + ".pth"
        prefix = self.cloud_dir_prefix.strip("/")
        parts = (prefix, project_name, f"{experiment_name}_{experiment_timestamp}", model_save_dir, name)
        _, folder = ExperimentFolder.get_base_folder_paths(
            project_name, experiment_name, experiment_timestamp, self.local_model_result_folder_path
        )
        self.load_file("/".join(part for part in parts if part), str(Path(folder) / model_save_dir / name))
        names = (project_name, experiment_name, experiment_timestamp)
        return self.local_model_loader.load_model(*names, model_save_dir, epoch_num, **kwargs)


class PyTorchS3ModelLoader(BaseModelLoader):
    """PyTorch models out of S3; after `load_model`, the rest is that of `PyTorchLocalModelLoader`."""

    local_model_loader: PyTorchLocalModelLoader

    def __init__(
        self,
        local_model_result_folder_path: str = DEFAULT_ROOT,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
    ) -> None:
        loader = PyTorchLocalModelLoader(local_model_result_folder_path)
        super().__init__(loader, local_model_result_folder_path, bucket_name, cloud_dir_prefix)

    def init_model(self, model: Any, used_data_parallel: bool = False) -> Any:
        return self.local_model_loader.init_model(model, used_data_parallel)

    def init_optimizer(self, optimizer: Any, device: str = "cuda") -> Any:
        return self.local_model_loader.init_optimizer(optimizer, device)

    def init_scheduler(
        self,
        scheduler_callbacks_list: Sequence[Any],
        ignore_saved: bool = False,
        ignore_missing_saved: bool = False,
    ) -> Sequence[Any]:
        return self.local_model_loader.init_scheduler(scheduler_callbacks_list, ignore_saved, ignore_missing_saved)

    def init_amp(self, amp_scaler: Any) -> Any:
        return self.local_model_loader.init_amp(amp_scaler)


class BaseModelGoogleStorageLoader(BaseModelLoader):
    """The same for Google Storage."""

    open_bucket = staticmethod(open_google)


class PyTorchGoogleStorageModelLoader(BaseModelGoogleStorageLoader, PyTorchS3ModelLoader):
    """PyTorch models out of Google Storage."""

    def __init__(
        self,
        local_model_result_folder_path: str = DEFAULT_ROOT,
        bucket_name: str = "model-result",
        cloud_dir_prefix: str = "",
    ) -> None:
        PyTorchS3ModelLoader.__init__(self, local_model_result_folder_path, bucket_name, cloud_dir_prefix)
