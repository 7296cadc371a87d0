"""What makes two runs alike enough to be trained as one model: the same modules and code, with other numbers."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from torch import nn

from rapidfire_lab.worker.names import plain

if TYPE_CHECKING:
    from rapidfire_lab.worker.training import TrainingRun

_SIMPLE = (bool, int, float, complex, str, bytes, type(None))
_OWN = frozenset(vars(nn.Module()))
"""What every module has as attributes: parameters, buffers, hooks, whether it trains."""
_HOOKS = tuple(name for name in sorted(_OWN) if name.endswith("_hooks"))


class NotFusibleError(Exception):
    """Runs cannot be trained as one model, for this reason; nothing of them has changed."""


def structure_of(run: TrainingRun) -> str:
    """A digest that two runs share if their models differ in the values of tensors alone.

    Raises
    ------
    NotFusibleError
        When this run can be trained as one model with nobody.
    """
    _refuse(run)
    tensors = [
        (name, list(tensor.shape), str(tensor.dtype), tensor.requires_grad)
        for named in (run.model.named_parameters(), run.model.named_buffers())
        for name, tensor in named
    ]
    train = run.plan.config["train"]
    told = [
        module_attributes(run.model),
        tensors,
        attributes_of(run.hooks.spec),
        [train["batch_size"], train["gradient_accumulation_steps"]],
    ]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()


def _refuse(run: TrainingRun) -> None:
    precision = run.plan.config["train"]["precision"]
    if precision != "fp32":
        message = f"its precision is {precision}, and runs are fused in fp32"
        raise NotFusibleError(message)
    if any(plain(name) != name for name, _ in run.model.named_parameters()):
        raise NotFusibleError("its model is compiled")
    for name, module in run.model.named_modules():
        if any(getattr(module, hooks, None) for hooks in _HOOKS):
            message = f"its module {name or type(module).__name__!r} has hooks"
            raise NotFusibleError(message)


def module_attributes(model: nn.Module) -> list[list[Any]]:
    """Names, types and attributes of all modules of a model."""
    return [
        [name, f"{type(module).__module__}.{type(module).__qualname__}", attributes_of(module)]
        for name, module in model.named_modules()
    ]


def attributes_of(thing: object) -> dict[str, str]:
    """Attributes of an object: simple values as they are, all others by their types."""
    own = getattr(thing, "__dict__", {})
    return {name: _told(value) for name, value in sorted(own.items()) if name not in _OWN}


def _told(value: Any) -> str:
    if isinstance(value, _SIMPLE):
        return repr(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, _SIMPLE) for item in value):
        return repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"
