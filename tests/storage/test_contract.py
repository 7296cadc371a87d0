"""The contract of `Store`, run on every implementation."""

from __future__ import annotations

import threading

import pytest

from rapidfire_lab.errors import ObjectNotFoundError, StorageError, TransferCancelledError
from rapidfire_lab.storage import Options, digest_of, fetch, fingerprint, get_files, publish, put_files, read_manifest
from rapidfire_lab.storage.google import GoogleStore
from rapidfire_lab.storage.local import LocalStore
from rapidfire_lab.storage.manifest import retract
from rapidfire_lab.storage.watch import Watch
from tests.storage.conftest import QUICK

LARGE = bytes(range(256)) * 800
"""More than three parts of S3's."""
CONTENTS = {"empty": b"", "small": b"some words", "large": LARGE}


@pytest.fixture(params=["local", "s3", "google"])
def store(request, tmp_path):
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    if request.param == "google":
        client, bucket = request.getfixturevalue("google_client"), request.getfixturevalue("google_bucket")
        return GoogleStore(bucket, "some/prefix", client=client, retry=QUICK)
    return request.getfixturevalue("s3_store")(prefix="some/prefix")


@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_put_is_got(store, write, tmp_path, name):
    store.put(write(name, CONTENTS[name]), f"a folder/{name}.bin")
    store.get(f"a folder/{name}.bin", tmp_path / "back" / name)
    assert (tmp_path / "back" / name).read_bytes() == CONTENTS[name]
    assert [path.name for path in (tmp_path / "back").iterdir()] == [name]
    assert (tmp_path / "back" / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", CONTENTS)
def test_holds_tells_contents_apart(store, write, name):
    path = write(name, CONTENTS[name])
    assert not store.holds(path, "key", digest_of(path))
    store.put(path, "key")
    assert store.holds(path, "key", digest_of(path))
    for other in (CONTENTS[name] + b"!", CONTENTS[name][:-1] + b"!"):
        changed = write("changed", other)
        assert not store.holds(changed, "key", digest_of(changed))


def test_a_second_put_replaces(store, write):
    store.put(write("one", LARGE), "key")
    before = store.stat("key")
    store.put(write("two", LARGE[::-1]), "key")
    assert store.get_bytes("key") == LARGE[::-1]
    assert store.stat("key").size == len(LARGE)
    assert fingerprint([before]) != fingerprint([store.stat("key")])


def test_a_digest_that_is_not_the_files_is_refused(store, write):
    store.put(write("one", b"first"), "key")
    path = write("two", b"second")
    digest = digest_of(path)
    path.write_bytes(b"sEcond")
    with pytest.raises(StorageError):
        store.put(path, "key", digest=digest)
    assert store.get_bytes("key") == b"first"


def test_a_file_that_is_not_as_it_must_be_is_not_taken(store, write, tmp_path):
    store.put(write("one", b"first"), "key")
    target = write("target", b"former")
    with pytest.raises(StorageError, match="SHA-256"):
        store.get("key", target, sha256="0" * 64)
    assert target.read_bytes() == b"former"


def test_what_is_missing(store, write, tmp_path):
    assert store.stat("no/such") is None
    assert store.list() == store.list("no") == []
    store.delete("no/such")
    for action in (lambda: store.get("no/such", tmp_path / "x"), lambda: store.get_bytes("no/such")):
        with pytest.raises(ObjectNotFoundError, match="no/such does not exist"):
            action()
    assert not (tmp_path / "x").exists()


def test_list_and_delete(store, write):
    path = write("one", b"1")
    keys = [f"b/{number}" for number in range(7)] + ["a", "bb/1"]
    for key in keys:
        store.put(path, key)
    assert [item.key for item in store.list()] == sorted(keys)
    assert [item.key for item in store.list("b")] == keys[:7]
    assert {item.size for item in store.list()} == {1}
    store.delete("b/3")
    assert "b/3" not in [item.key for item in store.list()]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", ".", "a\\b", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(store, write, tmp_path, key):
    path = write("one", b"1")
    for action in (lambda: store.put(path, key), lambda: store.get(key, tmp_path / "x"), lambda: store.get_bytes(key)):
        with pytest.raises(StorageError, match="cannot be the name of an object"):
            action()


def test_a_file_that_cannot_be_read_is_an_oserror(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "none", "key")
    assert store.stat("key") is None


class Stop(Watch):
    def at(self, done):
        raise TransferCancelledError("enough")


@pytest.mark.parametrize("name", ["small", "large"])
def test_a_watch_ends_a_transfer(store, write, name):
    path = write(name, CONTENTS[name])
    with pytest.raises(TransferCancelledError):
        store.put(path, "key", watch=Stop())
    assert store.stat("key") is None
    store.put(path, "key")
    target = write("target", b"former")
    with pytest.raises(TransferCancelledError):
        store.get("key", target, watch=Stop())
    assert target.read_bytes() == b"former"
    store.get("key", target)
    assert target.read_bytes() == CONTENTS[name]


# Sets of files


def tree(write):
    contents = {f"dir {number % 3}/file {number}": bytes([number]) * (number * 20_000) for number in range(8)}
    return {key: write(f"tree/{key}", content) for key, content in contents.items()}


def test_progress_only_grows_and_ends_complete(store, write, tmp_path):
    files, told = tree(write), []
    put_files(store, files, Options(on_progress=told.append))
    get_files(store, {key: tmp_path / "back" / key for key in files}, Options(on_progress=told.append))
    assert all((tmp_path / "back" / key).read_bytes() == path.read_bytes() for key, path in files.items())
    total = sum(path.stat().st_size for path in files.values())
    ends = [one for one in told if one.files_done == one.files]
    assert {(one.bytes_done, one.bytes, one.files) for one in ends} == {(total, total, len(files))}
    half = told[: told.index(ends[0]) + 1]
    assert [one.bytes_done for one in half] == sorted(one.bytes_done for one in half)


def test_a_cancelled_transfer_goes_on_later(store, write):
    files, cancel = tree(write), threading.Event()
    with pytest.raises(TransferCancelledError):
        publish(store, files, options=Options(workers=1, cancel=cancel, on_progress=lambda _: cancel.set()))
    assert len(store.list()) < len(files)
    assert read_manifest(store) is None
    publish(store, files)
    assert set(read_manifest(store)) == set(files)


def test_an_object_is_fetched_as_it_was_listed_or_not_at_all(store, write, tmp_path):
    back = tmp_path / "new/back"
    store.put(write("one", LARGE), "dir/one")
    (found,) = store.list("dir")
    store.get_listed(found, back)
    assert back.read_bytes() == LARGE
    store.put(write("two", LARGE[::-1]), "dir/one")
    with pytest.raises(StorageError, match="changed while it was"):
        store.get_listed(found, back)
    store.delete("dir/one")
    with pytest.raises(ObjectNotFoundError, match="dir/one does not exist"):
        store.get_listed(found, back)
    assert back.read_bytes() == LARGE


def test_a_published_set_comes_back_and_is_mended(store, write, tmp_path):
    files, back = tree(write), tmp_path / "back"
    entries = publish(store, files, folder="sets/one")
    assert entries == read_manifest(store, "sets/one")
    assert entries == {key: (digest_of(path).sha256, path.stat().st_size) for key, path in files.items()}
    fetch(store, back, folder="sets/one")
    broken, whole = back / "dir 1/file 7", back / "dir 2/file 5"
    broken.write_bytes(b"broken")
    inode = whole.stat().st_ino
    fetch(store, back, folder="sets/one")
    assert broken.read_bytes() == files["dir 1/file 7"].read_bytes()
    assert whole.stat().st_ino == inode
    assert read_manifest(LocalStore(back)) == entries


def test_only_what_is_missing_is_sent(store, write, monkeypatch):
    files = tree(write)
    publish(store, files)
    store.delete("dir 1/file 4")
    write("tree/dir 0/file 3", b"changed")
    sent, put = [], store.put
    monkeypatch.setattr(store, "put", lambda path, key, **more: (sent.append(key), put(path, key, **more)))
    publish(store, files)
    assert sorted(sent) == ["dir 0/file 3", "dir 1/file 4", "manifest.json"]
    sent.clear()
    publish(store, files)
    assert sent == []


def test_sets_that_grow_and_shrink(store, write):
    one, two = write("one", b"1"), write("two", b"2")
    publish(store, {"one": one})
    publish(store, {"two": two}, add=True)
    assert set(read_manifest(store)) == {"one", "two"}
    retract(store, ["one"])
    assert set(read_manifest(store)) == {"two"}
    publish(store, {"one": one})
    assert set(read_manifest(store)) == {"one"}


def test_a_set_without_manifest_was_never_whole(store, write, tmp_path):
    store.put(write("one", b"1"), "set/one")
    with pytest.raises(ObjectNotFoundError, match="the set is not whole"):
        fetch(store, tmp_path / "back", folder="set")


@pytest.mark.parametrize("text", [b"no json", b"[]", b'{"version": 1}', b'{"version": 2, "files": {}}'])
def test_a_manifest_that_is_none_is_refused(store, text):
    store.put_bytes(text, "manifest.json")
    with pytest.raises(StorageError, match=r"manifest\.json is"):
        read_manifest(store)


def test_a_manifest_leads_nowhere_else(store, tmp_path):
    store.put_bytes(b'{"version": 1, "files": {"../up": {"sha256": "", "size": 0}}}', "manifest.json")
    with pytest.raises(StorageError, match="cannot be the name"):
        fetch(store, tmp_path / "back")
    with pytest.raises(StorageError, match="name of the manifest"):
        publish(store, {"manifest.json": tmp_path / "x"})


def test_an_object_that_is_not_as_its_manifest_says(store, write, tmp_path):
    publish(store, {"one": write("one", b"1")})
    store.put(write("two", b"2"), "one")
    with pytest.raises(StorageError, match="one is not the file that was stored"):
        fetch(store, tmp_path / "back")
    assert not (tmp_path / "back/one").exists()
    assert not (tmp_path / "back/manifest.json").exists()


def test_two_who_fetch_one_object_do_not_disturb_each_other(store, write, tmp_path):
    store.put(write("large", LARGE), "key")

    class Second(Watch):
        fetched = False

        def at(self, done):
            if done and not self.fetched:
                self.fetched = True
                store.get("key", tmp_path / "back")
                assert (tmp_path / "back").read_bytes() == LARGE

    store.get("key", tmp_path / "back", watch=Second())
    assert (tmp_path / "back").read_bytes() == LARGE
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
