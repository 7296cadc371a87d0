"""Zip files with data, and what is wrong with those that nobody should trust."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import zipfile

import pytest

from rapidfire_lab.model.datasets import archive
from rapidfire_lab.model.datasets.archive import Archive
from rapidfire_lab.model.errors import InvalidDatasetFormatError


def write(path, *entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as made:
        for entry, content in entries:
            made.writestr(entry, content)
    return path


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_entries_are_read_and_extracted(tmp_path):
    made = Archive(write(tmp_path / "a.zip", ("a.txt", b"one"), ("deep/er/b.txt", b"two"), ("empty/", b"")))
    assert made.read("deep/er/b.txt") == b"two"
    (tmp_path / "out").mkdir()
    made.extract(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"one"
    assert (tmp_path / "out" / "deep" / "er" / "b.txt").read_bytes() == b"two"


@pytest.mark.parametrize("entry", ["../outside", "/outside", "a/../../outside", "a\\..\\outside", link("outside"), "."])
def test_nothing_is_written_outside_of_the_folder(tmp_path, entry):
    made = Archive(write(tmp_path / "a.zip", ("first", b"1"), (entry, b"../..")))
    folder = tmp_path / "in" / "out"
    folder.mkdir(parents=True)
    with pytest.raises(InvalidDatasetFormatError, match=r"leads out of its folder|is a link"):
        made.extract(folder)
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "in"]


def test_more_than_there_is_room_for_is_not_begun(tmp_path, monkeypatch):
    made = Archive(write(tmp_path / "a.zip", ("zeros", bytes(1 << 16)), ("more", bytes(1 << 16))))
    monkeypatch.setattr(archive, "LARGEST_ARCHIVE", 100_000)
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidDatasetFormatError, match="131072 bytes in it"):
        made.extract(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_no_more_is_read_than_is_allowed(tmp_path):
    made = Archive(write(tmp_path / "bomb.zip", ("zeros", bytes(1 << 20))))
    with pytest.raises(InvalidDatasetFormatError, match="1048576 bytes, over 1000"):
        made.read("zeros", limit=1000)


def test_an_archive_that_lies_about_sizes_is_refused(tmp_path):
    path = write(tmp_path / "liar.zip", ("zeros", bytes(1 << 20)))
    said = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(said)
    with pytest.raises(InvalidDatasetFormatError, match="cannot be read"):
        Archive(path).read("zeros")


def test_damage_is_told_with_the_name(tmp_path):
    path = write(tmp_path / "a.zip", ("data", os.urandom(5000)))
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    with pytest.raises(InvalidDatasetFormatError, match=r"'data' in .*a.zip cannot be read"):
        Archive(path).read("data")
    path.write_bytes(b"no zip")
    with pytest.raises(InvalidDatasetFormatError, match="no readable zip file"):
        Archive(path)
    with pytest.raises(InvalidDatasetFormatError, match=r"There is no data set .*missing.zip"):
        Archive(tmp_path / "missing.zip")


def test_a_missing_entry_is_told(tmp_path):
    with pytest.raises(InvalidDatasetFormatError, match=r"has no file 'images\.csv'"):
        list(Archive(write(tmp_path / "a.zip", ("sub/images.csv", b""))).rows("images.csv", ["path"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,label\na,1\n", "has no column 'class', only 'path', 'label'"),
        (b"", "only none at all"),
        (b"path,class\na,1\nb\n", "line 3: too few cells"),
        (b"path,class\n\xff,1\n", "no CSV in UTF-8"),
    ],
)
def test_tables_that_lack_something_are_refused(tmp_path, content, message):
    made = Archive(write(tmp_path / "a.zip", ("t.csv", content)))
    with pytest.raises(InvalidDatasetFormatError, match=message):
        list(made.rows("t.csv", ["path", "class"]))


FORKED = """
import os, sys
from rapidfire_lab.model.datasets.archive import Archive
made = Archive(sys.argv[1])
made.read("0")
child = os.fork()
whole = all(made.read(f"{number}") == bytes([number]) * 4000 for _ in range(20) for number in range(20))
if child == 0:
    os._exit(0 if whole else 1)
print(whole, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_an_archive_can_be_pickled_and_used_on_in_a_forked_process(tmp_path):
    path = write(tmp_path / "a.zip", *((f"{number}", bytes([number]) * 4000) for number in range(20)))
    assert pickle.loads(pickle.dumps(Archive(path))).read("3") == bytes([3]) * 4000
    call = [sys.executable, "-c", FORKED, str(path)]
    finished = subprocess.run(call, capture_output=True, text=True, check=True)
    assert finished.stdout == "True 0\n"
