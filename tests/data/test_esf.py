import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from rapidfire_lab.data import read_esf
from rapidfire_lab.errors import DataError


@pytest.fixture
def csv(write):
    return lambda text: write("train.csv", text)


@pytest.fixture
def table(tmp_path):
    """Write a Parquet file from columns."""

    def write_table(**columns):
        path = tmp_path / "train.parquet"
        parquet.write_table(pa.table(columns), path)
        return path

    return write_table


def refused(path):
    with pytest.raises(DataError) as caught:
        read_esf(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


class TestCsv:
    def test_columns_keep_their_order_and_types(self, csv):
        frame = read_esf(csv("text,id,whole,real,flag\na,3,1,0.5,True\nb,-1,2,1,False\n"))
        assert list(frame.columns) == ["text", "id", "whole", "real", "flag"]
        assert frame["id"].tolist() == [3, -1]
        assert frame["id"].dtype == np.int64
        assert frame["whole"].dtype == np.int64
        assert frame["real"].dtype == np.float64
        assert frame["flag"].tolist() == [True, False]
        assert frame["text"].tolist() == ["a", "b"]

    def test_texts_that_mean_missing_elsewhere_stay_text(self, csv):
        words = ["NA", "null", "None", "nan", "NaN", "N/A", "n/a", "#N/A", "-", "NULL"]
        rows = "".join(f"{number},{word}\n" for number, word in enumerate(words))
        assert read_esf(csv(f"id,word\n{rows}"))["word"].tolist() == words

    def test_empty_cells(self, csv):
        frame = read_esf(csv('id,text,number,flag,last\n1,,,,1\n2,b,2,True,1\n3,"",3,False,1\n'))
        assert frame["text"].tolist() == ["", "b", ""]
        assert np.isnan(frame["number"][0])
        assert frame["number"].tolist()[1:] == [2, 3]
        assert frame["flag"].isna().tolist() == [True, False, False]

    def test_empty_cells_in_the_last_column(self, csv):
        assert read_esf(csv("id,text\n1,\n2,b\n"))["text"].tolist() == ["", "b"]

    def test_cells_may_hold_commas_quotes_and_lines(self, csv):
        frame = read_esf(csv('id,text\n1,"a, ""b""\nc"\n\n2,d\n'))
        assert frame["text"].tolist() == ['a, "b"\nc', "d"]

    def test_a_column_that_starts_with_numbers_is_still_text(self, csv):
        rows = "".join(f"{number},{number}\n" for number in range(300_000))
        frame = read_esf(csv(f"id,text\n{rows}-1,x\n"))
        assert frame["text"].tolist()[:2] == ["0", "1"]

    def test_gzip(self, write):
        path = write("train.csv.gz", gzip.compress(b"id,text\n1,a\n"))
        assert read_esf(path)["text"].tolist() == ["a"]

    def test_byte_order_mark_and_windows_lines(self, csv):
        frame = read_esf(csv(b"\xef\xbb\xbfid,text\r\n1,\xc3\xa9\r\n"))
        assert list(frame.columns) == ["id", "text"]
        assert frame["text"].tolist() == ["é"]

    def test_very_long_cells(self, csv):
        frame = read_esf(csv(f"id,long,last\n1,{'x' * 200_000},\n2,b,c\n"))
        assert len(frame["long"][0]) == 200_000

    @given(
        rows=st.lists(
            st.tuples(
                st.integers(-(2**63), 2**63 - 1),
                st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip),
            ),
            min_size=1,
            unique_by=lambda row: row[0],
        )
    )
    @settings(max_examples=50, deadline=None)
    def test_what_pandas_writes_is_read_back(self, tmp_path_factory, rows):
        path = tmp_path_factory.mktemp("esf") / "train.csv"
        written = pd.DataFrame(rows, columns=["id", "text"])
        # A letter in front, so that no column of digits becomes one of numbers.
        written["text"] = "t" + written["text"]
        written.to_csv(path, index=False)
        frame = read_esf(path)
        assert list(zip(frame["id"].tolist(), frame["text"].tolist(), strict=True)) == [
            (number, f"t{text}") for number, text in rows
        ]


class TestMalformedCsv:
    def test_a_file_without_a_byte(self, csv):
        assert "is empty; its first line must name the columns" in refused(csv(""))

    def test_a_header_without_rows(self, csv):
        assert "has no rows" in refused(csv("id,text\n"))

    def test_a_long_row_is_named_by_its_line(self, csv):
        message = refused(csv('id,text\n1,"a\nb"\n\n2,c,d\n'))
        assert "line 5 has 3 cells but the header has 2" in message
        assert "in quotes" in message

    def test_rows_that_are_all_too_long(self, csv):
        # pandas alone takes the ids for row labels here, and the texts for ids.
        assert "line 2 has 3 cells but the header has 2" in refused(csv("id,n\n0,1,2\n1,2,3\n"))

    def test_a_short_row_is_named_by_its_line(self, csv):
        message = refused(csv("id,text,label\n1,a,\n2,b,1\n3,c\n"))
        assert "line 4 has 2 cells but the header has 3" in message

    def test_a_short_row_in_a_compressed_file(self, write):
        path = write("train.csv.gz", gzip.compress(b"id,text\n1,a\n2\n"))
        assert "line 3 has 1 cells" in refused(path)

    def test_a_quote_that_never_ends(self, csv):
        message = refused(csv('id,text\n1,a\n2,"b\n3,c\n4,d\n'))
        assert "line 3 opens a quoted cell that never ends" in message

    def test_another_encoding_is_named_by_its_line(self, csv):
        message = refused(csv("id,text\n1,a\n2,é\n".encode("latin-1")))
        assert "line 3 is not UTF-8 text; save the file as UTF-8" in message

    def test_another_encoding_in_a_compressed_file(self, write):
        path = write("train.csv.gz", gzip.compress("id,text\n1,é\n".encode("latin-1")))
        assert "line 2 is not UTF-8" in refused(path)

    @pytest.mark.parametrize("content", [b"id,text\n1,a\n", gzip.compress(b"id,text\n1,a\n" * 9)[:-9]])
    def test_a_broken_gzip_file(self, write, content):
        assert "cannot be read" in refused(write("train.csv.gz", content))

    def test_a_file_that_is_gone(self, tmp_path):
        assert "cannot be read" in refused(tmp_path / "gone.csv")

    def test_repeated_column_names(self, csv):
        message = refused(csv("id,a,b,a\n1,2,3,4\n"))
        assert "several columns named 'a'; rename all but one" in message

    def test_the_limit_of_the_csv_module_is_left_as_it_was(self, csv):
        import csv as csv_module

        before = csv_module.field_size_limit()
        refused(csv("id,text\n1,a\n2\n"))
        assert csv_module.field_size_limit() == before


class TestIds:
    def test_the_column_must_be_there(self, csv):
        message = refused(csv("ID,text\n1,a\n"))
        assert "no column 'id', only 'ID', 'text'" in message
        assert "add one with a unique integer" in message

    @pytest.mark.parametrize(
        ("ids", "place", "value"),
        [
            (["1", "a", "b"], "line 3", "'a'"),
            (["1", "2", "3.5"], "line 4", "3.5"),
            (["1.0", "2.0"], "line 2", "1.0"),
            (["1", "9223372036854775808"], "line 3", "9223372036854775808"),
            (["True", "False"], "line 2", "True"),
            (["1", "1e3"], "line 2", "1.0"),
            (["", "2.5"], "line 2", "empty"),
            (["1", "", "2.5"], "line 3", "empty"),
            (["1", "x", ""], "line 3", "'x'"),
        ],
    )
    def test_the_first_that_is_no_integer_is_named(self, csv, ids, place, value):
        rows = "".join(f"{number},t\n" for number in ids)
        message = refused(csv(f"id,text\n{rows}"))
        assert f"the id in {place} is {value}" in message

    def test_integers_beyond_the_largest_types_are_named(self, csv):
        message = refused(csv("id\n1\n99999999999999999999\n"))
        assert "the id in line 3 is" in message
        assert "99999999999999999999" in message

    def test_the_remedy_is_named(self, csv):
        assert "write 3, not 3.0, '3' or a name" in refused(csv("id\n1.0\n"))
        assert "give every row its own integer" in refused(csv("id,text\n1,a\n,b\n"))

    def test_lines_are_counted_as_an_editor_does(self, csv):
        message = refused(csv('id,text\n1,"a\nb\nc"\n\n2.5,d\n'))
        assert "the id in line 6 is 2.5" in message

    def test_duplicates_are_named_with_their_lines(self, csv):
        message = refused(csv("id,text\n7,a\n8,b\n7,c\n9,d\n9,e\n7,f\n"))
        assert "7 in line 2 and line 4, 9 in line 5 and line 6; give every row its own integer" in message

    def test_only_the_first_duplicates_are_named(self, csv):
        rows = "".join(f"{number // 2},t\n" for number in range(20))
        message = refused(csv(f"id,text\n{rows}"))
        assert "2 in line 6 and line 7, ...;" in message
        assert "3 in" not in message

    def test_the_whole_range_of_64_bits(self, csv):
        frame = read_esf(csv(f"id\n{-(2**63)}\n{2**63 - 1}\n"))
        assert frame["id"].tolist() == [-(2**63), 2**63 - 1]


class TestParquet:
    def test_nested_values_stay(self, table):
        boxes = [[{"x": 1, "tags": ["a"]}], []]
        path = table(id=[1, 2], boxes=boxes, size=[{"w": 1, "h": None}, None], vector=[[0.5, 1.5], [2.5]])
        frame = read_esf(path)
        assert frame["boxes"].tolist() == boxes
        assert frame["size"][0] == {"w": 1, "h": None}
        assert frame["vector"].tolist() == [[0.5, 1.5], [2.5]]

    @pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.uint16(), pa.uint64()])
    def test_any_integer_becomes_int64(self, table, kind):
        frame = read_esf(table(id=pa.array([1, 2], kind)))
        assert frame["id"].dtype == np.int64
        assert frame["id"].tolist() == [1, 2]

    def test_missing_values(self, table):
        frame = read_esf(table(id=[1, 2], text=[None, ""], number=[None, 2], flag=[None, True]))
        assert frame["text"].isna().tolist() == [True, False]
        assert np.isnan(frame["number"][0])
        assert frame["flag"].isna().tolist() == [True, False]

    def test_categories_are_their_text(self, tmp_path):
        path = tmp_path / "train.pq"
        pd.DataFrame({"id": [1, 2], "kind": pd.Categorical(["a", "b"])}).to_parquet(path)
        assert read_esf(path)["kind"].tolist() == ["a", "b"]

    def test_an_index_named_id_is_the_id(self, tmp_path):
        path = tmp_path / "train.parquet"
        pd.DataFrame({"text": ["a", "b"]}, index=pd.Index([5, 6], name="id")).to_parquet(path)
        assert read_esf(path)["id"].tolist() == [5, 6]

    def test_row_labels_of_a_filtered_frame_are_no_column(self, tmp_path):
        path = tmp_path / "train.parquet"
        frame = pd.DataFrame({"id": range(4)})
        frame[frame["id"] % 3 == 1].to_parquet(path)
        assert list(read_esf(path).columns) == ["id"]

    def test_a_folder_with_an_equals_sign_adds_no_column(self, tmp_path):
        folder = tmp_path / "split=train"
        folder.mkdir()
        parquet.write_table(pa.table({"id": [1]}), folder / "data.parquet")
        assert list(read_esf(folder / "data.parquet").columns) == ["id"]

    def test_ids_are_checked_by_row(self, table):
        assert "the id in row 2 is empty" in refused(table(id=[1, None]))
        assert "the id in row 1 is '1'" in refused(table(id=["1", "2"]))
        assert "the id in row 1 is 1.0" in refused(table(id=[1.0, 2.0]))
        assert "the id in row 2 is 18446744073709551615" in refused(table(id=pa.array([1, 2**64 - 1], pa.uint64())))
        assert "the id in row 1 is [1]" in refused(table(id=[[1], [2]]))
        assert "the id in row 1 is empty" in refused(table(id=[None, None]))
        assert "4 in row 1 and row 3" in refused(table(id=[4, 5, 4]))

    def test_a_table_without_rows_or_id(self, table):
        assert "has no rows" in refused(table(id=pa.array([], pa.int64())))
        assert "no column 'id', only 'x'" in refused(table(x=[1]))

    def test_a_file_that_is_none(self, write):
        assert "not a readable Parquet file" in refused(write("train.parquet", b"id,text\n1,a\n"))

    def test_repeated_column_names(self, tmp_path):
        path = tmp_path / "train.parquet"
        parquet.write_table(pa.table([[1], [2], [3]], names=["id", "a", "a"]), path)
        assert "several columns named 'a'" in refused(path)
