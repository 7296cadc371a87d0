import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from rapidfire_lab.data import Partition
from rapidfire_lab.errors import DataError


def partition(**columns):
    return Partition(pa.table(columns))


MIXED = {
    "text": ["a", "", None],
    "id": [7, -1, 2**63 - 1],
    "real": [0.5, None, 2.0],
    "single": pa.array([0.1, 0.2, 0.3], pa.float32()),
    "flag": [True, False, True],
    "maybe": [True, None, False],
    "gaps": [1, None, 3],
    "small": pa.array([1, 2, 3], pa.int8()),
    "list": [[1, 2], [], None],
    "dict": [{"a": 1, "b": ["x"]}, {"a": None, "b": []}, None],
    "bytes": [b"\0", b"", None],
    "day": [dt.date(2024, 2, 29), None, None],
}


def test_a_row_has_the_values_of_its_columns():
    row = partition(**MIXED).row(0)
    assert isinstance(row, pd.Series)
    assert list(row.index) == list(MIXED)
    assert row.name == 0
    assert row["text"] == "a"
    assert (row["id"], type(row["id"])) == (7, int)
    assert (row["real"], type(row["real"])) == (0.5, float)
    assert row["single"] == float(np.float32(0.1))
    assert row["flag"] is True
    assert row["maybe"] is True
    assert (row["gaps"], row["small"]) == (1, 1)
    assert row["list"] == [1, 2]
    assert row["dict"] == {"a": 1, "b": ["x"]}
    assert row["bytes"] == b"\0"
    assert row["day"] == dt.date(2024, 2, 29)


def test_missing_values():
    row = partition(**MIXED).row(1)
    assert np.isnan(row["real"])
    assert [row[name] for name in ("maybe", "gaps", "day")] == [None] * 3
    assert partition(**MIXED).row(2)["text"] is None


def test_integers_stay_integers_beside_floats():
    row = partition(id=[1], x=[0.5], label=[3]).row(0)
    assert [type(value) for value in row] == [int, float, int]
    assert row.drop("label")["id"] == 1


def test_one_dtype_everywhere_is_the_dtype_of_the_row():
    row = partition(id=[1, 2], a=[3, 4], b=[5, 6]).row(1)
    assert row.dtype == np.int64
    assert row.tolist() == [2, 4, 6]
    assert row[["a", "b"]].to_numpy().dtype == np.int64


def test_lists_of_the_same_length_stay_apart():
    row = partition(id=[1], a=[[1, 2, 3]], b=[[4, 5, 6]]).row(0)
    assert row["a"] == [1, 2, 3]
    assert row["b"] == [4, 5, 6]


@pytest.mark.parametrize("columns", [{"a": [3, 4]}, {"a": ["x", "y"]}, {"a": [[1], [2]]}])
def test_a_row_belongs_to_its_caller(columns):
    rows = partition(id=[1, 2], **columns)
    row = rows.row(0)
    before = row["a"]
    row["a"] = 9
    row["new"] = 1
    assert rows.row(0)["a"] == before
    assert list(rows.row(0).index) == ["id", "a"]


def test_length_ids_and_columns():
    rows = partition(**MIXED)
    assert len(rows) == 3
    assert rows.ids.dtype == np.int64
    assert rows.ids.tolist() == [7, -1, 2**63 - 1]
    assert rows.columns == tuple(MIXED)


def test_positions_may_be_numpy_or_torch_integers():
    torch = pytest.importorskip("torch")
    rows = partition(id=[5, 6])
    for position in (1, np.int64(1), torch.tensor(1)):
        row = rows.row(position)
        assert row["id"] == 6
        assert type(row.name) is int


@pytest.mark.parametrize("position", [-1, 2, 10**12])
def test_positions_outside_are_refused(position):
    with pytest.raises(IndexError, match=f"row {position} of a partition of 2 rows"):
        partition(id=[5, 6]).row(position)


def test_positions_are_integers():
    with pytest.raises(TypeError):
        partition(id=[5, 6]).row(1.0)


def test_rows_survive_pickling():
    row = partition(**MIXED).row(0)
    pd.testing.assert_series_equal(pickle.loads(pickle.dumps(row)), row)


def test_open_reads_many_row_groups(tmp_path):
    path = tmp_path / "split=train" / "train.parquet"
    path.parent.mkdir()
    numbers = list(range(1000))
    parquet.write_table(pa.table({"id": numbers, "text": list(map(str, numbers))}), path, row_group_size=7)
    rows = Partition.open(path)
    assert len(rows) == 1000
    assert all(rows.row(number).tolist() == [number, str(number)] for number in (0, 6, 7, 500, 999))


def test_open_names_a_file_that_is_gone_or_damaged(tmp_path):
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1")
    for path in (damaged, tmp_path / "gone.parquet"):
        with pytest.raises(DataError, match="call download") as caught:
            Partition.open(path)
        assert str(path) in str(caught.value)


scalars = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.floats(allow_nan=False), min_size=3, max_size=3),
    st.lists(st.text(), min_size=3, max_size=3),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3),
    st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=3, max_size=3),
)


@given(st.lists(scalars, max_size=6))
def test_any_mix_of_columns_gives_back_its_values(columns):
    table = pa.table({"id": [1, 2, 3], **{f"c{number}": values for number, values in enumerate(columns)}})
    rows = Partition(table)
    assert [rows.row(position).to_dict() for position in range(3)] == table.to_pylist()
