"""Questions about the two logs of an experiment: what happened, and what was asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from rapidfire_lab.journal.connection import JournalConnection
from rapidfire_lab.journal.records import EventRecord, OperationRecord, to_record

if TYPE_CHECKING:
    import sqlite3

Line = TypeVar("Line")

_EVENTS = "SELECT rowid AS id, * FROM events WHERE experiment_id IS ?"
_OPERATIONS = "SELECT * FROM operations WHERE experiment_id = ?"
_LAST = 1 << 62


class Page(msgspec.Struct, Generic[Line]):
    """Some lines of a log, oldest first, and whether there are others on either side."""

    items: list[Line]
    more_before: bool
    more_after: bool


class LogQueries(JournalConnection):
    """Lines are numbered by ``id``, which only grows: it is what a reader goes on after."""

    def events(self, experiment_id: int | None, *, after: int = 0, limit: int = 10_000) -> list[EventRecord]:
        """Log lines after one, oldest first; those of the engine itself when there is no experiment."""
        rows = self._all(f"{_EVENTS} AND rowid > ? ORDER BY rowid LIMIT ?", (experiment_id, after, limit))
        return [to_record(row, EventRecord) for row in rows]

    def last_event(self) -> int:
        """Id of the last line of any log."""
        last: int = self._one("SELECT coalesce(max(rowid), 0) AS last FROM events")["last"]
        return last

    def engine_warnings(self, since: float = -math.inf, *, after: int = 0) -> list[str]:
        """Messages of the engine itself that are no mere information.

        Those since a time in seconds since 1970, or after a line, which no clock that jumps can change.
        """
        rows = self._all(
            "SELECT message FROM events WHERE experiment_id IS NULL AND level != 'info' AND time >= ? AND rowid > ?"
            " ORDER BY rowid",
            (since, after),
        )
        return [row["message"] for row in rows]

    def engine_has_warned(self, since: int) -> bool:
        """Whether the engine itself has written a warning after rev ``since``."""
        query = "SELECT 1 FROM events WHERE experiment_id IS NULL AND level != 'info' AND rev > ? LIMIT 1"
        return bool(self._all(query, (since,)))

    def event_page(
        self, experiment_id: int, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> Page[EventRecord]:
        """Up to ``limit`` lines after one, before one, or the newest."""
        rows, more_before, more_after = self._page(_EVENTS, "rowid", experiment_id, (after, before), limit)
        return Page([to_record(row, EventRecord) for row in rows], more_before, more_after)

    def operations(self, experiment_id: int) -> list[OperationRecord]:
        """The whole control ops log of an experiment, oldest first."""
        return [to_record(row, OperationRecord) for row in self._all(f"{_OPERATIONS} ORDER BY id", (experiment_id,))]

    def operation_page(
        self, experiment_id: int, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> Page[OperationRecord]:
        """Up to ``limit`` operations after one, before one, or the newest."""
        rows, more_before, more_after = self._page(_OPERATIONS, "id", experiment_id, (after, before), limit)
        return Page([to_record(row, OperationRecord) for row in rows], more_before, more_after)

    def _page(
        self, lines: str, key: str, experiment_id: int, between: tuple[int | None, int | None], limit: int
    ) -> tuple[list[sqlite3.Row], bool, bool]:
        after, before = between
        forward = after is not None
        rows = self._all(
            f"{lines} AND {key} > ? AND {key} < ? ORDER BY {key} {'ASC' if forward else 'DESC'} LIMIT ?",
            (experiment_id, 0 if after is None else after, _LAST if before is None else before, limit),
        )
        rows = rows if forward else rows[::-1]
        first = rows[0]["id"] if rows else (before or 0) if after is None else after + 1
        last = rows[-1]["id"] if rows else first - 1
        more_before = bool(self._all(f"{lines} AND {key} < ? LIMIT 1", (experiment_id, first)))
        more_after = bool(self._all(f"{lines} AND {key} > ? LIMIT 1", (experiment_id, last)))
        return rows, more_before, more_after
