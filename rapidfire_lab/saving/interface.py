"""What every experiment saver can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapidfire_lab.saving.result_packages import AbstractResultPackage
    from rapidfire_lab.saving.training_history import TrainingHistory


class AbstractExperimentSaver(ABC):
    """Saves an experiment with one call, wherever that is."""

    @abstractmethod
    def save_experiment(
        self,
        model: Any,
        result_package: AbstractResultPackage,
        training_history: TrainingHistory,
        experiment_timestamp: str | None = None,
        save_true_pred_labels: bool = False,
        separate_files: bool = False,
        protect_existing_folder: bool = True,
    ) -> Any:
        """Save a model and its results.

        Parameters
        ----------
        model
            For PyTorch a dictionary with ``model_state_dict``, ``optimizer_state_dict``, ``epoch`` and ``hyperparams``,
            for Keras a model.
        result_package
            A package that was prepared (``prepare_result_package``).
        experiment_timestamp
            Part of the folder's name; None takes the present time, and a folder that nobody else has.
        save_true_pred_labels
            Whether true and predicted labels are saved too.
        separate_files
            Whether results, hyper-parameters and history are saved in a file each.
        protect_existing_folder
            Whether files that are there must not be replaced by others. The same file is no other.
        """
