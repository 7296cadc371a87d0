from __future__ import annotations

import pytest

from rapidfire_lab.worker.prepared import PreparedStore


@pytest.fixture
def store(tmp_path):
    return PreparedStore(tmp_path / "prepared", 10**9)
