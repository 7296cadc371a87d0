"""What the benchmarks share: an engine of their own, the digits, figures, and the one line of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from rapidfire_lab import DataHandle
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.settings import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits"
SPECS = Path(__file__).resolve().parent / "specs"

_LOOK_SECONDS = 0.1
_BUSY_SECONDS = 1.0


@contextlib.contextmanager
def one_json_line(name: str) -> Iterator[dict[str, Any]]:
    """Print the figures that the block puts into the dictionary as the only line of stdout.

    Everything that is printed meanwhile goes to stderr. The line also says on what machine and how busy it was with
    other things when the benchmark began: figures of a busy machine are worth little.
    """
    figures: dict[str, Any] = {"benchmark": name, "environment": environment()}
    with contextlib.redirect_stdout(sys.stderr):
        yield figures
    print(json.dumps(figures))


def environment() -> dict[str, Any]:
    busy = psutil.cpu_percent(interval=_BUSY_SECONDS, percpu=True)
    return {
        "rapidfire_lab": version("rapidfire-lab"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "cores": available_cores(),
        "busy_cores_before": round(sum(busy) / 100, 2),
    }


def cpu_model() -> str:
    """As Linux names it, with the number in its family, by which virtual machines can still be told apart."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    known = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return f"{known.get('model name', platform.machine())} (model {known.get('model', 'unknown')})"


def tell(message: str) -> None:
    """Say how far the benchmark is."""
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def engine_home(**settings: object) -> Iterator[EngineHome]:
    """A temporary home, without tracking and on the CPU unless told otherwise; its engine is stopped in the end."""
    settings = {"tracking": False, "device": "cpu", **settings}
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="rapidfire_lab-benchmark-") as folder:
        os.environ["RAPIDFIRE_LAB_HOME"] = folder
        os.environ.update({f"RAPIDFIRE_LAB_{name.upper()}": str(value) for name, value in settings.items()})
        home = EngineHome.default()
        try:
            yield home
        finally:
            EngineClient(home).stop()
            os.environ.clear()
            os.environ.update(before)


def wait_for_slots(home: EngineHome, count: int) -> None:
    """Wait until so many slots are idle: starting one takes seconds of a core."""
    client = EngineClient(home)
    while sum(slot["phase"] == "idle" for slot in client.status()["slots"]) < count:
        time.sleep(_LOOK_SECONDS)


class OtherLoad:
    """Cores that others used since this was made; ``ours`` tells the CPU seconds that are our own."""

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        self._start = time.monotonic()
        self._before = self._others()

    def _others(self) -> float:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        return sum(times[:8]) - idle - self._ours()

    def cores(self) -> float:
        return round(max(0.0, self._others() - self._before) / (time.monotonic() - self._start), 2)


def own_seconds() -> float:
    """CPU seconds of this process."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def with_engine(home: EngineHome, *own: int) -> Callable[[], float]:
    """Tell the CPU seconds of this process, of a running engine's, and of others that are our own."""
    pids = [*EngineClient(home).status()["processes"].values(), *own]
    processes = [psutil.Process(), *(psutil.Process(pid) for pid in pids if pid)]
    return lambda: sum(used.user + used.system for used in (process.cpu_times() for process in processes))


def write_digits(folder: Path) -> None:
    """Write the digits of ``examples/digits`` into a folder."""
    with importable(DIGITS):
        import digits_data
    digits_data.write_digits(folder)


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Have the modules of a folder importable inside the block."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def digits_handle(folder: Path, *partitions: str) -> DataHandle:
    locators: dict[str, str | Path] = {}
    for partition in partitions:
        locators[partition] = folder / f"{partition}.csv"
        locators[f"{partition}_objects"] = folder / "images"
    return DataHandle(locators)


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], *shares: int, digits: int = 3) -> dict[str, float]:
    """Count, median, percentiles and maximum."""
    if not values:
        return {"count": 0}
    percentiles = {f"p{share}": round(quantile(values, share / 100), digits) for share in shares}
    return {
        "count": len(values),
        "median": round(statistics.median(values), digits),
        **percentiles,
        "max": round(max(values), digits),
    }
