import json
import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from rapidfire_lab.data import (
    DataHandle,
    IngestedData,
    Partition,
    PartitionInfo,
    default_store,
    ingest,
    source,
    store,
)
from rapidfire_lab.errors import DataError


@pytest.fixture
def train(write):
    rows = "".join(f"{number},text {number},{number % 3}\n" for number in range(1000))
    return write("train.csv", f"id,text,label\n{rows}")


@pytest.fixture
def images(write, tmp_path):
    """A partition with an object column."""
    for name in ("1.png", "2.png"):
        write(f"images/{name}", b"")
    esf = write("images.csv", "id,image,mask\n1,1.png,m1.png\n2,2.png,m2.png\n")
    return {"train": esf, "train_objects": tmp_path / "images"}


def rows(data, partition="train"):
    return parquet.read_table(data.partitions[partition].path, partitioning=None).to_pylist()


def ids(data, partition="train"):
    return [row["id"] for row in rows(data, partition)]


def refused(prepare, locators, **arguments):
    with pytest.raises(DataError) as caught:
        prepare(locators, **arguments)
    return str(caught.value)


def test_every_partition_is_prepared(prepare, write, train, tmp_path, store):
    table = pa.table({"id": [5, 4], "tokens": [[1, 2], []], "info": [{"a": 1}, None]})
    parquet.write_table(table, tmp_path / "predict.parquet")
    locators = {"predict": tmp_path / "predict.parquet", "train": train, "misc": tmp_path}
    data = prepare(locators)
    assert data.handle_id == DataHandle(locators).id
    assert data.misc == str(tmp_path)
    assert list(data.partitions) == ["train", "predict"]
    assert data.partitions["train"] == PartitionInfo(str(store / data.fingerprint / "train.parquet"), 1000, [])
    assert rows(data)[7] == {"id": 7, "text": "text 7", "label": 1}
    assert rows(data, "predict") == table.to_pylist()


def test_csv_and_parquet_give_the_same_rows(prepare, write, tmp_path):
    frame = pd.DataFrame({"id": [3, 1], "text": ["NA", "é"], "real": [0.1, 2.5], "flag": [True, False]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    read = [rows(prepare({"train": tmp_path / name})) for name in ("a.csv", "a.csv.gz", "a.parquet")]
    assert read[0] == read[1] == read[2] == frame.to_dict("records")


def test_missing_values_come_through(prepare, write):
    data = prepare({"train": write("a.csv", "id,text,number,flag,none\n1,,,,\n2,b,2,True,\n")})
    assert rows(data)[0] == {"id": 1, "text": "", "number": None, "flag": None, "none": None}
    row = Partition.open(data.partitions["train"].path).row(0)
    assert row["text"] == ""
    assert np.isnan(row["number"])
    assert row["flag"] is None


def test_the_record_survives_json(prepare, images):
    data = prepare(images)
    assert IngestedData.from_json(json.loads(json.dumps(data.to_json()))) == data


class TestObjects:
    def test_object_columns_become_absolute_paths(self, prepare, images, tmp_path):
        data = prepare(images)
        assert data.partitions["train"].object_columns == ["image"]
        assert rows(data)[0] == {"id": 1, "image": str(tmp_path / "images/1.png"), "mask": "m1.png"}

    def test_without_a_folder_text_stays(self, prepare, images):
        data = prepare({"train": images["train"]})
        assert data.partitions["train"].object_columns == []
        assert rows(data)[0]["image"] == "1.png"

    def test_download_columns_choose(self, prepare, images, write):
        for name in ("m1.png", "m2.png"):
            write(f"images/{name}", b"")
        assert prepare(images).partitions["train"].object_columns == ["image", "mask"]
        data = prepare(images, download_columns=["mask"])
        assert data.partitions["train"].object_columns == ["mask"]
        assert rows(data)[0]["image"] == "1.png"
        assert prepare(images, download_columns=[]).partitions["train"].object_columns == []

    def test_unknown_download_columns_get_the_known_ones(self, prepare, images):
        message = refused(prepare, images, download_columns=["image", "picture"])
        assert "download_columns names 'picture'" in message
        assert "known columns: image, mask" in message

    def test_a_download_column_may_lack_in_one_partition(self, prepare, images, write):
        test = {"test": write("test.csv", "id,image\n1,1.png\n"), "test_objects": images["train_objects"]}
        write("images/m1.png", b"")
        write("images/m2.png", b"")
        data = prepare(images | test, download_columns=["mask"])
        assert data.partitions["train"].object_columns == ["mask"]
        assert data.partitions["test"].object_columns == []

    def test_errors_name_the_locator(self, prepare, images, tmp_path):
        message = refused(prepare, images, download_columns=["mask"])
        assert message.startswith("locator 'train': column 'mask', id 1: there is no file")

    def test_files_that_arrive_later_are_seen(self, prepare, images, write):
        first = prepare(images)
        for name in ("m1.png", "m2.png"):
            write(f"images/{name}", b"")
        second = prepare(images)
        assert second.partitions["train"].object_columns == ["image", "mask"]
        assert second.fingerprint != first.fingerprint

    def test_files_that_vanish_are_seen(self, prepare, images, tmp_path):
        prepare(images)
        (tmp_path / "images/2.png").unlink()
        assert "id 2: there is no file" in refused(prepare, images)

    def test_only_the_files_of_chosen_rows_must_exist(self, prepare, write, tmp_path):
        table = "".join(f"{number},{number}.png\n" for number in range(20))
        locators = {"train": write("a.csv", f"id,image\n{table}"), "train_objects": tmp_path / "o"}
        chosen = ids(prepare({"train": locators["train"]}, fraction=0.2))
        for number in chosen:
            write(f"o/{number}.png", b"")
        assert ids(prepare(locators, fraction=0.2)) == chosen


class TestErrors:
    @pytest.mark.parametrize("name", ["validation.csv", "validation.parquet"])
    def test_an_empty_partition_is_named(self, prepare, train, tmp_path, name):
        empty = pd.DataFrame({"id": np.array([], dtype=np.int64)})
        path = tmp_path / name
        if name.endswith("csv"):
            empty.to_csv(path, index=False)
        else:
            empty.to_parquet(path)
        message = refused(prepare, {"train": train, "validation": path})
        assert message.startswith(f"locator 'validation': {path} has no rows")

    def test_a_bad_file_is_named_with_its_locator_and_line(self, prepare, write):
        path = write("a.csv", "id\n1\n1\n")
        message = refused(prepare, {"test": path})
        assert message.startswith(f"locator 'test': {path}: ids must be unique")
        assert "line 2 and line 3" in message

    def test_a_file_that_went_away(self, store, train):
        handle = DataHandle({"train": train})
        train.unlink()
        with pytest.raises(DataError, match=r"locator 'train': .*train.csv cannot be read"):
            ingest(handle, store)

    def test_numbers_that_parquet_cannot_hold(self, tmp_path):
        frame = pd.DataFrame({"id": [1], "n": [10**30]})
        with pytest.raises(DataError, match="make its values text"):
            store.write_parquet(frame, tmp_path / "a.parquet")


class TestFraction:
    def test_the_share_is_kept_in_file_order(self, prepare, train):
        chosen = ids(prepare({"train": train}, fraction=0.1))
        assert len(chosen) == 100
        assert chosen == sorted(chosen)
        assert chosen != list(range(100))

    def test_the_same_seed_gives_the_same_rows(self, prepare, train):
        first, again, other = (ids(prepare({"train": train}, fraction=0.1, seed=seed)) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_partitions_choose_on_their_own(self, prepare, train):
        data = prepare({"train": train, "validation": train}, fraction=0.1)
        assert ids(data, "train") != ids(data, "validation")
        assert ids(data, "train") == ids(prepare({"train": train}, fraction=0.1))

    def test_one_row_is_the_least(self, prepare, train):
        assert len(ids(prepare({"train": train}, fraction=1e-9))) == 1

    def test_all_of_it_is_all_of_it(self, prepare, train):
        assert ids(prepare({"train": train}, seed=7)) == list(range(1000))

    @given(
        n=st.integers(1, 200),
        fractions=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)).map(sorted),
        seed=st.integers(0, 2**63 - 1),
    )
    def test_a_larger_share_includes_the_smaller(self, n, fractions, seed):
        frame = pd.DataFrame({"id": range(n)})
        small, large = (source.sample(frame, fraction, seed, "train") for fraction in fractions)
        assert set(small["id"]) <= set(large["id"])
        assert 1 <= len(small) == max(1, round(n * fractions[0]))
        assert large.index.tolist() == list(range(len(large)))


class TestStore:
    def test_the_same_content_is_written_once(self, prepare, train, monkeypatch):
        first = prepare({"train": train})
        monkeypatch.setattr(source, "write_parquet", lambda *_: pytest.fail("written again"))
        monkeypatch.setattr(source, "read_esf", lambda *_: pytest.fail("read again"))
        assert prepare({"train": train}) == first

    def test_new_content_is_written_anew(self, prepare, train):
        first = prepare({"train": train})
        train.write_text(train.read_text() + "1000,x,1\n")
        second = prepare({"train": train})
        assert second.fingerprint != first.fingerprint
        assert len(ids(first)) == 1000
        assert len(ids(second)) == 1001

    def test_the_fingerprint_stands_for_all_that_matters(self, prepare, images, train, write, tmp_path):
        write("other/1.png", b"")
        write("other/2.png", b"")
        prepared = [
            prepare(images),
            prepare(images | {"train_objects": tmp_path / "other"}),
            prepare({"train": images["train"]}),
            prepare({"test": images["train"]}),
            prepare(images, download_columns=["image"]),
            prepare(images, download_columns=[]),
            prepare(images, fraction=0.5),
            prepare(images, seed=1),
        ]
        assert len({data.fingerprint for data in prepared}) == len(prepared)

    def test_a_copy_elsewhere_is_the_same_content(self, prepare, write, train, tmp_path):
        copy = write("copy/renamed.csv", train.read_bytes())
        first, second = prepare({"train": train}), prepare({"train": copy, "misc": tmp_path})
        assert first.fingerprint == second.fingerprint
        assert first.handle_id != second.handle_id

    def test_nobody_else_may_read_it(self, prepare, train, store):
        umask = os.umask(0)
        try:
            path = Path(prepare({"train": train}).partitions["train"].path)
        finally:
            os.umask(umask)
        modes = [stat.S_IMODE(place.stat().st_mode) for place in (store, path.parent, path)]
        assert modes == [0o700, 0o700, 0o600]

    def test_a_failed_write_leaves_nothing(self, prepare, train, store, monkeypatch):
        def fail(*_args):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="No space left"):
                prepare({"train": train})
        assert [path for path in store.rglob("*") if path.is_file()] == []
        assert len(ids(prepare({"train": train}))) == 1000

    def test_a_relative_store_gives_absolute_paths(self, train, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        data = ingest(DataHandle({"train": train}), Path("relative"))
        assert data.partitions["train"].path.startswith(str(tmp_path / "relative"))

    def test_the_default_is_in_the_engine_home(self, monkeypatch, tmp_path):
        monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path))
        assert default_store() == tmp_path / "data"
        monkeypatch.delenv("RAPIDFIRE_LAB_HOME")
        monkeypatch.setenv("JUPYTER_DATA_DIR", "/jupyter")
        assert default_store() == Path("/jupyter/rapidfire_lab/data")
