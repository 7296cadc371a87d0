"""A store in a bucket of Google Storage, over Google's own library, which is an optional extra (``google``)."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.storage.content import Digest, StoredObject, check_key, digest_of
from rapidfire_lab.storage.download import Source, download
from rapidfire_lab.storage.retry import Retry, TransientError
from rapidfire_lab.storage.store import Store
from rapidfire_lab.storage.watch import NOBODY, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MISSING = 404
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_READ_BYTES = 8 * 1024 * 1024
_CAUSES = {
    401: "the credentials are not accepted; renew them (gcloud auth application-default login)",
    403: "access is denied; the credentials in use lack the permission",
    404: "there is no such bucket or object",
}

Result = TypeVar("Result")


class GoogleStore(Store):
    """Objects below a prefix of a bucket. Content is checked by MD5; ``sha256`` stays with the object as metadata.

    Parameters
    ----------
    client
        A ``google.cloud.storage.Client`` to use instead of one with the default credentials.
    """

    def __init__(self, bucket: str, prefix: str = "", *, client: Any = None, retry: Retry | None = None) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.retry = retry or Retry()
        self._bucket = (client or make_client(bucket)).bucket(bucket)

    def address(self, key: str = "") -> str:
        return f"gs://{self.bucket}/{self._full_key(key)}"

    def _full_key(self, key: str) -> str:
        return f"{self.prefix}/{key}".strip("/")

    def stat(self, key: str) -> StoredObject | None:
        blob = self.ask("look at it", key, lambda: self._bucket.get_blob(self._full_key(check_key(key)), retry=None))
        return None if blob is None else self._described(blob)

    def list(self, prefix: str = "") -> list[StoredObject]:
        start = self._full_key(check_key(prefix) if prefix else "")
        options = {"prefix": f"{start}/" if start else None, "retry": None}
        blobs = self.ask("list it", prefix, lambda: list(self._bucket.list_blobs(**options)))
        found = [self._described(blob) for blob in blobs if not blob.name.endswith("/")]
        return sorted(found, key=lambda item: item.key)

    def _described(self, blob: Any) -> StoredObject:
        md5 = base64.b64decode(blob.md5_hash).hex() if blob.md5_hash else None
        key = blob.name.removeprefix(f"{self.prefix}/" if self.prefix else "")
        return StoredObject(key, blob.size, str(blob.generation), md5, (blob.metadata or {}).get("sha256"))

    def get_bytes(self, key: str) -> bytes:
        content: bytes = self.ask("read it", key, lambda: self.blob(check_key(key)).download_as_bytes(retry=None))
        return content

    def delete(self, key: str) -> None:
        try:
            self.ask("delete it", key, lambda: self.blob(check_key(key)).delete(retry=None))
        except ObjectNotFoundError:
            return

    def _put(self, path: Path, key: str, digest: Digest, watch: Watch) -> None:
        watch.at(0)
        blob = self.blob(key)
        blob.metadata = {"sha256": digest.sha256}
        blob.md5_hash = base64.b64encode(bytes.fromhex(digest.md5)).decode()  # the store refuses any other content
        self.ask("store it", key, lambda: blob.upload_from_filename(str(path), retry=None), watch)
        watch.at(digest.size)

    def _get(self, key: str, path: Path, sha256: str | None, watch: Watch) -> None:
        download(_GoogleSource(self, key), path, sha256, self.retry, watch)

    def blob(self, key: str) -> Any:
        return self._bucket.blob(self._full_key(key))

    def ask(self, what: str, key: str, action: Callable[[], Result], watch: Watch = NOBODY) -> Result:
        """Make a request, again where it failed for reasons that pass."""
        return self.retry.call(lambda: self.translated(what, key, action), watch)

    def translated(self, what: str, key: str, action: Callable[[], Result]) -> Result:
        try:
            return action()
        except Exception as error:
            if isinstance(error, OSError) and type(error).__module__ == "builtins" and not _is_broken(error):
                raise  # a local file
            failure = self._failure(what, key, error)
        raise failure

    def _failure(self, what: str, key: str, error: Exception) -> StorageError:
        code = getattr(error, "code", None)
        if code in _TRANSIENT or _is_broken(error):
            return TransientError(f"{self.address(key)}: cannot {what}: Google Storage is busy or in trouble ({error})")
        if code == _MISSING and key:
            return ObjectNotFoundError(f"{self.address(key)} does not exist")
        cause = _CAUSES.get(code or 0, "Google Storage refuses")
        return StorageError(f"{self.address(key)}: cannot {what}: {cause} ({error})")


_BROKEN = frozenset({"ConnectionError", "ChunkedEncodingError", "DataCorruption", "TransportError", "Timeout"})
"""Names of errors of the libraries below Google's, which are not loaded where they are not used."""


def _is_broken(error: Exception) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError)) or type(error).__name__ in _BROKEN


class _GoogleSource(Source):
    def __init__(self, store: GoogleStore, key: str) -> None:
        self._store = store
        self._key = key
        self.address = store.address(key)

    def describe(self) -> StoredObject:
        found = self._store.stat(self._key)
        if found is None:
            raise ObjectNotFoundError(f"{self.address} does not exist")
        return found

    def read(self, found: StoredObject, offset: int) -> Iterator[bytes]:
        blob = self._store.blob(self._key)
        asked = {"if_generation_match": int(found.version), "retry": None, "checksum": None, "raw_download": True}
        while offset < found.size:
            # ``end`` is inclusive.
            span = {"start": offset, "end": min(offset + _READ_BYTES, found.size) - 1}
            read = partial(blob.download_as_bytes, **span, **asked)
            block: bytes = self._store.translated("read it", self._key, read)
            offset += len(block)
            yield block

    def has(self, path: Path, found: StoredObject) -> bool:
        return found.has(digest_of(path)) is not False


def make_client(bucket: str) -> Any:
    """A client with the default credentials.

    Raises
    ------
    StorageError
        When the library is not installed, or finds no credentials.
    """
    try:
        from google.cloud import storage
    except ImportError:
        message = f"gs://{bucket}: Google's library is missing; install it: pip install google-cloud-storage"
        raise StorageError(message) from None
    from google.auth.exceptions import DefaultCredentialsError

    try:
        return storage.Client()
    except DefaultCredentialsError:
        message = f"gs://{bucket}: no credentials are found; run gcloud auth application-default login"
        raise StorageError(message) from None
