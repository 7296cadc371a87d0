"""S3 that breaks, at every request of an upload and of a download."""

from __future__ import annotations

import hashlib

import pytest

from rapidfire_lab.errors import StorageError
from rapidfire_lab.storage import Options, digest_of, fetch, publish, read_manifest
from rapidfire_lab.storage.s3 import S3Store, make_client
from tests.storage.conftest import ONCE, QUICK, SECRET
from tests.storage.fault_proxy import FAULTS
from tests.storage.s3_server import PART_BYTES

SERIAL = Options(workers=1)
UNSEEN, UNANSWERED = "cut", "cut_answer"
"""A request that did not reach S3, and one that was carried out though nobody heard of it."""
TURNS = (UNSEEN, UNANSWERED, "each in turn")
OTHERS = [fault for fault in FAULTS if fault not in TURNS]


def fault_at(index, turn):
    return OTHERS[index % len(OTHERS)] if turn == TURNS[2] else turn


@pytest.fixture
def files(write):
    """One file in parts and one whole."""
    large = bytes(range(256)) * (PART_BYTES * 5 // 2 // 256)
    return {"large": write("files/large", large), "deep/small": write("files/deep/small", b"small")}


def check_manifest(store, files):
    """Whatever happened: what the manifest lists is in the store, and whole."""
    for key, entry in (read_manifest(store) or {}).items():
        content = store.get_bytes(key)
        assert (digest_of(files[key]).sha256, len(content)) == entry
        assert content == files[key].read_bytes()


def requests_of(proxy, action):
    proxy.begin()
    action()
    return len(proxy.seen)


@pytest.mark.parametrize("turn", TURNS)
def test_an_upload_that_breaks_anywhere_is_finished_by_the_next(s3_store, proxy, files, turn):
    count = requests_of(proxy, lambda: publish(s3_store(prefix="count"), files, options=SERIAL))
    assert count > len(files) * 2
    refusals = []
    contents = {key: path.read_bytes() for key, path in files.items()}
    for index in range(count):
        prefix, fault = f"{turn}-{index}", fault_at(index, turn)
        proxy.begin({index: fault})
        try:
            publish(s3_store(ONCE, prefix, 0.5 if fault == "hang" else 60), files, options=SERIAL)
        except StorageError as error:
            refusals.append((prefix, str(error)))
        assert proxy.seen[index:] or fault == "hang", "the fault was not met"  # a slow answer may be given up before
        proxy.begin()
        check_manifest(s3_store(prefix=prefix), files)
        publish(s3_store(ONCE, prefix), files, options=SERIAL)
        assert set(read_manifest(s3_store(prefix=prefix))) == set(files)
        check_manifest(s3_store(prefix=prefix), files)
        assert {key: path.read_bytes() for key, path in files.items()} == contents
    assert refusals
    assert all(f"s3://{s3_store().bucket}/{prefix}" in message for prefix, message in refusals)


@pytest.mark.parametrize("turn", TURNS)
def test_a_download_that_breaks_anywhere_is_finished_by_the_next(s3_store, proxy, files, tmp_path, turn):
    publish(s3_store(), files)
    count = requests_of(proxy, lambda: fetch(s3_store(), tmp_path / "count", options=SERIAL))
    for index in range(count):
        target = tmp_path / f"{index}"
        fault = fault_at(index, turn)
        proxy.begin({index: fault})
        try:
            fetch(s3_store(ONCE, timeout=0.5 if fault == "hang" else 60), target, options=SERIAL)
        except StorageError:
            assert not (target / "manifest.json").exists()
        for key, path in files.items():  # whole, or not there
            assert not (target / key).exists() or (target / key).read_bytes() == path.read_bytes()
        proxy.begin()
        fetch(s3_store(ONCE), target, options=SERIAL)
        assert all((target / key).read_bytes() == path.read_bytes() for key, path in files.items())
        left = {path.name for path in target.rglob("*") if path.is_file()}
        assert left == {"large", "small", "manifest.json"}


def test_what_passes_is_not_noticed(s3_store, proxy, files, tmp_path):
    passing = [fault for fault in FAULTS if fault != "deny"]
    faults = {3 * turn: passing[turn % len(passing)] for turn in range(20)}
    for action in (
        lambda store: publish(store, files, options=SERIAL),
        lambda store: fetch(store, tmp_path / "back", options=SERIAL),
    ):
        proxy.begin(faults)
        action(s3_store(QUICK, timeout=0.5))
        assert len(proxy.seen) > 3 * len(files)
    assert all((tmp_path / "back" / key).read_bytes() == path.read_bytes() for key, path in files.items())


@pytest.mark.parametrize("add", [True, False])
def test_a_change_of_a_published_file_never_makes_the_manifest_lie(s3_store, proxy, write, add):
    def version(number):
        return {name: write(name, bytes([number]) * 10) for name in ("a", "b")}

    index = count = 0
    while index <= count:
        store = s3_store(prefix=f"{index}")
        publish(store, version(1), options=SERIAL)
        files = version(2)
        proxy.begin({index - 1: UNANSWERED})  # the first time, none
        if index == 0:
            publish(store, files, options=SERIAL, add=add)
            count = len(proxy.seen)
        else:
            with pytest.raises(StorageError):
                publish(s3_store(ONCE, f"{index}"), files, options=SERIAL, add=add)
        proxy.begin()
        for key, (sha256, _) in (read_manifest(store) or {}).items():
            assert hashlib.sha256(store.get_bytes(key)).hexdigest() == sha256
        publish(store, files, options=SERIAL, add=add)
        check_manifest(store, files)
        index += 1


def test_parts_that_came_through_are_not_sent_again(s3_store, proxy, files):
    proxy.begin({6: "cut"})  # manifest, look, earlier uploads, begin, parts of it, first part, second part
    with pytest.raises(StorageError):
        publish(s3_store(ONCE), {"large": files["large"]}, options=SERIAL)
    assert "partNumber=2" in proxy.seen[-1]
    proxy.begin()
    publish(s3_store(ONCE), {"large": files["large"]}, options=SERIAL)
    sent = [line for line in proxy.seen if "partNumber=" in line and line.startswith("PUT")]
    assert ["partNumber=1&" in line for line in sent] == [False, False]


def test_a_download_goes_on_where_it_broke(s3_store, proxy, files, tmp_path):
    publish(s3_store(), files)
    proxy.begin({1: "truncate"})
    with pytest.raises(StorageError, match="connection"):
        s3_store(ONCE).get("large", tmp_path / "back")
    (part,) = tmp_path.glob(".back.*.part")
    assert 0 < part.stat().st_size < files["large"].stat().st_size
    proxy.begin()
    s3_store(ONCE).get("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == files["large"].read_bytes()


CAUSES = {
    "deny": "access is denied; the credentials in use need s3:PutObject",
    "region": "the bucket is in eu-west-1; set AWS_DEFAULT_REGION",
    "key": "the credentials are not accepted",
    "throttle": "S3 is busy or in trouble .* \\(tried 6 times\\)",
    "cut": "the connection failed .* \\(tried 6 times\\)",
}


@pytest.mark.parametrize("fault", CAUSES)
def test_an_error_names_bucket_key_and_cause(s3_store, proxy, files, fault):
    proxy.begin(every=fault)
    with pytest.raises(StorageError, match=CAUSES[fault]) as caught:
        s3_store().put(files["deep/small"], "deep/small")
    assert f"s3://{s3_store().bucket}/deep/small" in str(caught.value)
    assert SECRET not in str(caught.value)
    tried = {"deny": 1, "key": 1, "region": 2}.get(fault, 6)
    # boto3 follows to the other region once, by itself.
    assert len([line for line in proxy.seen if line.startswith("PUT")]) == tried
    assert files["deep/small"].read_bytes() == b"small"


def test_a_missing_bucket_is_named(aws, files, tmp_path):
    store = S3Store("no-such-bucket", "prefix")
    for action in (lambda: store.put(files["deep/small"], "key"), store.list, lambda: publish(store, files)):
        with pytest.raises(StorageError, match=r"s3://no-such-bucket.*there is no such bucket"):
            action()


def test_missing_credentials_are_named(aws, monkeypatch, files):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match=r"s3://bucket/key: .* boto3 finds no credentials"):
        S3Store("bucket").put(files["deep/small"], "key")


def test_a_server_that_is_not_there(aws, files):
    store = S3Store("bucket", client=make_client("http://127.0.0.1:9"), retry=QUICK)
    with pytest.raises(StorageError, match=r"s3://bucket/key: .*connection failed .*tried 6 times"):
        store.put(files["deep/small"], "key")


def test_objects_of_other_programs_are_checked_by_their_etag(s3_store, proxy, files, tmp_path, clients):
    """Without our metadata; in parts, as boto3 sends them."""
    store = s3_store()
    content = files["large"].read_bytes()
    clients[60].put_object(Bucket=store.bucket, Key="whole", Body=content)
    assert store.holds(files["large"], "whole", digest_of(files["large"]))
    store.put(files["large"], "parts")
    assert store.stat("parts").sha256 is None
    assert store.holds(files["large"], "parts", digest_of(files["large"]))
    for key in ("whole", "parts"):
        proxy.begin({1: "damage"})
        with pytest.raises(StorageError, match=r"damaged on the way|checksum"):
            s3_store(ONCE).get(key, tmp_path / key)
        proxy.begin()
        s3_store(ONCE).get(key, tmp_path / key)
        assert (tmp_path / key).read_bytes() == content
