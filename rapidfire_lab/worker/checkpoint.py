"""Checkpoint files: weights as safetensors, the rest of a run state as tensors and plain data.

Files appear whole or not at all (temporary name, fsync, rename, fsync of the folder) and are read without unpickling.
Where they lie is told by ``rapidfire_lab.engine.layout``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rapidfire_lab.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ALIASES = "aliases"


def save_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors by name; tied ones (one storage under several names) once, with their other names as metadata."""
    kept: dict[tuple[Any, ...], str] = {}
    unique: dict[str, torch.Tensor] = {}
    aliases: dict[str, str] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        identity = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if identity in kept and tensor.numel():
            aliases[name] = kept[identity]
            continue
        kept[identity] = name
        storage = tensor.untyped_storage().data_ptr()
        # safetensors refuses views of one storage and strided tensors; both are written as copies.
        shared = storage in storages and tensor.numel()
        storages.add(storage)
        unique[name] = tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.contiguous()
    write_atomically(path, lambda temporary: save_file(unique, temporary, {_ALIASES: json.dumps(aliases)}))


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors by name, tied ones under each of their names, onto the CPU."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        aliases: dict[str, str] = json.loads((file.metadata() or {}).get(_ALIASES, "{}"))
    return tensors | {name: tensors[kept] for name, kept in aliases.items()}


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    write_atomically(path, lambda temporary: torch.save(dict(state), temporary))


def load_state(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
