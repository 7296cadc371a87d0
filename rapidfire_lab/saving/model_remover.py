"""Keeping only the best checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.storage import retract
from rapidfire_lab.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.saving.cloud_models import BaseModelSaver
    from rapidfire_lab.saving.training_history import TrainingHistory

_LOSSES = ("loss", "accumulated_loss", "val_loss")


class LocalSubOptimalModelRemover:
    """Removes checkpoints that better ones have overtaken.

    Parameters
    ----------
    metric_name
        What is compared, out of the training history; a name with ``loss`` is better when it is small. Losses are known
        when a checkpoint is saved, other metrics one call later.
    num_best_kept
        Checkpoints that stay.
    cloud_saver
        The saver that sent the checkpoints to a cloud, for them to be removed there too.
    """

    def __init__(self, metric_name: str, num_best_kept: int = 2, *, cloud_saver: BaseModelSaver | None = None) -> None:
        self.metric_name = metric_name
        self.decrease_metric = "loss" in metric_name
        self.num_best_kept = num_best_kept
        self.is_default_metric = metric_name in _LOSSES
        self.non_default_metric_buffer: list[str] | None = None
        self.model_save_history: list[tuple[list[str], Any]] = []
        self._cloud_saver = cloud_saver

    def decide_if_remove_suboptimal_model(self, history: TrainingHistory, new_model_dump_paths: list[str]) -> None:
        """Take new checkpoints into account, and remove the worst ones if there are too many."""
        measured: list[str] | None = new_model_dump_paths
        if not self.is_default_metric:
            measured, self.non_default_metric_buffer = self.non_default_metric_buffer, new_model_dump_paths
        if measured is None:
            return
        if self.metric_name not in history:
            print(f"metric {self.metric_name} is not in the history: {', '.join(history.keys())}")
            return
        self.model_save_history.append((measured, history[self.metric_name][-1]))
        self.model_save_history.sort(key=lambda saved: self._rank(float(saved[1])))
        while len(self.model_save_history) > self.num_best_kept:
            paths, _ = self.model_save_history.pop()
            self.rm_suboptimal_model(paths)
            if self._cloud_saver is not None:
                self._cloud_saver.remove_models(paths)

    def _rank(self, value: float) -> tuple[bool, float]:
        """Where a value comes, the best first; one that is no number is the worst."""
        return math.isnan(value), value if self.decrease_metric else -value

    @staticmethod
    def rm_suboptimal_model(rm_model_paths: Sequence[str]) -> None:
        """Remove files, and their entries in the experiment's manifest first."""
        for path in map(Path, rm_model_paths):
            retract(LocalStore(path.parent.parent), [f"{path.parent.name}/{path.name}"])
            path.unlink(missing_ok=True)
