"""Which GPU a slot uses, and how much of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.engine import gpus, node
from rapidfire_lab.engine.gpus import share, shares, slots_on
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.node import Node
from rapidfire_lab.engine.settings import EngineSettings
from rapidfire_lab.errors import EngineError

GIB = 1 << 30


@pytest.mark.parametrize(("slots", "expected"), [(1, [1, 0, 0]), (3, [1, 1, 1]), (4, [2, 1, 1]), (8, [3, 3, 2])])
def test_slots_are_dealt_out_in_turn(slots, expected):
    assert [slots_on(gpu, 3, slots) for gpu in range(3)] == expected
    assert [sum(index % 3 == gpu for index in range(slots)) for gpu in range(3)] == expected


def test_a_slot_alone_on_its_gpu_has_no_bound():
    assert share(24 * GIB, 1) == 0
    assert shares(slots=2, gpus=2) == [0, 0]


@given(st.integers(2, 16), st.integers(0, 200 * GIB))
def test_slots_that_share_a_gpu_fit_on_it_with_what_they_take_beside(slots, free):
    try:
        each = share(free, slots)
    except EngineError:
        assert free // slots < 1.5 * GIB
    else:
        assert each >= GIB // 2
        assert slots * (each + GIB) <= free


@pytest.mark.parametrize(("free", "slots", "most"), [(8 * GIB, 16, 5), (2 * GIB, 2, 1), (0, 2, 1)])
def test_shares_of_no_use_are_refused_with_what_would_do(free, slots, most):
    with pytest.raises(EngineError, match=f"{slots} slots cannot share .* so that it has {most} at most"):
        share(free, slots)


def test_each_gpu_is_shared_by_what_is_free_on_it(monkeypatch):
    monkeypatch.setattr(gpus, "_asked", lambda _: [20 * GIB, 8 * GIB, 4 * GIB])
    assert shares(slots=5, gpus=3) == [9 * GIB, 3 * GIB, 0]


@pytest.mark.parametrize("answer", [None, [GIB]])
def test_gpus_that_do_not_say_what_is_free_are_not_shared(monkeypatch, answer):
    monkeypatch.setattr(gpus, "_asked", lambda _: answer)
    with pytest.raises(EngineError, match="let each have one slot"):
        shares(slots=4, gpus=2)


def test_a_process_of_its_own_answers():
    assert gpus._asked("[1, 2]") == [1, 2]
    assert gpus._asked("missing") is None


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [(0, "", []), (2, "", ["0", "1"]), (2, "3,5", ["3", "5"]), (1, "GPU-a,GPU-b", ["GPU-a"]), (2, "7", ["0", "1"])],
)
def test_gpus_are_named_as_the_environment_names_them(monkeypatch, count, visible, names):
    monkeypatch.setattr(gpus, "_count", lambda: count)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.visible_gpus() == names


def started(child):
    """Flags and environment of the slot that a child process is to be."""
    _, flags, environment = child.start.args
    return dict(zip(flags[::2], flags[1::2], strict=True)), environment


def test_slots_are_started_with_their_gpu_and_their_share(monkeypatch, tmp_path):
    monkeypatch.setattr(node, "visible_gpus", lambda: ["4", "6"])
    monkeypatch.setattr(gpus, "_asked", lambda _: [20 * GIB, 8 * GIB])
    machine = Node(EngineHome(tmp_path), EngineSettings(slots=3, host_memory_fraction=0.2), "ipc://nowhere", None)
    assert machine.slots == 3
    found = [started(machine._slot(index)) for index in range(3)]
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in found] == ["4", "6", "4"]
    assert [flags["--sharing"] for flags, _ in found] == ["2", "1", "2"]
    assert [int(flags["--device-bytes"]) for flags, _ in found] == [9 * GIB, 0, 9 * GIB]
    assert all(flags["--device"] == "cuda" and int(flags["--host-bytes"]) > 0 for flags, _ in found)


def test_slots_on_cpus_have_all_memory_in_one_level(tmp_path):
    machine = Node(EngineHome(tmp_path), EngineSettings(slots=3, device="cpu"), "ipc://nowhere", None)
    flags, environment = started(machine._slot(2))
    assert (flags["--sharing"], flags["--device-bytes"], flags["--host-bytes"]) == ("3", "0", "0")
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
