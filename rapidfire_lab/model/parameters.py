"""Stored parameters: one safetensors file per set, exact in dtype and shape, checked when it is read.

Arrays are the tensors ``array.<name>``. Everything else is one JSON text, the tensor ``entries``: a list of
``[name, kind, ...]`` in the order of the parameters. Kinds are ``value`` (with the value), ``array`` (with the order of
its axes in memory), ``bytes`` (the same, and dtype and shape, for dtypes that safetensors lacks, such as text), and
``scalar`` and ``scalar bytes``, numpy's scalars kept as arrays of no dimensions. The metadata have the checksum over
all tensors. Nothing is unpickled.

The order in memory is kept because the last bit of a matrix product depends on it.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.files import write_atomically
from rapidfire_lab.model.errors import InvalidParamsFormatError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np

    from rapidfire_lab.model.base import Params

    Arrays = dict[str, np.ndarray[Any, Any]]

_FORMAT = "rapidfire-lab-params-1"
_ENTRIES = "entries"
_UTF8 = ("utf-8", "surrogatepass")
_NATIVE = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
)
_ID = re.compile(r"[0-9a-f]{32}\.model")


def save_params(path: Path, params: Params) -> None:
    """Write parameters to a file that only its owner can read; it appears whole or not at all.

    Raises
    ------
    InvalidParamsFormatError
        When a value is none that can be stored; the message names it.
    """
    from safetensors.numpy import save_file

    arrays = _pack(params)
    metadata = {"format": _FORMAT, "blake2b": _checksum(arrays)}
    write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))


def load_params(path: Path) -> Params:
    """Read what `save_params` wrote.

    Raises
    ------
    InvalidParamsFormatError
        When it is not what was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise InvalidParamsFormatError(f"{path} holds no parameters, or is damaged: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise InvalidParamsFormatError(f"{path} holds no parameters of a model template ({metadata})")
    if metadata.get("blake2b") != _checksum(arrays):
        raise InvalidParamsFormatError(
            f"{path} is not what was written (its checksum is another): train the model again"
        )
    return _unpack(arrays)


class FileParamStore:
    """Sets of parameters in a folder, by id.

    Parameters
    ----------
    params_dir
        The folder; it is made when it is missing.
    """

    def __init__(self, params_dir: str | os.PathLike[str]) -> None:
        self._folder = Path(params_dir)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def save(self, params: Params) -> str:
        """Store a set, and give its id."""
        identity = f"{uuid.uuid4().hex}.model"
        save_params(self._folder / identity, params)
        return identity

    def load(self, params_id: str) -> Params:
        """Give the set with this id."""
        return load_params(self._path(params_id))

    def delete(self, params_id: str) -> None:
        """Drop the set with this id."""
        self._path(params_id).unlink()

    def _path(self, params_id: str) -> Path:
        if _ID.fullmatch(params_id):
            return self._folder / params_id
        raise InvalidParamsFormatError(f"{params_id!r} is no id that save() gave")


def _pack(params: Mapping[str, Any]) -> Arrays:
    import numpy as np

    if not isinstance(params, dict):
        raise InvalidParamsFormatError(f"dump_parameters() must give a dict, not a {type(params).__name__}")
    arrays: Arrays = {}
    entries = [_pack_one(name, value, arrays) for name, value in params.items()]
    arrays[_ENTRIES] = np.frombuffer(json.dumps(entries, ensure_ascii=False).encode(*_UTF8), np.uint8)
    return arrays


def _pack_one(name: object, value: object, arrays: Arrays) -> list[Any]:
    import numpy as np

    if not isinstance(name, str) or not _is_utf8(name):
        raise InvalidParamsFormatError(f"the parameter name {name!r} must be a str that UTF-8 can hold")
    if isinstance(value, np.ndarray | np.generic):
        return [name, *_pack_array(name, value, arrays)]
    if value is None or isinstance(value, bool | int | float | str):
        return [name, "value", value]
    raise InvalidParamsFormatError(
        f"the parameter {name!r} is a {type(value).__name__}, not a str, int, float, bool, None or numpy array: "
        "convert it, as with tensor.cpu().numpy(), np.asarray(...) or json.dumps(...)"
    )


def _pack_array(name: str, value: np.ndarray[Any, Any] | np.generic, arrays: Arrays) -> list[Any]:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.names is not None:
        raise InvalidParamsFormatError(
            f"the parameter {name!r} is an array of {array.dtype}, which holds more than numbers or text: "
            "store its parts one by one, or json.dumps(value.tolist())"
        )
    axes = _axes(array)
    array = np.require(array.transpose(axes), requirements="C")
    kind = "scalar" if isinstance(value, np.generic) else ""
    if array.dtype.isnative and array.dtype.name in _NATIVE:
        arrays[f"array.{name}"] = array
        return [kind or "array", axes]
    arrays[f"array.{name}"] = np.frombuffer(array.tobytes(), np.uint8)
    return [f"{kind} bytes".strip(), axes, array.dtype.str, array.shape]


def _axes(array: np.ndarray[Any, Any]) -> list[int]:
    """The axes as they lie in memory, the outermost first."""
    axes = list(range(array.ndim))
    return axes if array.flags.c_contiguous else sorted(axes, key=lambda axis: -abs(array.strides[axis]))


def _unpack(arrays: Arrays) -> Params:
    import numpy as np

    params: Params = {}
    for name, kind, first, *described in json.loads(arrays[_ENTRIES].tobytes().decode(*_UTF8)):
        if kind == "value":
            params[name] = first
            continue
        array = arrays[f"array.{name}"]
        if described:
            dtype, shape = described
            array = np.frombuffer(array.tobytes(), np.dtype(dtype)).reshape(shape).copy()
        array = array.transpose(np.argsort(first)) if array.ndim > 1 else array
        params[name] = array[()] if kind.startswith("scalar") else array
    return params


def _checksum(arrays: Arrays) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
