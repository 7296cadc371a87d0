"""Starting the sides, each in a process of its own, and measuring them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarks.common import ROOT, OtherLoad, engine_home, own_seconds, tell
from benchmarks.compare.job import READY, Job
from benchmarks.compare.measure import Used, bury_orphans, peak_memory
from benchmarks.compare.ray_environment import ray_python
from benchmarks.compare.workloads import WARM_UP, Workload
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.settings import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.engine.home import EngineHome

SIDES = ("plain", "processes", "ray", "cold", "warm", "again")
ALIASES = {"rapidfire": ("cold", "warm")}

_MARKS = ("first_step", "first_chunk", "first_validation")
_LOOK_SECONDS = 0.1


class SideError(Exception):
    """A side did not do its work; the text has its last words."""


class Sides:
    """Measures one side after the other for one workload."""

    def __init__(self, workload: Workload, rows: str, settings: dict[str, object]) -> None:
        self._workload = workload
        self._rows = rows
        self._settings = settings

    def measure(self, side: str) -> dict[str, Any]:
        """Measure a side once.

        Raises
        ------
        SideError
            When it does not do its work.
        """
        match side:
            case "plain" | "processes":
                return self._run(side)
            case "ray":
                return self._run(side, ray_python())
        with engine_home(**self._settings) as home:
            if side == "warm":
                self._run("rapidfire", workload=WARM_UP.resized(1.0, available_cores(), None))
                rest(home)
            elif side == "again":
                self._run("rapidfire")
                rest(home)
            return self._run("rapidfire")

    def _run(self, side: str, python: Path = Path(sys.executable), workload: Workload | None = None) -> dict[str, Any]:
        workload = workload or self._workload
        # A short name: Ray makes sockets below it, whose paths may have no more than 107 bytes.
        with tempfile.TemporaryDirectory(prefix="rfl-", ignore_cleanup_errors=True) as folder:
            job = Job(
                spec=str(workload.spec),
                data=str(workload.data()),
                configs=workload.group(),
                cores=available_cores(),
                output=folder,
                rows=self._rows,
                images=workload.images,
                misc=workload.misc,
            )
            return run_side(f"benchmarks.compare.side_{side}", job, python)


def rest(home: EngineHome) -> None:
    """Wait until an engine does nothing: all slots are up and idle, MLflow has been told everything."""
    client = EngineClient(home)
    status = client.status()
    while status["unsent"] or not status["slots"] or any(slot["phase"] != "idle" for slot in status["slots"]):
        time.sleep(_LOOK_SECONDS)
        status = client.status()


def run_side(module: str, job: Job, python: Path) -> dict[str, Any]:
    """Have a side do a job, and return what was measured.

    Raises
    ------
    SideError
        When it ends without an answer.
    """
    with tempfile.TemporaryDirectory(prefix="rapidfire_lab-benchmark-") as folder:
        path, log = Path(folder) / "job.json", Path(folder) / "log.txt"
        path.write_text(job.to_json())
        with log.open("w") as output, peak_memory() as memory:
            load = OtherLoad(lambda: Used.now().cpu + own_seconds())
            begin = time.time()
            with _started([str(python), "-m", module, str(path)], output) as process:
                figures = _converse(process, begin, log)
        bury_orphans({process.pid})
    memory_figures = {"peak_pss_mb": memory.pss, "peak_rss_mb": memory.rss}
    return {**figures, **memory_figures, "others_cores": load.cores()}


@contextlib.contextmanager
def _started(command: list[str], output: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a side, and have it leave in the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        env=environment,
        cwd=ROOT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            _dismiss(process)


def _converse(process: subprocess.Popen[str], begin: float, log: Path) -> dict[str, Any]:
    _read(process, log, READY)
    before = Used.now()
    go = time.time()
    _write(process)
    answer: dict[str, Any] = json.loads(_read(process, log))
    after = Used.now()
    marks = {f"{name}_s": answer.pop(name) - go for name in _MARKS}
    done = answer.pop("done")
    return {
        "total_s": done - go,
        "whole_s": done - begin,
        **marks,
        "cpu_s": after.cpu - before.cpu,
        "written_mb": (after.written - before.written) / 1e6,
        **answer,
    }


def _write(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.write("\n")
        process.stdin.flush()


def _dismiss(process: subprocess.Popen[str]) -> None:
    """Have a side leave; it may be gone already."""
    with contextlib.suppress(OSError):
        _write(process)
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _read(process: subprocess.Popen[str], log: Path, expected: str | None = None) -> str:
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line or (expected and line != expected):
        process.wait()  # its last words come after it has closed its output
        words = log.read_text(errors="replace").strip()
        tell(words)
        raise SideError(words.rpartition("\n")[-1] or f"it exited with {process.returncode}")
    return line
