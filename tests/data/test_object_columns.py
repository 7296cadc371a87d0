import time

import pandas as pd
import pyarrow as pa
import pytest

from rapidfire_lab.data import objects
from rapidfire_lab.data.objects import LocalFolder, relative_paths
from rapidfire_lab.errors import DataError


@pytest.fixture
def folder(write, tmp_path):
    for name in ("a.png", "b.png", "deep/er/c.png", "masks/a.png"):
        write(f"objects/{name}", b"")
    return tmp_path / "objects"


def frame(**columns):
    rows = max(map(len, columns.values()))
    return pd.DataFrame({"id": range(10, 10 + rows), **columns})


def choose_object_columns(table, folder, wanted):
    return objects.choose_object_columns(table, LocalFolder(folder), wanted)


def absolute_paths(table, name, folder):
    paths = relative_paths(table, name, LocalFolder(folder))
    return objects.absolute_paths(table[name], paths, str(folder))


def refused(action, *args):
    with pytest.raises(DataError) as caught:
        action(*args)
    return str(caught.value)


class TestChoosing:
    def test_text_columns_with_files_are_found(self, folder):
        table = frame(image=["a.png", "b.png"], caption=["a", "b"], label=[0, 1], mask=["masks/a.png", "masks/x.png"])
        assert choose_object_columns(table, folder, None) == ["image", "mask"]

    def test_one_file_among_the_first_hundred_values_is_enough(self, folder):
        values = [f"no-{number}.png" for number in range(99)]
        assert choose_object_columns(frame(image=[*values, "a.png"]), folder, None) == ["image"]
        assert "no column" in refused(choose_object_columns, frame(image=[*values, "no", "a.png"]), folder, None)

    def test_empty_values_are_not_counted(self, folder):
        table = frame(image=["", None] * 100 + ["a.png"])
        assert choose_object_columns(table, folder, None) == ["image"]

    def test_folders_and_outside_files_do_not_count(self, folder, write):
        outside = write("outside.png", b"")
        table = frame(kind=["deep", "."], path=["../outside.png", str(outside)], image=["a.png", "b.png"])
        assert choose_object_columns(table, folder, None) == ["image"]

    def test_any_text_may_stand_in_another_column(self, folder):
        texts = ["x" * 5000, "nul \0 byte", "a/" * 3000, "~", "*", "é" * 200]
        table = frame(caption=texts * 20, image=["a.png"] * 120)
        assert choose_object_columns(table, folder, None) == ["image"]

    def test_nothing_found_names_the_folder_and_what_was_tried(self, folder):
        message = refused(choose_object_columns, frame(caption=["a dog"], image=["img/a.png"]), folder, None)
        assert str(folder) in message
        assert "'a dog' (column 'caption'), 'img/a.png' (column 'image')" in message
        assert "Make the paths start from that folder" in message

    def test_nothing_found_without_any_text(self, folder):
        message = refused(choose_object_columns, frame(label=[1]), folder, None)
        assert "no column holds text" in message

    def test_wanted_columns_are_taken_as_they_are(self, folder):
        table = frame(image=["a.png"], mask=["gone.png"], label=[1])
        assert choose_object_columns(table, folder, ["mask", "elsewhere"]) == ["mask"]
        assert choose_object_columns(table, folder, []) == []

    def test_a_wanted_column_must_hold_text(self, folder):
        message = refused(choose_object_columns, frame(label=[7]), folder, ["label"])
        assert "column 'label' holds 7" in message
        assert "take it out of download_columns" in message

    def test_nested_columns_hold_no_paths(self, folder):
        nested = pd.Series([["a.png"]], dtype=pd.ArrowDtype(pa.list_(pa.string())))
        assert choose_object_columns(frame(list=nested, image=["a.png"]), folder, None) == ["image"]
        assert "holds ['a.png'] and no paths" in refused(choose_object_columns, frame(list=nested), folder, ["list"])

    def test_a_wanted_column_may_be_empty(self, folder):
        assert choose_object_columns(frame(image=[None]), folder, ["image"]) == ["image"]


class TestPaths:
    def test_values_become_absolute(self, folder):
        table = frame(image=["a.png", "./deep/er/c.png", "deep/../b.png", "a.png"])
        assert absolute_paths(table, "image", folder).tolist() == [
            str(folder / name) for name in ("a.png", "deep/er/c.png", "b.png", "a.png")
        ]

    def test_missing_values_stay(self, folder):
        paths = absolute_paths(frame(image=["a.png", "", None]), "image", folder)
        assert paths.tolist()[:2] == [str(folder / "a.png"), ""]
        assert paths.isna().tolist() == [False, False, True]

    def test_missing_files_are_named_and_counted(self, folder):
        table = frame(image=["a.png", "x.png", "deep/y.png", "b.png", "x.png"])
        message = refused(absolute_paths, table, "image", folder)
        assert f"column 'image', id 11: there is no file {folder / 'x.png'}" in message
        assert "the files of 3 of 5 rows are missing" in message
        assert "download_columns" in message

    def test_a_folder_is_no_file(self, folder):
        assert "there is no file" in refused(absolute_paths, frame(image=["deep"]), "image", folder)

    @pytest.mark.parametrize("path", ["../outside.png", "deep/../../outside.png", "/etc/passwd", "..", "//x"])
    def test_paths_that_leave_the_folder_are_refused(self, folder, write, path):
        write("outside.png", b"")
        message = refused(absolute_paths, frame(image=["a.png", path]), "image", folder)
        assert f"column 'image', id 11: {path!r} leaves the objects folder {folder}" in message
        assert "write a path that starts in it" in message

    def test_links_may_lead_elsewhere(self, folder, write):
        write("elsewhere/d.png", b"")
        (folder / "linked").symlink_to(folder.parent / "elsewhere")
        table = frame(image=["linked/d.png"])
        assert absolute_paths(table, "image", folder).tolist() == [str(folder / "linked/d.png")]

    @pytest.mark.parametrize("threshold", [1, 10**9])
    def test_listing_and_asking_agree(self, folder, monkeypatch, threshold):
        monkeypatch.setattr(objects, "_LISTING_PAYS", threshold)
        (folder / "link.png").symlink_to(folder / "a.png")
        (folder / "broken.png").symlink_to(folder / "gone.png")
        good = ["a.png", "b.png", "deep/er/c.png", "masks/a.png", "link.png"]
        bad = ["deep", "broken.png", "a.png/x", "gone/a.png", "nul\0", "masks/b.png", "nul\0/x"]
        assert LocalFolder(folder).existing([*good, *bad]) == set(good)

    def test_a_hundred_thousand_files_take_seconds(self, tmp_path):
        names = [f"{number % 100}/{number}.png" for number in range(100_000)]
        for parent in range(100):
            (tmp_path / str(parent)).mkdir()
        for name in names:
            (tmp_path / name).touch()
        table = frame(image=names)
        start = time.perf_counter()
        absolute_paths(table, "image", tmp_path)
        assert time.perf_counter() - start < 5
