import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.data import epoch_order, minibatch_count, minibatches, row_seed


def test_the_order_is_that_of_the_contract():
    expected = torch.randperm(100, generator=torch.Generator().manual_seed(42 + 3))
    assert torch.equal(epoch_order(100, 42, 3), expected)


def test_making_an_order_does_not_disturb_the_random_numbers_of_others():
    before = torch.get_rng_state()
    epoch_order(10, 1, 0)
    assert torch.equal(torch.get_rng_state(), before)


@given(n=st.integers(1, 300), batch_size=st.integers(1, 310), seed=st.integers(0, 2**62))
def test_an_epoch_takes_every_row_once(n, batch_size, seed):
    order = epoch_order(n, seed, 0)
    parts = minibatches(order, batch_size)
    assert torch.equal(torch.cat(parts), order)
    assert sorted(order.tolist()) == list(range(n))
    assert [len(part) for part in parts] == [len(part) for part in order.split(batch_size)]
    assert minibatch_count(n, batch_size) == len(parts)


@pytest.mark.parametrize(
    ("arguments", "seed"),
    [
        ((42, "train", 0, 1), 1504426525),
        ((42, "train", 1, 1), 3147005799),
        ((42, "validation", 0, 1), 260031849),
        ((0, "predict", 0, -(2**63)), 3544598616),
    ],
)
def test_row_seeds_are_part_of_the_contract(arguments, seed):
    # Computed with `printf 42/train/0/1 | b2sum -l 32`. Another value is another augmentation for every user.
    assert row_seed(*arguments) == seed


@given(seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6), example_id=st.integers(-(2**63), 2**63 - 1))
def test_row_seeds_fit_every_generator(seed, epoch, example_id):
    number = row_seed(seed, "train", epoch, example_id)
    assert 0 <= number < 2**32
    np.random.RandomState(number)


def test_row_seeds_take_numpy_integers():
    assert row_seed(1, "train", 0, np.int64(5)) == row_seed(1, "train", 0, 5)


def test_neighbours_have_seeds_of_their_own():
    seeds = {row_seed(42, "train", epoch, number) for epoch in range(10) for number in range(100)}
    assert len(seeds) == 1000


def test_importing_data_leaves_torch_out():
    code = "import sys, rapidfire_lab.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
