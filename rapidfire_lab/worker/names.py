"""Names of a model's tensors, the same whether ``torch.compile`` has wrapped it, or parts of it, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_WRAPPED = "_orig_mod"


def plain(name: str) -> str:
    """The name without those that a compiled module gives to what it wraps."""
    return ".".join(part for part in name.split(".") if part != _WRAPPED) if _WRAPPED in name else name


def state_of(model: nn.Module) -> dict[str, Any]:
    """``state_dict()`` under plain names."""
    return {plain(name): value for name, value in model.state_dict().items()}


def parameters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """``named_parameters()`` under plain names."""
    return {plain(name): parameter for name, parameter in model.named_parameters()}


def as_named_in(model: nn.Module, values: dict[str, Any]) -> dict[str, Any]:
    """Values under the names that ``load_state_dict`` of this model knows; what it does not have keeps its own."""
    own = {plain(name): name for name in model.state_dict()}
    return {own.get(plain(name), name): value for name, value in values.items()}
