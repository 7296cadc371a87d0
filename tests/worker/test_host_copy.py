"""Run states that leave their device and come back; the CPU's memory stands in for that of a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rapidfire_lab.configs import normalise
from rapidfire_lab.data import Partition
from rapidfire_lab.spec import MLSpec
from rapidfire_lab.worker import host_copy
from rapidfire_lab.worker.host_copy import HostCopy, host_bytes_for
from rapidfire_lab.worker.residency import Residency
from rapidfire_lab.worker.storages import bytes_in, storages_on
from rapidfire_lab.worker.training import RunPlan, TrainingRun

CPU = torch.device("cpu")
OPTIMIZERS = {"AdamW": {"amsgrad": True}, "SGD": {"lr": 0.05, "momentum": 0.9}, "LBFGS": None, "Adafactor": {}}


class Tied(nn.Module):
    """Two parameters that are one, buffers of two kinds, a strided parameter, and one beside the optimizer's groups."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.view = nn.Parameter(self.first.bias.data)
        self.norm = nn.BatchNorm1d(2)
        self.columns = nn.Parameter(torch.randn(2, 3).t())
        self.drop = nn.Dropout(0.3)
        self.register_buffer("unsaved", torch.ones(5), persistent=False)

    def forward(self, values):
        hidden = self.norm(self.second(functional.relu(self.first(values)))) * self.unsaved[0] + self.view
        return self.drop(hidden) @ self.columns.t()


class Spec(MLSpec):
    def row_prep(self, row, cfg, mode):
        return {"x": torch.tensor([row["a"], row["b"]], dtype=torch.float32), "y": torch.tensor(row["label"])}

    def create_model(self, cfg):
        return Tied()

    def compute_forward(self, model, minibatch, cfg, mode):
        return functional.cross_entropy(model(minibatch["x"]), minibatch["y"]), {}


@pytest.fixture
def make(points, tmp_path, generators):
    partitions = {mode: Partition.open(info.path) for mode, info in points.download(tmp_path).partitions.items()}

    def make_run(optimizer="AdamW", **options):
        args = OPTIMIZERS[optimizer] or {}
        train = {"epochs": 3, "batch_size": 32, "optimizer": {"name": optimizer, "args": args}, **options}
        config = normalise({"train": train, "user_knobs": {}, "named_metrics": []})
        return TrainingRun(RunPlan(config, 5, 3, None, partitions), Spec, CPU)

    return make_run


def state_of(run):
    return [run.weights(), run.state()]


def assert_same(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
        assert (one.dtype, one.stride()) == (other.dtype, other.stride())
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, yours in zip(one, other, strict=True):
            assert_same(mine, yours)
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other)
    else:
        assert one == other


def there_and_back(run):
    copy = HostCopy.of(run.storages())
    assert bytes_in(run.storages()) == 0
    copy.bring_back()


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD", "Adafactor"])
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 4, "gradient_clip_norm": 0.5}])
def test_training_goes_on_bit_for_bit(make, optimizer, options):
    stays, moves = make(optimizer, **options), make(optimizer, **options)
    stays.train(30, lambda: True)
    for step in (3, 7, 10, 22, 30):
        moves.train(step, lambda: True)
        there_and_back(moves)
    assert_same(state_of(stays), state_of(moves))
    assert stays.report.points[-1].value == moves.report.points[-1].value


def test_tensors_and_their_ties_stay_what_they_are(make):
    run = make()
    run.train(2, lambda: True)
    before = {name: id(tensor) for name, tensor in [*run.model.named_parameters(), *run.model.named_buffers()]}
    there_and_back(run)
    assert before == {name: id(tensor) for name, tensor in [*run.model.named_parameters(), *run.model.named_buffers()]}
    assert run.model.second.weight is run.model.first.weight
    with torch.no_grad():
        run.model.first.bias.fill_(7.0)
    assert run.model.view.tolist() == [7.0, 7.0]
    held = {id(parameter) for group in run.optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in run.model.parameters()}


def test_everything_on_the_device_is_counted_once(make):
    run = make()
    run.train(2, lambda: True)
    model = run.model
    own = [model.first.weight, model.first.bias, model.second.bias, *model.norm.parameters(), model.columns]
    bytes_of_parameters = sum(tensor.nbytes for tensor in own)
    buffers = sum(tensor.nbytes for tensor in model.buffers())
    parameters = list(model.parameters())
    optimizer = sum(value.nbytes for parameter in parameters for value in run.optimizer.state[parameter].values())
    gradients = sum(parameter.grad.nbytes for parameter in parameters)
    assert bytes_in(run.storages()) == bytes_of_parameters + buffers + optimizer + gradients
    run.drop_spent_gradients()
    assert bytes_in(run.storages()) == bytes_of_parameters + buffers + optimizer


def test_gradients_stay_inside_a_group_of_minibatches(make):
    run = make(gradient_accumulation_steps=4)
    run.train(3, lambda: True)
    run.drop_spent_gradients()
    assert all(parameter.grad is not None for parameter in run.model.parameters())
    run.train(4, lambda: True)
    run.drop_spent_gradients()
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_what_is_not_on_the_device_is_left_alone():
    here, sparse = torch.ones(3), torch.ones(3).to_sparse()
    assert storages_on(torch.device("cuda"), [here, {"step": torch.tensor(1.0)}]) == []
    assert storages_on(CPU, sparse, nn.UninitializedParameter(), None, "text", torch.empty(0)) == []
    assert bytes_in(storages_on(CPU, [here, here[1:]], {"again": (here,)})) == 12


@pytest.mark.parametrize("sizes", [[], [1], [511, 513], [1000, 3000, 24], [4096], [5000, 1, 1, 9000], [3, 4096 * 3]])
def test_contents_of_any_size_find_room(monkeypatch, sizes):
    monkeypatch.setattr(host_copy, "_BLOCK", 4096)
    tensors = [torch.randint(0, 256, (size,), dtype=torch.uint8) for size in sizes]
    expected = [tensor.clone() for tensor in tensors]
    copy = HostCopy.of(storages_on(CPU, tensors))
    assert host_bytes_for(sum(sizes)) == sum(len(block) for block in copy._blocks) >= sum(sizes)
    copy.bring_back()
    assert all(torch.equal(one, other) for one, other in zip(tensors, expected, strict=True))


def test_what_torch_does_not_own_is_not_moved():
    tensor = torch.from_numpy(np.arange(4))
    assert HostCopy.of(storages_on(CPU, tensor, torch.ones(3))) is None
    assert tensor.tolist() == [0, 1, 2, 3]


def test_nothing_is_moved_beside_graphs_that_know_addresses(monkeypatch):
    class Graph:
        pass

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    tensor = torch.ones(3)
    graph = Graph()
    graph.itself = graph
    assert HostCopy.of(storages_on(CPU, tensor)) is None
    assert tensor.tolist() == [1.0, 1.0, 1.0]
    del graph.itself, graph
    copy = HostCopy.of(storages_on(CPU, tensor))
    copy.bring_back()
    assert tensor.tolist() == [1.0, 1.0, 1.0]


class Storage:
    """A storage of a device that is full."""

    def __init__(self, storage):
        self._storage = storage
        self.full = True

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def resize_(self, size):
        if size and self.full:
            raise torch.OutOfMemoryError
        self._storage.resize_(size)


def test_a_device_without_room_can_be_tried_again(monkeypatch):
    tensors = [torch.arange(10.0), torch.arange(5.0)]
    first, second = storages_on(CPU, tensors)
    copy = HostCopy.of([first, second])
    full = Storage(second)
    copy._storages = [(first, 40), (full, 20)]
    with pytest.raises(torch.OutOfMemoryError):
        copy.bring_back()
    assert bytes_in([first, second]) == 0
    copy._storages = [(first, 40), (second, 20)]
    copy.bring_back()
    assert [tensor.tolist() for tensor in tensors] == [list(range(10)), list(range(5))]


def test_runs_go_through_both_levels_and_train_as_if_they_had_not(make):
    alone = [make(name) for name in ("AdamW", "SGD", "Adafactor")]
    hopping = [make(name) for name in ("AdamW", "SGD", "Adafactor")]
    for run in alone:
        run.train(12, lambda: True)
    residency = Residency(budget=1, host_budget=1 << 20)
    for number, run in enumerate(hopping):
        run.train(4, lambda: True)
        residency.put(number, 4, run)
    for lease in (8, 12):
        for number, run in enumerate(hopping):
            assert residency.take(number, lease - 4) is run
            run.train(lease, lambda: True)
            residency.put(number, lease, run)
    for number, run in enumerate(hopping):
        residency.take(number, 12)
        assert_same(state_of(alone[number]), state_of(run))
