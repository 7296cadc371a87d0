"""A store in an S3 bucket, over boto3."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.storage.content import Digest, StoredObject, check_key, digest_of, digest_of_bytes, is_md5
from rapidfire_lab.storage.download import Source, download, place
from rapidfire_lab.storage.retry import Retry, TransientError
from rapidfire_lab.storage.s3_errors import answered, unanswered
from rapidfire_lab.storage.s3_parts import PartedUpload, composite_etag
from rapidfire_lab.storage.store import Store
from rapidfire_lab.storage.urls import check_endpoint
from rapidfire_lab.storage.watch import NOBODY, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

PART_BYTES = 16 * 1024 * 1024
"""Files up to this size are sent with one request, larger ones in parts of it."""

WHOLE_BYTES = 4 * 1024 * 1024
"""Objects up to this size are fetched in memory by `get_listed`, with one request."""

_READ_BYTES = 256 * 1024
_CONNECTIONS = 32
_TIMEOUT = 60
_DESCRIPTION = ("ContentLength", "ETag")

Result = TypeVar("Result")


class S3Store(Store):
    """Objects below a prefix of a bucket.

    A file is sent with its SHA-256, which S3 checks and which stays with the object as metadata ``sha256``, or in
    parts, each with its MD5. The ETag that comes back is compared too, where it tells of the content: it does not when
    S3 encrypts with keys of KMS or of the customer's. Credentials are boto3's business.

    Parameters
    ----------
    client
        A boto3 client to use instead of one of our own, which retries by itself as it is configured.
    part_bytes
        At least 5 MiB on Amazon's servers.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        client: Any = None,
        retry: Retry | None = None,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.retry = retry or Retry()
        self.part_bytes = part_bytes
        self.client = client or make_client(endpoint_url)

    def address(self, key: str = "") -> str:
        return f"s3://{self.bucket}/{self.full_key(key)}"

    def full_key(self, key: str) -> str:
        return f"{self.prefix}/{key}".strip("/")

    # Reading

    def stat(self, key: str) -> StoredObject | None:
        try:
            found = self.ask("look at it", "head_object", check_key(key), needs=_DESCRIPTION)
        except ObjectNotFoundError:
            return None
        sha256 = found.get("Metadata", {}).get("sha256")
        return _described(key, found["ContentLength"], found["ETag"], sha256, tells=tells_content(found))

    def is_same(self, path: Path, key: str, digest: Digest) -> bool | None:
        found = self.stat(check_key(key))
        return found is not None and self.compare(path, digest, found)

    def compare(self, path: Path, digest: Digest, found: StoredObject) -> bool | None:
        """Whether a file is what an object holds; None where S3 does not tell."""
        same = found.has(digest)
        if same is not None or "-" not in found.version:
            return same
        first = self.ask("look at it", "head_object", found.key, needs=_DESCRIPTION, PartNumber=1)
        part_bytes = max(1, first["ContentLength"])
        # Parts of several sizes, which other programs may make, cannot be told.
        is_even = found.version.endswith(f"-{-(-found.size // part_bytes)}")
        return composite_etag(path, part_bytes) == found.version if is_even and tells_content(first) else None

    def list(self, prefix: str = "") -> list[StoredObject]:
        start = self.full_key(check_key(prefix)) if prefix else self.prefix
        return sorted(self._listed(f"{start}/" if start else ""), key=lambda item: item.key)

    def _listed(self, start: str) -> Iterator[StoredObject]:
        more: dict[str, Any] = {}
        while True:
            page = self.ask("list it", "list_objects_v2", None, Prefix=start, **more)
            for item in page.get("Contents", []):
                key = item["Key"].removeprefix(f"{self.prefix}/" if self.prefix else "")
                if not key.endswith("/"):  # the console's way to keep an empty folder
                    yield _described(key, item["Size"], item["ETag"], None, tells=False)
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def get_bytes(self, key: str) -> bytes:
        def read() -> bytes:
            content: bytes = self._request("get_object", self.named(check_key(key)))["Body"].read()
            return content

        return self.retry.call(lambda: self.translated("read it", key, read), NOBODY)

    def _get(self, key: str, path: Path, sha256: str | None, watch: Watch) -> None:
        download(_S3Source(self, key), path, sha256, self.retry, watch)

    def get_listed(self, found: StoredObject, path: Path, *, watch: Watch = NOBODY) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if found.size > WHOLE_BYTES:
            download(_S3Source(self, found.key, found), path, None, self.retry, watch)
            return
        watch.at(0)
        place(self.retry.call(lambda: self._whole(found), watch), path)

    def _whole(self, found: StoredObject) -> bytes:
        """Content of a small object of this version, checked."""

        def read() -> tuple[dict[str, Any], bytes]:
            answer = self._request("get_object", {**self.named(found.key), "IfMatch": f'"{found.version}"'})
            return answer, answer["Body"].read()

        answer, content = self.translated("read it", found.key, read)
        told = _told_with_content(found, answer)
        if len(content) != found.size or told.has(digest_of_bytes(content)) is False:
            raise TransientError(f"{self.address(found.key)}: what came in is not what is stored; it was damaged")
        return content

    # Writing

    def delete(self, key: str) -> None:
        self.ask("delete it", "delete_object", check_key(key))

    def _put(self, path: Path, key: str, digest: Digest, watch: Watch) -> None:
        watch.at(0)
        if digest.size > self.part_bytes:
            PartedUpload(self, key, path, digest, watch).run()
        else:
            self._put_whole(path, key, digest, watch)

    def _put_whole(self, path: Path, key: str, digest: Digest, watch: Watch) -> None:
        content = path.read_bytes()
        sums: dict[str, Any] = {"Metadata": {"sha256": digest.sha256}, "ChecksumSHA256": _base64(digest.sha256)}
        if digest_of_bytes(content) != digest:
            raise StorageError(f"{path} changed while it was to be stored as {self.address(key)}; store it again")
        answer = self.ask("store it", "put_object", key, watch, Body=content, **sums)
        self.check_etag(key, answer, digest.md5)

    def check_etag(self, key: str, answer: Mapping[str, Any], expected: str) -> None:
        """Compare the ETag of what was stored, if it tells of the content, with what it must be."""
        found = answer.get("ETag", "").strip('"')
        if tells_content(answer) and is_md5(found.partition("-")[0]) and found != expected:
            raise StorageError(f"{self.address(key)}: S3 has something else than was sent (ETag {found})")

    # Requests

    def ask(
        self,
        what: str,
        operation: str,
        key: str | None,
        watch: Watch = NOBODY,
        *,
        needs: Iterable[str] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """Make one request, again where it failed for reasons that pass.

        ``needs`` names what the answer must have: headers that break off are no error to Python's HTTP client.
        """

        def request() -> dict[str, Any]:
            answer = self.translated(what, key, lambda: self._request(operation, {**self.named(key), **more}))
            if any(name not in answer for name in needs):
                raise TransientError(f"{self.address(key or '')}: cannot {what}: the answer broke off")
            return answer

        return self.retry.call(request, watch)

    def named(self, key: str | None) -> dict[str, Any]:
        return {"Bucket": self.bucket} if key is None else {"Bucket": self.bucket, "Key": self.full_key(key)}

    def _request(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client, operation)(**arguments)
        return answer

    def translated(self, what: str, key: str | None, action: Callable[[], Result]) -> Result:
        """Do something with S3, with errors in our words. boto3's own are not chained: they quote requests."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            return action()
        except ClientError as error:
            failure = answered(self.address(key or ""), what, error.response)
        except (BotoCoreError, HTTPError, ConnectionError, TimeoutError) as error:
            failure = unanswered(self.address(key or ""), what, error)
        raise failure


class _S3Source(Source):
    def __init__(self, store: S3Store, key: str, listed: StoredObject | None = None) -> None:
        self._store = store
        self._key = key
        self._listed = listed
        self.address = store.address(key)

    def describe(self) -> StoredObject:
        found = self._store.stat(self._key)
        if found is None:
            raise ObjectNotFoundError(f"{self.address} does not exist")
        if self._listed is not None and found.version != self._listed.version:
            raise StorageError(f"{self.address} changed while it was to be fetched; fetch it again")
        return found

    def read(self, found: StoredObject, offset: int) -> Iterator[bytes]:
        """The content from an offset on, of this version alone."""
        wanted = {**self._store.named(self._key), "Range": f"bytes={offset}-", "IfMatch": f'"{found.version}"'}

        def open_body() -> Any:
            return self._store.client.get_object(**wanted)["Body"]

        body = self._store.translated("read it", self._key, open_body)
        try:
            while block := self._store.translated("read it", self._key, lambda: body.read(_READ_BYTES)):
                yield block
        finally:
            body.close()

    def has(self, path: Path, found: StoredObject) -> bool:
        return self._store.compare(path, digest_of(path), found) is not False


def tells_content(answer: Mapping[str, Any]) -> bool:
    """Whether the ETag in an answer is made of the content's MD5."""
    return not (answer.get("ServerSideEncryption", "").startswith("aws:kms") or answer.get("SSECustomerAlgorithm"))


def _described(key: str, size: int, etag: str, sha256: str | None, *, tells: bool) -> StoredObject:
    version = etag.strip('"')
    return StoredObject(key, size, version, version if tells and is_md5(version) else None, sha256)


def _told_with_content(found: StoredObject, answer: Mapping[str, Any]) -> StoredObject:
    """What the answer that brings an object says of its content."""
    sha256 = answer.get("Metadata", {}).get("sha256")
    return _described(found.key, found.size, found.version, sha256, tells=tells_content(answer))


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def make_client(endpoint_url: str | None = None, *, read_timeout: float = _TIMEOUT) -> Any:
    """A boto3 client of S3 that leaves retries and checksums to us.

    Raises
    ------
    StorageError
        When boto3's settings in environment and files cannot be used.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    check_endpoint(endpoint_url)

    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
        connect_timeout=10,
        read_timeout=read_timeout,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_supported",
    )
    try:
        client = boto3.session.Session().client("s3", endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        failure = unanswered("s3://", "connect", error)
    else:
        check_endpoint(client.meta.endpoint_url)
        return client
    raise failure
