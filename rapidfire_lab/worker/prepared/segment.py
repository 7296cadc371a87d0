"""Files of rows: blocks, one behind the other, of which each says by checksums whether it is whole.

A file has one writer, which only ever appends, and any number of readers, which map it. What a writer that died left
unfinished at the end is never read, and a file that is removed stays readable for those that have mapped it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec
import numpy as np

from rapidfire_lab.worker.prepared.codec import ALIGNMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rapidfire_lab.worker.prepared.codec import Encoded

SUFFIX = ".rows"
_MAGIC = b"RFLROWS1"
_HEADER = struct.Struct("<8sIIQQ")
"""Magic, CRC-32 of the rest of the header and the contents, rows, bytes of the layouts, bytes of the rows."""

ENTRY = np.dtype(
    [
        ("position", "<i8"),
        ("offset", "<i8"),
        ("length", "<i8"),
        ("stamp", "<u8"),
        ("crc", "<u4"),
        ("layout", "<u4"),
    ]
)
"""A row: where in the partition, where in the rows of the block and how long, what the files were that it was made
of, its CRC-32, and its place among the layouts of the block."""


class StampedRow(NamedTuple):
    """A row to be kept, with its position in the partition and the stamp of the files it was made of."""

    position: int
    stamp: int
    row: Encoded


class SegmentWriter:
    """A new file in a folder; the names of files are in the order of their making."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{time.time_ns():020}-{uuid4().hex}{SUFFIX}"
        self._pid = os.getpid()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    @property
    def is_gone(self) -> bool:
        """Whether the file was removed meanwhile, or is that of a process which this one was forked from."""
        return os.getpid() != self._pid or os.fstat(self._descriptor).st_nlink == 0

    def append(self, rows: Sequence[StampedRow]) -> int:
        """Add a block; returns its bytes. After an `OSError` the file must not be written any more."""
        block = memoryview(_block(rows))
        written = 0
        while written < len(block):
            written += os.write(self._descriptor, block[written:])
        return written


def _block(rows: Sequence[StampedRow]) -> bytes:
    layouts: dict[bytes, int] = {}
    entries = np.zeros(len(rows), ENTRY)
    offset = 0
    for place, (position, stamp, row) in enumerate(rows):
        layout = layouts.setdefault(row.layout, len(layouts))
        entries[place] = (position, offset, len(row.data), stamp, zlib.crc32(row.data), layout)
        offset += _padded(len(row.data))
    contents = entries.tobytes()
    texts = msgspec.msgpack.encode(list(layouts))
    texts += bytes(_padding(_HEADER.size + len(contents) + len(texts)))
    sizes = struct.pack("<IQQ", len(rows), len(texts), offset)
    crc = zlib.crc32(sizes + contents + texts)
    padded = (row.data + bytes(_padding(len(row.data))) for _, _, row in rows)
    return b"".join([_MAGIC, struct.pack("<I", crc), sizes, contents, texts, *padded])


def _padding(size: int) -> int:
    return -size % ALIGNMENT


def _padded(size: int) -> int:
    return size + _padding(size)


class Block(NamedTuple):
    """Rows that a file has; offsets are from its start, layouts those of the block."""

    entries: np.ndarray[Any, Any]
    layouts: list[bytes]


class Segment:
    """A file as a reader sees it."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._read = 0
        self._damaged = False
        self._map: mmap.mmap | None = None

    @property
    def buffer(self) -> mmap.mmap:
        """The file. Who writes into it changes a copy of the process's own."""
        if self._map is None:
            raise LookupError("nothing was read of the file yet")
        return self._map

    def new_blocks(self) -> Iterator[Block]:
        """What was added since the last call."""
        if self._damaged or not self._grow():
            return
        while (block := self._next()) is not None:
            yield block

    def _grow(self) -> bool:
        """Map the file as far as it goes; false when it has not grown, or is gone."""
        try:
            if os.stat(self._path).st_size <= (len(self._map) if self._map else 0):  # noqa: PTH116 - of each minibatch
                return False
            with open(self._path, "rb", buffering=0) as file:  # noqa: PTH123 - of each minibatch
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError:
            return False
        return True

    def _next(self) -> Block | None:
        start, buffer = self._read + _HEADER.size, self.buffer
        if start > len(buffer):
            return None
        magic, crc, rows, texts, payload = _HEADER.unpack_from(buffer, self._read)
        if magic != _MAGIC:
            self._damaged = True
            return None
        middle = start + rows * ENTRY.itemsize
        if middle + texts + payload > len(buffer):
            return None  # not written yet
        if zlib.crc32(memoryview(buffer)[self._read + 12 : middle + texts]) != crc:
            self._damaged = True
            return None
        entries = np.frombuffer(buffer, ENTRY, rows, start).copy()
        entries["offset"] += middle + texts
        layouts = msgspec.msgpack.Decoder(list[bytes]).decode(_unpadded(buffer[middle : middle + texts]))
        self._read = middle + texts + payload
        return Block(entries, layouts)


def _unpadded(texts: bytes) -> bytes:
    """MessagePack allows for nothing behind the value; a layout ends in a bracket, and never in zeros."""
    return texts.rstrip(b"\0")
