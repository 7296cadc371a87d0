"""State of an optimizer: loading it whole, and what of it can be carried to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_optimizer_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load a ``state_dict``; torch casts all of it to the parameters' dtype, also what has one of its own."""
    optimizer.load_state_dict(saved)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    keys = [key for group in saved["param_groups"] for key in group["params"]]
    for parameter, key in zip(parameters, keys, strict=True):
        for name, value in saved["state"].get(key, {}).items():
            loaded = optimizer.state[parameter][name]
            if isinstance(value, torch.Tensor) and loaded.dtype != value.dtype:
                optimizer.state[parameter][name] = value.to(loaded.device)


def state_by_name(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the optimizer of a run state keeps, by name of the parameter: it was given all of them, in this order."""
    saved = state["optimizer"]
    keys = [key for group in saved["param_groups"] for key in group["params"]]
    return {name: saved["state"].get(key, {}) for name, key in zip(state["requires_grad"], keys, strict=True)}


class KeptNames:
    """Names of what an optimizer with these arguments keeps for a parameter (``exp_avg``, ``momentum_buffer``)."""

    def __init__(self, kind: type[torch.optim.Optimizer], args: Mapping[str, Any]) -> None:
        self._kind = kind
        self._args = args
        self._known: dict[tuple[int, torch.dtype], set[str]] = {}

    def of(self, parameter: nn.Parameter) -> set[str]:
        kind = (parameter.ndim, parameter.dtype)
        if kind not in self._known:
            self._known[kind] = self._find_out(parameter)
        return self._known[kind]

    def _find_out(self, parameter: nn.Parameter) -> set[str]:
        """Take a step on a tiny parameter of the same kind: what is kept depends on the arguments, too."""
        probe = nn.Parameter(torch.zeros((1,) * parameter.ndim, dtype=parameter.dtype, device=parameter.device))
        gradient = torch.zeros_like(probe)
        probe.grad = gradient.to_sparse() if self._kind is torch.optim.SparseAdam else gradient
        optimizer = self._kind([probe], **self._args)
        optimizer.step()
        return set(optimizer.state.get(probe, {}))
