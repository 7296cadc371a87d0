"""Checkpoints from wherever a model tag leads to: found or fetched, and read without running any code.

This module imports no torch by itself: a notebook looks for a file with it.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import DataError, ObjectNotFoundError
from rapidfire_lab.files import home_folder, write_private
from rapidfire_lab.storage import digest_of, fingerprint, open_store, path_of, url_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_WEIGHTS = ".safetensors"
_INSIDE = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints of training scripts have the weights."""


def load_model(model_tag: str | Path, *, allow_pickle: bool = False) -> Any:
    """Load a checkpoint onto the CPU.

    Parameters
    ----------
    model_tag
        Path, or ``file://``, ``s3://`` or ``gs://`` address, of a ``.safetensors`` file, of a ``.pt`` file (also
        ``.pth``, ``.bin``, ``.ckpt``) or of the ``.json`` file beside a checkpoint of ours. What is fetched is kept in
        the folder ``models`` of the engine home, and fetched again when it has changed.
    allow_pickle
        Load a ``.pt`` file that holds more than tensors and plain data, such as a whole model. Doing so runs code that
        is in the file: only for files that you trust as you trust your own code.

    Returns
    -------
    A dictionary of tensors, or whatever the ``.pt`` file holds.

    Raises
    ------
    StorageError
        When it cannot be found or fetched.
    DataError
        When it cannot be read.
    """
    return read_model(find_model(model_tag), allow_pickle=allow_pickle)


def find_model(model_tag: str | Path) -> Path:
    """Find the local file of a model tag, fetching it where it is remote and not there yet.

    Raises
    ------
    StorageError
        When there is none, or it cannot be fetched.
    """
    address = url_of(model_tag)
    if address is not None and not address.startswith("file://"):
        return _fetch(address)
    path = path_of(address) if address is not None else Path(model_tag).expanduser().absolute()
    if path.suffix == ".json":  # what goes with one of our own
        path = path.with_suffix(_WEIGHTS)
    if not path.is_file():
        message = f"There is no checkpoint {path} (model tag {str(model_tag)!r})."
        raise ObjectNotFoundError(message)
    return path


def _fetch(address: str) -> Path:
    folder, _, name = address.rpartition("/")
    if name.endswith(".json"):
        name = f"{name.removesuffix('.json')}{_WEIGHTS}"
    store = open_store(folder)
    found = store.stat(name)
    if found is None:
        store.list(name)  # which names a bucket that is missing, where a look at the object does not
        message = f"There is no checkpoint {store.address(name)}."
        raise ObjectNotFoundError(message)
    version = hashlib.sha256(f"{store.address(name)} {fingerprint([found])}".encode()).hexdigest()[:32]
    cached = home_folder() / "models" / version / name
    if not _is_whole(cached, found.size):
        for level in (cached.parent.parent, cached.parent):
            level.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.get(name, cached)
        write_private(_checksum(cached), digest_of(cached).sha256.encode())
    return cached


def _is_whole(cached: Path, size: int) -> bool:
    """Whether a file is what was fetched: it may have been damaged, or written to, since."""
    if not (cached.is_file() and cached.stat().st_size == size and _checksum(cached).is_file()):
        return False
    return digest_of(cached).sha256 == _checksum(cached).read_text().strip()


def _checksum(cached: Path) -> Path:
    return cached.with_name(f"{cached.name}.sha256")


def read_model(path: Path, *, allow_pickle: bool = False) -> Any:
    """Read a checkpoint file.

    Raises
    ------
    DataError
        When it is damaged, or holds more than tensors and plain data.
    """
    import torch

    from rapidfire_lab.worker.checkpoint import load_weights

    try:
        if path.suffix == ".safetensors":
            return load_weights(path)
        with warnings.catch_warnings():
            # A pickle that torch did not write is refused, or read, all the same.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        message = (
            f"{path} holds more than tensors and plain data, or is no checkpoint; it was not loaded, since loading it "
            "could run any code. Save the model's state_dict() instead, or call load_model(..., allow_pickle=True) in "
            "create_model if you trust the file."
        )
        raise DataError(message) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:
        message = f"{path} cannot be read as a checkpoint ({error})."
        raise DataError(message) from error


def tensors_of(loaded: Any, path: Path) -> Mapping[str, Any]:
    """Find the weights in what a checkpoint file holds: tensors by name, or a dictionary with them.

    Raises
    ------
    DataError
        When there are none, or several under different names.
    """
    inside = {key: loaded[key] for key in _INSIDE if _has_tensors(loaded.get(key))} if isinstance(loaded, dict) else {}
    if len({id(found) for found in inside.values()}) > 1:
        message = (
            f"{path} holds weights under {' and '.join(map(repr, inside))}, of which any could be meant. Save the one "
            "that you want in a file of its own."
        )
        raise DataError(message)
    found = next(iter(inside.values()), loaded)
    if _has_tensors(found):
        weights: dict[str, Any] = found
        return weights
    message = (
        f"{path} holds no weights by name. Expected is a state_dict, or a dictionary that has one under "
        f"{' or '.join(map(repr, _INSIDE))}."
    )
    raise DataError(message)


def _has_tensors(value: Any) -> bool:
    import torch

    return isinstance(value, dict) and any(isinstance(item, torch.Tensor) for item in value.values())
