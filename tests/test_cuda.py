"""The contract and failure isolation on a GPU; skipped where there is none."""

from __future__ import annotations

import pytest
import torch

from rapidfire_lab import Experiment
from rapidfire_lab.worker.host_copy import HostCopy
from rapidfire_lab.worker.storages import bytes_in, storages_on
from tests import contract, plain_loop
from tests.conftest import SPECS, engine_home, kill, paced_config, wait_until
from tests.contract import ADAMW, SGD, SIX_CONFIGS, config, fingerprint

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SPEC = SPECS / "digits_augmented.py"
MIXED = [config("cnn", ADAMW, precision="bf16", dropout=0.2), config("mlp", SGD, precision="fp16", dropout=0.2)]
FUSED = {"name": "AdamW", "args": {"lr": 0.003, "fused": True}}
AUGMENTED = [{**leaf, "user_knobs": {**leaf["user_knobs"], "augment": True}} for leaf in SIX_CONFIGS[:2]]


@pytest.fixture
def deterministic(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(mode=False)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("slots", [1, 2])
def test_the_gpu_equals_the_plain_loop(slots, handle, tmp_path):
    configs = SIX_CONFIGS + MIXED + AUGMENTED
    with engine_home(tmp_path / "home", slots=slots, tracking=False, device="cuda"):
        experiment = Experiment(SPEC, "cuda")
        experiment.run_fit(handle, configs, seed=123, num_chunks=5)
        assert set(experiment.get_runs_info()["status"]) == {"completed"}
        expected = contract.plain_results(SPEC, configs, contract.tables(handle, tmp_path), 123, "cuda")
        for run_id, result in enumerate(expected, start=1):
            contract.assert_like_plain_loop(experiment, run_id, result)
        experiment.end()


@pytest.mark.usefixtures("deterministic")
def test_warm_clones_on_the_gpu_equal_the_plain_loop(handle, tmp_path):
    parents = [config("cnn", FUSED, dropout=0.2, augment=True), *MIXED[1:]]
    edits = [{"optimizer": {"args": {"lr": 0.0005}}}, {"batch_size": 50}]
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cuda"):
        experiment = Experiment(SPEC, "warm")
        experiment.run_fit(handle, parents, seed=123, num_chunks=3)
        clones = [experiment.clone(number, edit, warm_start=True) for number, edit in enumerate(edits, start=1)]
        experiment.wait()
        data = contract.tables(handle, tmp_path)
        leaves = {run.run_id: run.leaf for run in experiment.runs()}
        for parent, clone in enumerate(clones, start=1):
            begin = plain_loop.train(SPEC, leaves[parent], data, 123, "cuda")
            expected = plain_loop.train(SPEC, leaves[clone], data, 123, "cuda", begin)
            contract.assert_like_plain_loop(experiment, clone, expected)
        experiment.end()


def test_a_killed_slot_changes_nothing(points, tmp_path):
    configs = [paced_config(width=width, epochs=3) for width in (5, 6, 7)]
    slow = [paced_config(width=width, epochs=3, pause=0.03) for width in (5, 6, 7)]
    with engine_home(tmp_path / "home", tracking=False, device="cuda"):
        undisturbed = Experiment(SPECS / "paced.py", "undisturbed")
        undisturbed.run_fit(points, configs)
        expected = fingerprint(undisturbed)
        undisturbed.end()
        experiment = Experiment(SPECS / "paced.py", "killed")
        experiment.run_fit(points, slow, num_chunks=2, wait=False)
        wait_until(lambda: sum(run.live_step for run in experiment.runs()) >= 20, "20 steps")
        kill("slot-0")
        experiment.wait(timeout=180)
        assert fingerprint(experiment) == expected
        experiment.end()


def test_out_of_memory_fails_that_run_alone(points, tmp_path):
    total = torch.cuda.get_device_properties(0).total_memory // 2**30
    configs = [
        {"epochs": 1, "batch_size": 32, "optimizer": {"name": "AdamW", "args": {}}, "gigabytes": size}
        for size in (1, total, 2)
    ]
    with engine_home(tmp_path / "home", tracking=False, device="cuda"):
        experiment = Experiment(SPECS / "greedy.py", "greedy")
        experiment.run_fit(points, configs, num_chunks=2)
        info = experiment.get_runs_info()
        assert list(info["status"]) == ["completed", "failed", "completed"]
        assert "CUDA out of memory" in info["error"][1]
        experiment.end()


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("host", [0.5, 0.0])
def test_runs_that_leave_the_gpu_between_leases_equal_the_plain_loop(host, handle, tmp_path):
    configs = SIX_CONFIGS + MIXED
    # So little that the last run alone stays: all others go to the host's memory, or to the disk.
    settings = {"memory_fraction": 1e-9, "host_memory_fraction": host}
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cuda", **settings):
        experiment = Experiment(SPEC, "levels")
        experiment.run_fit(handle, configs, seed=123, num_chunks=5)
        expected = contract.plain_results(SPEC, configs, contract.tables(handle, tmp_path), 123, "cuda")
        for run_id, result in enumerate(expected, start=1):
            contract.assert_like_plain_loop(experiment, run_id, result)
        experiment.end()


def test_what_leaves_the_gpu_frees_it_and_comes_back_as_it_was():
    torch.manual_seed(1)
    model = torch.nn.LSTM(64, 256, 2, dropout=0.5).cuda()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 8, 64, device="cuda"))[0].sum().backward()
    optimizer.step()
    values = [tensor.clone() for tensor in model.parameters()]
    addresses = [weight.data_ptr() - model._flat_weights[0].data_ptr() for weight in model._flat_weights]
    held = storages_on(torch.device("cuda"), list(model.parameters()), optimizer.state)
    before, size = torch.cuda.memory_allocated(), bytes_in(held)
    copy = HostCopy.of(held)
    assert torch.cuda.memory_allocated() <= before - size
    assert all(block.is_pinned() for block in copy._blocks)
    copy.bring_back()
    assert torch.cuda.memory_allocated() == before
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), values, strict=True))
    assert addresses == [weight.data_ptr() - model._flat_weights[0].data_ptr() for weight in model._flat_weights]
    assert all(state["step"].device.type == "cpu" for state in optimizer.state.values())


def test_nothing_moves_once_a_graph_knows_addresses():
    weights = torch.ones(1000, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total = weights * 2
    assert HostCopy.of(storages_on(torch.device("cuda"), weights)) is None
    graph.replay()
    assert total.sum().item() == 2000


def test_a_slot_that_asks_for_more_than_its_share_fails_alone(points, tmp_path):
    total = torch.cuda.get_device_properties(0).total_memory // 2**30
    knobs = {"epochs": 3, "batch_size": 32, "optimizer": {"name": "AdamW", "args": {}}}
    configs = [{**knobs, "gigabytes": size} for size in (1, total * 3 // 4, 1)]
    with engine_home(tmp_path / "home", slots_per_gpu=2, tracking=False, device="cuda"):
        experiment = Experiment(SPECS / "greedy.py", "shares")
        experiment.run_fit(points, configs, num_chunks=2)
        assert list(experiment.get_runs_info()["status"]) == ["completed", "failed", "completed"]
        experiment.end()
