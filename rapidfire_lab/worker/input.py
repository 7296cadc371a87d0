"""Minibatches of a partition, prepared under random numbers of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import default_collate

from rapidfire_lab.data.order import row_seed
from rapidfire_lab.errors import SpecError
from rapidfire_lab.worker.hooks import attributes
from rapidfire_lab.worker.rng import RngState, seed_everything

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rapidfire_lab.data import Partition
    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks
    from rapidfire_lab.worker.prepared import SharedRows


class MinibatchInput:
    """Prepares the minibatches of one partition for one run.

    Each row is prepared under generators seeded from (seed, mode, epoch, example id), and the collation under those
    of the minibatch's first row, so that the result depends on nothing else and training's own generators are left
    as they were. Seeding for every row is slow, so rows are first prepared without: when no generator was drawn from,
    the result is the same. The first minibatch that does draw is done again, and seeding stays on from there.

    Rows that do not draw are taken from ``shared``, where there is such a thing, and so are whole minibatches. What may
    be prepared in a forked process has ``one_thread``: these cannot use more, and a sum over threads is another sum.
    """

    def __init__(
        self,
        hooks: Hooks,
        partition: Partition,
        mode: Mode,
        seed: int,
        *,
        cuda: bool = False,
        shared: SharedRows | None = None,
        one_thread: bool = False,
    ) -> None:
        self._hooks = hooks
        self._partition = partition
        self._mode = mode
        self._seed = seed
        self._cuda = cuda
        self._shared = shared
        self._one_thread = one_thread
        self._draws = False

    def __len__(self) -> int:
        return len(self._partition)

    @property
    def attributes(self) -> dict[str, int]:
        """Which objects the spec has as attributes now."""
        return attributes(self._hooks.spec)

    def forget_gpu(self) -> None:
        """Look no more at the generator of the GPU, to which a process that was forked has no access."""
        self._cuda = False

    def minibatch(self, epoch: int, positions: Sequence[int]) -> Any:
        """Prepare the rows at ``positions`` for the 0-based ``epoch``; tensors are on the CPU."""
        with one_thread() if self._one_thread else contextlib.nullcontext():
            return self._minibatch(epoch, positions)

    def _minibatch(self, epoch: int, positions: Sequence[int]) -> Any:
        if self._shared:
            taken = self._shared.minibatch(positions)
            if taken is not None:
                return taken
        before = RngState.capture(cuda=self._cuda)
        if not self._draws:
            try:
                shared = self._rows_without_draws(positions)
                minibatch = self._collate(shared or self._rows(positions))
            except Exception:
                # What random numbers led to may not happen with the row's own.
                if before.unchanged():
                    raise
            else:
                if before.unchanged():
                    if self._shared and shared and self._hooks.has("collate_fn"):
                        self._shared.collated(positions, minibatch)
                    return minibatch
            self._draws = True
        try:
            return self._prepare_seeded(epoch, positions)
        finally:
            before.restore()

    def _prepare_seeded(self, epoch: int, positions: Sequence[int]) -> Any:
        rows = self._rows_without_draws(positions) or self._seeded_rows(epoch, positions)
        self._seed_for(epoch, positions[0])
        return self._collate(rows)

    def _seeded_rows(self, epoch: int, positions: Sequence[int]) -> list[Any]:
        rows = []
        for position in positions:
            self._seed_for(epoch, position)
            rows.append(self._row(position))
        return rows

    def _rows_without_draws(self, positions: Sequence[int]) -> list[Any] | None:
        return self._shared.get(positions) if self._shared else None

    def _rows(self, positions: Sequence[int]) -> list[Any]:
        return [self._row(position) for position in positions]

    def _seed_for(self, epoch: int, position: int) -> None:
        example = int(self._partition.ids[position])
        seed_everything(row_seed(self._seed, self._mode, epoch, example))

    def _row(self, position: int) -> Any:
        return self._hooks.row_prep(self._partition.row(position), self._mode)

    def _collate(self, rows: list[Any]) -> Any:
        if self._hooks.has("collate_fn"):
            return self._hooks.collate_fn(rows, self._mode)
        try:
            return default_collate(rows)
        except (TypeError, RuntimeError, KeyError) as error:
            message = (
                f"The rows that row_prep returned cannot be collated ({error}). Return tensors of the same shape "
                "for every row, or write a collate_fn."
            )
            raise SpecError(message) from error


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have torch's operations use a single thread."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


def to_device(value: Any, device: torch.device) -> Any:
    """Move every tensor in nested mappings, lists and tuples to the device."""
    if isinstance(value, torch.Tensor):
        return _tensor_to_device(value, device)
    if hasattr(value, "to"):
        return value.to(device)
    if isinstance(value, Mapping):
        moved = {key: to_device(item, device) for key, item in value.items()}
        return moved if type(value) is dict else type(value)(moved)  # type: ignore[call-arg]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(item, device) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(to_device(item, device) for item in value)
    return value


def _tensor_to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Move a tensor; to a GPU from pinned memory, so that the copy runs beside what is done next."""
    if device.type == "cuda" and tensor.device.type == "cpu" and tensor.layout is torch.strided:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
