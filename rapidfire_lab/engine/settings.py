"""What a user may set about an engine: environment variables over ``settings.json`` in the engine home."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil
from traitlets import Bool, Enum, Float, HasTraits, Int, TraitError

from rapidfire_lab.errors import EngineError

PREFIX = "RAPIDFIRE_LAB_"
_GIGABYTE = 10**9
_MOST_INPUT_PROCESSES = 8


class EngineSettings(HasTraits):
    """Settings of an engine, each also the environment variable ``RAPIDFIRE_LAB_<NAME>``."""

    slots = Int(0, min=0, help="Training slots; 0 means one per GPU, else one per CPU core.")
    slots_per_gpu = Int(1, min=1, help="Slots that share each GPU, where slots is 0; each has its part of the memory.")
    threads_per_slot = Int(0, min=0, help="CPU threads of a slot; 0 means cores divided by slots.")
    device = Enum(("auto", "cpu", "cuda"), "auto", help="auto takes the GPUs where there are any.")
    idle_minutes = Float(30.0, min=0.0, help="The engine exits after so long with no runs and no client.")
    max_attempts = Int(3, min=1, help="Times that a run may lose its slot at one place before it fails.")
    stop_grace_seconds = Float(
        30.0, min=0.0, help="A slot is killed when its minibatch goes on for so long after a stop or delete."
    )
    step_timeout_seconds = Float(
        0.0,
        min=0.0,
        help="A slot is killed when one minibatch goes on for longer, or a trial of a model template logs nothing for "
        "so long, and the run tries again; 0: never.",
    )
    memory_fraction = Float(0.5, min=0.0, max=1.0, help="Share of a device's free memory in which run states stay.")
    host_memory_fraction = Float(
        0.5,
        min=0.0,
        max=1.0,
        help="Where slots use GPUs: share of the host's free memory for run states that find no room on them.",
    )
    prepared_gigabytes = Float(
        None,
        min=0.0,
        allow_none=True,
        help="Disk space for prepared rows; by default 10, or a fifth of what is free if that is less. 0 keeps none.",
    )
    input_processes = Int(
        None,
        min=0,
        allow_none=True,
        help="Processes of each slot that prepare minibatches ahead once that takes long; by default 0 on CPUs, and on "
        "GPUs as many as cores are left, at most 8.",
    )
    tracking = Bool(default_value=True, help="Send runs to MLflow.")

    @classmethod
    def load(cls, path: Path) -> EngineSettings:
        """Read the settings.

        Raises
        ------
        EngineError
            When the file or a variable holds something that is no such setting.
        """
        settings = cls()
        for name, value in {**_from_file(path), **_from_environment()}.items():
            settings._assign(name, value)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.slots and self.slots_per_gpu > 1:
            message = (
                f"The engine settings slots ({self.slots}) and slots_per_gpu ({self.slots_per_gpu}) both say how many "
                "slots there are. Set one of them."
            )
            raise EngineError(message)

    def _assign(self, name: str, value: Any) -> None:
        trait = self.traits().get(name)
        if trait is None:
            message = f"Unknown engine setting {name!r}; the settings are {', '.join(sorted(self.traits()))}."
            raise EngineError(message)
        try:
            self.set_trait(name, trait.from_string(value) if isinstance(value, str) else value)
        except (TraitError, ValueError) as error:
            message = f"Engine setting {name} cannot be {value!r}: {trait.help}"
            raise EngineError(message) from error


def cpu_threads(settings: EngineSettings, gpus: int = 0) -> int:
    """CPU threads of a slot."""
    cores = available_cores()
    return settings.threads_per_slot or max(1, cores // slot_count(settings, gpus))


def input_processes(settings: EngineSettings, gpus: int = 0) -> int:
    """Processes of a slot that may prepare minibatches ahead of it."""
    if settings.input_processes is not None:
        return settings.input_processes
    # On CPUs the slots keep all cores busy.
    left = available_cores() // slot_count(settings, gpus) - 1
    return max(0, min(_MOST_INPUT_PROCESSES, left)) if gpus else 0


def slot_count(settings: EngineSettings, gpus: int = 0) -> int:
    """Slots that the machine offers."""
    return settings.slots or gpus * settings.slots_per_gpu or available_cores()


def host_bytes(settings: EngineSettings, gpus: int) -> int:
    """Bytes of the host's memory in which a slot may keep run states that find no room on its GPU; 0 without GPUs."""
    return int(available_memory() * settings.host_memory_fraction / slot_count(settings, gpus)) if gpus else 0


def prepared_bytes(settings: EngineSettings, folder: Path) -> int:
    """Bytes that prepared rows may take in a folder, which need not exist."""
    if settings.prepared_gigabytes is not None:
        return int(settings.prepared_gigabytes * _GIGABYTE)
    used = sum(path.stat().st_blocks * 512 for path in folder.rglob("*.rows"))
    return min(10 * _GIGABYTE, (shutil.disk_usage(folder.parent).free + used) // 5)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as JSON ({error}). Correct or remove it."
        raise EngineError(message) from error
    if not isinstance(content, dict):
        message = f"{path} must hold a JSON object of engine settings."
        raise EngineError(message)
    return content


def _from_environment() -> dict[str, str]:
    names = EngineSettings.class_trait_names()
    variables = {name: os.environ.get(PREFIX + name.upper()) for name in names}
    return {name: value for name, value in variables.items() if value}


def available_cores() -> int:
    """CPU cores this process may use: the affinity mask, cut by a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota_cores()))


def available_memory() -> int:
    """Bytes of memory that are left for this process: what the machine has, cut by a container's limit."""
    return max(0, min(psutil.virtual_memory().available, _quota_memory()))


def _quota_memory(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """What a container's limit leaves; files that are merely cached are given up for it."""
    try:
        limit, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return limit - used + int(counts.get("inactive_file", 0))
    except (OSError, ValueError):  # no such files, or the limit is "max"
        return sys.maxsize


def _quota_cores() -> int:
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:  # noqa: PTH123 - a kernel file
            quota, period = file.read().split()
        return max(1, math.floor(int(quota) / int(period))) if quota != "max" else 1 << 16
    except (OSError, ValueError):
        return 1 << 16
