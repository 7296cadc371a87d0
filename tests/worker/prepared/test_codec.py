"""Rows come back from bytes as the very same objects, or are refused."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import default_collate

from rapidfire_lab.worker.prepared.codec import Layout, NotStorableError, encode
from rapidfire_lab.worker.prepared.segment import StampedRow
from rapidfire_lab.worker.prepared.shelf import Facts, Shelf
from tests.worker.prepared.sameness import assert_same

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)
Point = namedtuple("Point", "x y")  # noqa: PYI024 - as users write them


def there_and_back(row, *, may_alias=True):
    encoded = encode(row, may_alias=may_alias)
    buffer = bytearray(48) + encoded.data
    return Layout(encoded.layout).decode(buffer, 48, len(encoded.data))


def tensor(shape, dtype=torch.float32):
    values = torch.arange(int(np.prod(shape))) * 3 - 5
    return values.to(dtype).reshape(shape)


def read_only(array):
    array.flags.writeable = False
    return array


ROWS = [
    {"x": tensor((3, 4)), "label": 5},
    {"x": tensor((4, 5, 3), torch.uint8).permute(2, 0, 1), "crop": tensor((6, 6))[1:4, ::2]},
    {"none": tensor((0, 3)), "one": tensor((5, 1, 1)).permute(1, 0, 2), "scalar": torch.tensor(2.5)},
    (tensor((2,)), 2.5, True, None, "text", b"bytes", [1, "two", {"three": 3.0}]),
    [tensor((2,)), (tensor((1,)), {"deep": [tensor((2, 2))]})],
    {"ids": [101, 7, 102], "label": -1, 3: "an integer as key"},
    {"array": np.arange(6.0).reshape(2, 3), "turned": np.arange(6).reshape(2, 3).T, "number": np.float32(0.1)},
    {"read": read_only(np.arange(3)), "empty": np.zeros((0, 2)), "yes": np.bool_(True)},  # noqa: FBT003 - a numpy scalar
    {"nan": float("nan"), "inf": [float("-inf"), -0.0], "big": 2**62},
    tensor((2, 3)),
    7,
    "text",
    [],
    {},
    ({}, [], ()),
]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_row_comes_back_as_it_was(row):
    assert_same(there_and_back(row), row)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back(dtype):
    assert_same(there_and_back({"x": tensor((2, 5), dtype)}), {"x": tensor((2, 5), dtype)})


def test_what_comes_back_can_be_changed_without_changing_what_is_kept():
    encoded = encode({"x": tensor((4,)), "a": np.arange(3), "l": [1, 2]}, may_alias=False)
    buffer, before = bytearray(encoded.data), bytes(encoded.data)
    row = Layout(encoded.layout).decode(buffer, 0, len(buffer))
    row["x"].zero_()
    row["a"][:] = 9
    row["l"].append(3)
    assert bytes(buffer) == before


@pytest.mark.parametrize(
    "row",
    [
        object(),
        {"x": torch.nn.Parameter(torch.ones(2))},
        {"x": torch.ones(2, requires_grad=True)},
        {"x": torch.ones(1).expand(4)},
        {"x": torch.ones(2, device="meta")},
        {"x": torch.ones(2).to_sparse()},
        {"x": torch.ones(2, dtype=torch.complex64).conj()},
        {"x": 2**64},
        {"x": [2**70]},
        {"x": np.array(["text"])},
        {"x": np.arange(3)[::-1]},
        {"x": np.arange(3, dtype=">i4")},
        {"x": "\udcff"},
        {(1, 2): 3},
        OrderedDict(x=1),
        Point(1, 2),
    ],
    ids=lambda row: repr(row)[:40],
)
def test_what_would_not_come_back_exactly_is_refused(row):
    with pytest.raises(NotStorableError):
        encode(row, may_alias=True)


def test_a_tensor_with_an_attribute_is_refused():
    marked = torch.ones(2)
    marked.note = "mine"
    with pytest.raises(NotStorableError):
        encode([marked], may_alias=True)


def test_parts_that_share_memory_are_refused_where_somebody_could_notice():
    whole, listed, array = tensor((6,)), [1, 2], np.arange(4)
    shared = [(whole[:-1], whole[1:]), (whole, whole), {"a": listed, "b": listed}, (array, torch.from_numpy(array))]
    for row in shared:
        assert_same(there_and_back(row), row)
        with pytest.raises(NotStorableError):
            encode(row, may_alias=False)
    assert_same(there_and_back((whole[:3], whole[3:]), may_alias=False), (whole[:3], whole[3:]))


def test_equal_encodings_mean_equal_rows():
    assert encode({"x": 1}, may_alias=False) != encode({"x": 1.0}, may_alias=False)
    assert encode({"x": [1]}, may_alias=False) != encode({"x": (1,)}, may_alias=False)
    assert encode(tensor((2, 3)), may_alias=False) != encode(tensor((3, 2)), may_alias=False)
    assert encode([0.0], may_alias=False) != encode([-0.0], may_alias=False)


# Stacking


def shelf_with(folder, rows):
    shelf = Shelf.create(folder / "base" / "shelf", Facts({}), len(rows))
    for start in range(0, len(rows), 3):
        places = range(start, min(start + 3, len(rows)))
        shelf.add([StampedRow(place, 0, encode(rows[place], may_alias=True)) for place in places])
    shelf.refresh()
    assert shelf.has(np.arange(len(rows)), np.zeros(len(rows), np.uint64)).all()
    return shelf


SIZES = st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple)


@given(st.data())
def test_stacked_rows_are_those_of_default_collate(tmp_path_factory, data):
    leaf = st.one_of(
        st.tuples(SIZES, st.sampled_from(DTYPES)).map(lambda chosen: lambda i: tensor(*chosen) + i),
        st.sampled_from([lambda i: i, lambda i: i / 3, lambda i: i % 2 == 0]),
    )
    leaves = data.draw(st.lists(leaf, min_size=1, max_size=3))
    make = data.draw(
        st.sampled_from(
            [
                lambda i: {f"k{place}": leaf(i) for place, leaf in enumerate(leaves)},
                lambda i: tuple(leaf(i) for leaf in leaves),
                lambda i: [leaf(i) for leaf in leaves],
            ]
        )
    )
    rows = [make(i) for i in range(8)]
    shelf = shelf_with(tmp_path_factory.mktemp("shelf"), rows)
    chosen = data.draw(st.permutations(range(8)).map(lambda order: order[:5]))
    stacked = shelf.stack(np.array(chosen))
    expected = default_collate([rows[place] for place in chosen])
    if any(type(part) in (int, float, bool) for row in rows for part in (row.values() if type(row) is dict else row)):
        # A row of numbers alone is plain data, which is not stacked.
        assert stacked is None or assert_same(stacked, expected) is None
    else:
        assert_same(stacked, expected)


@pytest.mark.parametrize("size", [10, 5_000])
def test_long_rows_are_stacked_as_well(tmp_path, size):
    rows = [{"x": tensor((2, size)) + i, "label": i} for i in range(7)]
    stacked = shelf_with(tmp_path, rows).stack(np.array([6, 0, 3]))
    assert_same(stacked, default_collate([rows[6], rows[0], rows[3]]))


@pytest.mark.parametrize(
    "make",
    [
        lambda i: {"x": tensor((2 + i,))},
        lambda i: {"x": tensor((4, 5, 3)).permute(2, 0, 1)},
        lambda i: {"x": tensor((0,))},
        lambda i: {"x": {"y": tensor((2,))}},
        lambda i: {"x": tensor((2,)), "text": "abc"},
        lambda i: {"x": np.arange(3)},
        lambda i: i,
    ],
    ids=["ragged", "permuted", "empty", "nested", "text", "array", "number"],
)
def test_other_rows_are_left_to_default_collate(tmp_path, make):
    rows = [make(i) for i in range(4)]
    shelf = shelf_with(tmp_path, rows)
    assert shelf.stack(np.arange(4)) is None
    for found, row in zip(shelf.rows(np.arange(len(rows))), rows, strict=True):
        assert_same(found, row)
