"""A store in a local folder."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.files import alone_at, write_atomically
from rapidfire_lab.storage.content import Digest, StoredObject, check_key, digest_of
from rapidfire_lab.storage.store import Store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rapidfire_lab.storage.watch import Watch

_UNFINISHED = re.compile(r"\..*\.\d+\.tmp|\..*\.part")
_COPY_BYTES = 4 * 1024 * 1024


class LocalStore(Store):
    """Files below a folder, which is made when the first object is put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()

    def address(self, key: str = "") -> str:
        return str(self.folder / key)

    def stat(self, key: str) -> StoredObject | None:
        path = self.folder / check_key(key)
        return self._describe(path) if path.is_file() else None

    def list(self, prefix: str = "") -> list[StoredObject]:
        start = self.folder / check_key(prefix) if prefix else self.folder
        found = [path for path in start.rglob("*") if path.is_file() and not _UNFINISHED.fullmatch(path.name)]
        return sorted(map(self._describe, found), key=lambda item: item.key)

    def _describe(self, path: Path) -> StoredObject:
        known = path.stat()
        version = f"{known.st_mtime_ns:x}-{known.st_ino:x}"
        return StoredObject(path.relative_to(self.folder).as_posix(), known.st_size, version)

    def is_same(self, path: Path, key: str, digest: Digest) -> bool | None:
        del path
        held = self.folder / check_key(key)
        return held.is_file() and held.stat().st_size == digest.size and digest_of(held) == digest

    def delete(self, key: str) -> None:
        (self.folder / check_key(key)).unlink(missing_ok=True)

    def get_bytes(self, key: str) -> bytes:
        return self._existing(check_key(key)).read_bytes()

    def alone(self) -> AbstractContextManager[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return alone_at(self.folder)

    def _put(self, path: Path, key: str, digest: Digest, watch: Watch) -> None:
        target = self.folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        self._copy(path, target, digest, watch)

    def _get(self, key: str, path: Path, sha256: str | None, watch: Watch) -> None:
        source = self._existing(key)
        found = digest_of(source)
        if sha256 not in (None, found.sha256):
            raise StorageError(f"{source} is not the file that was stored: its SHA-256 is another")
        self._copy(source, path, found, watch)

    def _existing(self, key: str) -> Path:
        path = self.folder / key
        if not path.is_file():
            raise ObjectNotFoundError(f"{path} does not exist")
        return path

    def _copy(self, source: Path, target: Path, digest: Digest, watch: Watch) -> None:
        def copy(temporary: Path) -> None:
            watch.at(0)
            shutil.copyfile(source, temporary) if digest.size <= _COPY_BYTES else _copy_watched(
                source, temporary, watch
            )
            if digest_of(temporary) != digest:
                raise StorageError(f"{source} was to be copied to {target}, and is not what it was before, or damaged")

        write_atomically(target, copy)
        watch.at(digest.size)


def _copy_watched(source: Path, target: Path, watch: Watch) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(_COPY_BYTES):
            writing.write(block)
            watch.at(os.fstat(writing.fileno()).st_size)
