from pathlib import Path

import pytest

from rapidfire_lab.data.locators import LOCATOR_NAMES, Remote, resolve_locators
from rapidfire_lab.errors import DataError

ESF = "id,x\n1,2\n"


@pytest.fixture
def train(write):
    return write("train.csv", ESF)


def refused(locators):
    with pytest.raises(DataError) as caught:
        resolve_locators(locators)
    return str(caught.value)


def test_paths_become_absolute_whatever_their_spelling(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    spellings = [
        train,
        str(train),
        "train.csv",
        "./sub/../train.csv",
        "~/train.csv",
        train.as_uri(),
        f"file://localhost{train}",
        f"FILE://{train}",
    ]
    assert {resolve_locators({"train": spelling})["train"] for spelling in spellings} == {train}


def test_a_relative_path_starts_from_the_folder_of_the_moment(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = resolve_locators({"train": "train.csv"})
    monkeypatch.chdir("/")
    assert resolved["train"] == train


def test_a_file_url_may_be_percent_encoded(write):
    path = write("my data #1.csv", ESF)
    assert "%20" in path.as_uri()
    assert resolve_locators({"train": path.as_uri()}) == {"train": path}


def test_symbolic_links_are_kept(train, tmp_path):
    link = tmp_path / "current.csv"
    link.symlink_to(train)
    assert resolve_locators({"train": link})["train"] == link


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.csv.gz", "a.parquet", "a.pq"])
def test_every_suffix_is_known(write, name):
    path = write(name, ESF)
    assert resolve_locators({"test": path}) == {"test": path}


def test_locators_come_in_a_fixed_order(train, tmp_path):
    values = {name: train if "_" not in name else tmp_path for name in LOCATOR_NAMES} | {"misc": tmp_path}
    assert tuple(resolve_locators(dict(reversed(values.items())))) == LOCATOR_NAMES


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("val", "validation"),
        ("valid", "validation"),
        ("training", "train"),
        ("Train", "train"),
        ("prediction", "predict"),
        ("train_object", "train_objects"),
        ("miscellaneous", "misc"),
    ],
)
def test_an_unknown_name_leads_to_the_right_one(train, name, suggestion):
    message = refused({"train": train, name: train})
    assert f"unknown locator {name!r}: did you mean {suggestion!r}?" in message


def test_an_unknown_name_that_is_like_none_gets_the_list(train):
    message = refused({"xyz": train})
    assert "did you mean" not in message
    assert all(name in message for name in LOCATOR_NAMES)


def test_names_that_are_no_text_are_unknown(train):
    assert "unknown locator 1" in refused({1: train})


@pytest.mark.parametrize(
    "value", ["s3://bucket/a/train.csv", "S3://bucket/a/train.csv", Path("s3://bucket/a/train.csv")]
)
def test_a_place_on_s3_is_kept_without_asking(value):
    places = resolve_locators({"train": value, "train_objects": "s3://bucket/images/", "misc": "s3://other"})
    assert places["train"] == Remote("bucket", "a/train.csv")
    assert {name: str(place) for name, place in places.items()} == {
        "train": "s3://bucket/a/train.csv",
        "train_objects": "s3://bucket/images",
        "misc": "s3://other/",
    }


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://bucket/train.tsv", "has none of the suffixes .csv"),
        ("s3://bucket", "has none of the suffixes .csv"),
        ("s3:///train.csv", "names no bucket"),
        ("s3://user:hush@bucket/train.csv", "has a user or password in it"),
        ("s3://bucket/../train.csv", "cannot be the name of an object"),
    ],
)
def test_what_is_no_place_on_s3(url, words):
    message = refused({"train": url})
    assert "locator 'train'" in message
    assert words in message
    assert "hush" not in message


def test_other_schemes_are_named(train):
    message = refused({"train": "gs://bucket/train.csv"})
    assert "'train'" in message
    assert "gs://" in message
    assert "file://" in message


def test_a_file_url_with_a_host_is_refused():
    assert "file:///" in refused({"train": "file://elsewhere/train.csv"})


def test_a_missing_file_is_named_with_its_locator_and_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refused({"train": "no.csv"})
    assert f"locator 'train': {tmp_path / 'no.csv'} does not exist" in message


def test_an_unknown_user_is_no_crash():
    assert "names no user" in refused({"train": "~no-such-user-here/train.csv"})


def test_a_wrong_suffix_gets_the_right_ones(write):
    message = refused({"train": write("train.tsv", ESF)})
    assert "train.tsv" in message
    assert ".csv" in message
    assert ".parquet" in message


def test_a_folder_is_no_example_structure_file(tmp_path):
    message = refused({"train": tmp_path})
    assert "'train'" in message
    assert "is a folder" in message


@pytest.mark.parametrize("name", ["train_objects", "misc"])
def test_a_file_is_no_folder(train, name):
    message = refused({"train": train, name: train})
    assert f"locator {name!r}: {train} is a file" in message


def test_objects_need_their_partition(train, tmp_path):
    message = refused({"train": train, "test_objects": tmp_path})
    assert "'test_objects'" in message
    assert "add 'test'" in message


@pytest.mark.parametrize("locators", [{}, {"misc": "/"}])
def test_one_partition_is_the_least(locators):
    message = refused(locators)
    assert "no partition" in message
    assert "train, validation, test, predict" in message


@pytest.mark.parametrize("locators", ["train.csv", ["train.csv"], None])
def test_locators_are_a_dictionary(locators):
    assert "{'train': 'train.csv'}" in refused(locators)


@pytest.mark.parametrize("value", [None, 3, "", b"train.csv"])
def test_values_are_paths(value):
    assert f"locator 'train' must be a path, a file:// or an s3:// URL, not {value!r}" in refused({"train": value})
