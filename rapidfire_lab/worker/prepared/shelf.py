"""A shelf: rows of one partition that were prepared under the same facts, on disk and as this process knows them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from rapidfire_lab.files import write_private
from rapidfire_lab.worker.prepared.codec import layout_of
from rapidfire_lab.worker.prepared.questions import Facts
from rapidfire_lab.worker.prepared.segment import ENTRY, SUFFIX, Segment, SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rapidfire_lab.worker.prepared.codec import Layout
    from rapidfire_lab.worker.prepared.segment import Block, StampedRow

_FACTS = "facts.json"
_BANNED = "banned"
_CLAIMS = "claims"
_TOUCH_SECONDS = 10.0
_NOWHERE = -1
_LONG = 4096
"""Bytes from which on rows are not gathered before they are stacked."""
_LARGEST_WHOLE = 32 << 20
"""Bytes of rows that a process may hold a second time."""


def read_facts(folder: Path) -> Facts | None:
    """Facts of the shelf in a folder; None when there is none, or it cannot be read."""
    try:
        return Facts.from_plain(msgspec.json.decode((folder / _FACTS).read_bytes()))
    except (OSError, ValueError, TypeError, msgspec.DecodeError):
        return None


Positions = np.ndarray[Any, np.dtype[np.int64]]
Stamps = np.ndarray[Any, np.dtype[np.uint64]]


class Shelf:
    """A folder of segments, and the index of their rows.

    A row is checked against its checksum when this process first reads it, and forgotten if it fails.
    """

    def __init__(self, folder: Path, facts: Facts, rows: int) -> None:
        self.folder = folder
        self.facts = facts
        self._entries = np.zeros(rows, ENTRY)
        self._segment_of = np.full(rows, _NOWHERE, np.int32)
        self._checked = np.zeros(rows, bool)
        self._whole: dict[Any, torch.Tensor] | None = None
        """What all rows are together, once each has been checked: minibatches of it are made fastest."""
        self._segments: list[Segment] = []
        self._known: set[str] = set()
        self._layouts: list[bytes] = []
        self._layout_ids: dict[bytes, int] = {}
        self._writer: SegmentWriter | None = None
        self.is_banned = False
        """Whether somebody had banned it when it was last looked at."""
        self._touched = 0.0
        self.claims = Claims(folder / _CLAIMS)

    @classmethod
    def create(cls, folder: Path, facts: Facts, rows: int) -> Shelf:
        shelf = cls(folder, facts, rows)
        shelf._make_folder()
        return shelf

    def _make_folder(self) -> None:
        for level in (self.folder.parent.parent, self.folder.parent, self.folder):
            level.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.folder / _FACTS).exists():
            write_private(self.folder / _FACTS, msgspec.json.encode(self.facts.to_plain()))

    # Banning: rows that must not be shared after all

    def ban(self) -> None:
        """Have nobody keep or take rows here any more."""
        self.is_banned = True
        with contextlib.suppress(OSError):
            self._make_folder()
            write_private(self.folder / _BANNED, b"")
            for path in self.folder.glob(f"*{SUFFIX}"):
                path.unlink(missing_ok=True)

    # Reading

    def refresh(self) -> None:
        """Take in what any process has added."""
        with contextlib.suppress(OSError):
            names = os.listdir(self.folder)  # noqa: PTH208 - of each minibatch
            self.is_banned = self.is_banned or _BANNED in names
            # In the order of their making, so that what was made anew is what counts.
            for name in sorted(name for name in names if name.endswith(SUFFIX) and name not in self._known):
                self._known.add(name)
                self._segments.append(Segment(self.folder / name))
        for number, segment in enumerate(self._segments):
            for block in segment.new_blocks():
                self._take_in(block, number)

    def _take_in(self, block: Block, segment: int) -> None:
        entries = block.entries[block.entries["position"] < len(self._entries)]
        ids = np.array([self._layout_id(text) for text in block.layouts], np.uint32)
        entries["layout"] = ids[entries["layout"]]
        positions = entries["position"]
        self._entries[positions] = entries
        self._segment_of[positions] = segment
        self._checked[positions] = False
        self._whole = None

    def _layout_id(self, text: bytes) -> int:
        if text not in self._layout_ids:
            self._layout_ids[text] = len(self._layouts)
            self._layouts.append(text)
        return self._layout_ids[text]

    @property
    def is_empty(self) -> bool:
        """Whether there is no row: what was asked of a config before the first one was prepared is a shelf, too."""
        return not self._layouts

    def has(self, positions: Positions, stamps: Stamps) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the rows are here whole, made of files with these stamps."""
        self._touch()
        found: np.ndarray[Any, np.dtype[np.bool_]] = self._segment_of[positions] != _NOWHERE
        found &= self._entries["stamp"][positions] == stamps
        unchecked = positions[found & ~self._checked[positions]]
        if len(unchecked):
            self._check(unchecked)
            found &= self._checked[positions]
        return found

    def _check(self, positions: Positions) -> None:
        """Take note of which rows are what was written, and forget the others."""
        entries, segments = self._entries[positions], self._segment_of[positions].tolist()
        parts = (entries[name].tolist() for name in ("offset", "length", "crc"))
        whole = [
            zlib.crc32(memoryview(self._segments[segment].buffer)[offset : offset + length]) == crc
            for segment, offset, length, crc in zip(segments, *parts, strict=True)
        ]
        self._checked[positions] = whole
        self._segment_of[positions[~self._checked[positions]]] = _NOWHERE

    def contents(self, position: int) -> memoryview:
        entry = self._entries[position]
        start = int(entry["offset"])
        return memoryview(self._buffer(position))[start : start + int(entry["length"])]

    def _buffer(self, position: int) -> Any:
        return self._segments[self._segment_of[position]].buffer

    def layout(self, position: int) -> Layout:
        return layout_of(self._layouts[int(self._entries["layout"][position])])

    def rows(self, positions: Positions) -> list[Any]:
        """Make rows that `has` has found."""
        entries = self._entries[positions]
        parts = (entries[name].tolist() for name in ("layout", "offset", "length"))
        return [
            layout_of(self._layouts[layout]).decode(self._segments[segment].buffer, offset, length)
            for segment, layout, offset, length in zip(self._segment_of[positions].tolist(), *parts, strict=True)
        ]

    def stack(self, positions: Positions) -> Any | None:
        """Make of rows that `has` has found what `default_collate` would; None where that takes the rows themselves."""
        if self._whole is None and self._checked.all():
            self._whole = self._put_together()
        if self._whole:
            chosen = torch.from_numpy(positions)
            whole = self._whole
            return self.layout(int(positions[0])).stack(lambda column: whole[column.key][chosen])
        entries = self._entries[positions]
        first = entries[0]
        layout = layout_of(self._layouts[first["layout"]])
        if not layout.can_stack or (entries["layout"] != first["layout"]).any():
            return None
        length = int(first["length"])
        if length > _LONG:
            places = [(self._buffer(int(place)), int(self._entries["offset"][place])) for place in positions]
            return layout.stack(lambda column: column.stack_in_place(places))
        rows = self._gathered(positions, entries["offset"], length)
        return layout.stack(lambda column: column.stack(rows))

    def _put_together(self) -> dict[Any, torch.Tensor]:
        """All rows in the order of their positions, by column; none where they differ in layout or are too large."""
        length = int(self._entries["length"][0])
        layout = self.layout(0)
        is_uniform = (self._entries["layout"] == self._entries["layout"][0]).all()
        if not layout.can_stack or not is_uniform or length * len(self._entries) > _LARGEST_WHOLE:
            return {}
        rows = self._gathered(np.arange(len(self._entries)), self._entries["offset"], length)
        return {column.key: column.stack(rows) for column in layout.columns}

    def _gathered(self, positions: Positions, offsets: Positions, length: int) -> np.ndarray[Any, Any]:
        """Bytes of rows of one length, a line for each."""
        rows = np.empty(len(positions), f"V{length}")
        segments = self._segment_of[positions]
        for number in set(segments.tolist()):
            mine = segments == number
            buffer = self._segments[number].buffer
            windows = np.ndarray((len(buffer) - length + 1,), rows.dtype, buffer, strides=(1,))
            rows[mine] = windows[offsets[mine]]
        return rows.view(np.uint8).reshape(len(positions), length)

    def _touch(self) -> None:
        """Note that the shelf is in use, for whoever looks for room."""
        now = time.monotonic()
        if now - self._touched > _TOUCH_SECONDS:
            self._touched = now
            with contextlib.suppress(OSError):
                os.utime(self.folder / _FACTS)

    # Writing

    def add(self, rows: Sequence[StampedRow]) -> int:
        """Keep rows; returns the bytes that it took.

        Raises
        ------
        OSError
            When the disk does not take them. Nothing is lost but these rows.
        """
        if self._writer is None or self._writer.is_gone:
            self._make_folder()
            self._writer = SegmentWriter(self.folder)
        try:
            return self._writer.append(rows)
        except OSError:
            self._writer = None
            raise


class Claims:
    """Which rows are being prepared, and so by whom: locks on bytes of a file, which end with their process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def take(self, positions: Iterable[int], most: int) -> list[int]:
        """Claim some of the rows that nobody else is preparing; as if alone where the file cannot be made."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return list(positions)[:most]
        taken: list[int] = []
        for position in positions:
            if len(taken) == most:
                break
            with contextlib.suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, position)
                taken.append(position)
        return taken

    def release(self, positions: Iterable[int]) -> None:
        if self._descriptor is None:
            return
        for position in positions:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, position)
