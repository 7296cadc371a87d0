"""From a URL to its store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from rapidfire_lab.errors import StorageError
from rapidfire_lab.storage.content import check_key
from rapidfire_lab.storage.local import LocalStore

if TYPE_CHECKING:
    from rapidfire_lab.storage.retry import Retry
    from rapidfire_lab.storage.store import Store

# One slash, because pathlib has folded the two of Path("s3://bucket").
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_ENDPOINT = "write it as http://127.0.0.1:9000 or https://s3.example.com"
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")


def url_of(place: str | Path) -> str | None:
    """The URL that this is, with all of its slashes and without spaces around it; None for a plain path."""
    matched = _URL.match(str(place).strip())
    if matched is None:
        return None
    scheme, rest = matched["scheme"].lower(), matched["rest"]
    if rest.startswith("/"):
        return f"{scheme}:/{rest}"
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"


def open_store(url: str | Path, *, endpoint_url: str | None = None, retry: Retry | None = None) -> Store:
    """Open the store at ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``file:///folder`` or a plain path.

    Parameters
    ----------
    url
        Holds no credentials: those of S3 are found by boto3's default chain, those of Google by its SDK's.
    endpoint_url
        Address of an S3 server other than Amazon's. boto3's own settings (``AWS_ENDPOINT_URL_S3``) work too.
    retry
        How often transient failures are tried again.

    Raises
    ------
    StorageError
        For an unknown scheme or a URL without bucket; when the client library is missing.
    """
    place = url_of(url)
    if place is None:
        return LocalStore(Path(url))
    scheme = place.partition(":")[0]
    if scheme == "file":
        return LocalStore(path_of(place))
    if scheme not in ("s3", "gs"):
        raise StorageError(f"{scheme}:// is no store: give s3://bucket/prefix, gs://bucket/prefix or a local path")
    bucket, prefix = bucket_and_key(place)
    if scheme == "gs":
        from rapidfire_lab.storage.google import GoogleStore

        return GoogleStore(bucket, prefix, retry=retry)
    from rapidfire_lab.storage.s3 import S3Store

    return S3Store(bucket, prefix, endpoint_url=endpoint_url, retry=retry)


def bucket_and_key(url: str) -> tuple[str, str]:
    """Split ``s3://bucket/a/b`` into ``bucket`` and ``a/b``; the latter may be empty."""
    matched = _URL.match(url)
    rest = (matched["rest"] if matched else "").removeprefix("/")
    bucket, _, key = rest.partition("/")
    key = key.strip("/")
    # The URL itself is not repeated: what stands before an @ may be a password.
    if "@" in bucket:
        raise StorageError(
            f"the URL of bucket {bucket.rpartition('@')[2]!r} has a user or password in it; leave it out"
        )
    if not bucket:
        raise StorageError(f"{url} names no bucket: write {url.partition(':')[0]}://bucket/prefix")
    if not _BUCKET.fullmatch(bucket):
        raise StorageError(f"{bucket!r} cannot be the name of a bucket: it has letters, digits, '.', '-' and '_' alone")
    return bucket, check_key(key) if key else ""


def check_endpoint(url: str | None) -> None:
    """Refuse the address of a server with a user or password in it, which messages and logs would quote."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        raise StorageError(f"the endpoint is no address of a server: {_ENDPOINT}") from None
    if "@" in parts.netloc:
        raise StorageError(
            f"the endpoint {parts.netloc.rpartition('@')[2]} has a user or password in its URL; leave it out: boto3 "
            "finds credentials by itself"
        )
    if url is not None and not (parts.scheme in ("http", "https") and parts.hostname):
        raise StorageError(f"the endpoint {url!r} is no address of a server: {_ENDPOINT}")


def path_of(url: str) -> Path:
    """The path of a ``file:///`` URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StorageError(f"{url} is no URL: write file:/// and an absolute path") from None
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"{url} names a host; write file:/// and an absolute path")
    return Path(url2pathname(parts.path))
