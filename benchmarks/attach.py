"""How long ``Experiment(...)`` takes in a fresh Python process: engine not running, and engine live."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.common import DIGITS, engine_home, one_json_line, tell, wait_for_slots
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome

ROUNDS = 3
SLOTS = 2

# What a notebook kernel does after a restart. Its last line of output is the seconds of each part.
KERNEL = f"""
import json, time
start = time.perf_counter()
from rapidfire_lab import Experiment
imported = time.perf_counter()
experiment = Experiment({str(DIGITS / "digits_spec.py")!r}, "attach")
attached = time.perf_counter()
experiment.get_runs_info()
shown = time.perf_counter()
print(json.dumps({{"import": imported - start, "experiment": attached - imported, "runs_info": shown - attached}}))
"""


def kernel() -> dict[str, float]:
    """Attach from a fresh process."""
    done = subprocess.run([sys.executable, "-c", KERNEL], capture_output=True, text=True, check=True)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    tell(str(seconds))
    return seconds


def measure(home: EngineHome, *, cold: bool) -> dict[str, float]:
    """Medians of some rounds, in seconds."""
    rounds = []
    for _ in range(ROUNDS):
        if cold:
            EngineClient(home).stop()
        else:
            wait_for_slots(home, SLOTS)
        rounds.append(kernel())
    return {part: round(statistics.median(seconds[part] for seconds in rounds), 4) for part in rounds[0]}


def main() -> None:
    with one_json_line("attach") as figures, engine_home(slots=SLOTS) as home:
        figures["rounds"] = ROUNDS
        figures["cold_seconds"] = measure(home, cold=True)
        figures["live_seconds"] = measure(home, cold=False)


if __name__ == "__main__":
    main()
