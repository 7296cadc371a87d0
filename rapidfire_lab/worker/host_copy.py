"""What a run has on its device, in the host's memory meanwhile."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import torch

from rapidfire_lab.worker.storages import bytes_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK = 64 << 20
_SMALLEST = 512


class HostCopy:
    """Contents of storages of a device, which have no memory there until ``bring_back``.

    Storages are emptied and filled again, never exchanged. So every tensor, view and tie stays what it is, whoever
    refers to it. Copies are made in the order of the device's current stream, from and to memory that is pinned where
    that can be had, and nobody waits for them. Nothing that uses these storages may run meanwhile.
    """

    def __init__(self, storages: Sequence[torch.UntypedStorage], blocks: list[torch.Tensor]) -> None:
        self._storages = [(storage, storage.nbytes()) for storage in storages]
        self._blocks = blocks
        for there, here in self._pieces():
            here.copy_(there, non_blocking=here.is_pinned())
        self._empty()

    @classmethod
    def of(cls, storages: Sequence[torch.UntypedStorage]) -> HostCopy | None:
        """Move storages to the host; None, with all as it was, where they cannot be moved or the host has no room."""
        if not all(storage.resizable() for storage in storages) or _graphs_are_captured():
            return None
        pin = any(storage.device.type == "cuda" for storage in storages)
        try:
            blocks = [_block(size, pin=pin) for size in _block_sizes(bytes_in(storages))]
        except RuntimeError:
            return None
        return cls(storages, blocks)

    def bring_back(self) -> None:
        """Give the storages their memory and contents back; this copy is of no use any more.

        Raises
        ------
        torch.OutOfMemoryError
            When the device has no room. It can be tried again.
        """
        try:
            for storage, size in self._storages:
                storage.resize_(size)
        except RuntimeError:
            self._empty()
            raise
        for there, here in self._pieces():
            there.copy_(here, non_blocking=here.is_pinned())
        self._blocks = []

    def _empty(self) -> None:
        for storage, _ in self._storages:
            storage.resize_(0)

    def _pieces(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Bytes on the device, and those of the host that hold them; the same each time."""
        blocks = iter(self._blocks)
        here = next(blocks, torch.empty(0))
        for storage, _ in self._storages:
            there = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
            while len(there):
                here = here if len(here) else next(blocks)
                size = min(len(there), len(here))
                yield there[:size], here[:size]
                there, here = there[size:], here[size:]


def host_bytes_for(size: int) -> int:
    """Bytes of the host's memory that so many bytes of a device take."""
    return sum(_block_sizes(size))


def _block_sizes(size: int) -> list[int]:
    """Sizes of blocks, all powers of two: torch would round up what it pins, and keeps it for the next of that size."""
    whole, rest = divmod(size, _BLOCK)
    return [_BLOCK] * whole + ([max(_SMALLEST, 1 << (rest - 1).bit_length())] if rest else [])


def _block(size: int, *, pin: bool) -> torch.Tensor:
    if pin:
        try:
            return torch.empty(size, dtype=torch.uint8, pin_memory=True)
        except RuntimeError:
            # The system pins no more; memory that is not pinned is slower, and no worse.
            pass
    return torch.empty(size, dtype=torch.uint8)


def _graphs_are_captured() -> bool:
    """Whether there are CUDA graphs: they have the addresses of what they use, which must not move."""
    return any(issubclass(type(thing), torch.cuda.CUDAGraph) for thing in gc.get_objects())
