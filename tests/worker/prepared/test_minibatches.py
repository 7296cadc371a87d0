"""Minibatches that the runs of one slot share: collated once, bit for bit those that each run would collate."""

from __future__ import annotations

import random

import pytest
import torch

from rapidfire_lab.worker.prepared import MinibatchMemory, rows
from rapidfire_lab.worker.prepared.codec import Encoded
from rapidfire_lab.worker.prepared.questions import Facts
from tests.worker.prepared.runs import BATCH, ROWS, Run, Text
from tests.worker.prepared.sameness import assert_same

EPOCHS = 2
BATCHES = -(-ROWS // BATCH) * EPOCHS
FACTS = Facts({})


class Counting(Text):
    """Counts its collations, in a place of its own."""

    collations: list[str] = []  # noqa: RUF012 - of the class, on purpose

    def collate_fn(self, batch, cfg, mode):
        self.collations.append(mode)
        return super().collate_fn(batch, cfg, mode)


class Padding(Counting):
    """Its collation reads a knob that row_prep does not."""

    def collate_fn(self, batch, cfg, mode):
        minibatch = super().collate_fn(batch, cfg, mode)
        return {**minibatch, "codes": torch.nn.functional.pad(minibatch["codes"], (0, cfg["padding"]))}


class Nested(Counting):
    """Gives more than tensors."""

    def collate_fn(self, batch, cfg, mode):
        minibatch = super().collate_fn(batch, cfg, mode)
        return {"all": (minibatch, [mode, len(batch), None]), "mask": minibatch["codes"].numpy() > 0, 3: 0.5}


class MixingUp(Counting):
    def collate_fn(self, batch, cfg, mode):
        random.shuffle(batch)
        return super().collate_fn(batch, cfg, mode)


class Remembering(Counting):
    """Leaves something for compute_forward."""

    def collate_fn(self, batch, cfg, mode):
        self.lengths = [len(row["codes"]) for row in batch]
        return super().collate_fn(batch, cfg, mode)


class Unstorable(Counting):
    def collate_fn(self, batch, cfg, mode):
        return {**super().collate_fn(batch, cfg, mode), "set": {1, 2}}


class Aliasing(Counting):
    def collate_fn(self, batch, cfg, mode):
        minibatch = super().collate_fn(batch, cfg, mode)
        return {**minibatch, "inputs": minibatch["codes"][:, :-1]}


class Drifting(Counting):
    """Depends on what was collated before, which no generator and no attribute tells."""

    def collate_fn(self, batch, cfg, mode):
        minibatch = super().collate_fn(batch, cfg, mode)
        return {**minibatch, "number": len(self.collations)}


@pytest.fixture(autouse=True)
def whatever_it_takes(monkeypatch):
    """Rows are kept also where that does not pay off; nothing was collated yet."""
    monkeypatch.setattr(rows, "_WORTH", 0.0)
    monkeypatch.setattr(rows, "_WORTH_SECONDS", 0.0)
    Counting.collations.clear()


@pytest.fixture
def memory():
    return MinibatchMemory()


def collated():
    """Collations since the last question."""
    count = len(Counting.collations)
    Counting.collations.clear()
    return count


@pytest.mark.parametrize("spec", [Counting, Padding, Nested])
@pytest.mark.parametrize("mode", ["train", "validation"])
def test_what_one_run_has_collated_is_what_the_next_would(partition, store, memory, spec, mode):
    knobs = {"mode": mode, "padding": 3}
    expected = Run(partition, spec, **knobs).epochs(EPOCHS)
    assert_same(Run(partition, spec, store, memory, **knobs).epochs(EPOCHS), expected)
    collated()
    assert_same(Run(partition, spec, store, memory, **knobs, width=9).epochs(EPOCHS), expected)
    assert collated() == 1, "the one that is compared"


def test_the_same_minibatch_of_a_later_epoch_is_taken(partition, store, memory):
    run = Run(partition, Counting, store, memory, mode="validation")
    expected = Run(partition, Counting, mode="validation").input.minibatch(0, list(range(BATCH)))
    collated()
    for epoch in range(5):
        assert_same([run.input.minibatch(epoch, list(range(BATCH)))], [expected])
    assert collated() == 2, "the first, and the one that is compared"


def test_what_a_run_does_to_a_minibatch_is_its_own_affair(partition, store, memory):
    expected = Run(partition, Counting).epochs(EPOCHS)
    for _ in range(3):
        found = Run(partition, Counting, store, memory).epochs(EPOCHS)
        assert_same(found, expected)
        for minibatch in found:
            minibatch["codes"].zero_()
            del minibatch["labels"]


def test_a_knob_that_collate_fn_alone_reads_counts_for_minibatches_and_not_for_rows(partition, store, memory):
    for padding in (1, 2, 1):
        expected = Run(partition, Padding, padding=padding).epochs(EPOCHS)
        Padding.calls = 0
        assert_same(Run(partition, Padding, store, memory, padding=padding).epochs(EPOCHS), expected)
        assert Padding.calls < 2 * ROWS
    assert Padding.calls == 1


def test_other_rows_other_modes_and_other_knobs_are_other_minibatches(partition, store, memory):
    for knobs in ({}, {"mode": "validation"}, {"longest": 3}, {"longest": 3, "lower": True}):
        expected = Run(partition, Counting, **knobs).epochs(EPOCHS)
        collated()
        assert_same(Run(partition, Counting, store, memory, **knobs).epochs(EPOCHS), expected)
        assert collated() == BATCHES


@pytest.mark.parametrize("spec", [MixingUp, Remembering, Unstorable, Aliasing])
def test_what_cannot_be_shared_is_collated_each_time(partition, store, memory, spec):
    expected = Run(partition, spec).epochs(EPOCHS)
    for _ in range(3):
        collated()
        assert_same(Run(partition, spec, store, memory).epochs(EPOCHS), expected)
        assert collated() >= BATCHES


def test_a_collation_that_depends_on_more_than_its_arguments_is_found_out(partition, store, memory, capsys):
    Run(partition, Drifting, store, memory).epochs(EPOCHS)
    run = Run(partition, Drifting, store, memory)
    run.epochs(EPOCHS)
    assert "minibatches of 'train' are not shared" in capsys.readouterr().err
    collated()
    run.epochs(EPOCHS)
    assert collated() == BATCHES


def test_generators_do_not_move_and_are_not_asked(partition, store, memory, generators):
    Run(partition, Counting, store, memory).epochs(EPOCHS)
    before = torch.get_rng_state()
    Run(partition, Counting, store, memory).epochs(EPOCHS)
    assert torch.equal(torch.get_rng_state(), before)


def test_those_used_longest_ago_are_forgotten():
    memory = MinibatchMemory(budget=3_200)
    for number in range(40):
        memory.add("base", FACTS, (bytes([number]),), Encoded(b"", bytes(100)))
        assert memory.get("base", name_of(memory), (bytes([0]),))
    found = [number for number in range(40) if memory.get("base", name_of(memory), (bytes([number]),))]
    assert found == [0, *range(9, 40)]


def test_one_that_is_too_large_is_not_kept_and_no_facts_are_left_of_what_is_gone():
    memory = MinibatchMemory(budget=3_200)
    memory.add("base", FACTS, (b"large",), Encoded(b"", bytes(101)))
    assert not memory.facts("base")
    memory.add("base", FACTS, (b"small",), Encoded(b"", bytes(100)))
    for number in range(32):
        memory.add("other", FACTS, (bytes([number]),), Encoded(b"", bytes(100)))
    assert not memory.facts("base")
    assert len(memory.facts("other")) == 1


def name_of(memory):
    [name] = memory.facts("base")
    return name
