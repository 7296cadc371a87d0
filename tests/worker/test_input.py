from __future__ import annotations

import random
from collections import namedtuple

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.data import Partition
from rapidfire_lab.data.order import row_seed
from rapidfire_lab.errors import SpecError
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput, to_device
from rapidfire_lab.worker.rng import RngState, seed_everything

CFG = Config(normalise({"epochs": 1, "batch_size": 2, "optimizer": "SGD"}))
ROWS = 12


class Plain:
    def row_prep(self, row, cfg, mode):
        return {"id": torch.tensor(row["id"]), "x": torch.tensor(row["x"])}


class Augmented(Plain):
    """Draws from all generators, and notes the numbers beside the row."""

    def draws(self, row):
        return True

    def row_prep(self, row):
        prepared = super().row_prep(row, None, None)
        noise = [0.0] * 4
        if self.draws(row):
            noise = [torch.rand(()).item(), np.random.randn(), random.gauss(0, 1), random.random()]
        return {**prepared, "noise": torch.tensor(noise, dtype=torch.float64)}


class Sometimes(Augmented):
    """Draws for one row in five only, so that it is noticed late."""

    def draws(self, row):
        return row["id"] % 5 == 4


class Collating(Plain):
    def collate_fn(self, batch, cfg, mode):
        random.shuffle(batch)
        return {"ids": [int(row["id"]) for row in batch], "mixup": torch.rand(()).item(), "mode": mode}


def hooks(spec):
    return Hooks(spec, CFG)


@pytest.fixture(scope="module")
def partition():
    return Partition(pa.table({"id": range(100, 100 + ROWS), "x": [0.5 * row for row in range(ROWS)]}))


@pytest.fixture
def inputs(partition, generators):
    return lambda spec, mode="train", seed=42, **options: MinibatchInput(hooks(spec), partition, mode, seed, **options)


def noise_of(minibatch):
    return dict(zip(minibatch["id"].tolist(), minibatch["noise"].tolist(), strict=True))


def every_noise(made, batches, epoch=0):
    return {example: noise for batch in batches for example, noise in noise_of(made.minibatch(epoch, batch)).items()}


# What a minibatch is


def test_rows_come_in_the_order_asked_for(inputs):
    made = inputs(Plain)
    assert len(made) == ROWS
    minibatch = made.minibatch(0, [3, 0, 11])
    assert minibatch["id"].tolist() == [103, 100, 111]
    assert minibatch["x"].tolist() == [1.5, 0.0, 5.5]


def test_the_rows_random_numbers_are_those_of_the_contract(inputs):
    made = inputs(Augmented, seed=7)
    minibatch = made.minibatch(3, [5, 2])
    for position, noise in zip([5, 2], minibatch["noise"].tolist(), strict=True):
        seed_everything(row_seed(7, "train", 3, 100 + position))
        assert noise == [torch.rand(()).item(), np.random.randn(), random.gauss(0, 1), random.random()]


def test_the_collations_random_numbers_are_those_of_the_first_row(inputs):
    minibatch = inputs(Collating, mode="validation", seed=7).minibatch(1, [4, 5, 6, 7])
    seed_everything(row_seed(7, "validation", 1, 104))
    ids = [104, 105, 106, 107]
    random.shuffle(ids)
    assert minibatch == {"ids": ids, "mixup": torch.rand(()).item(), "mode": "validation"}


# What it does not depend on


@given(st.permutations(range(ROWS)), st.integers(1, ROWS), st.sampled_from([Augmented, Sometimes]))
def test_a_row_does_not_depend_on_its_neighbours_or_on_when_it_comes(partition, order, size, spec):
    batches = [order[start : start + size] for start in range(0, ROWS, size)]
    expected = every_noise(MinibatchInput(hooks(spec), partition, "train", 42), [list(range(ROWS))])
    assert every_noise(MinibatchInput(hooks(spec), partition, "train", 42), batches) == expected


def test_it_does_not_matter_when_drawing_was_noticed(inputs):
    batches = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]  # the rows 104 and 109 draw
    whole = every_noise(inputs(Sometimes), batches)
    assert any(whole[104])
    assert any(whole[109])
    assert not any(whole[105])
    for first in range(1, len(batches)):
        # Another process goes on from here, and knows nothing of what was noticed.
        rest = every_noise(inputs(Sometimes), batches[first:])
        assert rest == {example: whole[example] for example in rest}


@pytest.mark.parametrize("spec", [Plain, Augmented, Sometimes, Collating])
def test_it_does_not_depend_on_the_process_generators(inputs, spec):
    def all_of(made):
        return [repr(made.minibatch(0, [row, row + 1, row + 2])) for row in range(0, ROWS, 3)]

    expected = all_of(inputs(spec))
    seed_everything(999)
    assert all_of(inputs(spec)) == expected
    made = inputs(spec)
    assert all_of(made) == all_of(made) == expected


def test_it_depends_on_seed_mode_epoch_and_example(inputs):
    base = noise_of(inputs(Augmented).minibatch(0, [0]))[100]
    assert noise_of(inputs(Augmented).minibatch(1, [0]))[100] != base
    assert noise_of(inputs(Augmented).minibatch(0, [1]))[101] != base
    assert noise_of(inputs(Augmented, seed=43).minibatch(0, [0]))[100] != base
    assert noise_of(inputs(Augmented, mode="validation").minibatch(0, [0]))[100] != base


def test_rows_are_prepared_twice_only_until_drawing_is_noticed(inputs):
    class Counting(Sometimes):
        def row_prep(self, row):
            prepared.append(row["id"])
            return super().row_prep(row)

    prepared = []
    made = inputs(Counting)
    for batch in ([0, 1], [4, 5], [9, 10]):
        made.minibatch(0, batch)
    assert prepared == [100, 101, 104, 105, 104, 105, 109, 110]


# What it leaves alone


@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize("spec", [Plain, Augmented, Sometimes, Collating])
def test_the_process_generators_are_left_as_they_were(inputs, fake_cuda, spec, cuda):
    made = inputs(spec, cuda=cuda)
    state = RngState.capture(cuda=cuda)
    for row in range(0, ROWS, 2):
        made.minibatch(0, [row, row + 1])
        assert state.unchanged(), row


def test_rows_that_draw_on_the_gpu_have_their_own_numbers_there_too(inputs, fake_cuda):
    class OnGpu(Plain):
        def row_prep(self, row, cfg, mode):
            return {"id": torch.tensor(row["id"]), "noise": torch.rand(1, generator=fake_cuda)}

    state = RngState.capture(cuda=True)
    expected = every_noise(inputs(OnGpu, cuda=True), [[0, 1, 2, 3]])
    assert state.unchanged()
    torch.rand(9, generator=fake_cuda)
    assert every_noise(inputs(OnGpu, cuda=True), [[3], [1, 2], [0]]) == expected


# Errors


class Failing(Augmented):
    def row_prep(self, row):
        prepared = super().row_prep(row)
        if row["id"] == 105:
            raise LookupError("no such picture")
        return prepared


class FailingEarly(Plain):
    def row_prep(self, row):
        raise LookupError("no such picture")


@pytest.mark.parametrize("spec", [Failing, FailingEarly])
@pytest.mark.parametrize("noticed", [False, True])
def test_an_error_of_row_prep_comes_through_and_leaves_the_generators(inputs, spec, noticed):
    made = inputs(spec)
    made._draws = noticed
    state = RngState.capture()
    with pytest.raises(LookupError, match="no such picture"):
        made.minibatch(0, [4, 5])
    assert state.unchanged()


def test_an_error_that_only_others_random_numbers_lead_to_does_not_happen(inputs):
    class Picky(Augmented):
        def row_prep(self, row):
            prepared = super().row_prep(row)
            if prepared["noise"].tolist() not in known:
                raise ValueError("numbers of somebody else")
            return prepared

    known = list(every_noise(inputs(Augmented), [[0, 1, 2]]).values())
    assert list(every_noise(inputs(Picky), [[0, 1, 2]]).values()) == known


class Ragged:
    def row_prep(self, row):
        return {"x": torch.zeros(row["id"])}


class Objects:
    def row_prep(self, row):
        return {"x": object()}


class Keys:
    def row_prep(self, row):
        return {f"x{row['id']}": torch.zeros(1)}


class Lengths:
    def row_prep(self, row):
        return [torch.zeros(1)] * row["id"]


@pytest.mark.parametrize("spec", [Ragged, Objects, Keys, Lengths])
@pytest.mark.parametrize("noticed", [False, True])
def test_rows_that_cannot_be_collated_are_refused_with_a_hint(inputs, spec, noticed):
    made = inputs(spec)
    made._draws = noticed
    with pytest.raises(SpecError, match="row_prep returned cannot be collated") as caught:
        made.minibatch(0, [0, 1])
    assert "Return tensors of the same shape for every row, or write a collate_fn" in str(caught.value)
    assert caught.value.__cause__ is not None


def test_an_error_of_a_collate_fn_comes_through_as_it_is(inputs):
    class Broken(Plain):
        def collate_fn(self, batch):
            raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        inputs(Broken).minibatch(0, [0])


# Moving


Pair = namedtuple("Pair", "x y")  # noqa: PYI024 - as default_collate makes them


def test_every_tensor_in_a_minibatch_is_moved():
    meta = torch.device("meta")
    moved = to_device(
        {
            "x": torch.ones(2),
            "list": [torch.ones(1), "text", 5],
            "tuple": (torch.ones(1), None),
            "pair": Pair(torch.ones(1), {"deep": torch.ones(1)}),
        },
        meta,
    )
    tensors = [moved["x"], moved["list"][0], moved["tuple"][0], moved["pair"].x, moved["pair"].y["deep"]]
    assert {tensor.device for tensor in tensors} == {meta}
    assert (moved["list"][1:], moved["tuple"][1]) == (["text", 5], None)
    assert (type(moved["tuple"]), type(moved["pair"])) == (tuple, Pair)


def test_whatever_has_a_to_method_is_moved_by_it():
    class Encoding(dict):
        def to(self, device):
            return f"on {device}"

    assert to_device([Encoding()], torch.device("cpu")) == ["on cpu"]
