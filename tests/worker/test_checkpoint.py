from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from rapidfire_lab import files
from rapidfire_lab.files import write_atomically
from rapidfire_lab.worker.checkpoint import load_state, load_weights, save_state, save_weights


@pytest.fixture
def path(tmp_path):
    return tmp_path / "step-000000010.safetensors"


def round_trip(path, tensors):
    """Save, check that the tensors are untouched, and load."""
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    save_weights(path, tensors)
    assert_alike(tensors, before)
    loaded = load_weights(path)
    assert_alike(loaded, tensors)
    return loaded


def assert_alike(tensors, others):
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        other = others[name]
        assert (tensor.dtype, tensor.shape) == (other.dtype, other.shape), name
        assert torch.equal(tensor.nan_to_num() if tensor.is_floating_point() else tensor, other.nan_to_num()), name


def stored_names(path):
    with safe_open(path, framework="pt") as file:
        return sorted(file.keys())


# Weights


def test_weights_come_back_bit_for_bit(path):
    values = torch.tensor([0.1, -0.0, float("inf"), float("nan"), 1e-45])
    loaded = round_trip(path, {"w": values})
    assert torch.equal(loaded["w"].view(torch.int32), values.view(torch.int32))


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool],
)
def test_every_usual_type_is_kept(path, dtype):
    round_trip(path, {"w": torch.tensor([0, 1, 2]).to(dtype), "scalar": torch.tensor(1).to(dtype)})


def test_no_tensors_at_all(path):
    assert round_trip(path, {}) == {}


def test_empty_tensors_of_any_shape(path):
    whole = torch.arange(6.0)
    round_trip(path, {"a": torch.empty(0), "b": torch.empty(3, 0), "c": torch.empty(0), "whole": whole, "d": whole[:0]})
    round_trip(path, {"d": whole[:0], "whole": whole, "e": whole[3:3]})


def test_strided_tensors(path):
    base = torch.arange(24.0).reshape(4, 6)
    images = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    round_trip(path, {"images": images, "expanded": torch.arange(3.0).expand(2, 3)})
    round_trip(path, {"t": base.t(), "every second": base[:, ::2].clone()[::2]})


def test_views_of_one_storage(path):
    base = torch.arange(24.0).reshape(4, 6)
    views = {"base": base, "row": base[1], "column": base[:, 1], "t": base.t(), "flat": base.view(-1), "tail": base[2:]}
    round_trip(path, views)
    round_trip(path, dict(reversed(views.items())))


def test_parts_of_one_storage_that_do_not_overlap(path):
    """As in cuDNN's flattened recurrent weights."""
    flat = torch.arange(10.0)
    round_trip(path, {"one": flat[:4], "two": flat[4:8], "three": flat[8:]})


@given(st.data())
def test_any_views_of_any_order(tmp_path_factory, data):
    base = torch.arange(24.0).reshape(4, 6)
    view = st.sampled_from(
        [
            base,
            base.t(),
            base[1:],
            base[:, 2:4],
            base[::2],
            base[:0],
            base[3],
            base[2, 2],
            base.view(2, 12),
            base.clone(),
        ]
    )
    tensors = {str(number): tensor for number, tensor in enumerate(data.draw(st.lists(view, max_size=6)))}
    round_trip(tmp_path_factory.mktemp("views") / "weights.safetensors", tensors)


def test_tied_weights_are_written_once_and_come_back_tied(path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 8)
            self.head = nn.Linear(8, 100, bias=False)
            self.head.weight = self.embed.weight
            self.again = self.head

    model, other = Tied(), Tied()
    save_weights(path, model.state_dict())
    assert stored_names(path) == ["embed.weight"]
    assert path.stat().st_size < 2 * 100 * 8 * 4
    loaded = load_weights(path)
    assert sorted(loaded) == ["again.weight", "embed.weight", "head.weight"]
    assert len({tensor.data_ptr() for tensor in loaded.values()}) == 1
    other.load_state_dict(loaded)
    assert other.head.weight is other.embed.weight
    assert torch.equal(other.embed.weight, model.embed.weight)


def test_equal_weights_that_are_not_tied_stay_apart(path):
    loaded = round_trip(path, {"a": torch.ones(3), "b": torch.ones(3)})
    loaded["a"] += 1
    assert loaded["b"].sum() == 3


def test_parameters_and_buffers_of_a_model(path):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.LSTM(3, 5, num_layers=2))
    loaded = round_trip(path, {name: value.detach() for name, value in model.state_dict().items()})
    assert loaded["1.num_batches_tracked"].shape == ()


def test_weights_are_loaded_without_unpickling(path):
    path.write_bytes(pickle.dumps({"w": torch.ones(1)}))
    with pytest.raises(Exception, match=r"(?i)header|safetensor"):
        load_weights(path)


# State


def optimizer_state():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=9)
    for _ in range(3):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        scheduler.step()
    return {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "step": 3, "scaler": None}


def test_state_is_loaded_without_unpickling(tmp_path):
    state = optimizer_state()
    save_state(tmp_path / "state.pt", state)
    loaded = load_state(tmp_path / "state.pt")
    assert loaded.keys() == state.keys()
    assert loaded["scheduler"] == state["scheduler"]
    assert loaded["optimizer"]["param_groups"] == state["optimizer"]["param_groups"]
    for number, slots in state["optimizer"]["state"].items():
        assert_alike(loaded["optimizer"]["state"][number], slots)


class Dangerous:
    def __reduce__(self):
        return os.mkdir, ("/tmp/never-made-by-a-test",)


def test_code_in_a_state_is_refused(tmp_path):
    torch.save({"step": Dangerous()}, tmp_path / "state.pt")
    with pytest.raises(pickle.UnpicklingError):
        load_state(tmp_path / "state.pt")
    assert not Path("/tmp/never-made-by-a-test").exists()


# Whole or not at all


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    seen = []

    def write(temporary):
        temporary.write_bytes(b"new")
        seen.extend(path.name for path in tmp_path.iterdir())

    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_atomically(path, write)
    assert sorted(seen) == [f".file.{os.getpid()}.tmp", "file"]
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, error, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)

    def write(temporary):
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, write)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({} if old is None else {"file": old})


def test_a_write_that_fails_before_it_made_a_file_says_why(tmp_path):
    def write(temporary):
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_atomically(tmp_path / "file", write)


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "file"
    synced = []
    monkeypatch.setattr(files, "sync", lambda target: synced.append((target, path.exists())))
    write_atomically(path, lambda temporary: temporary.write_bytes(b"new"))
    assert synced == [(tmp_path / f".file.{os.getpid()}.tmp", False), (tmp_path, True)]


def test_a_leftover_of_a_killed_process_is_written_over(tmp_path, path):
    (tmp_path / f".{path.name}.{os.getpid()}.tmp").write_bytes(b"half a checkpoint")
    round_trip(path, {"w": torch.ones(2)})
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("unsupported", [{"w": torch.ones(2).to_sparse()}, {"w": "no tensor"}])
def test_weights_that_cannot_be_written_leave_nothing(tmp_path, path, unsupported):
    with pytest.raises((AttributeError, NotImplementedError, RuntimeError, ValueError)):
        save_weights(path, unsupported)
    assert list(tmp_path.iterdir()) == []
