"""One object into one file: going on after a break, checked, and put in place in one step."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rapidfire_lab.errors import StorageError
from rapidfire_lab.files import sync
from rapidfire_lab.storage.content import digest_of
from rapidfire_lab.storage.retry import Retry, TransientError, Tries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rapidfire_lab.storage.content import StoredObject
    from rapidfire_lab.storage.watch import Watch


class Source(ABC):
    """An object that can be read from any offset."""

    address: str

    @abstractmethod
    def describe(self) -> StoredObject:
        """Raises `ObjectNotFoundError` where there is none."""

    @abstractmethod
    def read(self, found: StoredObject, offset: int) -> Iterator[bytes]:
        """Yield the content of that version from an offset on. Raises `TransientError` when it breaks."""

    @abstractmethod
    def has(self, path: Path, found: StoredObject) -> bool:
        """Whether a file is what the store tells of the object, as far as it tells."""


def download(source: Source, path: Path, sha256: str | None, retry: Retry, watch: Watch) -> None:
    """Fetch an object into a file, from where an earlier attempt at the same version ended.

    What has come in lies beside ``path`` in a hidden file, named after the version, until it is whole and checked.
    """
    found = source.describe()
    with _part_file(path, found) as (part, descriptor):
        retry.call(lambda: _fill(source, found, part, descriptor, Tries(retry, watch), watch), watch)
        if sha256 is not None and digest_of(part).sha256 != sha256:
            part.unlink()
            raise StorageError(f"{source.address} is not the file that was stored: its SHA-256 is another")
        os.fsync(descriptor)
        part.replace(path)
    sync(path.parent)


def place(content: bytes, path: Path) -> None:
    """Give a file its content in one step; whether that is on the disk by then is left to the caller."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)  # noqa: PTH105 - 10,000 of these: no need of a Path
    except BaseException:
        os.unlink(name)  # noqa: PTH108
        raise


def _fill(source: Source, found: StoredObject, part: Path, descriptor: int, tries: Tries, watch: Watch) -> None:
    """Fill the part file to its whole size, and check it; damaged content is a reason to begin anew."""
    while os.fstat(descriptor).st_size < found.size:
        try:
            _append(source, found, descriptor, tries, watch)
        except TransientError as error:
            tries.failed(error)
    if os.fstat(descriptor).st_size != found.size or not source.has(part, found):
        os.ftruncate(descriptor, 0)
        raise TransientError(f"{source.address}: what came in is not what is stored; it was damaged on the way")


def _append(source: Source, found: StoredObject, descriptor: int, tries: Tries, watch: Watch) -> None:
    watch.at(os.fstat(descriptor).st_size)
    for block in source.read(found, os.fstat(descriptor).st_size):
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        tries.progressed()
        watch.at(os.fstat(descriptor).st_size)
    if os.fstat(descriptor).st_size < found.size:
        raise TransientError(f"{source.address}: cannot read it: the connection ended early")


def _is_ours(descriptor: int, part: Path) -> bool:
    """Take hold of a file, unless somebody else has it or, done with it, gave it its final name a moment ago."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


@contextlib.contextmanager
def _part_file(path: Path, found: StoredObject) -> Iterator[tuple[Path, int]]:
    """The file that an earlier attempt may have left, or one of our own while another process has that in use."""
    version = hashlib.sha256(f"{found.version} {found.size}".encode()).hexdigest()[:12]
    for name in (f".{path.name}.{version}.part", f".{path.name}.{version}.{os.getpid()}.part"):
        part = path.with_name(name)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if _is_ours(descriptor, part):
                yield part, descriptor
                return
        finally:
            os.close(descriptor)
    raise StorageError(f"{path} is being fetched by somebody else; try again when they are done")
