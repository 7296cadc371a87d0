"""Models back from the disk, and into what is to be trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import DataError
from rapidfire_lab.saving.folder import ExperimentFolder
from rapidfire_lab.saving.local_models import model_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARALLEL = "module."


class AbstractLocalModelLoader(ABC):
    """What loads a model that was saved on the local disk."""

    @abstractmethod
    def load_model(
        self,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str,
        model_save_dir: str,
        epoch_num: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Load the model of an epoch, or of the training's end."""


class PyTorchLocalModelLoader(AbstractLocalModelLoader):
    """Loads what `PyTorchLocalModelSaver` saved. Nothing but tensors and plain data is loaded: no code can run."""

    def __init__(self, local_model_result_folder_path: str) -> None:
        self.local_model_result_folder_path = str(Path(local_model_result_folder_path).expanduser())
        self.model_representation: dict[str, Any] | None = None

    def load_model(  # type: ignore[override]
        self,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str,
        model_save_dir: str = "checkpoint_model",
        epoch_num: int | None = None,
        map_location: Any = None,
        *,
        iteration_idx: int | None = None,
    ) -> dict[str, Any]:
        """Load a model out of an experiment's folder.

        Parameters
        ----------
        model_save_dir
            ``checkpoint_model``, or ``model`` for the one of the training's end.
        epoch_num, iteration_idx
            Those it was saved with.
        map_location
            Where tensors are to lie, as in ``torch.load``.

        Raises
        ------
        FileNotFoundError
            When there is no such model.
        DataError
            When the file holds more than tensors and plain data.
        """
        _, folder = ExperimentFolder.get_base_folder_paths(
            project_name, experiment_name, experiment_timestamp, self.local_model_result_folder_path
        )
        name = model_name(experiment_name, experiment_timestamp, epoch_num, iteration_idx) + ".pth"
        loaded = self.load_model_from_path(str(Path(folder) / model_save_dir / name), map_location)
        loaded.setdefault("schedulers_state_dict", [])
        return loaded

    def load_model_from_path(self, model_path: str, map_location: Any = None) -> dict[str, Any]:
        """Load a model from any file."""
        import pickle

        import torch

        if not Path(model_path).is_file():
            raise FileNotFoundError(f"there is no model {model_path}")
        try:
            self.model_representation = torch.load(model_path, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            raise DataError(
                f"{model_path} holds more than tensors and plain data, which could run code when loaded. If you know "
                "where it comes from, name its classes with torch.serialization.add_safe_globals. "
                f"{str(error).splitlines()[0]}"
            ) from None
        return self._loaded()

    def check_if_model_loaded(self) -> None:
        if self.model_representation is None:
            raise ValueError("no model is loaded; call load_model first")

    def _loaded(self) -> dict[str, Any]:
        self.check_if_model_loaded()
        assert self.model_representation is not None  # noqa: S101 - it is what was asked
        return self.model_representation

    def init_model(self, model: Any, used_data_parallel: bool = False) -> Any:
        """Give a model the loaded weights; ``used_data_parallel`` where it was saved out of ``nn.DataParallel``."""
        weights = self._loaded()["model_state_dict"]
        if used_data_parallel:
            weights = {name.removeprefix(_PARALLEL): tensor for name, tensor in weights.items()}
        model.load_state_dict(weights)
        return model

    def init_optimizer(self, optimizer: Any, device: str = "cuda") -> Any:
        """Give an optimizer its loaded state; it puts its tensors where those of the model are."""
        del device
        optimizer.load_state_dict(self._loaded()["optimizer_state_dict"])
        return optimizer

    def init_scheduler(
        self,
        scheduler_callbacks_list: Sequence[Any],
        ignore_saved: bool = False,
        ignore_missing_saved: bool = False,
    ) -> Sequence[Any]:
        """Give schedulers their loaded states, in the order in which they were saved.

        Raises
        ------
        KeyError
            When none were saved, unless ``ignore_missing_saved``.
        ValueError
            When there are more or fewer than were saved; none at all are right with ``ignore_saved``.
        """
        saved = self._loaded().get("schedulers_state_dict", [])
        if not saved and scheduler_callbacks_list:
            if ignore_missing_saved:
                return scheduler_callbacks_list
            raise KeyError("the model was saved without schedulers; give none, or ignore_missing_saved=True")
        if saved and not scheduler_callbacks_list and ignore_saved:
            return scheduler_callbacks_list
        if len(saved) != len(scheduler_callbacks_list):
            raise ValueError(f"{len(saved)} schedulers were saved, and {len(scheduler_callbacks_list)} are given")
        for scheduler, state in zip(scheduler_callbacks_list, saved, strict=True):
            scheduler.load_state_dict(state)
        return scheduler_callbacks_list

    def init_amp(self, amp_scaler: Any) -> Any:
        """Give a gradient scaler its loaded state."""
        amp_scaler.load_state_dict(self._loaded()["amp"])
        return amp_scaler
