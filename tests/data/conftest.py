from pathlib import Path

import pytest

from rapidfire_lab.data import DataHandle, IngestedData, ingest
from tests.storage.conftest import aws, bucket, clients, proxy, running_proxy, s3_port  # noqa: F401 - fixtures


@pytest.fixture
def write(tmp_path):
    """Write a file below the test's folder."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def prepare(store):
    """Make a handle and ingest it."""

    def make(locators: dict[str, str | Path], **arguments: object) -> IngestedData:
        return ingest(DataHandle(locators, **arguments), store)

    return make
