"""Check optimizer and scheduler of a leaf against the torch that is installed."""

from __future__ import annotations

import functools
import inspect
import json
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

_NO_OPTIMIZER = {
    "LBFGS": "it evaluates the loss several times per step, which compute_forward does not offer",
    "Optimizer": "it is the abstract base of the others",
}
_BY_CODE = "it takes functions, which a config cannot hold"
_BY_OBJECTS = "it takes scheduler objects, which a config cannot hold"
_NO_SCHEDULER = {
    "LambdaLR": _BY_CODE,
    "MultiplicativeLR": _BY_CODE,
    "SequentialLR": _BY_OBJECTS,
    "ChainedScheduler": _BY_OBJECTS,
    "LRScheduler": "it is the abstract base of the others",
}
_MOST_REMEMBERED = 1_000


def check_torch_names(leaf: Mapping[str, Any]) -> None:
    """Raise unless the optimizer and the scheduler of a canonical leaf can be built.

    Both are built once, on a parameter of one element. Imports torch, which `normalise` never does.
    """
    train = leaf["train"]
    _check(json.dumps([train["optimizer"], train["lr_scheduler"]]))


@functools.lru_cache(maxsize=_MOST_REMEMBERED)
def _check(choices: str) -> None:
    """Check an optimizer and a scheduler, as JSON; most of the runs that are made at once have the same."""
    optimizer, scheduler = json.loads(choices)
    built = _build_optimizer(optimizer)
    if scheduler is not None:
        _build_scheduler(scheduler, built)


def _build_optimizer(choice: Mapping[str, Any]) -> Optimizer:
    import torch

    path = "train.optimizer"
    cls = _named_class(choice["name"], path, torch.optim, torch.optim.Optimizer, _NO_OPTIMIZER)
    # Two dimensions: some optimizers (Muon) take nothing but matrices.
    parameter = torch.nn.Parameter(torch.zeros(1, 1))
    optimizer: Optimizer = _build(cls, [parameter], choice["args"], path)
    return optimizer


def _build_scheduler(choice: Mapping[str, Any], optimizer: Optimizer) -> LRScheduler:
    from torch.optim import lr_scheduler

    path = "train.lr_scheduler"
    cls = _named_class(choice["name"], path, lr_scheduler, lr_scheduler.LRScheduler, _NO_SCHEDULER)
    if choice["name"] == "ReduceLROnPlateau" and choice["interval"] == "step":
        raise ConfigError(
            f'\'{path}.interval\' is "step", but ReduceLROnPlateau follows the loss of whole epochs: write "epoch"',
        )
    scheduler: LRScheduler = _build(cls, optimizer, choice["args"], path)
    return scheduler


def _named_class(name: str, path: str, module: ModuleType, base: type, unfit: Mapping[str, str]) -> Callable[..., Any]:
    if name in unfit:
        raise ConfigError(f"'{path}.name' is {name!r}: {unfit[name]}; choose another")
    cls: Callable[..., Any] | None = vars(module).get(name)
    if cls is None or not _is_choice(name, cls, base, unfit):
        known = [key for key, value in vars(module).items() if _is_choice(key, value, base, unfit)]
        raise ConfigError(f"'{path}.name': {module.__name__} has no {name!r}; {did_you_mean(name, known)}")
    return cls


def _is_choice(key: str, value: object, base: type, unfit: Mapping[str, str]) -> bool:
    is_public = not key.startswith("_") and key not in unfit
    return is_public and isinstance(value, type) and issubclass(value, base)


def _build(cls: Callable[..., Any], target: object, args: Mapping[str, Any], path: str) -> Any:
    known = _arguments(cls)
    for key in args:
        if key not in known:
            raise ConfigError(f"'{path}.args.{key}' is no argument of it; {did_you_mean(key, known)}")
    try:
        return cls(target, **args)
    except Exception as error:  # whatever torch raises, the key at fault is the same
        raise ConfigError(f"'{path}.args' do not suit {cls.__name__}: {error}") from error


@functools.cache
def _arguments(cls: Callable[..., Any]) -> list[str]:
    # The first parameter is what we pass ourselves: the model's parameters, or the optimizer.
    return list(inspect.signature(cls).parameters)[1:]
