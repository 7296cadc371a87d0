"""Large files to S3 in parts, going on from the parts that an earlier attempt left there."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import ObjectNotFoundError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab.storage.content import Digest
    from rapidfire_lab.storage.s3 import S3Store
    from rapidfire_lab.storage.watch import Watch

_MOST_PARTS = 10_000


class PartedUpload:
    """One file on its way. Nothing is seen under the key before the last request, which puts the parts together."""

    def __init__(self, store: S3Store, key: str, path: Path, digest: Digest, watch: Watch) -> None:
        self._store = store
        self._key = key
        self._path = path
        self._digest = digest
        self._watch = watch
        self._part_bytes = max(store.part_bytes, -(-digest.size // _MOST_PARTS))

    def run(self) -> None:
        upload = self._earlier_upload() or self._begin()
        try:
            parts = self._send_parts(upload)
            self._finish(upload, parts)
        except ObjectNotFoundError:
            # Somebody has ended this upload: ourselves, if the answer to the last request was lost.
            if not self._store.holds(self._path, self._key, self._digest):
                raise StorageError(
                    f"{self._store.address(self._key)}: the upload was ended by another; store it again"
                ) from None

    def _earlier_upload(self) -> str | None:
        """The upload of this file that was not finished, if S3 lets us see any."""
        full_key = self._store.full_key(self._key)
        try:
            found = self._store.ask("look for parts of it", "list_multipart_uploads", None, Prefix=full_key)
        except StorageError:
            return None
        mine = [item for item in found.get("Uploads", []) if item["Key"] == full_key]
        return max(mine, key=lambda item: item["Initiated"])["UploadId"] if mine else None

    def _begin(self) -> str:
        # No metadata: an upload that is taken up again may have been begun for another content.
        upload: str = self._ask("begin to store it", "create_multipart_upload")["UploadId"]
        return upload

    def _send_parts(self, upload: str) -> list[dict[str, Any]]:
        known = self._known_parts(upload)
        parts: list[dict[str, Any]] = []
        whole = hashlib.sha256()
        with self._path.open("rb") as file:
            while block := file.read(self._part_bytes):
                whole.update(block)
                number = len(parts) + 1
                md5 = hashlib.md5(block, usedforsecurity=False)
                etag = known.get((number, len(block), md5.hexdigest())) or self._send(
                    upload, number, block, md5.digest()
                )
                parts.append({"PartNumber": number, "ETag": etag})
                self._watch.at(min(number * self._part_bytes, self._digest.size))
        if whole.hexdigest() != self._digest.sha256:
            raise StorageError(
                f"{self._path} changed while it was stored as {self._store.address(self._key)}; store it again"
            )
        return parts

    def _known_parts(self, upload: str) -> dict[tuple[int, int, str], str]:
        known: dict[tuple[int, int, str], str] = {}
        after = 0
        while True:
            page = self._ask("look for parts of it", "list_parts", UploadId=upload, PartNumberMarker=after)
            for part in page.get("Parts", []):
                known[part["PartNumber"], part["Size"], part["ETag"].strip('"')] = part["ETag"]
            if not page.get("IsTruncated"):
                return known
            after = page["NextPartNumberMarker"]

    def _send(self, upload: str, number: int, block: bytes, md5: bytes) -> str:
        sent = {"UploadId": upload, "PartNumber": number, "Body": block, "ContentMD5": base64.b64encode(md5).decode()}
        answer = self._ask("store a part of it", "upload_part", needs=("ETag",), **sent)
        self._store.check_etag(self._key, answer, md5.hex())
        etag: str = answer["ETag"]
        return etag

    def _finish(self, upload: str, parts: list[dict[str, Any]]) -> None:
        answer = self._ask(
            "put its parts together", "complete_multipart_upload", UploadId=upload, MultipartUpload={"Parts": parts}
        )
        self._store.check_etag(self._key, answer, composite_etag(self._path, self._part_bytes))

    def _ask(self, what: str, operation: str, **more: Any) -> dict[str, Any]:
        return self._store.ask(what, operation, self._key, self._watch, **more)


def composite_etag(path: Path, part_bytes: int) -> str:
    """ETag that S3 gives to a file that came in parts of this size: the MD5 of their MD5s, and their number."""
    digests = []
    with path.open("rb") as file:
        while block := file.read(part_bytes):
            digests.append(hashlib.md5(block, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
