"""Rows and minibatches as bytes, and back to the very same objects, without pickle.

Either is described by its layout (JSON: the nesting, and type, shape and strides of each tensor and array). It holds
the contents of these, one after the other, and at its end, as MessagePack, whatever else is plain data.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Build = Callable[[Any, int, list[Any]], Any]

ALIGNMENT = 16
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_SCALARS = {int: "q", float: "d", bool: "?"}
_ATOMS = frozenset({int, float, bool, str, bytes, type(None)})
_NUMPY_KINDS = "biufc"


class NotStorableError(Exception):
    """Raised for a row that could not be brought back exactly."""


@dataclass(frozen=True)
class Encoded:
    layout: bytes
    data: bytes


def encode(row: Any, *, may_alias: bool) -> Encoded:
    """Encode what `row_prep` or `collate_fn` returned; two rows with equal encodings are the same.

    Parameters
    ----------
    row
        Tensors, numpy arrays and scalars, numbers, texts, None, and dicts, lists and tuples of them.
    may_alias
        Whether parts of the row may share memory. They do not when they come back, which who changes one in place
        would notice.

    Raises
    ------
    NotStorableError
        When the row has anything else in it.
    """
    encoder = _Encoder()
    try:
        layout = msgspec.json.encode(encoder.node(row))
        data = encoder.finish()
    except (OverflowError, RecursionError, TypeError, ValueError, RuntimeError, struct.error) as error:
        raise NotStorableError(str(error)) from error
    if encoder.aliases() and not may_alias:
        raise NotStorableError("parts of the row share memory")
    return Encoded(layout, data)


class _Encoder:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._plain: list[Any] = []
        self._spans: list[tuple[int, int]] = []
        self._containers: list[int] = []

    def node(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is torch.Tensor:
            return self._tensor(value)
        if kind is np.ndarray:
            return self._array(value)
        if kind in _SCALARS:
            self._add(struct.pack(f"<{_SCALARS[kind]}", value))
            return ["s", _SCALARS[kind]]
        if isinstance(value, np.generic) and value.dtype.kind in _NUMPY_KINDS and kind is value.dtype.type:
            self._add(value.tobytes())
            return ["g", value.dtype.str]
        if self._is_plain(value):
            self._plain.append(value)
            return ["p"]
        return self._container(value)

    def _container(self, value: Any) -> list[Any]:
        self._containers.append(id(value))
        if type(value) is dict and all(type(key) in (str, int) for key in value):
            return ["d", [[key, self.node(item)] for key, item in value.items()]]
        if type(value) in (list, tuple):
            return ["l" if type(value) is list else "u", [self.node(item) for item in value]]
        raise NotStorableError(f"{type(value).__name__} cannot be brought back exactly")

    def _is_plain(self, value: Any) -> bool:
        """Whether MessagePack gives the same back: atoms, and lists and dicts of them."""
        if type(value) in _ATOMS:
            return True
        noted = len(self._containers)
        self._containers.append(id(value))
        if type(value) is list:
            plain = all(map(self._is_plain, value))
        else:
            plain = type(value) is dict and all(
                type(key) in (str, int) and self._is_plain(item) for key, item in value.items()
            )
        if not plain:
            del self._containers[noted:]
        return plain

    def _tensor(self, tensor: torch.Tensor) -> list[Any]:
        usual = tensor.device.type == "cpu" and tensor.layout is torch.strided and tensor.dtype in _NAMES
        if not usual or tensor.requires_grad or tensor.is_conj() or tensor.is_neg() or tensor.is_inference():
            raise NotStorableError("a tensor that is more than its values on the CPU")
        if tensor.__dict__:
            raise NotStorableError("a tensor with attributes")
        return ["t", _NAMES[tensor.dtype], *self._contents(tensor)]

    def _array(self, array: np.ndarray[Any, Any]) -> list[Any]:
        if array.dtype.kind not in _NUMPY_KINDS or not array.dtype.isnative:
            raise NotStorableError(f"an array of {array.dtype}")
        if not array.flags.c_contiguous:
            return ["v", *self._tensor(torch.from_numpy(array))[1:], bool(array.flags.writeable)]
        self._span(array.ctypes.data, array.nbytes)
        self._add(array.tobytes())
        return ["a", array.dtype.str, list(array.shape), bool(array.flags.writeable)]

    def _contents(self, tensor: torch.Tensor) -> list[Any]:
        shape, stride = tuple(tensor.shape), tensor.stride()
        is_usual = stride == _usual_stride(shape)
        if not is_usual and any(step == 0 and size > 1 for size, step in zip(shape, stride, strict=True)):
            raise NotStorableError("an expanded tensor")
        if count := tensor.numel():
            reach = count
            if not is_usual:
                reach = sum((size - 1) * step for size, step in zip(shape, stride, strict=True)) + 1
            self._span(tensor.data_ptr(), reach * tensor.element_size())
            # numpy has no bfloat16; in the order of the indices it is, whatever the strides.
            self._add((tensor.view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor).numpy().tobytes())
        return [list(shape), None if is_usual else list(stride)]

    def _add(self, content: bytes) -> None:
        padding = -len(content) % ALIGNMENT
        self._parts.append(content + bytes(padding) if padding else content)

    def _span(self, start: int, size: int) -> None:
        if size:
            self._spans.append((start, start + size))

    def finish(self) -> bytes:
        tail = msgspec.msgpack.encode(self._plain) if self._plain else b""
        return b"".join(self._parts) + tail

    def aliases(self) -> bool:
        """Whether two parts share memory or are one object."""
        overlap = any(one[1] > other[0] for one, other in itertools.pairwise(sorted(self._spans)))
        return overlap or len(set(self._containers)) < len(self._containers)


@lru_cache(maxsize=1024)
def _usual_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a new tensor of this shape."""
    strides = itertools.accumulate([1, *(max(1, size) for size in reversed(shape[1:]))], lambda one, other: one * other)
    return tuple(reversed(list(strides))) if shape else ()


@dataclass(frozen=True)
class Column:
    """A part of rows that all have the same bytes for it, so that a minibatch of it is made at once."""

    key: Any
    start: int
    size: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    def stack(self, rows: np.ndarray[Any, Any]) -> torch.Tensor:
        """What `default_collate` makes of it; ``rows`` has the bytes of one row in each line."""
        stacked = torch.empty((len(rows), *self.shape), dtype=self.dtype)
        stacked.reshape(len(rows), -1).view(torch.uint8).numpy()[:] = rows[:, self.start : self.start + self.size]
        return stacked

    def stack_in_place(self, rows: Iterable[tuple[Any, int]]) -> torch.Tensor:
        """Stack the same of rows that stay where they are: faster where they are long."""
        count = self.size // self.dtype.itemsize
        views = [
            torch.frombuffer(buffer, dtype=self.dtype, count=count, offset=start + self.start) for buffer, start in rows
        ]
        return torch.stack([view.view(self.shape) for view in views])


class Layout:
    """How to make a row of its bytes again."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._size = 0
        self._plain = 0
        root = msgspec.json.decode(text)
        self._columns: list[Column] | None = []
        self._kind = root[0]
        self._build = self._builder(root)
        if self._plain or self._kind not in "dlut" or self._depth(root) > 1:
            self._columns = None

    def decode(self, buffer: Any, start: int, length: int) -> Any:
        """Make the row that lies in a writable buffer; it shares no memory with it."""
        plain: list[Any] = []
        if self._plain:
            plain = msgspec.msgpack.decode(memoryview(buffer)[start + self._size : start + length])
        return self._build(buffer, start, plain)

    @property
    def can_stack(self) -> bool:
        return self._columns is not None

    @property
    def columns(self) -> list[Column]:
        """Where rows can be stacked: their parts."""
        return self._columns or []

    def stack(self, stack: Callable[[Column], torch.Tensor]) -> Any:
        """What `default_collate` makes of rows of this layout, given what it makes of each column."""
        if self._kind == "d":
            return {column.key: stack(column) for column in self.columns}
        stacked = [stack(column) for column in self.columns]
        return stacked[0] if self._kind == "t" else stacked

    def _depth(self, node: list[Any]) -> int:
        if node[0] == "d":
            return 1 + max((self._depth(child) for _, child in node[1]), default=1)
        return 1 + max(map(self._depth, node[1]), default=1) if node[0] in "lu" else 0

    def _take(self, size: int) -> int:
        start = self._size
        self._size += size + -size % ALIGNMENT
        return start

    def _builder(self, node: list[Any], key: Any = None) -> Build:
        kind = node[0]
        if kind in "lu":
            children = [self._builder(child, place) for place, child in enumerate(node[1])]
            make = list if kind == "l" else tuple
            return lambda buffer, start, plain: make(child(buffer, start, plain) for child in children)
        if kind == "d":
            named = [(name, self._builder(child, name)) for name, child in node[1]]
            return lambda buffer, start, plain: {name: child(buffer, start, plain) for name, child in named}
        leaves: dict[str, Callable[..., Build]] = {
            "t": self._tensor,
            "v": self._view,
            "a": self._array,
            "g": self._generic,
            "s": self._scalar,
        }
        if kind in leaves:
            return leaves[kind](key, *node[1:])
        place = self._plain
        self._plain += 1
        return lambda _buffer, _start, plain: plain[place]

    def _tensor(self, key: Any, name: str, shape: list[int], stride: list[int] | None) -> Build:
        dtype = _DTYPES[name]
        count = int(np.prod(shape, dtype=np.int64))
        at = self._take(count * dtype.itemsize)
        size = tuple(shape)
        steps = stride or _usual_stride(size)
        if not count or stride is not None:
            self._columns = None
        elif self._columns is not None:
            self._columns.append(Column(key, at, count * dtype.itemsize, size, dtype))
        if not count:
            return lambda _buffer, _start, _plain: torch.empty_strided(size, steps, dtype=dtype)

        def stored(buffer: Any, start: int) -> torch.Tensor:
            return torch.frombuffer(buffer, dtype=dtype, count=count, offset=start + at)

        if stride is not None:
            return lambda buffer, start, _plain: torch.empty_strided(size, steps, dtype=dtype).copy_(
                stored(buffer, start).view(size)
            )
        if len(size) == 1:
            return lambda buffer, start, _plain: stored(buffer, start).clone()
        return lambda buffer, start, _plain: stored(buffer, start).view(size).clone()

    def _view(self, key: Any, name: str, shape: list[int], stride: list[int] | None, writeable: bool) -> Build:  # noqa: FBT001 - as the layout has it
        tensor = self._tensor(key, name, shape, stride)
        self._columns = None
        return lambda buffer, start, plain: _set_writeable(tensor(buffer, start, plain).numpy(), writeable=writeable)

    def _array(self, _key: Any, name: str, shape: list[int], writeable: bool) -> Build:  # noqa: FBT001 - as the layout has it
        dtype = np.dtype(name)
        count = int(np.prod(shape, dtype=np.int64))
        at = self._take(count * dtype.itemsize)
        self._columns = None

        def build(buffer: Any, start: int, _plain: list[Any]) -> np.ndarray[Any, Any]:
            array = np.frombuffer(buffer, dtype, count, start + at if count else 0).reshape(shape).copy()
            return _set_writeable(array, writeable=writeable)

        return build

    def _generic(self, _key: Any, name: str) -> Build:
        dtype = np.dtype(name)
        at = self._take(dtype.itemsize)
        self._columns = None
        return lambda buffer, start, _plain: np.frombuffer(buffer, dtype, 1, start + at)[0]

    def _scalar(self, key: Any, code: str) -> Build:
        packed = struct.Struct(f"<{code}")
        at = self._take(packed.size)
        if self._columns is not None:
            dtype = {"q": torch.int64, "d": torch.float64, "?": torch.bool}[code]
            self._columns.append(Column(key, at, packed.size, (), dtype))
        return lambda buffer, start, _plain: packed.unpack_from(buffer, start + at)[0]


@lru_cache(maxsize=4096)
def layout_of(text: bytes) -> Layout:
    """The layout of this description."""
    return Layout(text)


def _set_writeable(array: np.ndarray[Any, Any], *, writeable: bool) -> np.ndarray[Any, Any]:
    if not writeable:
        array.flags.writeable = False
    return array
