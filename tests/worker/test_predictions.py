"""Predictions in files: every output as it was, and no more in memory than a stretch of it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from pyarrow import parquet

from rapidfire_lab.errors import SpecError
from rapidfire_lab.worker import predictions
from rapidfire_lab.worker.predictions import write_csv, write_parquet, write_part


def go_on():
    """Nobody minds."""


def outputs(rows, **values):
    return list(range(rows)), values


VALUES = {
    "float": (torch.tensor([0.1, float("nan")]), [np.float32(0.1).item(), None]),
    "double": (torch.tensor([0.1, 1e300], dtype=torch.float64), [0.1, 1e300]),
    "half": (torch.tensor([0.5, 2.0], dtype=torch.bfloat16), [0.5, 2.0]),
    "int": (torch.tensor([3, -4]), [3, -4]),
    "bool": (torch.tensor([True, False]), [True, False]),
    "matrix": (torch.arange(12).reshape(2, 3, 2), [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]),
    "empty": (torch.zeros(2, 0), [[], []]),
    "array": (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
    "texts": (["ä, b", 'c "d"'], ["ä, b", 'c "d"']),
    "broken texts": (["a\rb", "c\nd\r\n"], ["a\rb", "c\nd\r\n"]),
    "ragged": ([torch.tensor([1, 2]), [3]], [[1, 2], [3]]),
    "nested": ([{"box": (1, 2)}, {"box": (3, 4)}], [{"box": [1, 2]}, {"box": [3, 4]}]),
    "grad": (torch.ones(2, requires_grad=True), [1.0, 1.0]),
    "strided": (torch.arange(4.0).reshape(2, 2).T, [[0.0, 2.0], [1.0, 3.0]]),
}


def test_lists_with_numbers_that_are_none_are_json_and_come_back(tmp_path):
    numbers = torch.tensor([[0.5, float("nan")], [float("inf"), -float("inf")], [1.0, 2.0]])
    mixed = [{"NaN": value, "text": "Infinity, ä"} for value in (float("nan"), 2.0, -float("inf"))]
    write_part(tmp_path / "part", [outputs(3, numbers=numbers, mixed=mixed)])
    write_csv([tmp_path / "part"], tmp_path / "all.csv", go_on)
    frame = pd.read_csv(tmp_path / "all.csv")
    assert frame["numbers"].tolist() == ["[0.5, null]", "[1e999, -1e999]", "[1.0, 2.0]"]
    back = np.array([json.loads(cell, parse_constant=pytest.fail) for cell in frame["numbers"]], dtype=np.float32)
    np.testing.assert_array_equal(back, numbers.numpy())
    back = [json.loads(cell, parse_constant=pytest.fail) for cell in frame["mixed"]]
    assert back == [{"NaN": value, "text": "Infinity, ä"} for value in (None, 2.0, -float("inf"))]


@pytest.mark.parametrize("kind", VALUES)
def test_every_kind_of_output_comes_back(tmp_path, kind):
    value, expected = VALUES[kind]
    write_part(tmp_path / "part", [outputs(2, value=value)])
    write_parquet([tmp_path / "part"], tmp_path / "all.parquet", go_on)
    columns = parquet.read_table(tmp_path / "all.parquet").to_pydict()
    if kind == "float":
        assert np.isnan(columns["value"].pop())
        expected = expected[:1]
    assert columns == {"id": [0, 1], "value": expected}
    write_csv([tmp_path / "part"], tmp_path / "all.csv", go_on)
    frame = pd.read_csv(tmp_path / "all.csv")
    listed = isinstance(expected[0], list | dict)
    assert frame["value"].map(json.loads if listed else lambda item: item).tolist()[: len(expected)] == expected


def test_rows_stay_in_order_over_minibatches_and_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "_BYTES_AT_ONCE", 50)
    monkeypatch.setattr(predictions, "_ROWS_AT_ONCE", 3)
    parts = [tmp_path / f"part-{number}" for number in range(3)]
    for number, part in enumerate(parts):
        ids = [[100 * number + 10 * batch + place for place in range(4)] for batch in range(3)]
        write_part(part, [(some, {"value": torch.tensor(some)}) for some in ids])
    write_csv(parts, tmp_path / "all.csv", go_on)
    frame = pd.read_csv(tmp_path / "all.csv")
    assert frame["id"].tolist() == sorted(frame["id"]) == frame["value"].tolist()
    assert len(frame) == 36


def test_two_that_write_the_same_file_leave_each_other_in_peace(tmp_path):
    write_part(tmp_path / "part", [outputs(2, value=torch.tensor([1, 2]))])
    with subprocess.Popen(["sleep", "600"]) as living:
        (tmp_path / f".all.csv.{living.pid}.tmp").touch()
        write_csv([tmp_path / "part"], tmp_path / "all.csv", go_on)
        assert (tmp_path / f".all.csv.{living.pid}.tmp").exists()
        living.kill()
    write_csv([tmp_path / "part"], tmp_path / "all.csv", go_on)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv", "part"]


def test_types_that_agree_in_part_are_brought_together(tmp_path):
    write_part(tmp_path / "one", [outputs(1, value=[[]]), outputs(1, value=[[1]])])
    write_part(tmp_path / "two", [outputs(1, value=[[2.5]])])
    write_parquet([tmp_path / "one", tmp_path / "two"], tmp_path / "all.parquet", go_on)
    assert parquet.read_table(tmp_path / "all.parquet")["value"].to_pylist() == [[], [1.0], [2.5]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"logits": torch.ones(3)}, "'logits' .* each of the 2 rows .* it has 3 values"),
        ({"loss": torch.ones(())}, "'loss' .* each of the 2 rows .* it has Tensor"),
        ({"loss": 0.5}, "'loss' .* it has float"),
        ({"word": "ab"}, "'word' .* each of the 2 rows"),
        ({"things": [object(), object()]}, "'things' .* cannot be written"),
        ({"wave": torch.ones(2, dtype=torch.complex64)}, "'wave' .* cannot be written"),
        ({"id": [1, 2]}, "an output 'id', which is the name of the examples' own"),
    ],
)
def test_an_output_that_cannot_be_written_is_named(tmp_path, values, message):
    with pytest.raises(SpecError, match=message):
        write_part(tmp_path / "part", [outputs(2, **values)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ({"a": [1]}, {"b": [1]}, "the same outputs for all minibatches"),
        ({"a": [1]}, {"a": ["x"]}, "values of different types"),
    ],
)
def test_minibatches_that_do_not_go_together_are_told(tmp_path, one, two, message):
    with pytest.raises(SpecError, match=message):
        write_part(tmp_path / "part", [outputs(1, **one), outputs(1, **two)])
    write_part(tmp_path / "one", [outputs(1, **one)])
    write_part(tmp_path / "two", [outputs(1, **two)])
    with pytest.raises(SpecError, match=message):
        write_csv([tmp_path / "one", tmp_path / "two"], tmp_path / "all.csv", go_on)


def test_one_that_is_not_to_go_on_leaves_the_former_file_as_it_was(tmp_path):
    write_part(tmp_path / "part", [outputs(2, value=[1, 2])])
    target = tmp_path / "all.csv"
    target.write_text("former")
    (tmp_path / ".all.csv.123.tmp").write_text("of one who was killed")

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_csv([tmp_path / "part"], target, stop)
    assert target.read_text() == "former"
    assert {path.name for path in tmp_path.iterdir()} == {"part", "all.csv"}


GROWTH = """
import resource, sys
from pathlib import Path
import torch
from rapidfire_lab.worker.predictions import write_csv, write_parquet, write_part

folder, rows = Path(sys.argv[1]), int(sys.argv[2])
parts = []
for first in range(0, rows, 2_000):
    ids = range(first, first + 2_000)
    parts.append(folder / f"part-{first}")
    write_part(parts[-1], ((list(ids[i:i + 50]), {"logits": torch.rand(50, 40)}) for i in range(0, 2_000, 50)))
write_csv(parts, folder / "all.csv", lambda: None)
write_parquet(parts, folder / "all.parquet", lambda: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    """100,000 rows of 40 numbers are 16 MB as such, 130 MB as Python's numbers, and 80 MB as CSV."""

    def peak(rows):
        folder = tmp_path / str(rows)
        folder.mkdir()
        command = [sys.executable, "-c", GROWTH, str(folder), str(rows)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1_024

    assert peak(100_000) - peak(4_000) < 40
