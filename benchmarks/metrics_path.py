"""How many metric points a second get from a slot into the journal, and what they cost training.

There is one slot. ``points_per_s`` is of a run whose steps do next to nothing but report 200 metrics each: all points
over the time from its first grant until the last commit. ``slow_down`` is the time of a step that reports 5,000 points
a second over that of the same step without metrics of its own (the loss is always one), in turns, medians. Both with
MLflow off, on (the store in the home), and with a server that takes connections and never answers. Where MLflow is on,
``mlflow_behind_s`` is how long after the last run it has everything, or null after a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sqlite3
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    SPECS,
    OtherLoad,
    engine_home,
    one_json_line,
    tell,
    wait_for_slots,
    with_engine,
)
from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.engine.home import EngineHome

POINTS_PER_SECOND = 5_000
_FLOOD = 200
_ROUNDS_OF_WORK = 12
_LONGEST_WAIT = 60.0
_LOOK_SECONDS = 0.1


class Meter:
    """Trains runs of steps that report metrics, one at a time."""

    def __init__(self, home: EngineHome, experiment: Experiment, steps: int) -> None:
        self._home = home
        self._experiment = experiment
        self._steps = steps
        self._table = home.root / "rows.csv"
        self._table.write_text("id,x\n" + "".join(f"{number},{number / steps}\n" for number in range(steps)))
        self._seed = 0

    def train(self, *, metrics: int, work: int) -> sqlite3.Row:
        """Train one epoch of so many steps; returns its seconds of training, its points, and when it began and ended.

        Raises
        ------
        AssertionError
            When points are missing.
        """
        self._seed += 1
        config = {
            "train": {"epochs": 1, "batch_size": 1, "optimizer": {"name": "SGD", "args": {"lr": 0.001}}},
            "user_knobs": {"metrics": metrics, "rounds": work},
        }
        self._experiment.run_fit(DataHandle({"train": self._table}), config, seed=self._seed)
        run = self._experiment.runs()[-1]
        figures = self._look(run.id)
        if run.status != "completed" or figures["points"] != self._steps * (metrics + 1):
            raise AssertionError(f"{run.status} with {figures['points']} points: {run.error}")
        return figures

    def _look(self, key: int) -> sqlite3.Row:
        with contextlib.closing(sqlite3.connect(f"file:{self._home.journal}?mode=ro", uri=True)) as journal:
            journal.row_factory = sqlite3.Row
            row: sqlite3.Row = journal.execute(
                "SELECT (SELECT seconds FROM runs WHERE id = :run) AS seconds,"
                " (SELECT count(*) FROM metrics m JOIN metric_names n ON n.id = m.name"
                "  WHERE m.run = :run AND n.per = 'step') AS points,"
                " min(granted) AS begun, max(closed) AS ended FROM leases WHERE run = :run",
                {"run": key},
            ).fetchone()
        return row

    def step_seconds(self, metrics: int) -> float:
        return float(self.train(metrics=metrics, work=_ROUNDS_OF_WORK)["seconds"]) / self._steps

    def flood(self) -> float:
        """Points per second of a run that does nothing but report."""
        row = self.train(metrics=_FLOOD, work=1)
        return float(row["points"] / (row["ended"] - row["begun"]))


def measure(meter: Meter, rounds: int) -> dict[str, Any]:
    bare = meter.step_seconds(0)  # warms up, too
    metrics = max(1, round(POINTS_PER_SECOND * bare) - 1)
    pairs = [(meter.step_seconds(0), meter.step_seconds(metrics)) for _ in range(rounds)]
    without, reporting = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    return {
        "points_per_s": round(statistics.median(meter.flood() for _ in range(rounds))),
        "step_ms": round(1_000 * without, 3),
        "reporting_step_ms": round(1_000 * reporting, 3),
        "metrics_per_step": metrics + 1,
        "slow_down": round(reporting / without, 3),
    }


def behind(home: EngineHome) -> float | None:
    """Seconds until MLflow has everything."""
    client, start = EngineClient(home), time.monotonic()
    while client.status()["unsent"]:
        if time.monotonic() - start > _LONGEST_WAIT:
            return None
        time.sleep(_LOOK_SECONDS)
    return round(time.monotonic() - start, 1)


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def way(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure with MLflow ``off``, ``on`` or ``unreachable``."""
    with silent_server() as address, engine_home(slots=1, threads_per_slot=1, tracking=name != "off") as home:
        uri = address if name == "unreachable" else None
        experiment = Experiment(SPECS / "metered.py", "metrics-path", tracking_uri=uri)
        wait_for_slots(home, 1)
        load = OtherLoad(with_engine(home))
        figures = measure(Meter(home, experiment, options.steps), options.rounds)
        figures["busy_cores_of_others"] = load.cores()
        if name == "on":
            figures["mlflow_behind_s"] = behind(home)
        tell(f"MLflow {name}: {figures}")
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with one_json_line("metrics_path") as figures:
        ways = {name: way(name, options) for name in ("off", "on", "unreachable")}
        others = max(one["busy_cores_of_others"] for one in ways.values())
        small = options.steps < 1_000 or options.rounds < 3
        figures.update(vars(options), small=small, busy_cores_of_others=others, ways=ways)


if __name__ == "__main__":
    main()
