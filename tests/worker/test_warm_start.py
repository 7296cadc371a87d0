"""What a warm start carries over of each kind of state, and what it leaves."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rapidfire_lab.worker.rng import RngState
from rapidfire_lab.worker.warm_start import Parent, carry_over


def net(width=4):
    torch.manual_seed(width)  # some beginnings diverge
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def made(model, name="AdamW", **args):
    """What carry_over needs of a run that was just made."""
    optimizer = getattr(torch.optim, name)(model.parameters(), **args)
    config = {"train": {"optimizer": {"name": name, "args": args}}}
    return SimpleNamespace(model=model, optimizer=optimizer, plan=SimpleNamespace(config=config))


def train(run, steps=3):
    for number in range(steps):
        run.optimizer.zero_grad()
        generator = torch.Generator().manual_seed(number)
        dtype = next(run.model.parameters()).dtype
        run.model(torch.randn(8, 3, generator=generator, dtype=dtype)).square().sum().backward()
        run.optimizer.step()
    return run


def parent_of(run):
    """The checkpoint that a run would leave."""
    values = run.model.state_dict()
    return copy.deepcopy(
        Parent(
            weights={name: value for name, value in values.items() if isinstance(value, torch.Tensor)},
            state={
                "extra": {name: value for name, value in values.items() if not isinstance(value, torch.Tensor)},
                "optimizer": run.optimizer.state_dict(),
                "requires_grad": {name: parameter.requires_grad for name, parameter in run.model.named_parameters()},
            },
            optimizer=run.plan.config["train"]["optimizer"],
        )
    )


def state_of(run):
    return {name: run.optimizer.state.get(parameter, {}) for name, parameter in run.model.named_parameters()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, dict):
            assert_same(value, other[name])
        else:
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(other[name])), name
            assert torch.as_tensor(value).dtype == torch.as_tensor(other[name]).dtype, name


OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adagrad": {},
    "Adadelta": {},
    "Adamax": {},
    "Adafactor": {},
    "ASGD": {},
    "Rprop": {},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_where_the_parent_was(name):
    parent = train(made(net(), name, **OPTIMIZERS[name]))
    clone = made(net(), name, **OPTIMIZERS[name])
    weights, moments = carry_over(clone, parent_of(parent))
    assert (weights.carried, weights.left) == (9, {})
    assert (moments.carried, moments.left, moments.fresh) == (6, {}, None)
    assert_same(clone.model.state_dict(), parent.model.state_dict())
    assert_same(state_of(clone), state_of(parent))
    train(parent)
    train(clone)
    assert_same(clone.model.state_dict(), parent.model.state_dict())


def test_the_clones_own_arguments_hold():
    parent = train(made(net(), lr=0.1, weight_decay=0.5))
    parent.optimizer.param_groups[0]["lr"] = 0.001  # a scheduler's doing
    clone = made(net(), lr=0.2, betas=(0.5, 0.6))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(clone.optimizer, max_lr=1.0, total_steps=10)
    before = copy.deepcopy(clone.optimizer.state_dict()["param_groups"])
    carry_over(clone, parent_of(parent))
    assert clone.optimizer.state_dict()["param_groups"] == before
    train(clone, 1)
    scheduler.step()
    assert clone.optimizer.param_groups[0]["lr"] != before[0]["lr"]


@pytest.mark.parametrize(
    ("name", "earlier", "later", "missing"),
    [
        ("AdamW", {}, {"amsgrad": True}, "max_exp_avg_sq"),
        ("RMSprop", {}, {"momentum": 0.9}, "momentum_buffer"),
        ("RMSprop", {"momentum": 0.9}, {"momentum": 0.9, "centered": True}, "grad_avg"),
        ("SGD", {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, "momentum_buffer"),
    ],
)
def test_what_the_parent_did_not_keep_starts_fresh(name, earlier, later, missing):
    clone = made(net(), name, **later)
    _, moments = carry_over(clone, parent_of(train(made(net(), name, **earlier))))
    assert moments.carried == 0
    assert set(moments.left.values()) == {f"the parent has no {missing}"}
    train(clone)


@pytest.mark.parametrize(
    ("name", "earlier", "later"),
    [("AdamW", {"amsgrad": True}, {}), ("SGD", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1})],
)
def test_what_the_clone_does_not_keep_is_dropped(name, earlier, later):
    clone = made(net(), name, **later)
    parent = train(made(net(), name, **earlier))
    _, moments = carry_over(clone, parent_of(parent))
    assert not moments.left
    assert all("max_exp_avg_sq" not in kept and "momentum_buffer" not in kept for kept in state_of(clone).values())
    train(clone)


def test_another_optimizer_starts_fresh():
    clone = made(net(), "SGD", lr=0.1)
    weights, moments = carry_over(clone, parent_of(train(made(net()))))
    assert weights.carried == 9
    assert moments.fresh == "SGD here, AdamW in the parent"
    assert not any(state_of(clone).values())


@pytest.mark.parametrize("name", ["Rprop", "ASGD"])
def test_an_edited_learning_rate_counts_also_where_it_is_kept_in_the_state(name):
    parent = parent_of(train(made(net(), name, lr=0.01)))
    clone, cold = made(net(), name, lr=0.001), made(net(), name, lr=0.001)
    _, moments = carry_over(clone, parent)
    assert "learning rate was changed" in moments.fresh
    cold.model.load_state_dict(parent.weights)
    assert_same(train(clone).model.state_dict(), train(cold).model.state_dict())


def test_what_does_not_fit_is_named_and_left_as_it_was_made():
    parent = parent_of(train(made(net(4))))
    clone = made(net(5))
    before = copy.deepcopy(clone.model.state_dict())
    weights, moments = carry_over(clone, parent)
    assert set(weights.left) == {
        *("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"),
        "2.weight",
    }
    assert weights.left["2.weight"] == "[2, 5] here, [2, 4] in the parent"
    assert weights.carried == 2
    assert (moments.carried, set(moments.left)) == (1, {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight"})
    now = clone.model.state_dict()
    for name, value in now.items():
        assert torch.equal(value, before[name] if name in weights.left else parent.weights[name]), name
    train(clone)


def test_layers_that_came_and_went_are_named():
    longer = nn.Sequential(*net(), nn.ReLU(), nn.Linear(2, 2))
    parent = parent_of(train(made(net())))
    weights, _ = carry_over(made(longer), parent)
    assert weights.left == {"4.weight": "not in the parent", "4.bias": "not in the parent"}
    weights, _ = carry_over(made(net()), parent_of(train(made(longer))))
    assert weights.left == {"4.weight": "not in this model", "4.bias": "not in this model"}


def test_another_dtype_takes_the_values_and_makes_its_own_moments():
    parent = parent_of(train(made(net())))
    clone = made(net().double())
    weights, moments = carry_over(clone, parent)
    assert weights.carried == 9
    assert clone.model[0].weight.dtype == torch.float64
    assert set(moments.left.values()) == {"torch.float64 here, torch.float32 in the parent"}
    train(clone)


def test_frozen_parameters_are_the_clones_own_choice():
    parent = made(net())
    parent.model[0].requires_grad_(requires_grad=False)
    clone = made(net())
    _, moments = carry_over(clone, parent_of(train(parent)))
    assert clone.model[0].weight.requires_grad
    assert set(moments.left) == {"0.weight", "0.bias"}
    frozen = made(net())
    frozen.model[0].requires_grad_(requires_grad=False)
    _, moments = carry_over(frozen, parent_of(train(parent)))
    assert not moments.left
    assert not frozen.model[0].weight.requires_grad


class Tied(nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        if tied:
            self.second.weight = self.first.weight

    def forward(self, rows):
        return self.second(self.first(rows))


def test_tied_weights_can_be_untied():
    parent = train(made(Tied(tied=True)))
    clone = made(Tied(tied=False))
    weights, moments = carry_over(clone, parent_of(parent))
    assert weights.carried == 4
    assert moments.left == {"second.weight": "not in the parent"}
    assert torch.equal(clone.model.second.weight, parent.model.first.weight)
    train(clone)


class Counting(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.calls = 0

    def forward(self, rows):
        self.calls += 1
        return super().forward(rows)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_extra_state_is_carried():
    clone = made(Counting())
    weights, _ = carry_over(clone, parent_of(train(made(Counting()))))
    assert clone.model.calls == 3
    assert weights.carried == 3
    weights, _ = carry_over(made(nn.Linear(3, 2)), parent_of(train(made(Counting()))))
    assert weights.left == {"_extra_state": "not in this model"}


def test_nothing_is_drawn():
    clone, parent = made(net()), parent_of(train(made(net())))
    before = RngState.capture()
    carry_over(clone, parent)
    assert before.unchanged()
