"""The tensors of several models as one: a forward and backward pass for all of them by ``torch.func``.

See https://docs.pytorch.org/tutorials/intermediate/ensembling.html.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.utils import _pytree as pytree  # vmap takes its arguments apart with it, and there is no public name

from rapidfire_lab.worker.forward import loss_and_outputs
from rapidfire_lab.worker.structure import NotFusibleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from rapidfire_lab.worker.hooks import Hooks
    from rapidfire_lab.worker.training import TrainingRun

Tensors = dict[str, torch.Tensor]


class StackedRuns:
    """Parameters and buffers of runs of one structure, stacked while the block lasts.

    Those of the models are views into the stacks meanwhile, so that optimizers and validation work on them as ever;
    afterwards they have memory of their own again.
    """

    def __init__(self, runs: Sequence[TrainingRun]) -> None:
        self._runs = runs
        self._model = _Forward(runs[0].hooks, runs[0].model)
        self._named = [
            (dict(model.named_parameters()), dict(model.named_buffers())) for model in (run.model for run in runs)
        ]
        self._parameters: Tensors = {}
        self._buffers: Tensors = {}

    def __enter__(self) -> Self:
        parameters, buffers = self._named[0]
        self._parameters = {name: self._stack_parameter(name) for name in parameters}
        self._buffers = {name: _stack([own[name] for _, own in self._named]) for name in buffers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        inside = self._runs[0].is_inside_group
        for parameters, buffers in self._named:
            for tensor in (*parameters.values(), *buffers.values()):
                tensor.data = tensor.data.clone()
            for parameter in parameters.values():
                parameter.grad = parameter.grad.clone() if inside and parameter.grad is not None else None
        self._parameters, self._buffers = {}, {}

    def _stack_parameter(self, name: str) -> torch.Tensor:
        own = [parameters[name] for parameters, _ in self._named]
        stacked = _stack(own).requires_grad_(own[0].requires_grad)
        gradients = [parameter.grad for parameter in own if parameter.grad is not None]
        if len(gradients) == len(own) and self._runs[0].is_inside_group:
            stacked.grad = torch.stack(gradients)
        return stacked

    def learn(self, minibatches: Sequence[Any]) -> None:
        """Train the next minibatch of each run."""
        losses, outputs = self._forward(minibatches, self._buffers)
        for run, loss, own, minibatch in zip(self._runs, losses.unbind(), outputs, minibatches, strict=True):
            run.count(loss, own, minibatch)
        batch, first, group = self._runs[0].accumulation
        if batch == first:
            for parameter in self._parameters.values():
                parameter.grad = None
        # Each run's loss depends on its own parameters alone: the gradient of the sum has that of each.
        torch.autograd.backward(losses.sum() / group if group > 1 else losses.sum())
        self._hand_gradients_out()
        for run in self._runs:
            run.learn()

    def try_out(self, minibatches: Sequence[Any]) -> tuple[torch.Tensor, Tensors]:
        """Losses and gradients of the next minibatches, all stacked; nothing is learnt from them.

        Raises
        ------
        NotFusibleError
            When ``compute_forward`` is not fit for it.
        """
        try:
            losses, _ = self._forward(minibatches, {name: buffer.clone() for name, buffer in self._buffers.items()})
            trained = {name: value for name, value in self._parameters.items() if value.requires_grad}
            found = gradients_of(losses.sum(), trained)
        except NotFusibleError:
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            message = f"compute_forward cannot be called for several models at once ({type(error).__name__}: {reason})"
            raise NotFusibleError(message) from error
        return losses.detach(), found

    def _hand_gradients_out(self) -> None:
        for name, stacked in self._parameters.items():
            if stacked.grad is not None:
                for (parameters, _), gradient in zip(self._named, stacked.grad.unbind(), strict=True):
                    parameters[name].grad = gradient

    def _forward(self, minibatches: Sequence[Any], buffers: Tensors) -> tuple[torch.Tensor, list[dict[str, Any]]]:
        """Losses, in a tensor, and the outputs of each run."""
        plain: dict[str, Any] = {}
        names: list[str] = []

        def of_one(parameters: Tensors, buffers: Tensors, minibatch: Any) -> tuple[torch.Tensor, dict[str, Any]]:
            given = {f"model.{name}": value for name, value in (parameters | buffers).items()}
            used = dict(given)
            loss, outputs = loss_and_outputs(functional_call(self._model, used, (minibatch,)))
            if any(used[name] is not value for name, value in given.items()):
                message = "its model puts other tensors in the place of its buffers"
                raise NotFusibleError(message)
            names.extend(outputs)
            plain.update({name: value for name, value in outputs.items() if not _has_tensors(value)})
            return loss.reshape(()), {name: value for name, value in outputs.items() if _has_tensors(value)}

        self._runs[0].model.train()
        minibatch, dimensions = _together(minibatches)
        losses, batched = vmap(of_one, in_dims=(0, 0, dimensions), randomness="error")(
            self._parameters, buffers, minibatch
        )
        taken_apart = [pytree.tree_map(partial(_at, index), batched) for index in range(len(self._runs))]
        return losses, [{name: (plain | own)[name] for name in names} for own in taken_apart]


def gradients_of(loss: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Gradients of a loss for tensors, by their names; those that it does not depend on are left out."""
    found = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
    given: list[tuple[str, torch.Tensor | None]] = list(zip(tensors, found, strict=True))
    return {name: value for name, value in given if value is not None}


class _Forward(nn.Module):
    """``compute_forward`` as a module, so that what it uses of the model can be exchanged."""

    def __init__(self, hooks: Hooks, model: nn.Module) -> None:
        super().__init__()
        self._hooks = hooks
        self.model = model

    def forward(self, minibatch: Any) -> Any:
        return self._hooks.compute_forward(self.model, minibatch, "train")


def _stack(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Stack tensors, which become views into it."""
    stacked = torch.stack([tensor.detach() for tensor in tensors])
    for tensor, own in zip(tensors, stacked.unbind(), strict=True):
        tensor.data = own
    return stacked


def _at(index: int, value: torch.Tensor) -> torch.Tensor:
    return value[index]


def _has_tensors(value: Any) -> bool:
    return any(isinstance(leaf, torch.Tensor) for leaf in pytree.tree_leaves(value))


def _together(minibatches: Sequence[Any]) -> tuple[Any, Any]:
    """Minibatches as one, with the dimensions along which its tensors are stacked: None where all have the same."""
    first = minibatches[0]
    if all(minibatch is first for minibatch in minibatches):
        return first, None
    taken_apart = [pytree.tree_flatten(minibatch) for minibatch in minibatches]
    structure = taken_apart[0][1]
    if any(other != structure for _, other in taken_apart):
        message = "their minibatches are of different structures"
        raise NotFusibleError(message)
    leaves = [_leaf(values) for values in zip(*(leaves for leaves, _ in taken_apart), strict=True)]
    whole = pytree.tree_unflatten([value for value, _ in leaves], structure)
    return whole, pytree.tree_unflatten([dimension for _, dimension in leaves], structure)


def _leaf(values: tuple[Any, ...]) -> tuple[Any, int | None]:
    first = values[0]
    if isinstance(first, torch.Tensor):
        if any(value.shape != first.shape or value.dtype != first.dtype for value in values[1:]):
            message = "their minibatches have different shapes"
            raise NotFusibleError(message)
        if all(torch.equal(value, first) for value in values[1:]):
            return first, None
        return torch.stack(values), 0
    if any(value is not first and value != first for value in values[1:]):
        message = "their minibatches differ"
        raise NotFusibleError(message)
    return first, None
