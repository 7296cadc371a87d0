"""Checkpoint files: weights as safetensors, the rest of a run state as tensors and plain data.

Files appear whole or not at all (temporary name, fsync, rename, fsync of the folder) and are read without unpickling.
Where they lie is told by ``rapidfire_lab.engine.layout``.

The state's file ends with a seal: the checksum of the weights that it goes with, that of all before, and a mark. One
file thus vouches for both, and nothing more has to be written. Files without a seal, of earlier versions, are read as
well as they can be. The weights stay a plain safetensors file, and torch.load reads over the seal.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from typing import IO, TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rapidfire_lab.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ALIASES = "aliases"
_MARK = b"RFLBSEAL"
_DIGEST = 32
_SEAL = 2 * _DIGEST + len(_MARK)
_BLOCK = 1 << 20
_NO_DAMAGE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM)
"""Errors of reading that say nothing of the file. torch.load gives EINVAL for some that are cut off."""


class DamagedCheckpointError(Exception):
    """A checkpoint that cannot be gone on from: its files are missing, cut off, or not what was written."""


class UnsavedError(Exception):
    """The disk does not take a file of the run."""

    def __init__(self, path: Path, error: OSError) -> None:
        # The file may well be smaller than what is free: the name of the folder is what a user can act on.
        try:
            room = f"{shutil.disk_usage(path.parent).free / 1e9:.2f} GB are free there"
        except OSError as unknown:
            room = f"what is free there cannot be told: {unknown.strerror}"
        reason = error.strerror or str(error)
        super().__init__(
            f"{path} could not be written ({reason}; {room}). Make room on that disk, or mend it, and resume the run: "
            "it goes on from its last commit."
        )


def save_weights(path: Path, tensors: Mapping[str, torch.Tensor], *, sync_folder: bool = True) -> None:
    """Write tensors by name; tied ones (one storage under several names) once, with their other names as metadata.

    Without ``sync_folder`` the file's name is for the caller to sync.
    """
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
    try:
        metadata = {_ALIASES: json.dumps(aliases)}
        write_atomically(path, lambda temporary: save_file(unique, temporary, metadata), sync_folder=sync_folder)
    except SafetensorError as error:
        raise _of_the_disk(error) from error


def _of_the_disk(error: SafetensorError) -> Exception:
    """What the disk said, where safetensors passes it on as text alone."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else error


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors by name, tied ones under each of their names, onto the CPU."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        aliases: dict[str, str] = json.loads((file.metadata() or {}).get(_ALIASES, "{}"))
    return tensors | {name: tensors[kept] for name, kept in aliases.items()}


class _Sink:
    """What torch.save writes to: a file and a checksum.

    An error of the disk is kept for later: torch loses it, and its writer does not like to be interrupted.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._error: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        self._digest.update(data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Do nothing: the file is synced in the end."""

    def seal(self, weights: bytes) -> None:
        self.write(weights)
        self.write(self._digest.digest())
        self.write(_MARK)
        if self._error is not None:
            raise self._error


def save_state(path: Path, state: Mapping[str, Any], weights: bytes = bytes(_DIGEST)) -> None:
    """Write plain data and tensors, sealed together with the weights of this checksum."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            sink = _Sink(file)
            torch.save(dict(state), sink)  # type: ignore[arg-type]  # it needs no more than write and flush
            sink.seal(weights)

    write_atomically(path, write)


def load_state(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


# Both together


def save_checkpoint(weights: Path, state: Path, tensors: Mapping[str, torch.Tensor], rest: Mapping[str, Any]) -> None:
    """Write both files, or none.

    Raises
    ------
    UnsavedError
        When the disk does not take them.
    """
    try:
        save_weights(weights, tensors, sync_folder=False)
        save_state(state, rest, _checksum(weights))  # this has both names synced: they lie in one folder
    except BaseException as error:
        for path in (weights, state):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UnsavedError(weights, error) from error
        raise


def load_checkpoint(weights: Path, state: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read both files, once they are known to be what was written.

    Raises
    ------
    DamagedCheckpointError
        When they are not.
    """
    sealed = _check(weights, state)
    try:
        return load_weights(weights), load_state(state)
    except MemoryError:
        raise
    except Exception as error:
        # What is sealed is as it was written, so that this is no damage. Without a seal it most likely is one.
        if sealed or (isinstance(error, OSError) and error.errno in _NO_DAMAGE):
            raise
        message = f"{weights} or {state} cannot be read ({type(error).__name__}: {error})"
        raise DamagedCheckpointError(message) from error


def _check(weights: Path, state: Path) -> bool:
    """Whether the files are sealed; those that are and do not fit their seal are refused."""
    try:
        with state.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _SEAL))
            seal = file.read()
            sealed = len(seal) == _SEAL and seal.endswith(_MARK)
            if sealed and _checksum(state, size - _SEAL + _DIGEST) != seal[_DIGEST : -len(_MARK)]:
                message = f"{state} is not what was written (its checksum is another)"
                raise DamagedCheckpointError(message)
        if not weights.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(weights))
        if sealed and any(seal[:_DIGEST]) and _checksum(weights) != seal[:_DIGEST]:
            message = f"{weights} is not what was written (its checksum is another)"
            raise DamagedCheckpointError(message)
    except OSError as error:
        if error.errno in _NO_DAMAGE:
            raise
        message = f"{error.filename or state} cannot be read ({error.strerror})"
        raise DamagedCheckpointError(message) from error
    return sealed


def _checksum(path: Path, length: int | None = None) -> bytes:
    """Of a file, or of its beginning. What was just written is still in memory, and is not read from the disk."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    left = path.stat().st_size if length is None else length
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.digest()
