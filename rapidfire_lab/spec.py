"""``MLSpec``: the class in which users write their training and inference code.

The hooks and their meaning are those of RapidFire AI's MLSpec. This module imports no torch, so that naming the base
class in a notebook costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import torch
    from torch import nn

    from rapidfire_lab.policies import PolicyControl, PolicyRun

POLICY_HOOK = "steer_runs"
"""The hook that is a policy, and the name of that policy."""

Mode = Literal["train", "validation", "test", "predict"]


class MLSpec:
    """Base class of a spec; a bare class named ``MLSpec`` in the spec file works just as well.

    ``cfg`` is the run's read-only config: training knobs at top level and under ``cfg["train"]``, user knobs at
    top level and under ``cfg["user_knobs"]``. ``mode`` is ``"train"``, ``"validation"``, ``"test"`` or ``"predict"``.
    Hooks may leave out trailing parameters they do not use.

    What a spec keeps on ``self`` outside ``initialize_run`` is not part of the run state: a run may move to another
    process between two minibatches. The same holds for module attributes outside ``state_dict()``.

    Attributes
    ----------
    share_prepared_rows
        Whether what ``row_prep`` gives for a row may be kept on disk, and given to all runs whose configs agree in the
        knobs that ``initialize_run`` and ``row_prep`` have read; a slot then keeps what ``collate_fn`` makes of such
        rows, too. False where one of these depends on something else than its arguments, ``initialize_run`` and random
        numbers: the time, say, or a file that no locator names.
    """

    share_prepared_rows: bool = True

    def initialize_run(self, misc_path: str | None, cfg: Mapping[str, Any], mode: Mode) -> None:
        """Make read-only objects that the other hooks share, e.g. a tokenizer. Optional.

        ``misc_path`` is the local folder of the handle's ``misc`` locator, None without one.
        """

    def row_prep(self, row: pd.Series[Any], cfg: Mapping[str, Any], mode: Mode) -> Any:
        """Turn one row of the Example Structure File into a dict, list or tuple; required.

        Without a ``collate_fn`` of your own, every value must be a tensor of the same shape for all rows.
        Object columns hold absolute paths of local files.
        """
        raise NotImplementedError

    def create_model(self, cfg: Mapping[str, Any]) -> nn.Module:
        """Make the model; required. The engine moves it to the device."""
        raise NotImplementedError

    def compute_forward(
        self,
        model: nn.Module,
        minibatch: Any,
        cfg: Mapping[str, Any],
        mode: Mode,
    ) -> tuple[torch.Tensor, dict[str, Any]] | dict[str, Any]:
        """Loss (one element) and outputs of a minibatch; required.

        Training returns ``(loss, outputs)``; validation and test may, prediction returns ``outputs`` alone. Each
        output has the minibatch as its first dimension. ``top1_accuracy`` needs outputs ``predictions`` (batch,) and
        ``targets`` (batch,); ``topk_accuracy`` needs ``logits`` (batch, classes) and ``targets``.
        """
        raise NotImplementedError

    def steer_runs(self, runs: list[PolicyRun], control: PolicyControl) -> None:
        """Steer the runs at every committed chunk; optional, and the same as a function for ``add_policy``.

        It is called in a process of its own, on a spec of which no other hook was called.
        """

    def load_model(self, model_tag: str, *, allow_pickle: bool = False) -> Any:
        """Load a checkpoint for use in ``create_model``; provided, not to be overridden.

        Parameters
        ----------
        model_tag
            Path, or ``file://``, ``s3://`` or ``gs://`` address, of a ``.safetensors`` file, a ``.pt`` file or the
            ``.json`` file beside a checkpoint of ours; ``rapidfire_lab.load_model`` has more.
        allow_pickle
            Load a ``.pt`` file that holds more than tensors and plain data, which runs code that is in the file: only
            for files that you trust as you trust your own code.

        Returns
        -------
        A dictionary of tensors, or whatever the ``.pt`` file holds.

        Raises
        ------
        StorageError, DataError
            When it cannot be found or fetched, or read.
        """
        from rapidfire_lab.model_files import load_model

        return load_model(model_tag, allow_pickle=allow_pickle)


REQUIRED_HOOKS = ("row_prep", "create_model", "compute_forward")

HOOK_PARAMETERS: dict[str, tuple[str, ...]] = {
    "initialize_run": ("misc_path", "cfg", "mode"),
    "row_prep": ("row", "cfg", "mode"),
    "collate_fn": ("batch", "cfg", "mode"),
    "create_model": ("cfg",),
    "compute_forward": ("model", "minibatch", "cfg", "mode"),
    "compute_metrics": ("loss", "outputs", "minibatch", "cfg", "mode"),
    "aggregate_metrics": ("metrics", "cfg", "mode"),
    "has_converged": ("val_metrics", "epoch", "cfg"),
    "steer_runs": ("runs", "control"),
}
"""Positional parameters that the engine passes to each hook, after ``self``."""
