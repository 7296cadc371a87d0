"""What stands beside the journal to tell whether it is all there: how far it has come.

SQLite brings a file whose WAL is gone or cut off back to an earlier state without a word. The witness is written after
each durable commit, so the journal can never lawfully be behind it: not after a crash, and not after a power cut,
which may only take the witness's own last words.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfire_lab.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(rb"rev (\d{20}) (open|shut) (\d{20})\n")


def witness_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}-seen")


@dataclass(frozen=True)
class Seen:
    """What the last writer said of the journal."""

    rev: int
    shut: bool
    """Whether it closed the journal in good order."""
    time: int
    """When it said so, in seconds since 1970, by a clock that may have jumped."""

    def told(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        return f"change {self.rev}, written {when}"


def read_witness(journal: Path) -> Seen | None:
    """What the witness says; None where there is none that can be read, as beside a journal of an earlier version."""
    try:
        found = _LINE.fullmatch(witness_of(journal).read_bytes())
    except OSError:
        return None
    return Seen(int(found[1]), found[2] == b"shut", int(found[3])) if found else None


class Witness:
    """The writer's own witness."""

    def __init__(self, journal: Path, rev: int) -> None:
        write_private(witness_of(journal), _line(rev, shut=False))
        self._rev = rev
        self._file = os.open(witness_of(journal), os.O_WRONLY)

    def saw(self, rev: int) -> None:
        """Note a change that is on the disk. It costs no sync: an older word is as true."""
        self._rev = rev
        os.pwrite(self._file, _line(rev, shut=False), 0)

    def close(self) -> None:
        os.pwrite(self._file, _line(self._rev, shut=True), 0)
        os.close(self._file)


def _line(rev: int, *, shut: bool) -> bytes:
    return f"rev {rev:020} {'shut' if shut else 'open'} {int(time.time()):020}\n".encode()
