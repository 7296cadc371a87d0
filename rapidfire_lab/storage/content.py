"""What a stored object holds, and how it is told whether it holds that."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rapidfire_lab.errors import StorageError
from rapidfire_lab.storage.watch import NOBODY, Watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_READ_BYTES = 1024 * 1024
_MD5_DIGITS = 32


@dataclass(frozen=True)
class Digest:
    """Size in bytes of a content, and its SHA-256 and MD5 in hexadecimal."""

    size: int
    sha256: str
    md5: str


@dataclass(frozen=True)
class StoredObject:
    """An object as its store describes it.

    ``version`` changes whenever the content does (an ETag). ``md5`` and ``sha256`` are None where the store does
    not tell them without reading the object.
    """

    key: str
    size: int
    version: str
    md5: str | None = None
    sha256: str | None = None

    def has(self, digest: Digest) -> bool | None:
        """Whether this is the content; None where size alone agrees and the store tells no checksum."""
        if self.size != digest.size:
            return False
        if self.sha256 is not None:
            return self.sha256 == digest.sha256
        return None if self.md5 is None else self.md5 == digest.md5


def digest_of(path: Path, watch: Watch = NOBODY) -> Digest:
    """Read a file once for its size and checksums."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            sha256.update(block)
            md5.update(block)
            size += len(block)
            watch.at(size)
    return Digest(size, sha256.hexdigest(), md5.hexdigest())


def digest_of_bytes(content: bytes) -> Digest:
    md5 = hashlib.md5(content, usedforsecurity=False)
    return Digest(len(content), hashlib.sha256(content).hexdigest(), md5.hexdigest())


def fingerprint(objects: Iterable[StoredObject]) -> str:
    """Hash of names, sizes and versions: the same as long as none of the objects changes."""
    lines = sorted(f"{item.key}\t{item.size}\t{item.version}\n" for item in objects)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_md5(etag: str) -> bool:
    """Whether an ETag has the form of a content's MD5; those of multipart uploads have a dash."""
    return len(etag) == _MD5_DIGITS and set(etag) <= set("0123456789abcdef")


def check_key(key: str) -> str:
    """Refuse names that could lead out of the folder that they are to be below.

    Raises
    ------
    StorageError
        For an empty, absolute or climbing name, or one with a backslash.
    """
    parts = key.split("/")
    if not key or "\\" in key or "\0" in key or PurePosixPath(key).is_absolute() or {"", ".", ".."} & set(parts):
        raise StorageError(f"{key!r} cannot be the name of an object: give a relative path with single slashes")
    return key
