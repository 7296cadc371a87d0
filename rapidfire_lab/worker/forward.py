"""Calls of ``compute_forward``, the same in training, validation and inference."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from rapidfire_lab.errors import SpecError

if TYPE_CHECKING:
    from rapidfire_lab.metrics import EpochMetrics
    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """What a precision of the config means for ``compute_forward``."""
    dtype = _AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=dtype) if dtype else contextlib.nullcontext()


def loss_and_outputs(result: Any) -> tuple[torch.Tensor, dict[str, Any]]:
    """What ``compute_forward`` returned, where it has to return a loss."""
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):  # noqa: PLR2004
        message = (
            "compute_forward must return (loss, outputs dictionary); in modes 'validation', 'test' and 'predict' the "
            f"dictionary alone will do. It returned {type(result).__name__}."
        )
        raise SpecError(message)
    loss, outputs = result
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        shape = f"of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        message = f"compute_forward must return a loss tensor of one element, not {shape}."
        raise SpecError(message)
    return loss, outputs


def custom_metrics(values: Any) -> dict[str, Any]:
    """What ``compute_metrics`` returned."""
    if not isinstance(values, dict):
        message = f"compute_metrics must return a dictionary, not {type(values).__name__}."
        raise SpecError(message)
    return values


def count_minibatch(
    metrics: EpochMetrics, hooks: Hooks, result: Any, minibatch: Any, mode: Mode, examples: int
) -> None:
    """Add a minibatch that nothing is learnt from to the metrics of its pass."""
    loss, outputs = (None, result) if isinstance(result, dict) else loss_and_outputs(result)
    if loss is not None:
        metrics.add_loss(loss, examples)
    metrics.add_outputs(outputs)
    if hooks.has("compute_metrics"):
        metrics.add_custom(custom_metrics(hooks.compute_metrics(loss, outputs, minibatch, mode)))
