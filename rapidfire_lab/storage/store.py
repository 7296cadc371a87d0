"""The contract of all stores."""

from __future__ import annotations

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.files import alone_at
from rapidfire_lab.storage.content import Digest, StoredObject, check_key, digest_of
from rapidfire_lab.storage.watch import NOBODY, Watch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Store(ABC):
    """Objects under names, each written and read whole.

    Keys are relative paths with forward slashes; `check_key` refuses all else. They are relative to the place that
    the store was opened on.

    Writing. ``put`` either raises or leaves the whole content under the key, checked against the digest; there is no
    moment at which a reader finds half of it, and until then a former content stays as it was. What an attempt left
    behind of a large file is taken up by the next.

    Reading. ``get`` either raises or leaves the whole content at ``path``, checked against what the store tells of the
    object, and against ``sha256`` where it is given. A former file at ``path`` is replaced in one step, and not touched
    on failure.

    Repeating. Every method may be repeated after any failure, and comes to the same end as if it had not failed.
    What may pass is tried again as the store's `Retry` says; what cannot pass, such as a refusal, is not.

    Errors. A failure is a `StorageError` that names the address of the object and the cause; a missing object is an
    `ObjectNotFoundError`; a `Watch` may end a transfer with `TransferCancelledError`. No message holds a credential.
    A local file that cannot be read or written is an `OSError`.

    Threads. All methods may be called from many threads at once, for different keys. A key has one writer at a time.

    Ownership. A store owns its connections and nothing that it is given.
    """

    @abstractmethod
    def address(self, key: str = "") -> str:
        """URL of an object, or of the place of the store, for messages. Holds no credential."""

    @abstractmethod
    def stat(self, key: str) -> StoredObject | None:
        """Describe an object; None where there is none."""

    @abstractmethod
    def list(self, prefix: str = "") -> list[StoredObject]:
        """All objects below a folder (``prefix``, without its last slash), or all there are, by name."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object. That there is none is no failure."""

    @abstractmethod
    def get_bytes(self, key: str) -> bytes:
        """Read a small object, such as a manifest."""

    def alone(self) -> AbstractContextManager[None]:
        """Within it, nobody else on this machine changes a manifest here."""
        place = hashlib.sha256(self.address().encode()).hexdigest()[:32]
        return alone_at(Path(tempfile.gettempdir()) / f"rapidfire_lab-{os.getuid()}-{place}.lock")

    @abstractmethod
    def _put(self, path: Path, key: str, digest: Digest, watch: Watch) -> None: ...

    @abstractmethod
    def _get(self, key: str, path: Path, sha256: str | None, watch: Watch) -> None: ...

    def put(self, path: Path, key: str, *, digest: Digest | None = None, watch: Watch = NOBODY) -> None:
        """Store a file. A ``digest`` that was taken before is what the object must come to."""
        self._put(path, check_key(key), digest or digest_of(path), watch)

    def get(self, key: str, path: Path, *, sha256: str | None = None, watch: Watch = NOBODY) -> None:
        """Fetch an object into a file, whose folder is made where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._get(check_key(key), path, sha256, watch)

    def get_listed(self, found: StoredObject, path: Path, *, watch: Watch = NOBODY) -> None:
        """Fetch one of many objects, as `list` or `stat` described it a moment ago: with as few requests as can be.

        It is refused if it is another by now. A power cut may take what is in the file: who fetches many has all of
        them written to the disk at once.
        """
        now = self.stat(found.key)
        if now is None:
            raise ObjectNotFoundError(f"{self.address(found.key)} does not exist")
        if (now.version, now.size) != (found.version, found.size):
            raise StorageError(f"{self.address(found.key)} changed while it was to be fetched; fetch it again")
        self.get(found.key, path, watch=watch)

    def put_bytes(self, content: bytes, key: str) -> None:
        with tempfile.TemporaryDirectory(prefix="rapidfire_lab-") as folder:
            path = Path(folder) / "content"
            path.write_bytes(content)
            self.put(path, key)

    def is_same(self, path: Path, key: str, digest: Digest) -> bool | None:
        """Whether the object is there and is this file, whose digest is given; None where the store cannot tell."""
        del path  # for stores whose checksums cannot be had from the digest
        found = self.stat(check_key(key))
        return found is not None and found.has(digest)

    def holds(self, path: Path, key: str, digest: Digest) -> bool:
        """Whether the store can tell that the object is this file."""
        return bool(self.is_same(path, key, digest))
