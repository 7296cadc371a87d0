"""Models on the local disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.folder import DEFAULT_ROOT, ExperimentFolder, SavedFiles, new_timestamp
from rapidfire_lab.saving.plain import open_to_all, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED = ("model_state_dict", "optimizer_state_dict", "epoch", "hyperparams")


class AbstractLocalModelSaver(ABC):
    """What saves a model to the local disk."""

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
    ) -> tuple[str, str]:
        """Save a model; return the name and the path of its file."""


class BaseLocalModelSaver(AbstractLocalModelSaver):
    """Where models lie: ``model/``, or ``checkpoint_model/`` in the midst of training.

    Parameters
    ----------
    local_model_result_folder_path
        Root of all projects; made where it is missing.
    checkpoint_model
        Whether models are checkpoints of a training that goes on.
    """

    suffix = ""

    def __init__(
        self,
        local_model_result_folder_path: str = DEFAULT_ROOT,
        checkpoint_model: bool = False,
    ) -> None:
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())
        self.checkpoint_model = checkpoint_model

    def create_experiment_local_models_folder(
        self, project_name: str, experiment_name: str, experiment_timestamp: str
    ) -> str:
        """Make the folder of the experiment's models, and return it."""
        experiment = ExperimentFolder.create_base_folder(
            project_name, experiment_name, experiment_timestamp, self.local_model_result_folder_path
        )
        folder = Path(experiment) / models_folder(checkpoint=self.checkpoint_model)
        folder.mkdir(exist_ok=True)
        return str(folder)

    def save_model(
        self,
        model: Any,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str | None = None,
        epoch: int | None = None,
        iteration_idx: int | None = None,
        protect_existing_folder: bool = True,
    ) -> tuple[str, str]:
        """Save a model under ``model_<experiment>_<timestamp>[_E<epoch>[_ITER<iteration>]]``.

        Raises
        ------
        ProtectedError
            When another model has this name and ``protect_existing_folder`` is on.
        """
        self._check(model)
        root = self.local_model_result_folder_path
        timestamp = experiment_timestamp or new_timestamp(project_name, experiment_name, root)
        folder = Path(self.create_experiment_local_models_folder(project_name, experiment_name, timestamp))
        name = model_name(experiment_name, timestamp, epoch, iteration_idx) + self.suffix
        files = SavedFiles(folder.parent, protect=protect_existing_folder)
        path = files.write(f"{folder.name}/{name}", lambda target: self._write(model, target))
        files.commit()
        return name, str(path)

    def _check(self, model: Any) -> None:
        """Refuse a model that cannot be saved, before anything is written."""

    @abstractmethod
    def _write(self, model: Any, path: Path) -> None: ...


class PyTorchLocalModelSaver(BaseLocalModelSaver):
    """Saves the dictionary of a PyTorch training with ``torch.save``, so that it loads with ``weights_only=True``."""

    suffix = ".pth"

    def _check(self, model: Any) -> None:
        self.check_model_dict_contents(model)

    @staticmethod
    def check_model_dict_contents(model: Mapping[str, Any]) -> None:
        """Raise ValueError where one of the elements `REQUIRED` is missing."""
        missing = [name for name in REQUIRED if name not in model]
        if missing:
            raise ValueError(f"the model dictionary lacks {', '.join(missing)}; it has {', '.join(map(str, model))}")

    def _write(self, model: Mapping[str, Any], path: Path) -> None:
        import torch

        # Through a file object: torch would write the name of a path into the file, and the same model differ.
        with path.open("wb") as file:
            torch.save({**model, "hyperparams": plain(open_to_all(model["hyperparams"]))}, file)


class KerasLocalModelSaver(BaseLocalModelSaver):
    """Saves a Keras model in its HDF5 format (needs h5py)."""

    suffix = ".h5"

    def _write(self, model: Any, path: Path) -> None:
        path.unlink()  # Keras asks before it writes over a file
        model.save(str(path))


def models_folder(*, checkpoint: bool) -> str:
    return "checkpoint_model" if checkpoint else "model"


def model_name(experiment_name: str, timestamp: str, epoch: int | None, iteration_idx: int | None = None) -> str:
    """Name of a model's file without its ending; an iteration counts within an epoch alone."""
    name = f"model_{experiment_name}_{timestamp}"
    if epoch is None:
        return name
    return f"{name}_E{epoch}" if iteration_idx is None else f"{name}_E{epoch}_ITER{iteration_idx}"
