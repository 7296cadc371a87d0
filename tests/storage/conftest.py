"""Fixtures: an S3 server, a proxy before it that breaks requests, and buckets."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from rapidfire_lab.storage import Retry
from rapidfire_lab.storage.s3 import S3Store, make_client
from tests.storage.fault_proxy import FaultProxy
from tests.storage.google_server import google_server
from tests.storage.s3_server import PART_BYTES, s3_server

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Retry(attempts=6, first_seconds=0.01, most_seconds=0.02)
ONCE = Retry(attempts=1)
SECRET = "nobody-may-read-this"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_port():
    with s3_server() as port:
        yield port


@pytest.fixture(scope="session")
def running_proxy(s3_port):
    with FaultProxy(("127.0.0.1", s3_port)).running() as proxy:
        yield proxy


@pytest.fixture
def proxy(running_proxy):
    running_proxy.begin()
    return running_proxy


@pytest.fixture
def aws(monkeypatch, proxy, tmp_path):
    """What boto3 finds by itself: credentials, and the proxy as S3."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)


@pytest.fixture
def bucket(aws, clients):
    """Name of a new, empty bucket."""
    name = f"bucket-{next(_numbers)}"
    clients[60].create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def clients(running_proxy):
    """A patient client, and one that soon gives up. Made once, as making one takes longer than many requests."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return {seconds: make_client(running_proxy.url, read_timeout=seconds) for seconds in (60, 0.5)}


@pytest.fixture
def s3_store(bucket, clients):
    """Return a function that opens the bucket, for tests of several attempts."""

    def open_bucket(retry: Retry = QUICK, prefix: str = "", timeout: float = 60) -> S3Store:
        return S3Store(bucket, prefix, client=clients[timeout], retry=retry, part_bytes=PART_BYTES)

    return open_bucket


@pytest.fixture(scope="session")
def google_client():
    with google_server() as url:
        yield storage.Client("project", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})


@pytest.fixture
def google_bucket(google_client):
    """Name of a new, empty bucket."""
    return f"bucket-{next(_numbers)}"


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write
