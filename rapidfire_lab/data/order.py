"""The order of rows and the seeds of rows, as the training contract fixes them.

Whoever changes a result of these functions changes the weights of every run: it is a new major version.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def epoch_order(n: int, seed: int, epoch: int) -> torch.Tensor:
    """Positions of the `n` training rows in the order in which `epoch` (from 0) takes them."""
    import torch

    return torch.randperm(n, generator=torch.Generator().manual_seed(seed + epoch))


def minibatches(order: torch.Tensor, batch_size: int) -> tuple[torch.Tensor, ...]:
    """Cut an order into minibatches; the last may be short."""
    return tuple(order[start : start + batch_size] for start in range(0, len(order), batch_size))


def minibatch_count(n: int, batch_size: int) -> int:
    """Count the minibatches of one epoch without making its order."""
    return -(-n // batch_size)


def row_seed(seed: int, mode: str, epoch: int, example_id: int) -> int:
    """Seed of the random numbers that `row_prep` sees for one example.

    It is the BLAKE2b digest of 4 bytes, read as a big-endian integer, of the ASCII text
    ``seed/mode/epoch/example_id`` with `epoch` counted from 0. So it depends neither on the process that
    prepares the row nor on the row's neighbours.
    """
    text = f"{seed}/{mode}/{epoch}/{example_id}"
    return int.from_bytes(hashlib.blake2b(text.encode("ascii"), digest_size=4).digest(), "big")
