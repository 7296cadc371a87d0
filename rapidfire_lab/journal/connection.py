"""A connection to the journal, and how it is asked."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from rapidfire_lab.journal.schema import connect_reader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Self


class JournalConnection:
    """What all questions to the journal are put to. One instance serves one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self._db = connection or connect_reader(path)
        self._lock = threading.Lock()

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """Have all questions inside answered from one state of the journal, whatever is written meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    @property
    def rev(self) -> int:
        """Number of the last change."""
        rev: int = self._one("SELECT rev FROM clock")["rev"]
        return rev

    @property
    def epoch(self) -> str:
        """Identity of the controller that writes; it changes when the controller is started anew."""
        epoch: str = self._one("SELECT epoch FROM clock")["epoch"]
        return epoch

    def _all(self, query: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, parameters).fetchall()

    def _one(self, query: str, parameters: Sequence[object] = ()) -> sqlite3.Row:
        return self._all(query, parameters)[0]
