"""The agent: torchrun's elastic agent, in a process that has loaded what the engine's own processes need.

It keeps the controller alive, which is forked from it, and from which the nursery of the slots is forked: torch is
loaded once for all of them, and one that is started anew is there within milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from rapidfire_lab.engine.lifeline import name_process
from rapidfire_lab.engine.settings import EngineSettings, cpu_threads
from rapidfire_lab.errors import EngineError

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome

_SLOT = "rapidfire_lab.worker.slot"
_PRELOADED = ("torch.optim", "rapidfire_lab.engine.main", _SLOT)
"""By name: what only slots may import is for the agent nothing but bytes to be shared."""

_MOST_RESTARTS = 100
_NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"


def _preload() -> None:
    gc.disable()  # modules are there to stay, and a fifth of the time would go into looking at them
    for module in _PRELOADED:
        import_module(module)
    import_module(_SLOT).load_torch()
    gc.freeze()
    gc.enable()


def _run_controller(lock: int) -> None:
    """Become the controller; it has neither the agent's lock nor its way with signals."""
    with contextlib.suppress(OSError):  # where it is no fork, it has it not
        os.close(lock)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    import_module("rapidfire_lab.engine.main").main()


def _supervise(rendezvous: str, lock: int) -> None:
    """Run torchrun's agent. Its rendezvous is a file in our private folder: a TCP store would listen everywhere."""
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # torch asks here how many GPUs there are; asked in the usual way, no forked process could use one.
    os.environ[_NVML_CHECK] = "1"
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=1,
        run_id="rapidfire-lab",
        role="controller",
        rdzv_endpoint=rendezvous,
        rdzv_backend="c10d",
        rdzv_configs={"store_type": "file"},
        max_restarts=_MOST_RESTARTS,
        monitor_interval=0.1,
        start_method="fork" if sys.platform == "linux" else "spawn",
    )
    del os.environ[_NVML_CHECK]
    elastic_launch(config, _run_controller)(lock)


def run(home: EngineHome, rendezvous: str, lock: int) -> None:
    """Be the agent. ``lock`` is the file descriptor of the engine's lock, which no other process may keep."""
    name_process("rf-agent")
    try:
        settings = EngineSettings.load(home.settings)
    except EngineError as refusal:
        home.write_failure(str(refusal))
        sys.exit(str(refusal))
    # NumPy's and torch's libraries read this when they are loaded.
    os.environ["OMP_NUM_THREADS"] = str(cpu_threads(settings))
    _preload()
    _supervise(rendezvous, lock)
