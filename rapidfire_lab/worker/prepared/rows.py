"""The rows of one partition as one run takes them from the store, or prepares them for everybody."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from rapidfire_lab.worker.prepared.codec import Layout, NotStorableError, encode
from rapidfire_lab.worker.prepared.modules import foreign_files
from rapidfire_lab.worker.prepared.questions import Facts, digest
from rapidfire_lab.worker.prepared.segment import StampedRow
from rapidfire_lab.worker.prepared.surroundings import switches
from rapidfire_lab.worker.rng import RngState, cuda_is_used

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.data import Partition
    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks
    from rapidfire_lab.worker.prepared.codec import Encoded
    from rapidfire_lab.worker.prepared.minibatches import SharedMinibatches
    from rapidfire_lab.worker.prepared.shelf import Positions, Shelf, Stamps
    from rapidfire_lab.worker.prepared.store import PreparedStore
    from rapidfire_lab.worker.prepared.surroundings import ObjectFiles

_WORTH = 2.0
"""Preparing a row must take so many times as long as making it of its bytes, for it to be kept."""
_WORTH_SECONDS = 20e-6
"""And besides so long: keeping a row takes some 100 µs, too, and is to pay off when it is used a few times."""
_SECONDS_AT_ONCE = 2e-3
"""The least work that is begun between two looks at what others have done."""
_SAMPLED = 64
"""One row in so many is prepared twice before it is kept, to see whether both are the same."""
_PAUSE = 0.001
_PATIENCE = 10.0
"""Seconds to wait for another process that prepares the rows we need; it may hang."""


class SharedRows:
    """What `row_prep` gave for the rows of a partition, to this run or to another.

    Rows are kept under all questions that the spec has asked of its config up to then, in `initialize_run` and
    `row_prep`, with their answers. They are given to a run whose config answers the same: the code would have asked
    it nothing else, and so have done the same.

    Rows that drew random numbers, that differ when they are prepared twice, or that cannot be brought back exactly,
    are for nobody else: from then on every method gives None.
    """

    def __init__(
        self,
        store: PreparedStore,
        base: list[Any],
        hooks: Hooks,
        partition: Partition,
        mode: Mode,
        files: ObjectFiles,
        minibatches: SharedMinibatches | None = None,
    ) -> None:
        self._store = store
        self._fixed = base
        self._hooks = hooks
        self._partition = partition
        self._mode = mode
        self._files = files
        self._minibatches = minibatches
        self._off = False
        self._keeps = True
        self._in_vain = False
        """Whether rows can as well be prepared each time, or cannot be kept."""
        self._is_worth_it = False
        self._sampled = False
        self._compared = False
        self._waiting_since: float | None = None
        self._switches: tuple[Any, ...] = ()
        self._base = ""
        self._holds: dict[str, bool] = {}
        """By name, whether the facts of a shelf hold for this run."""
        self._target_key = (-1, -1)
        self._target_name = ""
        self._modules = 0
        """How many were loaded when it was last looked for the user's own."""
        self._seconds = 1e-3
        """What preparing a row takes."""
        self._stamps = np.zeros(len(partition), np.uint64)
        self._stamped = np.full(len(partition), not files)

    # Taking

    def minibatch(self, positions: Sequence[int]) -> Any | None:
        """A minibatch that was collated before, or whose rows are all there and can be put together at once."""
        if self._off or self._in_vain:
            return None
        self._enter()
        places = np.array(positions)
        if self._hooks.has("collate_fn"):
            return self._minibatches and self._minibatches.get(self._base, self._key(places))
        if not self._compared:
            return None
        for shelf in self._shelves():
            if not shelf.is_empty and shelf.has(places, self._stamps_of(places)).all():
                return shelf.stack(places)
        return None

    def collated(self, positions: Sequence[int], minibatch: Any) -> None:
        """Take note of what `collate_fn` made of rows that ``get`` gave, without drawing random numbers."""
        if self._minibatches is None or self._off or self._in_vain:
            return
        places = np.array(positions)
        if not (self._stamps_of(places) == self._files.UNKNOWN).any():
            self._minibatches.add(self._base, self._key(places), minibatch)

    def _key(self, places: Positions) -> tuple[bytes, ...]:
        return (places.tobytes(), self._stamps_of(places).tobytes() if self._files else b"")

    def get(self, positions: Sequence[int]) -> list[Any] | None:
        """Rows, which are the caller's own: from the store, or prepared now. No generator has moved.

        Unless it gives None: then the rows are the caller's to prepare, and generators may have moved.
        """
        if self._off or self._in_vain:
            return None
        self._enter()
        rows: dict[int, Any] = {}
        while missing := self._find([position for position in positions if position not in rows], rows):
            if not self._advance(missing, rows):
                return None
        if len(rows) < len(positions):  # a row that is asked for twice is no two rows
            return None
        return [rows[position] for position in positions]

    def _enter(self) -> None:
        now = switches()
        if now != self._switches:
            self._switches = now
            self._base = digest([self._fixed, now])
            self._holds = {}
            self._target_key = (-1, -1)
            self._look()

    def _shelves(self) -> list[Shelf]:
        opened = [
            self._store.open(self._base, name, len(self._partition)) for name, holds in self._holds.items() if holds
        ]
        return [shelf for shelf in opened if shelf is not None]

    def _look(self) -> None:
        """Take in what other processes have done."""
        for name in self._store.names(self._base):
            if name not in self._holds and (facts := self._store.facts(self._base, name)):
                self._holds[name] = facts.hold_for(self._hooks.cfg)
        for shelf in self._shelves():
            shelf.refresh()
            self._off = self._off or shelf.is_banned

    def _find(self, positions: list[int], rows: dict[int, Any]) -> list[int]:
        """Add the rows that are in the store to ``rows``; returns the positions of the others."""
        missing = self._take(positions, rows)
        if missing:
            self._look()
            missing = self._take(missing, rows)
        return missing

    def _take(self, positions: list[int], rows: dict[int, Any]) -> list[int]:
        for shelf in self._shelves():
            if not positions or self._off:
                break
            if shelf.is_empty:
                continue
            places = np.array(positions)
            found = shelf.has(places, self._stamps_of(places))
            if found.any() and not self._compared and not self._compare(shelf, int(places[found][0])):
                break
            there = places[found]
            rows.update(zip(there.tolist(), shelf.rows(there), strict=True))
            positions = places[~found].tolist()
        return positions

    def _stamps_of(self, places: Positions) -> Stamps:
        for position in places[~self._stamped[places]].tolist():
            self._stamps[position] = self._files.stamp(position)
            self._stamped[position] = True
        stamps: Stamps = self._stamps[places]
        return stamps

    def _compare(self, shelf: Shelf, position: int) -> bool:
        """Prepare one row of those that this run did not, to see that it would have been the same."""
        self._compared = self._is_worth_it = True
        before = RngState.capture(cuda=cuda_is_used())
        own = self._encoded(self._prepared(position))
        if not before.unchanged():
            before.restore()
        elif own and own.data == shelf.contents(position) and own.layout == shelf.layout(position).text:
            return True
        self._stop_sharing(shelf, f"row {position} is not what another process made of it")
        return False

    # Preparing

    def _advance(self, missing: list[int], rows: dict[int, Any]) -> bool:
        """Prepare some of the missing rows, or wait for who does; false when rows are not to be shared."""
        if self._off:
            return False
        shelf = self._target() if self._keeps else None
        if shelf is None:
            return self._prepare(missing, rows)
        claimed = shelf.claims.take(missing, max(len(missing) // 2, round(_SECONDS_AT_ONCE / self._seconds)))
        if not claimed and not self._lost_patience():
            time.sleep(_PAUSE)
            return True
        self._waiting_since = None
        try:
            # Who had them before us may have finished between our look and our claim.
            self._look()
            return self._prepare(self._take(claimed or missing, rows), rows)
        finally:
            shelf.claims.release(claimed)

    def _lost_patience(self) -> bool:
        self._waiting_since = self._waiting_since or time.monotonic()
        return time.monotonic() - self._waiting_since > _PATIENCE

    def _target(self) -> Shelf | None:
        """The shelf for what this run prepares now; None when the disk does not take it."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            files = foreign_files(self._hooks.folder)
            self._hooks.recorder.asked.update(("file", (file,)) for file in files)
        key = len(self._hooks.recorder.asked), len(self._holds)
        if key == self._target_key and (shelf := self._store.open(self._base, self._target_name, len(self._partition))):
            return shelf
        self._target_key = key
        shelf = self._new_target()
        self._target_name = shelf.folder.name if shelf else ""
        return shelf

    def _new_target(self) -> Shelf | None:
        questions = set(self._hooks.recorder.asked)
        for shelf in self._shelves():
            questions |= shelf.facts.answers.keys()
        try:
            shelf = self._store.make(self._base, Facts.of(self._hooks.cfg, questions), len(self._partition))
        except OSError as error:
            self._stop_keeping(error)
            return None
        self._holds[shelf.folder.name] = True
        return shelf

    def _prepare(self, positions: list[int], rows: dict[int, Any]) -> bool:
        before = RngState.capture(cuda=cuda_is_used())
        stamps = {position: self._files.stamp(position) if self._files else 0 for position in positions}
        seconds, fresh, again = [], {}, {}
        try:
            for position in positions:
                start = time.perf_counter()
                fresh[position] = self._prepared(position)
                seconds.append(time.perf_counter() - start)
                if self._keeps and self._is_sampled(position):
                    again[position] = self._encoded(self._prepared(position)), self._encoded(fresh[position])
        except Exception:
            # What random numbers led to may not happen with the row's own.
            if before.unchanged():
                raise
        if not before.unchanged():
            self._stop_sharing(self._target())
            return False
        rows.update(fresh)
        differing = [position for position, (one, other) in again.items() if one != other]
        if differing:
            self._stop_sharing(self._target(), f"row {differing[0]}, prepared twice, gave two different results")
        elif fresh and self._keeps:
            self._seconds = statistics.median(seconds)
            self._keep(fresh, stamps)
        return True

    def _is_sampled(self, position: int) -> bool:
        first, self._sampled = not self._sampled, True
        return first or position % _SAMPLED == 0

    def _keep(self, fresh: dict[int, Any], stamps: dict[int, int]) -> None:
        kept = {position: encoded for position, row in fresh.items() if (encoded := self._encoded(row))}
        if not kept or not (self._is_worth_it or self._would_be_worth_it(list(kept.values()))):
            self._keeps, self._in_vain = False, True
            return
        self._is_worth_it = True
        rows = [
            StampedRow(position, stamps[position], row)
            for position, row in kept.items()
            if stamps[position] != self._files.UNKNOWN
        ]
        for position, stamp, _ in rows:
            self._stamps[position] = stamp
        shelf = self._target()
        if shelf is None or not rows:
            return
        try:
            self._store.make_room(sum(len(row.data) for _, _, row in rows))
            shelf.add(rows)
        except OSError as error:
            self._stop_keeping(error)

    def _would_be_worth_it(self, rows: list[Encoded]) -> bool:
        # Medians, since a machine that is busy with other things makes some rows look slow.
        return self._seconds > _WORTH_SECONDS + _WORTH * statistics.median(map(_seconds_to_decode, rows))

    def _prepared(self, position: int) -> Any:
        return self._hooks.row_prep(self._partition.row(position), self._mode)

    def _encoded(self, row: Any) -> Encoded | None:
        try:
            # Without a collate_fn nobody changes a part of a row in place, and so sees it in another.
            return encode(row, may_alias=not self._hooks.has("collate_fn"))
        except NotStorableError:
            return None

    # Giving up

    def _stop_sharing(self, shelf: Shelf | None, reason: str | None = None) -> None:
        self._off = True
        if shelf is not None:
            shelf.ban()
        if reason is not None:
            self._tell(f"are not shared: {reason}. row_prep must depend on its arguments alone")

    def _stop_keeping(self, error: OSError) -> None:
        self._keeps = False
        self._tell(f"are not kept from here on ({error.strerror or error}); each run prepares its own")

    def _tell(self, what: str) -> None:
        """Say something in the run's log."""
        sys.stderr.write(f"rapidfire-lab: prepared rows of {self._mode!r} {what}.\n")


def _seconds_to_decode(row: Encoded) -> float:
    layout, data = Layout(row.layout), bytearray(row.data)
    start = time.perf_counter()
    layout.decode(data, 0, len(data))
    return time.perf_counter() - start
