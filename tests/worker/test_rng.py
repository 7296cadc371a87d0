from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.worker.checkpoint import load_state, save_state
from rapidfire_lab.worker.rng import RngState, own_rng, seed_everything

DRAWS = {
    "nothing": lambda: None,
    "torch": lambda: torch.rand(1),
    "torch normal": lambda: torch.randn(1),
    "torch permutation": lambda: torch.randperm(3),
    "numpy": np.random.rand,
    "numpy normal": np.random.randn,
    "numpy integers": lambda: np.random.randint(5),
    "numpy two normals": lambda: np.random.randn(2),
    "random": random.random,
    "random gauss": lambda: random.gauss(0, 1),
    "random shuffle": lambda: random.shuffle([1, 2, 3]),
    "many torch": lambda: torch.rand(5000),
    "many numpy": lambda: np.random.rand(312),
}
draws = st.lists(st.sampled_from(list(DRAWS.values())), max_size=5)


@given(draws, draws)
def test_a_restored_state_gives_the_same_numbers_again(before, between):
    whole = RngState.capture()
    for draw in before:
        draw()
    state = RngState.capture()
    first = [torch.rand(2).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1), random.random()]
    for draw in between:
        draw()
    state.restore()
    assert [torch.rand(2).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1), random.random()] == first
    whole.restore()


@pytest.mark.parametrize("name", list(DRAWS))
def test_a_state_survives_a_checkpoint_even_between_two_normal_numbers(generators, name, tmp_path):
    DRAWS[name]()
    state = RngState.capture()
    save_state(tmp_path / "state.pt", {"rng": state.to_plain()})
    expected = generators.draw()
    loaded = RngState.from_plain(load_state(tmp_path / "state.pt")["rng"])
    assert not loaded.unchanged()
    loaded.restore()
    assert state.unchanged()
    assert loaded.unchanged()
    assert generators.draw() == expected


def test_a_state_in_a_checkpoint_is_not_changed_by_what_is_drawn_later(generators):
    state = RngState.capture()
    plain = state.to_plain()
    expected = generators.draw()
    RngState.from_plain(plain).restore()
    generators.draw()
    RngState.from_plain(plain).restore()
    assert generators.draw() == expected


@pytest.mark.parametrize("name", list(DRAWS))
def test_every_draw_is_noticed(generators, name):
    state = RngState.capture()
    DRAWS[name]()
    assert state.unchanged() == (name == "nothing")
    state.restore()
    assert state.unchanged()


@pytest.mark.parametrize("name", ["numpy normal", "random gauss"])
def test_taking_the_second_of_two_normal_numbers_is_noticed(generators, name):
    DRAWS[name]()
    state = RngState.capture()
    DRAWS[name]()
    assert not state.unchanged()


def test_the_gpus_generator_is_part_of_the_state_where_there_is_one(generators, fake_cuda, tmp_path):
    state = RngState.capture(cuda=True)
    save_state(tmp_path / "state.pt", state.to_plain())
    expected = generators.draw()
    state.restore()
    generators.draw_cuda()
    assert not state.unchanged()
    loaded = RngState.from_plain(load_state(tmp_path / "state.pt"))
    loaded.restore()
    assert loaded.unchanged()
    assert generators.draw() == expected


def test_without_a_gpu_its_generator_is_left_alone(fake_cuda):
    state = RngState.capture()
    assert state.torch_cuda is None
    before = fake_cuda.get_state()
    torch.rand(1, generator=fake_cuda)
    assert state.unchanged()
    state.restore()
    assert not torch.equal(fake_cuda.get_state(), before)


@pytest.mark.parametrize("seed", [0, 42, 2**31, 2**32 - 1, 2**32 + 7, 2**63 - 1])
def test_a_seed_fixes_all_generators(generators, seed):
    seed_everything(seed)
    first = generators.draw()
    generators.draw()
    seed_everything(seed)
    assert generators.draw() == first
    seed_everything(seed - 1 if seed else 1)
    assert generators.draw() != first


def test_seeding_forgets_half_used_normal_numbers(generators):
    seed_everything(7)
    expected = [np.random.randn(), random.gauss(0, 1)]
    assert [np.random.randn(), random.gauss(0, 1)] != expected
    np.random.randn()
    random.gauss(0, 1)
    seed_everything(7)
    assert [np.random.randn(), random.gauss(0, 1)] == expected


def test_a_block_with_its_own_generators_leaves_the_others_as_they_were(generators, fake_cuda):
    state = RngState.capture(cuda=True)
    with own_rng(9, cuda=True):
        inside = generators.draw()
    assert state.unchanged()
    with own_rng(9, cuda=True):
        assert generators.draw() == inside
        with own_rng(10, cuda=True):
            assert generators.draw() != inside
    assert state.unchanged()


def test_a_block_that_fails_leaves_them_too(generators):
    state = RngState.capture()

    def fail():
        with own_rng(9, cuda=False):
            generators.draw()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert state.unchanged()


def test_seeding_is_torchs_own(generators):
    for seed in (0, 7, 2**40 + 3):
        seed_everything(seed)
        ours = torch.get_rng_state()
        torch.manual_seed(seed)
        assert torch.equal(torch.get_rng_state(), ours)
