"""Random number generators: seeding, saving and restoring torch, numpy and ``random`` together."""

from __future__ import annotations

import contextlib
import ctypes
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


_MT19937_BYTES = 624 * 4 + 4
"""Of the state of numpy's Mersenne Twister: its words, and its place among them."""


def cuda_is_used() -> bool:
    """Whether this process has a GPU's generator that could have been drawn from."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class RngState:
    """State of every generator that training draws from."""

    torch_cpu: torch.Tensor
    torch_cuda: torch.Tensor | None
    numpy: dict[str, Any]
    python: tuple[Any, ...]
    numpy_memory: bytes | None = None
    """What numpy's generator had in its memory, if its state was taken in this process."""

    @classmethod
    def capture(cls, *, cuda: bool = False) -> RngState:
        """Take the state of this process's generators; ``cuda`` adds the current device's."""
        return cls(
            torch.get_rng_state(),
            torch.cuda.get_rng_state() if cuda else None,
            np.random.get_state(legacy=False),
            random.getstate(),
            _numpy_memory(),
        )

    def restore(self) -> None:
        torch.set_rng_state(self.torch_cpu)
        if self.torch_cuda is not None:
            torch.cuda.set_rng_state(self.torch_cuda)
        np.random.set_state(self.numpy)
        random.setstate(self.python)

    def unchanged(self) -> bool:
        """Whether nobody has drawn from a generator since its state was taken."""
        return (
            torch.equal(self.torch_cpu, torch.get_rng_state())
            and (self.torch_cuda is None or torch.equal(self.torch_cuda, torch.cuda.get_rng_state()))
            and self._numpy_unchanged()
            and self.python == random.getstate()
        )

    def _numpy_unchanged(self) -> bool:
        """Compare numpy's generator: by its memory, as to ask for its state takes longer than all else here.

        The second of two normal numbers, which were drawn together, is not in there.
        """
        if self.numpy_memory is not None and not self.numpy["has_gauss"]:
            return self.numpy_memory == _numpy_memory()
        now = np.random.get_state(legacy=False)
        own, other = self.numpy["state"], now["state"]
        return bool(
            own["pos"] == other["pos"]
            and np.array_equal(own["key"], other["key"])
            and self.numpy["has_gauss"] == now["has_gauss"]
        )

    def to_plain(self) -> dict[str, Any]:
        """As tensors and plain data, fit for a checkpoint that is loaded without unpickling."""
        version, internal, gauss = self.python
        return {
            "torch_cpu": self.torch_cpu,
            "torch_cuda": self.torch_cuda,
            "numpy_key": torch.from_numpy(self.numpy["state"]["key"].astype(np.int64)),
            "numpy_pos": int(self.numpy["state"]["pos"]),
            "numpy_has_gauss": int(self.numpy["has_gauss"]),
            "numpy_gauss": float(self.numpy["gauss"]),
            "python_version": version,
            "python_state": torch.tensor(internal, dtype=torch.int64),
            "python_gauss": gauss,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> RngState:
        return cls(
            plain["torch_cpu"],
            plain["torch_cuda"],
            {
                "bit_generator": "MT19937",
                "state": {
                    "key": plain["numpy_key"].numpy().astype(np.uint32),
                    "pos": plain["numpy_pos"],
                },
                "has_gauss": plain["numpy_has_gauss"],
                "gauss": plain["numpy_gauss"],
            },
            (plain["python_version"], tuple(plain["python_state"].tolist()), plain["python_gauss"]),
        )


_KNOWS_THE_CPU_ALONE = not (
    torch.version.cuda or torch.version.hip or torch.version.xpu or torch.backends.mps.is_built()
)
_seed_torch = torch.default_generator.manual_seed if _KNOWS_THE_CPU_ALONE else torch.manual_seed
"""``torch.manual_seed`` notes the stack for devices that this torch may not even know, which takes most of its time."""


def _numpy_memory() -> bytes | None:
    """What numpy's global generator has in its memory; None where somebody has put another kind in its place."""
    generator = np.random.get_bit_generator()  # type: ignore[attr-defined]  # numpy's types do not have it
    if type(generator) is not np.random.MT19937:
        return None
    return ctypes.string_at(generator.ctypes.state_address, _MT19937_BYTES)


def seed_everything(seed: int) -> None:
    """Seed torch (all devices), numpy and ``random``. numpy takes the low 32 bits."""
    _seed_torch(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    random.seed(seed)


@contextlib.contextmanager
def own_rng(seed: int, *, cuda: bool) -> Iterator[None]:
    """Run a block under generators of its own, and put the process's back afterwards."""
    before = RngState.capture(cuda=cuda)
    seed_everything(seed)
    try:
        yield
    finally:
        before.restore()
