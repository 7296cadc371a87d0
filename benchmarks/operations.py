"""How soon an operation on a run is acknowledged, and how soon a slot trains another run after it.

Eight runs share two slots without end. Each round stops a run that is on a slot, resumes it, clones a run cold and
warm, and deletes a run that is on a slot and any other. It waits for a random while before each, so that
operations meet the engine in the midst of anything. An operation is acknowledged when the caller has the answer; half
of the rounds call ``EngineClient.operate``, the others the REST route of a Jupyter server, over a connection that is
kept.

The effect of a stop or delete is counted from the call until the first row of another run's minibatch in the slot's
process, by what the spec ``specs/timed_digits.py`` notes. ``effect_less_minibatch_ms`` is what that takes longer than
the minibatch that was under way at the call. Left out are calls at which the run was between two leases.
"""

from __future__ import annotations

import argparse
import random
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    SPECS,
    OtherLoad,
    digits_handle,
    engine_home,
    one_json_line,
    spread,
    tell,
    wait_for_slots,
    with_engine,
    write_digits,
)
from benchmarks.jupyter import jupyter_server
from benchmarks.lease_gap import Minibatch, read_minibatches
from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from benchmarks.jupyter import JupyterServer
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.journal import RunRecord

    Operate = Callable[..., object]

TARGET_MS = 20.0
TARGET_LESS_MINIBATCH_MS = 50.0
SLOTS = 2
RUNS = 8
BATCH_SIZE = 32
SEED = 7
LONGEST_PAUSE = 0.3
_LOOK_SECONDS = 0.005


def config(tag: int, pause: float, notes: Path) -> dict[str, Any]:
    return {
        "train": {"epochs": 100_000, "batch_size": BATCH_SIZE, "optimizer": {"name": "AdamW", "args": {"lr": 0.003}}},
        "user_knobs": {"width": 32, "notes": str(notes), "tag": tag, "model": "mlp", "pause": pause},
        "named_metrics": ["top1_accuracy"],
    }


def tag_of(run: RunRecord) -> int:
    tag: int = run.leaf["user_knobs"]["tag"]
    return tag


def through_python(home: EngineHome, experiment: str) -> Operate:
    client = EngineClient(home)
    return lambda operation, run_id, **rest: client.operate(experiment, operation, [run_id], **rest)


def through_rest(server: JupyterServer, experiment: str) -> Operate:
    def operate(operation: str, run_id: int, changes: Sequence[dict[str, Any]] = (), **rest: Any) -> object:
        order = {"operation": operation, "run_ids": [run_id], "request_id": uuid.uuid4().hex, **rest}
        return server.ask(f"experiments/{experiment}/ops", order | {"changes": dict(*changes)})

    return operate


@dataclass(frozen=True)
class Call:
    """An operation on a run that was on a slot."""

    operation: str
    tag: int
    time: float


@dataclass
class User:
    """Somebody who steers the runs, and looks at the clock."""

    experiment: Experiment
    operate: Operate
    random: random.Random
    tag: int
    acknowledged: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    calls: list[Call] = field(default_factory=list)

    def round(self) -> None:
        self._stop_and_resume()
        self._clone("clone", self._any())
        self._clone("warm_clone", self._any(), warm_start=True)
        self._ask("delete", "delete", self._on_slot())
        self._ask("delete", "delete", self._any())

    def _stop_and_resume(self) -> None:
        run = self._on_slot()
        self._ask("stop", "stop", run)
        while self._run(run.run_id).status != "stopped":
            time.sleep(_LOOK_SECONDS)
        self._ask("resume", "resume", run)

    def _clone(self, name: str, parent: RunRecord, **rest: Any) -> None:
        self.tag += 1
        self._ask(name, "clone", parent, changes=[{"tag": self.tag}], **rest)

    def _ask(self, name: str, operation: str, run: RunRecord, **rest: Any) -> None:
        asked, start = time.time(), time.perf_counter()
        self.operate(operation, run.run_id, **rest)
        self.acknowledged[name].append(time.perf_counter() - start)
        if operation in ("stop", "delete"):
            self.calls.append(Call(operation, tag_of(run), asked))

    # Runs

    def _on_slot(self) -> RunRecord:
        """A run that is on a slot, after a while."""
        time.sleep(self.random.uniform(0.0, LONGEST_PAUSE))
        while not (found := [run for run in self.experiment.runs() if run.slot is not None and run.base_lease]):
            time.sleep(_LOOK_SECONDS)
        return self.random.choice(found)

    def _any(self) -> RunRecord:
        """A run that has a checkpoint, after a while."""
        time.sleep(self.random.uniform(0.0, LONGEST_PAUSE))
        return self.random.choice([run for run in self.experiment.runs() if run.base_lease])

    def _run(self, run_id: int) -> RunRecord:
        return next(run for run in self.experiment.runs() if run.run_id == run_id)


# Effects


@dataclass(frozen=True)
class Effect:
    """Seconds from a call to another run's first row, and those of the minibatch that was under way at the call."""

    operation: str
    total: float
    minibatch: float


def effects(calls: Iterable[Call], minibatches: Sequence[Minibatch]) -> list[Effect]:
    by_process: defaultdict[str, list[Minibatch]] = defaultdict(list)
    for minibatch in minibatches:
        by_process[minibatch.process].append(minibatch)
    found = (_effect(call, of_process) for call in calls for of_process in by_process.values())
    return [effect for effect in found if effect]


def _effect(call: Call, minibatches: Sequence[Minibatch]) -> Effect | None:
    """None where the process was not in a minibatch of the run at the call."""
    at = next((at for at, one in enumerate(minibatches) if one.begin <= call.time <= one.end), None)
    if at is None or minibatches[at].tag != call.tag:
        return None
    under_way = minibatches[at]
    following = next((one for one in minibatches[at:] if one.tag != call.tag), None)
    return Effect(call.operation, following.begin - call.time, under_way.seconds) if following else None


def milliseconds(seconds: Iterable[float]) -> dict[str, float]:
    return spread([1_000 * value for value in seconds], 95, digits=1)


def figures_of(users: dict[str, User], minibatches: Sequence[Minibatch]) -> dict[str, Any]:
    found = effects([call for user in users.values() for call in user.calls], minibatches)
    by_operation = {name: [one for one in found if one.operation == name] for name in ("stop", "delete")}
    return {
        "acknowledged_ms": {
            way: {name: milliseconds(seconds) for name, seconds in user.acknowledged.items()}
            for way, user in users.items()
        },
        "minibatch_ms": milliseconds(one.seconds for one in minibatches),
        "effect_ms": {name: milliseconds(one.total for one in of) for name, of in by_operation.items()},
        "effect_less_minibatch_ms": {
            name: milliseconds(one.total - one.minibatch for one in of) for name, of in by_operation.items()
        },
    }


def measure(home: EngineHome, experiment: Experiment, options: argparse.Namespace) -> dict[str, Any]:
    data, notes = home.root / "digits", home.root / "notes"
    notes.mkdir()
    write_digits(data)
    group = [config(tag, options.pause_ms / 1_000, notes) for tag in range(RUNS)]
    experiment.run_fit(digits_handle(data, "train"), group, wait=False)
    while not all(run.base_lease for run in experiment.runs()):
        time.sleep(_LOOK_SECONDS)
    with jupyter_server(home.root) as server:
        load = OtherLoad(with_engine(home, server.pid))
        ways = {
            "python": through_python(home, experiment.name),
            "rest": through_rest(server, experiment.name),
        }
        users = {
            way: User(experiment, operate, random.Random(SEED), 1_000 * number)
            for number, (way, operate) in enumerate(ways.items(), start=1)
        }
        for number in range(options.rounds):
            tell(f"round {number + 1} of {options.rounds}")
            for user in users.values():
                user.round()
        busy = load.cores()
    experiment.cancel_current()
    return {"busy_cores_of_others": busy, **figures_of(users, read_minibatches(notes))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pause-ms", type=float, default=30.0, help="what a minibatch sleeps besides its work")
    options = parser.parse_args()
    with one_json_line("operations") as figures, engine_home(slots=SLOTS) as home:
        experiment = Experiment(SPECS / "timed_digits.py", "operations")
        wait_for_slots(home, SLOTS)
        figures.update(vars(options), target_ms=TARGET_MS, target_less_minibatch_ms=TARGET_LESS_MINIBATCH_MS)
        figures.update(measure(home, experiment, options))


if __name__ == "__main__":
    main()
