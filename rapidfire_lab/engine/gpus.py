"""The GPUs of this machine, and what a slot may use of one that it shares.

They are asked for by a process of its own: the controller forks, and what was forked can neither use GPUs nor rely on
what it was told of them before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from rapidfire_lab.errors import EngineError

_BESIDE = 1 << 30
"""Bytes of a GPU that a process takes beside what it allocates: its context, kernels, and what libraries keep."""
_LEAST = 1 << 29
"""Bytes below which a slot is of no use."""
_COUNT = "torch.cuda.device_count() if torch.cuda.is_available() else 0"
_FREE = "[torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())]"


def visible_gpus() -> list[str]:
    """GPUs that torch sees, as values for CUDA_VISIBLE_DEVICES."""
    count = _count()
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[:count] if len(visible) >= count > 0 else [str(index) for index in range(count)]


def slots_on(gpu: int, gpus: int, slots: int) -> int:
    """How many slots use a GPU, as they are dealt out in turn."""
    return len(range(gpu, slots, gpus))


def shares(slots: int, gpus: int) -> list[int]:
    """Bytes that a slot may allocate on each GPU, by what is free there now; 0, without a bound, for slots alone.

    What is left is for what processes take beside. So a slot that asks for too much runs out of memory itself, and none
    of its neighbours does.

    Raises
    ------
    EngineError
        When a share is too small to be of use, or the GPUs do not say what is free.
    """
    if slots <= gpus:
        return [0] * gpus
    free = _asked(_FREE)
    if free is None or len(free) != gpus:
        raise EngineError("How much memory the GPUs have could not be found out; let each have one slot.")
    return [share(free[gpu], slots_on(gpu, gpus, slots)) for gpu in range(gpus)]


def share(free: int, slots: int) -> int:
    """Bytes for each of the slots that share a GPU; 0, without a bound, where there is one alone."""
    if slots <= 1:
        return 0
    bytes_each = free // slots - _BESIDE
    if bytes_each < _LEAST:
        most = max(1, free // (_BESIDE + _LEAST))
        message = (
            f"{slots} slots cannot share a GPU of which {free / 1e9:.1f} GB are free: each takes "
            f"{_BESIDE / 1e9:.1f} GB beside what it trains. Set slots or slots_per_gpu so that it has {most} at most."
        )
        raise EngineError(message)
    return bytes_each


def _count() -> int:
    built = bool(torch.backends.cuda.is_built())  # type: ignore[no-untyped-call]
    if not built or (sys.platform == "linux" and not _has_driver()):
        return 0
    return _asked(_COUNT) or 0


def _asked(expression: str) -> Any:
    """What a process of its own says; None where it fails."""
    question = f"import json, torch; print(json.dumps({expression}))"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    return json.loads(answer.stdout.splitlines()[-1]) if answer.returncode == 0 else None


def _has_driver() -> bool:
    return any(any(Path("/dev").glob(name)) for name in ("nvidia*", "nvmap", "dxg", "kfd"))
