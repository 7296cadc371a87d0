"""The memory that tensors really take: storages, each once however many tensors share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def storages_on(device: torch.device, *values: Any) -> list[torch.UntypedStorage]:
    """Storages of all tensors in nested containers that lie on such a device, in the order in which they are met.

    Left out are tensors without a storage of their own: sparse ones, and parameters that have no shape yet.
    """
    found: dict[int, torch.UntypedStorage] = {}
    for tensor in _tensors(values):
        if tensor.device.type == device.type and tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            if storage.nbytes():
                found.setdefault(storage.data_ptr(), storage)
    return list(found.values())


def bytes_in(storages: Iterable[torch.UntypedStorage]) -> int:
    return sum(storage.nbytes() for storage in storages)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield from _own_tensors(value)
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _own_tensors(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensor, or those that it is made of, as quantised ones are."""
    parts = getattr(tensor, "__tensor_flatten__", None)
    if parts is not None:
        yield from _tensors([getattr(tensor, name) for name in parts()[0]])
    elif not is_lazy(tensor):
        yield tensor
