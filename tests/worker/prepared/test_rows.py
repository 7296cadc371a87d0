"""Rows that runs share: prepared once, bit for bit those that each run would prepare, or not shared at all."""

from __future__ import annotations

import errno
import os
import random
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from rapidfire_lab.data import Partition
from rapidfire_lab.worker.prepared import PreparedStore, modules, rows
from tests.worker.prepared.runs import ROWS, Run, Text
from tests.worker.prepared.sameness import assert_same

CHECKS = 5
"""Rows that are prepared twice on purpose: the first, three samples, and one that is compared."""


class Fixed(Text):
    collate_fn = None

    def row_prep(self, row, cfg, mode):
        codes = super().row_prep(row, cfg, mode)["codes"]
        return {"x": torch.nn.functional.pad(codes, (0, 50 - len(codes))).reshape(5, 10), "label": row["label"]}


class Mutating(Text):
    def collate_fn(self, batch, cfg, mode):
        for row in batch:
            row["codes"].mul_(-1)
            row["codes"].resize_(max(3, row["codes"].numel()))[0] = 7
        return super().collate_fn(batch, cfg, mode)


class Augmenting(Text):
    """Draws in training alone."""

    def row_prep(self, row, cfg, mode):
        prepared = super().row_prep(row, cfg, mode)
        if mode == "train" and cfg["augment"]:
            prepared["codes"] = prepared["codes"] + torch.randint(9, ()) + random.randint(0, 9)
        return prepared


class MixingUp(Text):
    """Draws in the collation alone."""

    def collate_fn(self, batch, cfg, mode):
        random.shuffle(batch)
        return super().collate_fn(batch, cfg, mode)


@pytest.fixture(autouse=True)
def whatever_it_takes(monkeypatch):
    """Rows are kept also where that does not pay off."""
    monkeypatch.setattr(rows, "_WORTH", 0.0)
    monkeypatch.setattr(rows, "_WORTH_SECONDS", 0.0)


@pytest.fixture
def calls():
    """Calls of row_prep since the last question."""
    asked_before = Text.calls
    classes = (Text, Fixed, Mutating, Augmenting, MixingUp)

    def since():
        nonlocal asked_before
        before, asked_before = asked_before, sum(spec.__dict__.get("calls", 0) for spec in classes)
        return asked_before - before

    for spec in classes:
        spec.calls = 0
    asked_before = 0
    return since


# Same results


@pytest.mark.parametrize("spec", [Text, Fixed, Mutating, Augmenting, MixingUp])
@pytest.mark.parametrize("mode", ["train", "validation"])
@pytest.mark.parametrize("augment", [False, True])
def test_minibatches_are_those_of_a_run_that_shares_nothing(partition, store, spec, mode, augment):
    knobs = {"mode": mode, "augment": augment}
    expected = Run(partition, spec, **knobs).epochs(3)
    first, second = Run(partition, spec, store, **knobs), Run(partition, spec, store, **knobs)
    assert_same(first.epochs(3), expected)
    assert_same(second.epochs(3), expected)
    # Another process knows nothing but what is on the disk.
    third = Run(partition, spec, PreparedStore(store.root, 10**9), **knobs)
    assert_same(third.epochs(3), expected)


@pytest.mark.parametrize("spec", [Text, Fixed, Mutating, MixingUp])
def test_a_row_is_prepared_once(partition, store, calls, spec):
    Run(partition, spec, store).epochs(3)
    assert ROWS <= calls() <= ROWS + CHECKS
    for lr in (0.1, 0.2):
        optimizer = {"name": "SGD", "args": {"lr": lr}}
        Run(partition, spec, PreparedStore(store.root, 10**9), optimizer=optimizer).epochs(2)
        assert calls() == 1


def test_runs_that_differ_in_what_row_prep_reads_share_nothing(partition, store, calls):
    for knobs in ({"longest": 5}, {"longest": 9}, {"longest": 9, "lower": True}, {"longest": 9, "lower": False}):
        assert_same(Run(partition, Text, store, **knobs).epochs(1), Run(partition, Text, **knobs).epochs(1))
        assert calls() >= 2 * ROWS
    Run(partition, Text, store, longest=9, lower=True, width=5).epochs()
    assert calls() == 1


def test_a_knob_that_is_read_late_counts(partition, store):
    class Late(Text):
        def row_prep(self, row, cfg, mode):
            prepared = super().row_prep(row, cfg, mode)
            if row["id"] % 50 == 49:
                prepared["label"] += cfg["shift"]
            return prepared

    for shift in (1, 2, 1, 3):
        expected = Run(partition, Late, shift=shift).epochs()
        assert_same(Run(partition, Late, store, shift=shift).epochs(), expected)


def test_attributes_that_create_model_sets_count(partition, store):
    class Setting(Text):
        def create_model(self, cfg):
            self.shift = cfg["shift"]

        def row_prep(self, row, cfg, mode):
            return {**super().row_prep(row, cfg, mode), "label": self.shift}

    def labels(shift, *store):
        run = Run(partition, Setting, *store, shift=shift)
        run.hooks.create_model()
        return torch.cat([minibatch["labels"] for minibatch in run.epochs(1)]).unique().tolist()

    assert [labels(shift, store) for shift in (1, 2, 1)] == [[1], [2], [1]]


def test_switches_of_the_process_count(partition, store):
    class Typed(Fixed):
        def row_prep(self, row, cfg, mode):
            return {"x": torch.tensor([0.5 * row["label"]])}

    assert Run(partition, Typed, store).epochs(1)[0]["x"].dtype == torch.float32
    run = Run(partition, Typed, store)
    torch.set_default_dtype(torch.float64)
    try:
        assert run.epochs(1)[0]["x"].dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert run.epochs(1)[0]["x"].dtype == torch.float32


def test_the_seed_counts_where_the_spec_draws_before_the_first_row(partition, store, calls):
    class Projecting(Text):
        def initialize_run(self, misc_path, cfg, mode):
            super().initialize_run(misc_path, cfg, mode)
            self.offset = int(torch.randint(1000, ()))

        def row_prep(self, row, cfg, mode):
            prepared = super().row_prep(row, cfg, mode)
            return {**prepared, "label": prepared["label"] + self.offset}

    for seed in (1, 2, 1):
        expected = Run(partition, Projecting, seed=seed).epochs(1)
        assert_same(Run(partition, Projecting, store, seed=seed).epochs(1), expected)
    Run(partition, Text, store, seed=1).epochs(1)
    calls()
    Run(partition, Text, store, seed=2).epochs(1)
    assert calls() == 1


def test_misc_files_count(partition, store, calls, tmp_path):
    misc = tmp_path / "misc"
    (misc / "deep").mkdir(parents=True)
    (misc / "deep" / "words.txt").write_text("one")
    Run(partition, Text, store, misc=str(misc)).epochs(1)
    Run(partition, Text, store, misc=str(misc)).epochs(1)
    assert calls() <= ROWS + CHECKS
    (misc / "deep" / "words.txt").write_text("other")
    Run(partition, Text, store, misc=str(misc)).epochs(1)
    assert calls() >= ROWS


def test_modules_of_the_users_own_count(partition, store, calls, tmp_path, monkeypatch):
    (tmp_path / "own_library.py").write_text("SHIFT = 1")
    monkeypatch.syspath_prepend(tmp_path)
    import own_library  # noqa: F401 - as a spec would

    Run(partition, Text, store).epochs(1)
    Run(partition, Text, store).epochs(1)
    assert calls() <= ROWS + CHECKS
    # Another engine is started after the file was changed.
    (tmp_path / "own_library.py").write_text("SHIFT = 22")
    modules.state_of_file.cache_clear()
    Run(partition, Text, PreparedStore(store.root, 10**9)).epochs(1)
    assert calls() >= ROWS


# Files that rows name


class Reading(Text):
    def row_prep(self, row, cfg, mode):
        type(self).calls += 1
        content = Path(row["path"]).read_bytes()
        return {"codes": torch.tensor(list(content)), "label": row["id"]}


@pytest.fixture
def documents(tmp_path):
    long_ago = time.time() - 1_000
    for place in range(40):
        path = tmp_path / f"{place}.txt"
        path.write_text(f"document {place}")
        os.utime(path, (long_ago, long_ago))
    wait = 2 * _racy_seconds()
    newest = max(path.stat().st_ctime for path in tmp_path.iterdir())
    while time.time() < newest + wait:
        time.sleep(wait / 10)
    paths = [str(tmp_path / f"{place}.txt") for place in range(40)]
    return Partition(pa.table({"id": range(40), "path": paths}))


def _racy_seconds():
    from rapidfire_lab.worker.prepared import surroundings

    return surroundings._RACY_NS / 1e9


def test_a_changed_file_is_read_anew_by_the_next_run(documents, store, tmp_path):
    Reading.calls = 0
    Run(documents, Reading, store, objects=["path"]).epochs(3)
    assert Reading.calls <= 40 + CHECKS
    status = (tmp_path / "7.txt").stat()
    (tmp_path / "7.txt").write_text("DOCUMENT 7")  # as long as before, and dated back
    os.utime(tmp_path / "7.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "9.txt").unlink()
    (tmp_path / "9.txt").write_text("another one")
    Reading.calls = 0
    expected = Run(documents, Reading).epochs(1)
    Reading.calls = 0
    assert_same(Run(documents, Reading, store, objects=["path"]).epochs(1), expected)
    assert Reading.calls <= 2 + CHECKS


def test_a_file_that_was_changed_this_moment_is_not_trusted(documents, store, tmp_path, monkeypatch):
    monkeypatch.setattr("rapidfire_lab.worker.prepared.surroundings._RACY_NS", 10**12)
    Reading.calls = 0
    Run(documents, Reading, store, objects=["path"]).epochs(2)
    assert Reading.calls >= 80


# Rows that are not shared


def test_randomness_is_never_stored(partition, store):
    Run(partition, Augmenting, store, augment=True).epochs(1)
    assert not list(store.root.glob("*/*/*.rows"))
    for _ in range(2):
        assert_same(Run(partition, LateDrawing, store).epochs(2), Run(partition, LateDrawing).epochs(2))
        assert not list(store.root.glob("*/*/*.rows"))


class LateDrawing(Text):
    def row_prep(self, row, cfg, mode):
        prepared = super().row_prep(row, cfg, mode)
        if row["id"] == 140:
            prepared["codes"] = prepared["codes"] + int(np.random.randint(1000))
        return prepared


def test_rows_that_differ_when_they_are_prepared_twice_are_not_shared(partition, store, capsys):
    class Counting(Text):
        def row_prep(self, row, cfg, mode):
            return {**super().row_prep(row, cfg, mode), "label": self.calls}

    Run(partition, Counting, store).epochs(1)
    assert "prepared twice, gave two different results" in capsys.readouterr().err
    assert not list(store.root.glob("*/*/*.rows"))


def test_rows_that_another_process_made_otherwise_are_not_shared(partition, store, capsys):
    class Remembering(Text):
        known = ()

        def row_prep(self, row, cfg, mode):
            if row["text"] not in self.known:
                type(self).known = (*self.known, row["text"])
            return {**super().row_prep(row, cfg, mode), "label": self.known.index(row["text"])}

    run = Run(partition, Remembering, store)
    run.input.minibatch(0, [3, 2, 1])
    Remembering.known = ()
    other = Run(partition, Remembering, PreparedStore(store.root, 10**9))
    assert other.input.minibatch(0, [2, 3])["labels"].tolist() == [0, 1]
    assert "not what another process made of it" in capsys.readouterr().err
    assert not list(store.root.glob("*/*/*.rows"))


def test_what_a_spec_does_not_want_shared_is_not(partition, store, calls):
    class Private(Text):
        share_prepared_rows = False

    run = Run(partition, Private, store)
    assert run.shared is None
    assert not store.root.exists()


def test_rows_that_would_not_come_back_exactly_are_prepared_each_time(partition, store, calls):
    class Objects(Text):
        def row_prep(self, row, cfg, mode):
            return {**super().row_prep(row, cfg, mode), "extra": object()}

    Run(partition, Objects, store).epochs(2)
    assert not list(store.root.glob("*/*/*.rows"))


def test_rows_that_cost_nothing_are_prepared_each_time(partition, store, monkeypatch):
    monkeypatch.setattr(rows, "_WORTH_SECONDS", 3600.0)
    assert_same(Run(partition, Text, store).epochs(), Run(partition, Text).epochs())
    assert not list(store.root.glob("*/*/*.rows"))


def test_an_error_of_row_prep_comes_through_and_leaves_no_claim(partition, store):
    class Failing(Text):
        def row_prep(self, row, cfg, mode):
            if row["id"] == 5:
                raise LookupError("no such text")
            return super().row_prep(row, cfg, mode)

    run = Run(partition, Failing, store)
    for _ in range(2):
        with pytest.raises(LookupError, match="no such text"):
            run.input.minibatch(0, [4, 5, 6])
    run.input.minibatch(0, [4, 6])


# Disks


def test_a_full_disk_is_said_once_and_stops_nothing(partition, store, monkeypatch, capsys):
    from rapidfire_lab.worker.prepared.segment import SegmentWriter

    def full(self, rows):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    expected = Run(partition, Text).epochs()
    with monkeypatch.context() as context:
        context.setattr(SegmentWriter, "append", full)
        assert_same(Run(partition, Text, store).epochs(), expected)
    told = capsys.readouterr().err
    assert told.count("No space left on device") == 1
    assert_same(Run(partition, Text, store).epochs(), expected)
    assert list(store.root.glob("*/*/*.rows"))


def test_a_full_store_keeps_what_it_has(partition, store, capsys):
    expected = Run(partition, Text).epochs()
    small = PreparedStore(store.root, 20_000)
    assert_same(Run(partition, Text, small).epochs(), expected)
    assert capsys.readouterr().err.count("prepared_gigabytes") == 1
    assert_same(Run(partition, Text, small).epochs(), expected)


def test_a_store_that_cannot_be_made_stops_nothing(partition, tmp_path, capsys):
    (tmp_path / "file").touch()
    blocked = PreparedStore(tmp_path / "file" / "prepared", 10**9)
    assert_same(Run(partition, Text, blocked).epochs(), Run(partition, Text).epochs())
    assert capsys.readouterr().err.count("are not kept from here on") == 1


def test_eviction_under_a_run_stops_nothing(partition, store, tmp_path):
    expected = Run(partition, Text).epochs()
    run = Run(partition, Text, store)
    assert_same(run.epochs()[:5], expected[:5])
    for shelf in store.root.glob("*/*"):
        store._remove(shelf)
    assert not any(store.root.iterdir())
    assert_same(run.epochs(), expected)
    assert_same(Run(partition, Text, PreparedStore(store.root, 10**9)).epochs(), expected)
