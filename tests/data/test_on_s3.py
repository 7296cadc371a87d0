"""Data on S3: an S3 server in a process of its own, and a proxy before it that breaks requests."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pyarrow import parquet

from rapidfire_lab.data import DataHandle, copies, ingest
from rapidfire_lab.data.copies import Copies
from rapidfire_lab.errors import DataError, ObjectNotFoundError, StorageError
from rapidfire_lab.storage import s3
from tests.conftest import wait_until
from tests.storage.conftest import ONCE, QUICK, SECRET
from tests.storage.fault_proxy import FAULTS

LARGE = bytes(range(256)) * 64
IMAGES = {f"deep/{number}.png": bytes([number]) * number for number in range(5)} | {"large.png": LARGE}
MISC = {"words.txt": b"a b c", "more/empty": b""}
TABLE = "id,image,mask\n" + "".join(f"{number},{name},\n" for number, name in enumerate(IMAGES))


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    """Fetch the large image in blocks, as files of many megabytes are."""
    monkeypatch.setattr(s3, "WHOLE_BYTES", 4096)


@pytest.fixture
def put(bucket, clients):
    def put_object(key, content):
        clients[60].put_object(Bucket=bucket, Key=key, Body=content)

    return put_object


@pytest.fixture
def locators(bucket, put):
    put("tables/train.csv", TABLE)
    for folder, files in (("set/images", {**IMAGES, "unused.png": b"-"}), ("set/misc", MISC)):
        for name, content in files.items():
            put(f"{folder}/{name}", content)
    return {
        "train": f"s3://{bucket}/tables/train.csv",
        "train_objects": f"s3://{bucket}/set/images/",
        "misc": f"s3://{bucket}/set/misc",
    }


@pytest.fixture
def fetch(locators, store, clients, proxy):
    """Ingest as one call of a user does; returns the data and the requests for contents."""

    def fetched(retry=ONCE, timeout=60, faults=None, every=None, given=None, **arguments):
        proxy.begin(faults, every)
        brought = Copies(store / "s3", client=clients[timeout], retry=retry)
        data = ingest(DataHandle(given or locators, **arguments), store, brought)
        return data, contents_of(proxy)

    return fetched


def contents_of(proxy):
    """Which objects were fetched, in order."""
    lines = (re.match(r"GET /[^/]+/([^? ]+) ", line) for line in proxy.seen)
    return [line[1] for line in lines if line]


def check(data):
    """Everything is there, whole and in its place."""
    paths = parquet.read_table(data.partitions["train"].path, partitioning=None)["image"].to_pylist()
    assert [Path(path).read_bytes() for path in paths] == list(IMAGES.values())
    assert all(path.endswith(name) for path, name in zip(paths, IMAGES, strict=True))
    assert files_below(data.misc) == MISC


def files_below(folder):
    found = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def check_nothing_is_half(store):
    """Whatever went wrong: what stands under a final name is whole."""
    known = {TABLE.encode(), *IMAGES.values(), *MISC.values()}
    for path in store.rglob("*"):
        if path.is_file() and {"pool", "files"} & set(path.parts) and not path.name.endswith(".part"):
            assert path.read_bytes() in known


def test_all_that_is_named_is_fetched_once(fetch, capsys):
    first, contents = fetch()
    check(first)
    assert len(contents) == len(IMAGES) + len(MISC) + 1
    assert "set/images/unused.png" not in contents
    assert "6/6 files" in capsys.readouterr().out
    again, contents = fetch()
    assert (again, contents) == (first, [])
    assert "files" not in capsys.readouterr().out


def test_a_larger_share_fetches_the_rest(fetch):
    _, some = fetch(fraction=0.5)
    assert len(some) == len(IMAGES) // 2 + len(MISC) + 1
    data, rest = fetch()
    check(data)
    assert not {*some} & {*rest}
    assert len(rest) == len(IMAGES) // 2


def test_download_columns_choose_what_is_fetched(fetch):
    data, contents = fetch(download_columns=[])
    assert {*contents} == {"set/misc/more/empty", "set/misc/words.txt", "tables/train.csv"}
    assert parquet.read_table(data.partitions["train"].path, partitioning=None)["image"][0].as_py() == "deep/0.png"


def test_what_changed_is_fetched_and_what_was_stays(fetch, put):
    first, _ = fetch()
    put("set/images/deep/3.png", b"new")
    second, contents = fetch()
    assert contents == ["set/images/deep/3.png"]
    assert second.fingerprint != first.fingerprint
    check(first)
    paths = parquet.read_table(second.partitions["train"].path, partitioning=None)["image"].to_pylist()
    assert Path(paths[3]).read_bytes() == b"new"


def test_nobody_writes_into_copies_by_accident(fetch, store):
    fetch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (store / "s3/pool").rglob("*") if path.is_file()}
    assert modes == {0o400}
    assert stat.S_IMODE((store / "s3").stat().st_mode) == 0o700


@pytest.mark.parametrize("turn", ["cut_answer", "each in turn"])
def test_fetching_that_breaks_anywhere_is_finished_by_the_next_call(
    fetch,
    locators,
    store,
    proxy,
    clients,
    tmp_path,
    turn,
):
    fetch()
    count = len(proxy.seen)
    failures = []
    for index in range(count):
        folder = tmp_path / f"{index}"
        fault = FAULTS[index % len(FAULTS)] if turn == "each in turn" else turn
        proxy.begin({index: fault})
        handle = DataHandle(locators)
        try:
            ingest(handle, folder, Copies(folder / "s3", client=clients[0.5 if fault == "hang" else 60], retry=ONCE))
        except StorageError as error:
            failures.append(str(error))
        check_nothing_is_half(folder)
        before = contents_of(proxy)
        proxy.begin()
        check(ingest(handle, folder, Copies(folder / "s3", client=clients[60], retry=QUICK)))
        assert len(before) + len(contents_of(proxy)) <= len(IMAGES) + len(MISC) + 2, "something came twice"
    assert len(failures) > count // 2
    assert all(re.match(r"locator '(train|train_objects|misc)': s3://bucket-\d+/", failure) for failure in failures)


def test_what_passes_is_not_noticed(fetch):
    passing = [fault for fault in FAULTS if fault != "deny"]
    data, _ = fetch(QUICK, 0.5, {3 * turn: passing[turn % len(passing)] for turn in range(8)})
    check(data)


CAUSES = {
    "deny": "access is denied; the credentials in use need s3:PutObject, s3:GetObject and s3:ListBucket",
    "region": "the bucket is in eu-west-1; set AWS_DEFAULT_REGION",
    "key": "(the credentials are not accepted|access is denied)",
    "throttle": r"S3 is busy or in trouble .*\(tried 6 times\)",
    "cut": r"the connection failed .*\(tried 6 times\)",
}


@pytest.mark.parametrize("fault", CAUSES)
@pytest.mark.parametrize("name", ["train", "misc"])
def test_an_error_names_locator_bucket_key_and_cause(fetch, locators, store, fault, name, write):
    given = locators if name == "train" else {**locators, "train": write("local.csv", "id\n1\n")}
    given = {key: given[key] for key in ("train", name)}
    with pytest.raises(StorageError, match=CAUSES[fault]) as caught:
        fetch(QUICK, every=fault, given=given)
    assert str(caught.value).startswith(f"locator {name!r}: {locators[name]}")
    assert SECRET not in str(caught.value)


def test_a_bucket_that_does_not_exist(fetch, locators, write):
    local = {"train": write("local.csv", "id,image\n1,1.png\n")}
    for given in ({"train": "s3://no-such-bucket/a.csv"}, local | {"train_objects": "s3://no-such-bucket/images"}):
        with pytest.raises(StorageError, match=r"locator 'train': s3://no-such-bucket/.*there is no such bucket"):
            fetch(given=given)


def test_keys_that_do_not_exist(fetch, locators, put, bucket):
    with pytest.raises(ObjectNotFoundError, match=r"'train': s3://.*/none\.csv does not exist; check the key"):
        fetch(given={"train": f"s3://{bucket}/tables/none.csv"})
    with pytest.raises(ObjectNotFoundError, match=r"'misc': s3://.*/none has no objects below it"):
        fetch(given={"train": locators["train"], "misc": f"s3://{bucket}/none"})
    put("tables/train.csv", "id,image\n1,deep/1.png\n2,deep/none.png\n")
    with pytest.raises(DataError, match=rf"id 2: there is no file s3://{bucket}/set/images/deep/none\.png"):
        fetch()


def test_an_object_that_is_in_the_place_of_a_folder(fetch, locators, put):
    put("set/misc/words.txt/inside", b"")
    with pytest.raises(DataError, match=r"'misc': s3://.*/set/misc/words\.txt.* has the name of a folder"):
        fetch()


def test_a_disk_that_takes_nothing_is_named(fetch, store):
    (store / "s3").mkdir(parents=True)
    (store / "s3/pool").write_bytes(b"in the way")
    with pytest.raises(StorageError, match=rf"'train': s3://.*/tables cannot be kept in {store}/s3: .*pool"):
        fetch()


def test_an_object_that_two_places_share_is_fetched_once(fetch, locators):
    _, contents = fetch(given={**locators, "misc": locators["train_objects"]})
    assert contents.count("set/images/deep/1.png") == 1
    assert contents.count("set/images/unused.png") == 1
    _, contents = fetch(given={**locators, "misc": locators["misc"].removesuffix("/misc")})
    assert {*contents} == {"set/misc/words.txt", "set/misc/more/empty"}


@pytest.mark.parametrize("sealed", [True, False])
def test_what_an_attempt_left_is_trusted_once_it_is_on_the_disk(fetch, store, sealed):
    """A power cut may take what is in a file that was written a moment before."""
    fetch()
    (torn,) = [path for path in (store / "s3/pool").rglob("*") if path.is_file() and path.read_bytes() == b"\4" * 4]
    torn.chmod(0o600)
    torn.write_bytes(b"\0" * 4)
    torn.chmod(0o400 if sealed else 0o600)
    for mark in (store / "s3/sets").glob("*/complete"):
        mark.unlink()
    data, contents = fetch()
    assert contents == ([] if sealed else ["set/images/deep/4.png"])
    if not sealed:
        check(data)


def test_an_interrupt_ends_it_and_the_next_call_goes_on(fetch, proxy, monkeypatch):
    monkeypatch.setattr(copies, "_WORKERS", 1)

    def interrupt():
        wait_until(lambda: len(proxy.seen) > 7, "some objects to be there")
        os.kill(os.getpid(), signal.SIGINT)

    proxy.begin()
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        fetch(timeout=0.5, faults={7: "hang"})
    before = contents_of(proxy)
    wait_until(lambda: not [one for one in threading.enumerate() if "transfer" in one.name], "threads to end")
    data, contents = fetch()
    check(data)
    assert not {*before[:-1]} & {*contents[1:]}
    assert len(contents) < len(IMAGES)


_PROGRAM = """
import sys
from rapidfire_lab.data import DataHandle, copies
copies._WORKERS = 1
locators = dict(item.split("=") for item in sys.argv[2:])
DataHandle(locators).download(sys.argv[1])
"""


def test_a_process_that_is_killed_half_way_loses_nothing(fetch, locators, store, proxy):
    proxy.begin({7: "hang"})
    given = [f"{name}={place}" for name, place in locators.items()]
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(store), *given], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(proxy.seen) > 7 or process.poll() is not None, "some objects to be there")
    finally:
        process.kill()
        process.wait()
    before = contents_of(proxy)
    assert 2 < len(before) < len(IMAGES)
    data, contents = fetch()
    check(data)
    assert {*before} & {*contents} == {before[-1]}, "what hung"


def test_two_at_once_fetch_it_once(fetch, locators, store, clients, proxy):
    proxy.begin()
    found = []

    def one():
        brought = Copies(store / "s3", client=clients[60], retry=ONCE)
        found.append(ingest(DataHandle(locators), store, brought))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    check(found[0])
    assert len(contents_of(proxy)) == len(IMAGES) + len(MISC) + 1


def test_a_server_of_ones_own(locators, store, proxy, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    handle = DataHandle(locators, endpoint_url=proxy.url)
    check(handle.download(store))
    assert handle.id != DataHandle(locators).id
    with pytest.raises(DataError, match="user or password in its URL") as caught:
        DataHandle(locators, endpoint_url="http://user:hush@127.0.0.1:1")
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://user:hush@127.0.0.1:1")
    with pytest.raises(StorageError, match="user or password in its URL") as caught:
        DataHandle(locators).download(store / "other")
    assert "hush" not in str(caught.value)
