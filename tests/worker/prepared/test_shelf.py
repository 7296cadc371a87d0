"""Shelves: what crashes, damage and neighbours leave of them can be read, and nothing else is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from rapidfire_lab.worker.prepared.codec import encode
from rapidfire_lab.worker.prepared.questions import Facts
from rapidfire_lab.worker.prepared.segment import ENTRY, StampedRow
from rapidfire_lab.worker.prepared.shelf import Shelf, read_facts
from tests.conftest import wait_until

ROWS = 40
FACTS = Facts({("value", ("width",)): "8"})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prepared" / "base" / "shelf"


def stamped(position, stamp=0, value=None):
    row = {"id": position, "text": f"row {position}" if value is None else value}
    return StampedRow(position, stamp, encode(row, may_alias=False))


def found(shelf, positions=range(ROWS), stamp=0):
    places = np.array(list(positions))
    return places[shelf.has(places, np.full(len(places), stamp, np.uint64))].tolist()


def opened(folder):
    shelf = Shelf(folder, read_facts(folder), ROWS)
    shelf.refresh()
    return shelf


@pytest.fixture
def filled(folder):
    shelf = Shelf.create(folder, FACTS, ROWS)
    for start in range(0, 30, 10):
        shelf.add([stamped(position) for position in range(start, start + 10)])
    return shelf


def segment_of(folder):
    [path] = folder.glob("*.rows")
    return path


def test_a_shelf_gives_back_what_was_put_on_it(filled, folder):
    other = opened(folder)
    assert found(other) == list(range(30))
    assert other.rows(np.array([17])) == [{"id": 17, "text": "row 17"}]
    assert read_facts(folder).answers == FACTS.answers
    filled.refresh()
    assert found(filled) == list(range(30))


def test_what_is_added_later_is_found_later(filled, folder):
    other = opened(folder)
    filled.add([stamped(35)])
    assert found(other, [35]) == []
    other.refresh()
    assert found(other, [35]) == [35]


def test_rows_of_other_files_are_not_found(filled, folder):
    filled.add([stamped(5, stamp=77)])
    other = opened(folder)
    assert found(other, [5], stamp=77) == [5]
    assert found(other, [5, 6]) == [6]


def test_only_the_owner_can_read_it(filled, folder):
    filled.claims.take([1], 1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 3
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent, folder.parent.parent)} == {0o700}


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_an_unfinished_block_is_not_read_until_it_is_whole(filled, folder, cut):
    whole = segment_of(folder).read_bytes()
    segment_of(folder).write_bytes(whole[:-cut])
    other = opened(folder)
    assert found(other) == list(range(20))
    segment_of(folder).write_bytes(whole)
    other.refresh()
    assert found(other) == list(range(30))


def test_a_damaged_row_is_forgotten_and_can_be_put_anew(filled, folder):
    content = bytearray(segment_of(folder).read_bytes())
    content[content.index(b"row 13")] ^= 1
    segment_of(folder).write_bytes(content)
    other = opened(folder)
    assert found(other) == [position for position in range(30) if position != 13]
    other.add([stamped(13)])
    other.refresh()
    assert found(other, [13]) == [13]
    assert found(opened(folder)) == list(range(30))


@pytest.mark.parametrize("what", ["header", "index", "magic"])
def test_after_a_damaged_index_nothing_more_of_the_file_is_read(filled, folder, what):
    content = bytearray(segment_of(folder).read_bytes())
    second = content.index(b"RFLROWS1", 1)
    content[second + {"magic": 0, "header": 12, "index": 40 + ENTRY.itemsize}[what]] ^= 1
    segment_of(folder).write_bytes(content)
    assert found(opened(folder)) == list(range(10))


def test_garbage_is_not_read(filled, folder):
    segment_of(folder).write_bytes(os.urandom(5_000))
    (folder / "empty.rows").touch()
    assert found(opened(folder)) == []
    (folder / "facts.json").write_bytes(b"[[")
    assert read_facts(folder) is None


def test_rows_beyond_the_partition_are_not_read(filled, folder):
    small = Shelf(folder, FACTS, 5)
    small.refresh()
    assert found(small, range(5)) == list(range(5))


def test_a_removed_shelf_can_be_read_by_who_has_it_open_and_is_made_anew_by_who_writes(filled, folder):
    other = opened(folder)
    shutil.rmtree(folder)
    other.refresh()
    assert found(other) == list(range(30))
    assert other.rows(np.array([29])) == [{"id": 29, "text": "row 29"}]
    filled.add([stamped(31)])
    assert found(opened(folder)) == [31]


def test_the_disk_may_refuse(filled, folder, monkeypatch):
    def full(descriptor, block):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            filled.add([stamped(31)])
    filled.add([stamped(32)])
    # What may be half a block is never written behind.
    assert len(list(folder.glob("*.rows"))) == 2
    assert found(opened(folder), [31, 32]) == [32]


def test_a_banned_shelf_keeps_nothing(filled, folder):
    other = opened(folder)
    filled.ban()
    other.refresh()
    assert other.is_banned
    assert found(opened(folder)) == []


# Claims

CLAIMS_AND_DIES = """
import sys, time
from pathlib import Path
from rapidfire_lab.worker.prepared.shelf import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take([3, 4, 5], 2), flush=True)
time.sleep(600)
"""


def test_claims_keep_others_out_until_they_are_released_or_their_process_dies(filled, folder):
    command = [sys.executable, "-c", CLAIMS_AND_DIES, str(folder / "claims")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip() == "[3, 4]"
        assert filled.claims.take([3, 4, 5, 6], 9) == [5, 6]
        filled.claims.release([5, 6])
        other.send_signal(signal.SIGKILL)
    wait_until(lambda: filled.claims.take([3, 4], 9) == [3, 4], "the dead process's claims to be free")


def test_claims_that_cannot_be_noted_are_granted(tmp_path):
    claims = Shelf(tmp_path / "absent", FACTS, ROWS).claims
    assert claims.take([1, 2, 3], 2) == [1, 2]
    claims.release([1, 2])
