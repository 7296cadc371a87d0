import pickle
import re

import numpy as np
import pytest

from rapidfire_lab.data import DataHandle, IngestedData, Partition, handle
from rapidfire_lab.errors import DataError


@pytest.fixture
def locators(write, tmp_path):
    write("train/1.png", b"")
    return {
        "train": write("train.csv", "id,image,label\n1,1.png,0\n"),
        "train_objects": tmp_path / "train",
        "validation": write("validation.csv", "id,image,label\n1,1.png,0\n"),
        "misc": tmp_path,
    }


def refused(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        DataHandle(*args, **kwargs)
    return str(caught.value)


def test_what_was_given_can_be_read_back(locators, tmp_path):
    data = DataHandle(locators, ["image"], 0.5, 7)
    assert data.partitions == ("train", "validation")
    assert data.locators["train"] == str(tmp_path / "train.csv")
    assert data.esf_of("train") == tmp_path / "train.csv"
    assert data.objects_of("train") == tmp_path / "train"
    assert data.objects_of("validation") is None
    assert data.misc == tmp_path
    assert data.download_columns == ("image",)
    assert (data.fraction, data.seed) == (0.5, 7)


def test_a_handle_shows_its_id(locators):
    data = DataHandle(locators)
    assert repr(data) == (f"DataHandle(id='{data.id}', partitions=('train', 'validation'), fraction=1.0, seed=42)")


def test_the_id_is_short_and_the_same_for_the_same_arguments(locators):
    ids = {
        DataHandle(locators).id,
        DataHandle(dict(reversed(locators.items()))).id,
        DataHandle({name: str(path) for name, path in locators.items()}, None, 1, np.int64(42)).id,
        DataHandle({name: path.as_uri() for name, path in locators.items()}, fraction=np.float64(1)).id,
    }
    assert len(ids) == 1
    assert re.fullmatch(r"dh-[0-9a-f]{10}", ids.pop())


def test_the_id_of_given_arguments_never_changes(monkeypatch, locators):
    # Users compare runs by it, across versions: a change here is a change for them.
    monkeypatch.setattr(handle, "resolve_locators", lambda given: given)
    assert DataHandle({"train": "/data/train.csv"}).id == "dh-fa391dbfed"
    assert DataHandle({"train": "/a.csv", "train_objects": "/o"}, ["b", "a"], 0.5, 1).id == "dh-f0df80e1ec"


def test_the_id_tells_arguments_apart(locators):
    only_train = {"train": locators["train"], "train_objects": locators["train_objects"]}
    handles = [
        DataHandle(locators),
        DataHandle(only_train),
        DataHandle(locators, []),
        DataHandle(locators, ["image"]),
        DataHandle(locators, fraction=0.5),
        DataHandle(locators, seed=1),
    ]
    assert len({data.id for data in handles}) == len(handles)


def test_the_order_of_download_columns_does_not_matter(locators):
    assert DataHandle(locators, ["a", "b"]).id == DataHandle(locators, ["b", "a", "b"]).id


def test_constructing_reads_nothing(write):
    DataHandle({"train": write("train.csv", b"\xff\x00 no table at all")})


def test_a_handle_cannot_be_changed_by_what_it_shows(locators):
    data = DataHandle(locators)
    before = data.id
    data.locators["train"] = "/elsewhere.csv"
    locators.clear()
    assert data.id == before


def test_a_handle_can_be_pickled(locators):
    data = DataHandle(locators, ["image"])
    assert pickle.loads(pickle.dumps(data)).id == data.id


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, 10, float("nan"), float("inf"), "half", None])
def test_a_fraction_is_a_share(locators, fraction):
    message = refused(locators, fraction=fraction)
    assert f"fraction must be above 0 and at most 1, not {fraction!r}" in message
    assert "write 0.1" in message


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1", None])
def test_a_seed_is_a_natural_number(locators, seed):
    assert f"seed must be an integer from 0 to 2**63 - 1, not {seed!r}" in refused(locators, seed=seed)


@pytest.mark.parametrize("columns", ["image", b"image", 3])
def test_download_columns_are_a_list(locators, columns):
    assert f"must be a list of column names: write [{columns!r}]" in refused(locators, columns)


def test_download_columns_are_names(locators):
    assert "not 3" in refused(locators, ["image", 3])


def test_download_columns_need_a_folder(locators):
    message = refused({"validation": locators["validation"]}, ["image"])
    assert "['image']" in message
    assert "'validation_objects'" in message


def test_download_prepares_the_data(locators, tmp_path):
    data = DataHandle(locators)
    ingested = data.download(tmp_path / "store")
    assert isinstance(ingested, IngestedData)
    assert ingested.handle_id == data.id
    train = ingested.partitions["train"]
    assert train.path.startswith(str(tmp_path / "store"))
    assert Partition.open(train.path).row(0)["image"] == str(tmp_path / "train/1.png")


def test_download_goes_to_the_engine_home_by_default(locators, tmp_path, monkeypatch):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path / "home"))
    ingested = DataHandle(locators).download()
    assert ingested.partitions["train"].path.startswith(str(tmp_path / "home/data/"))
