"""What user code may change of the process it shares with other runs: torch's switches, the folder, the streams.

Each lease runs under the run's own state, and leaves the process as it found it: a run that changes a switch changes
it for itself, and keeps it over hops within a slot.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ProcessState:
    """Switches of this process. They are no part of a checkpoint: ``create_model`` sets them again."""

    grad: bool
    dtype: torch.dtype
    threads: int
    matmul_precision: str | None
    deterministic: tuple[bool, bool]
    cudnn: tuple[bool, bool]
    folder: str
    streams: tuple[IO[str], IO[str]]

    @classmethod
    def capture(cls) -> ProcessState:
        return cls(
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            _matmul_precision(),
            (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
            (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
            _folder(),
            (sys.stdout, sys.stderr),
        )

    def apply(self) -> None:
        torch.set_grad_enabled(self.grad)
        torch.set_default_dtype(self.dtype)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        if self.matmul_precision is not None:
            torch.set_float32_matmul_precision(self.matmul_precision)
        torch.use_deterministic_algorithms(self.deterministic[0], warn_only=self.deterministic[1])
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = self.cudnn
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        sys.stdout, sys.stderr = self.streams


def _matmul_precision() -> str | None:
    """None where user code has set it through torch's newer interface, which does not mix with the older."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib has no other way either
    except FileNotFoundError:
        return "/"


@contextlib.contextmanager
def process_state_kept() -> Iterator[None]:
    """Put the process's state back after a block."""
    before = ProcessState.capture()
    try:
        yield
    finally:
        before.apply()
