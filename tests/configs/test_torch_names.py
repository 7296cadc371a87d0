from __future__ import annotations

from typing import Any

import pytest
import torch

from rapidfire_lab.configs import check_torch_names, normalise
from rapidfire_lab.errors import ConfigError

from .sample_configs import lr, nested

OPTIMIZERS = sorted(
    name
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and name not in {"Optimizer", "LBFGS"}
)
SCHEDULERS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [1, 2]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 5},
    "CosineAnnealingWarmRestarts": {"T_0": 5},
    "PolynomialLR": {},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "cycle_momentum": False},
    "ReduceLROnPlateau": {"patience": 1},
}


def check(**changes: Any) -> None:
    check_torch_names(normalise(nested(**changes)))


def scheduler(name: str, interval: str = "epoch", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "interval": interval}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch_is_known(name: str) -> None:
    check(optimizer=lr(0.1, name))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_that_data_can_describe_is_known(name: str) -> None:
    check(lr_scheduler=scheduler(name, **SCHEDULERS[name]))


def test_tuples_written_as_lists_suit_torch() -> None:
    check(optimizer={"name": "Adam", "args": {"betas": (0.9, 0.99)}})


def test_what_is_known_to_suit_is_told_from_what_does_not() -> None:
    for _ in range(2):
        check(optimizer={"name": "SGD", "args": {"lr": 1, "nesterov": False}})
        for args in ({"lr": -1, "nesterov": False}, {"lr": 1, "nesterov": True}):
            with pytest.raises(ConfigError, match="do not suit SGD"):
                check(optimizer={"name": "SGD", "args": args})
        with pytest.raises(ConfigError, match="do not suit StepLR"):
            check(optimizer={"name": "SGD", "args": {"lr": 1, "nesterov": False}}, lr_scheduler=scheduler("StepLR"))


def test_the_global_random_state_stays() -> None:
    before = torch.get_rng_state()
    check(lr_scheduler=scheduler("StepLR", step_size=1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lr(0.1, "adam"), r"'train\.optimizer\.name': torch\.optim has no 'adam'; did you mean 'Adam'\?"),
        (lr(0.1, "ADAMW"), r"'train\.optimizer\.name'.*did you mean 'AdamW'\?"),
        (lr(0.1, "qqq"), r"'train\.optimizer\.name'.*known: .*SGD"),
        (lr(0.1, "lr_scheduler"), r"'train\.optimizer\.name': torch\.optim has no 'lr_scheduler'"),
        (lr(0.1, "Optimizer"), r"'train\.optimizer\.name' is 'Optimizer': it is the abstract base"),
        (lr(0.1, "LBFGS"), r"'train\.optimizer\.name' is 'LBFGS': it evaluates the loss several times"),
        (lr(-1), r"'train\.optimizer\.args' do not suit SGD: Invalid learning rate: -1"),
        (lr("fast"), r"'train\.optimizer\.args' do not suit SGD: "),
        ({"name": "SGD", "args": {"momentun": 0.9}}, r"'train\.optimizer\.args\.momentun'.*'momentum'\?"),
        ({"name": "SGD", "args": {"params": []}}, r"'train\.optimizer\.args\.params' is no argument"),
        ({"name": "Adam", "args": {"betas": [0.9]}}, r"'train\.optimizer\.args' do not suit Adam"),
    ],
)
def test_optimizer_errors_name_the_key(optimizer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(optimizer=optimizer)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (scheduler("stepLR"), r"'train\.lr_scheduler\.name': .*has no 'stepLR'; did you mean 'StepLR'\?"),
        (scheduler("_LRScheduler"), r"'train\.lr_scheduler\.name'.*has no '_LRScheduler'"),
        (scheduler("LRScheduler"), r"'train\.lr_scheduler\.name' is 'LRScheduler': it is the abstract"),
        (scheduler("LambdaLR"), r"'train\.lr_scheduler\.name' is 'LambdaLR': it takes functions"),
        (scheduler("MultiplicativeLR"), "it takes functions"),
        (scheduler("SequentialLR"), r"'train\.lr_scheduler\.name' is 'SequentialLR': it takes scheduler"),
        (scheduler("ChainedScheduler"), "it takes scheduler objects"),
        (scheduler("StepLR"), r"'train\.lr_scheduler\.args' do not suit StepLR: .*step_size"),
        (scheduler("StepLR", stepsize=2), r"'train\.lr_scheduler\.args\.stepsize'.*'step_size'\?"),
        (scheduler("StepLR", optimizer=2), r"'train\.lr_scheduler\.args\.optimizer' is no argument"),
        (scheduler("OneCycleLR", max_lr=1), r"'train\.lr_scheduler\.args' do not suit OneCycleLR"),
        (
            scheduler("ReduceLROnPlateau", "step"),
            r"'train\.lr_scheduler\.interval' is \"step\".*write \"epoch\"",
        ),
    ],
)
def test_scheduler_errors_name_the_key(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(lr_scheduler=choice)
