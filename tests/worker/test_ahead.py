"""Minibatches that other processes prepare ahead: the same, in the same order, and nothing is left of the processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import numpy as np
import psutil
import pyarrow as pa
import pytest
import torch

from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.data import Partition
from rapidfire_lab.worker import ahead
from rapidfire_lab.worker.ahead import MinibatchesAhead
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput
from rapidfire_lab.worker.prepared import PreparedStore
from rapidfire_lab.worker.rng import RngState
from tests.conftest import wait_until
from tests.worker.prepared.runs import Run, Text
from tests.worker.prepared.sameness import assert_same

ROWS, BATCH, EPOCHS = 120, 8, 2
PLACES = [
    (epoch, list(range(start, start + BATCH))[:: 1 - 2 * epoch])
    for epoch in range(EPOCHS)
    for start in range(0, ROWS, BATCH)
]


class Plain:
    def row_prep(self, row, cfg, mode):
        return {"id": torch.tensor(row["id"]), "x": torch.tensor(row["x"]) * 3, "threads": torch.get_num_threads()}


class Augmented(Plain):
    def row_prep(self, row, cfg, mode):
        noise = [torch.rand(()).item(), np.random.randn(), random.gauss(0, 1)]
        return {**super().row_prep(row, cfg, mode), "noise": torch.tensor(noise, dtype=torch.float64)}


class Collating(Augmented):
    def collate_fn(self, batch, cfg, mode):
        random.shuffle(batch)
        ids = torch.stack([row["id"] for row in batch])
        return {"ids": ids, "view": ids[2:], "array": np.arange(3), "words": ["a", None, 1.5], "mode": mode}


class Telling(Plain):
    """Says which process prepared a row."""

    def row_prep(self, row, cfg, mode):
        return {**super().row_prep(row, cfg, mode), "process": os.getpid()}


class Dying(Telling):
    """Kills a process that is not the one that made the spec."""

    def __init__(self):
        self.home = os.getpid()

    def row_prep(self, row, cfg, mode):
        if row["id"] == 70 and os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().row_prep(row, cfg, mode)


class Failing(Telling):
    def row_prep(self, row, cfg, mode):
        if row["id"] == 70:
            raise ZeroDivisionError("the user's own mistake")
        return super().row_prep(row, cfg, mode)


class Sleeping(Plain):
    """Would take an hour for a later minibatch."""

    def row_prep(self, row, cfg, mode):
        time.sleep(3600 if row["id"] >= 5 * BATCH else 0)
        return super().row_prep(row, cfg, mode)


class Unsendable(Plain):
    def collate_fn(self, batch, cfg, mode):
        return {"ids": [int(row["id"]) for row in batch], "made by": (lambda: None).__name__, "lock": Lock()}


class Lock:
    def __reduce__(self):
        raise TypeError("a lock cannot be pickled")

    def __repr__(self):
        return "a lock"


class Remembering(Telling):
    """Leaves something for compute_forward."""

    def collate_fn(self, batch, cfg, mode):
        self.last = [int(row["id"]) for row in batch]
        return [row["process"] for row in batch]


@pytest.fixture(scope="module")
def partition():
    return Partition(pa.table({"id": range(ROWS), "x": [0.5 * row for row in range(ROWS)]}))


@pytest.fixture(autouse=True)
def whatever_it_takes(monkeypatch):
    """Processes are started also where that does not pay off."""
    for name in ("_WORTH_SECONDS", "_WORTH_SHARE", "_WORTH_IN_ALL"):
        monkeypatch.setattr(ahead, name, 0.0)


def processes():
    """Those that prepare for this one, which may have other children."""
    return [process for process in psutil.Process().children() if process.name().startswith("rf-input")]


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    assert not processes()


@pytest.fixture
def source(partition, generators):
    cfg = Config(normalise({"epochs": 1, "batch_size": BATCH, "optimizer": "SGD"}))

    def make(spec, processes=0):
        hooks = Hooks(spec, cfg)
        return MinibatchesAhead(MinibatchInput(hooks, partition, "train", 42, one_thread=True), processes)

    return make


def all_of(source, places=PLACES):
    with source.pass_over(lambda given: places[given:]):
        return [source.minibatch(*place) for place in places]


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("spec", [Plain, Augmented, Collating])
def test_minibatches_are_those_that_one_process_prepares(source, spec, processes):
    expected = all_of(source(spec))
    found = source(spec, processes)
    for _ in range(2):
        assert_same(all_of(found), expected)


def test_others_prepare_all_but_the_first_and_few_at_a_time(source):
    found = source(Telling, 2)
    processes = [set(minibatch["process"].tolist()) for minibatch in all_of(found)]
    assert [own == {os.getpid()} for own in processes] == [True] * 3 + [False] * (len(PLACES) - 3)
    assert len(set().union(*processes)) == 3


def test_generators_here_do_not_move(source):
    before = RngState.capture()
    all_of(source(Augmented, 2))
    assert before.unchanged()


def test_what_is_quick_is_prepared_here(source, monkeypatch):
    monkeypatch.setattr(ahead, "_WORTH_SECONDS", 1.0)
    found = source(Telling, 2)
    assert {process for minibatch in all_of(found) for process in minibatch["process"].tolist()} == {os.getpid()}


def test_a_pass_that_is_broken_off_leaves_no_process(source):
    found = source(Telling, 2)
    with contextlib.suppress(KeyboardInterrupt), found.pass_over(lambda given: PLACES[given:]):
        for place in PLACES[:6]:
            found.minibatch(*place)
        wait_until(lambda: len(processes()) == 2, "two processes")
        raise KeyboardInterrupt
    assert not processes()


def test_nobody_waits_for_what_is_not_wanted_any_more(source):
    found = source(Sleeping, 2)
    with found.pass_over(lambda given: PLACES[given:]):
        for place in PLACES[:4]:
            found.minibatch(*place)


def test_who_goes_elsewhere_is_followed(source):
    other = [*PLACES[:5], *PLACES[20:], *PLACES[5:8]]
    expected = [source(Augmented).minibatch(*place) for place in other]
    found = source(Augmented, 2)
    with found.pass_over(lambda given: PLACES[given:]):
        assert_same([found.minibatch(*place) for place in other], expected)


def test_a_process_that_dies_costs_nothing_but_time(source, capsys):
    found = all_of(source(Dying, 2))
    assert [minibatch["id"].tolist() for minibatch in found] == [positions for _, positions in PLACES]
    assert set(found[-1]["process"].tolist()) == {os.getpid()}
    assert "minibatches are not prepared ahead any more" in capsys.readouterr().err


def test_an_error_of_the_users_is_told_as_if_it_had_happened_here(source):
    with pytest.raises(ZeroDivisionError) as caught:
        all_of(source(Failing, 2))
    assert str(caught.value) == "the user's own mistake"
    assert "row_prep" in [entry.name for entry in caught.traceback]


def test_what_cannot_be_sent_is_prepared_here(source, capsys):
    assert_same(all_of(source(Unsendable, 2)), all_of(source(Unsendable)))
    assert "not prepared ahead any more" in capsys.readouterr().err


def test_hooks_that_talk_through_the_spec_stay_in_one_process(source):
    found = all_of(source(Remembering, 2))
    assert {process for minibatch in found for process in minibatch} == {os.getpid()}


def test_rows_are_prepared_with_one_thread_wherever(source):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = all_of(source(Plain, 2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {threads for minibatch in found for threads in minibatch["threads"].tolist()} == {1}


def test_processes_and_the_slot_add_to_the_same_store(partition, tmp_path, monkeypatch):
    monkeypatch.setattr("rapidfire_lab.worker.prepared.rows._WORTH", 0.0)
    monkeypatch.setattr("rapidfire_lab.worker.prepared.rows._WORTH_SECONDS", 0.0)
    texts = pa.table({"id": range(150), "text": [f"text {row}" * 3 for row in range(150)], "label": [0, 1] * 75})
    places = [(epoch, list(range(start, start + 10))) for epoch in range(2) for start in range(0, 150, 10)]
    expected = [Run(Partition(texts), Text).input.minibatch(*place) for place in places]
    store = PreparedStore(tmp_path / "prepared", 10**9)
    for _ in range(2):
        run = Run(Partition(texts), Text, store, one_thread=True)
        assert_same(all_of(MinibatchesAhead(run.input, 2), places), expected)
    Text.calls = 0
    run = Run(Partition(texts), Text, PreparedStore(store.root, 10**9), one_thread=True)
    assert_same([run.input.minibatch(*place) for place in places], expected)
    assert Text.calls == 1, "all rows were kept, whoever prepared them, and one is compared"
