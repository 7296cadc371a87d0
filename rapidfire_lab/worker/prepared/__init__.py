"""Prepared rows that slots, runs, epochs, calls of `run_fit` and engines share (docs/architecture.md, section 7.1).

`PreparedData` is the way in. A row is kept with every question that the spec has asked of its config so far, and the
answers: it is given to whichever run answers these the same.
"""

from rapidfire_lab.worker.prepared.data import PreparedData
from rapidfire_lab.worker.prepared.minibatches import MinibatchMemory
from rapidfire_lab.worker.prepared.rows import SharedRows
from rapidfire_lab.worker.prepared.store import PreparedStore

__all__ = ["MinibatchMemory", "PreparedData", "PreparedStore", "SharedRows"]
