from __future__ import annotations

import pyarrow as pa
import pytest

from rapidfire_lab.data import Partition
from rapidfire_lab.worker.prepared import PreparedStore
from tests.worker.prepared.runs import ROWS


@pytest.fixture
def store(tmp_path):
    return PreparedStore(tmp_path / "prepared", 10**9)


@pytest.fixture(scope="session")
def partition():
    texts = [f"Review {place} {'is good' * (place % 6)}" for place in range(ROWS)]
    return Partition(pa.table({"id": range(ROWS), "text": texts, "label": [place % 2 for place in range(ROWS)]}))
