"""The store keeps to its bytes: what was used longest ago goes first, what is in use stays."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from rapidfire_lab.worker.prepared import PreparedStore
from rapidfire_lab.worker.prepared.codec import encode
from rapidfire_lab.worker.prepared.questions import Facts
from rapidfire_lab.worker.prepared.segment import StampedRow
from rapidfire_lab.worker.prepared.store import FullError

ROW = 10_000
BUDGET = 25 * ROW


def facts(number):
    return Facts({("value", ("number",)): str(number)})


def fill(store, number, rows=10, last_used=0.0):
    """Fill a shelf with 100,000 bytes, used so many seconds ago."""
    shelf = store.make("base", facts(number), rows)
    store.make_room(rows * ROW)
    shelf.add([StampedRow(place, 0, encode(bytes(ROW), may_alias=False)) for place in range(rows)])
    shelf.refresh()
    then = time.time() - last_used
    for path in shelf.folder.iterdir():
        os.utime(path, (then, then))
    return shelf


def names(store):
    return set(store.names("base"))


@pytest.fixture
def store(tmp_path):
    return PreparedStore(tmp_path / "prepared", BUDGET, fresh=60)


def test_the_shelf_used_longest_ago_makes_room(store):
    oldest, older = fill(store, 1, last_used=2_000), fill(store, 2, last_used=1_000)
    newest = fill(store, 3)
    assert names(store) == {older.folder.name, newest.folder.name}
    assert not any(store.root.glob("base/.*"))
    # Who has it open goes on reading.
    assert oldest.has(np.arange(10), np.zeros(10, np.uint64)).all()
    assert oldest.rows(np.array([9])) == [bytes(ROW)]


def test_using_a_shelf_keeps_it(store):
    used, unused = fill(store, 1, last_used=2_000), fill(store, 2, last_used=1_000)
    used._touched = -1e9
    used.has(np.arange(1), np.zeros(1, np.uint64))
    third = fill(store, 3)
    assert names(store) == {used.folder.name, third.folder.name}
    assert unused.folder.name not in names(store)


def test_what_was_used_a_moment_ago_is_not_removed_for_more(store):
    fill(store, 1)
    fill(store, 2)
    with pytest.raises(FullError, match="prepared_gigabytes"):
        fill(store, 3)
    assert len(list(store.root.glob("*/*/*.rows"))) == 2


def test_what_other_processes_wrote_counts(store):
    fill(store, 1, last_used=1_000)
    fill(PreparedStore(store.root, BUDGET), 2, last_used=2_000)
    fill(store, 3)
    assert len(names(store)) == 2


def test_what_a_crash_left_is_removed(store):
    (store.root / "base" / "no-facts").mkdir(parents=True)
    (store.root / "base" / ".gone-1").mkdir()
    for name in ("no-facts", ".gone-1"):
        path = store.root / "base" / name / "some.rows"
        path.write_bytes(bytes(BUDGET))
        os.utime(path, (1, 1))
    kept = fill(store, 1)
    assert [path.name for path in (store.root / "base").iterdir()] == [kept.folder.name]


def test_a_shelf_is_opened_once_and_not_for_ever(store):
    store = PreparedStore(store.root, 10**9)
    first = fill(store, 0, rows=1)
    assert store.make("base", facts(0), 1) is first
    assert store.open("base", first.folder.name, 1) is first
    for number in range(1, 30):
        fill(store, number, rows=1)
    again = store.open("base", first.folder.name, 1)
    assert again is not first
    again.refresh()
    assert again.has(np.arange(1), np.zeros(1, np.uint64)).all()


def test_there_may_be_no_store_at_all(store):
    assert store.names("base") == []
    assert store.open("base", "name", 5) is None
