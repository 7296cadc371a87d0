from pathlib import Path

import pytest

from rapidfire_lab.errors import StorageError
from rapidfire_lab.storage import open_store
from rapidfire_lab.storage.urls import bucket_and_key


@pytest.mark.parametrize("url", ["{}", "file://{}", "file://localhost{}", "FILE://{}"])
def test_local_places(url, tmp_path):
    assert open_store(url.format(tmp_path)).address("a") == str(tmp_path / "a")
    assert open_store(tmp_path).address("a") == str(tmp_path / "a")
    assert open_store(Path(tmp_path.as_uri())).address("a") == str(tmp_path / "a")


@pytest.mark.parametrize(
    "url", ["s3://bucket/a/b", "s3://bucket/a/b/", "S3://bucket/a/b", " s3://bucket/a/b\n", Path("s3://bucket/a/b")]
)
def test_s3_places(url, aws):
    assert open_store(url).address("c") == "s3://bucket/a/b/c"
    assert bucket_and_key("s3://bucket") == ("bucket", "")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://host/a", "http:// is no store"),
        ("s3://", "names no bucket"),
        ("s3:///a", "names no bucket"),
        ("s3://bucket/../a", "cannot be the name"),
        ("s3://user:hush@bucket/a", "leave it out"),
        ("s3://Bucket!/a", "'Bucket!' cannot be the name of a bucket"),
        ("s3://bucket?versions", "cannot be the name of a bucket"),
        ("file://host/a", "names a host"),
        ("file://[a", r"write file:/// and an absolute path"),
    ],
)
def test_what_is_no_place(url, message):
    with pytest.raises(StorageError, match=message) as caught:
        open_store(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:9000", "ftp://host", "http://", "http://[a"])
def test_what_is_no_endpoint(endpoint, aws):
    with pytest.raises(StorageError, match="no address of a server: write it as http"):
        open_store("s3://bucket", endpoint_url=endpoint)


def test_an_endpoint_of_ones_own(aws, proxy, bucket, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    store = open_store(f"s3://{bucket}", endpoint_url=proxy.url)
    store.put_bytes(b"1", "key")
    assert store.get_bytes("key") == b"1"
    assert any(bucket in line for line in proxy.seen)
