"""The prepared rows of one call of `run_fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from rapidfire_lab.worker.prepared.minibatches import SharedMinibatches
from rapidfire_lab.worker.prepared.rows import SharedRows
from rapidfire_lab.worker.prepared.surroundings import ObjectFiles, misc_listing, versions

if TYPE_CHECKING:
    from rapidfire_lab.data import IngestedData, Partition
    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks
    from rapidfire_lab.worker.prepared.minibatches import MinibatchMemory
    from rapidfire_lab.worker.prepared.store import PreparedStore


@dataclass(frozen=True)
class PreparedData:
    """Where what is prepared of data for a spec is kept."""

    store: PreparedStore
    spec_hash: str
    data: IngestedData
    minibatches: MinibatchMemory | None = None
    """Where minibatches are kept, if what is prepared comes up again."""

    def rows(self, hooks: Hooks, partition: Partition, mode: Mode, seed: int) -> SharedRows | None:
        """The shared rows of a partition for one run; None where the spec, or what it reads, does not allow it."""
        misc = misc_listing(self.data.misc)
        if misc is None or not hooks.spec.share_prepared_rows:
            return None
        base: list[Any] = [
            versions(),
            self.spec_hash,
            [self.data.fingerprint, mode, len(partition)],
            [self.data.misc, misc],
            # The constructor and initialize_run may have drawn what row_prep uses.
            seed if hooks.drew_at_start else None,
            torch.cuda.is_available(),
        ]
        files = ObjectFiles(partition, self.data.partitions[mode].object_columns)
        minibatches = SharedMinibatches(self.minibatches, hooks, mode) if self.minibatches else None
        return SharedRows(self.store, base, hooks, partition, mode, files, minibatches)
