"""A warm start: a run that begins with the weights and the optimizer's state of another one.

Part of the training contract (docs/architecture.md, 5.10): what is carried and what not decides results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

from rapidfire_lab.engine.protocol import Carried
from rapidfire_lab.worker.names import as_named_in, parameters_of, state_of
from rapidfire_lab.worker.optimizer_state import KeptNames, load_optimizer_state, state_by_name

if TYPE_CHECKING:
    from torch import nn

    from rapidfire_lab.worker.training import TrainingRun


_KEEP_LEARNING_RATE = ("ASGD", "Rprop")
"""Optimizers that read the learning rate from what they keep, so that one that was edited would not count."""


@dataclass(frozen=True)
class Parent:
    """The checkpoint to begin with."""

    weights: dict[str, torch.Tensor]
    state: dict[str, Any]
    optimizer: dict[str, Any]
    """Name and arguments of its optimizer, from its config."""


def carry_over(training: TrainingRun, parent: Parent, *, continue_position: bool = False) -> tuple[Carried, Carried]:
    """Put a parent's weights and optimizer state into a run that was just made; says what was carried of each.

    Nothing is drawn. The optimizer's arguments, the scheduler and ``requires_grad`` are the run's own, and so are
    position, order of the data, generators and scaler unless it is to go on where the parent stood.
    """
    weights = _carry_weights(training.model, parent)
    moments = _carry_moments(training, parent, weights.left)
    if continue_position:
        training.go_on_from(parent.state)
    return weights, moments


def _carry_weights(model: nn.Module, parent: Parent) -> Carried:
    found = {**parent.weights, **parent.state["extra"]}
    own = state_of(model)
    left = {name: why for name, value in own.items() if (why := _misfit(name, value, found))}
    model.load_state_dict(as_named_in(model, {name: found[name] for name in own if name not in left}), strict=False)
    return Carried(
        carried=len(own) - len(left),
        left=left | {name: "not in this model" for name in found if name not in own},
    )


def _misfit(name: str, own: Any, found: dict[str, Any]) -> str | None:
    """Why a value of the parent does not fit in here."""
    if name not in found:
        return "not in the parent"
    if not isinstance(own, torch.Tensor) or not isinstance(found[name], torch.Tensor):
        return None if isinstance(own, torch.Tensor) == isinstance(found[name], torch.Tensor) else "of another kind"
    # The shape of a parameter that is not initialised yet is that of the first thing to come.
    if is_lazy(own) or own.shape == found[name].shape:
        return None
    return f"{list(own.shape)} here, {list(found[name].shape)} in the parent"


def _carry_moments(training: TrainingRun, parent: Parent, left_weights: dict[str, str]) -> Carried:
    chosen = training.plan.config["train"]["optimizer"]
    if fresh := _why_fresh(chosen, parent.optimizer):
        return Carried(carried=0, fresh=fresh)
    found = state_by_name(parent.state)
    kept = KeptNames(type(training.optimizer), chosen["args"])
    carried: dict[int, dict[str, Any]] = {}
    left: dict[str, str] = {}
    for index, (name, parameter) in enumerate(parameters_of(training.model).items()):
        names = kept.of(parameter)
        why = "as its weights" if name in left_weights else _unusable(name, parameter, names, found, parent)
        if names and not why:
            carried[index] = {key: value for key, value in found[name].items() if key in names}
        elif why and parameter.requires_grad:
            left[name] = why
    groups = training.optimizer.state_dict()["param_groups"]
    load_optimizer_state(training.optimizer, {"state": carried, "param_groups": groups})
    return Carried(carried=len(carried), left=left)


def _why_fresh(chosen: dict[str, Any], earlier: dict[str, Any]) -> str | None:
    name = chosen["name"]
    if name != earlier["name"]:
        return f"{name} here, {earlier['name']} in the parent"
    if name in _KEEP_LEARNING_RATE and chosen["args"].get("lr") != earlier["args"].get("lr"):
        return f"the learning rate was changed, which {name} keeps in its state"
    return None


def _unusable(
    name: str, parameter: nn.Parameter, names: set[str], found: dict[str, dict[str, Any]], parent: Parent
) -> str | None:
    """Why what the parent's optimizer kept for a parameter cannot be taken over."""
    if names and (name not in found or name not in parent.weights):
        return "not in the parent"
    if names and parent.weights[name].dtype != parameter.dtype:
        return f"{parameter.dtype} here, {parent.weights[name].dtype} in the parent"
    missing = sorted(names - found.get(name, {}).keys())
    return f"the parent has no {', '.join(missing)}" if missing else None
