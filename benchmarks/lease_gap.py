"""How long a slot does not train between two leases: from the last optimizer step of one to the first row of the next.

The spec ``specs/timed_digits.py`` notes when each minibatch begins and ends, and the journal says which minibatches
were a lease. Left out are the first lease of each run, which makes its model, and what comes after the first run has
ended, when slots may have nothing to do. There is no validation partition.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
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
from rapidfire_lab import Experiment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome

TARGET_MS = 20.0
GOAL_MS = 5.0
BATCH_SIZE = 32


@dataclass(frozen=True)
class Lease:
    run: int
    slot: int
    from_step: int
    granted: float
    closed: float


@dataclass(frozen=True)
class Minibatch:
    """A minibatch as the spec saw it."""

    tag: int
    begin: float
    end: float
    process: str

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Gap:
    """Two minibatches of one process with nothing between them, and the leases they belong to."""

    kind: str
    before: Minibatch
    after: Minibatch
    ended: Lease
    began: Lease

    @property
    def total(self) -> float:
        return self.after.begin - self.before.end

    def parts(self) -> dict[str, float]:
        """Where the time goes: in the slot and the controller until the next lease is granted, in the slot again."""
        return {
            "copy_and_decide": self.began.granted - self.before.end,
            "receive_and_restore": self.after.begin - self.began.granted,
        }


def configs(runs: int, epochs: int, notes: Path) -> list[dict[str, Any]]:
    """MLPs and CNNs, alternating."""
    train = {"epochs": epochs, "batch_size": BATCH_SIZE, "optimizer": {"name": "AdamW", "args": {"lr": 0.003}}}
    knobs = {"width": 32, "notes": str(notes)}
    return [
        {
            "train": train,
            "user_knobs": {**knobs, "tag": tag, "model": "cnn" if tag % 2 else "mlp"},
            "named_metrics": ["top1_accuracy"],
        }
        for tag in range(runs)
    ]


def read_leases(home: EngineHome) -> list[Lease]:
    with closing(sqlite3.connect(f"file:{home.journal}?mode=ro", uri=True)) as journal:
        rows = journal.execute("SELECT run, slot, from_step, granted, closed FROM leases ORDER BY id")
        return [Lease(*row) for row in rows]


def read_minibatches(notes: Path) -> list[Minibatch]:
    """All minibatches in the order in which they began."""
    found = []
    for file in notes.glob("*.txt"):
        for line in file.read_text().splitlines():
            tag, begin, end = line.split()
            found.append(Minibatch(int(tag), float(begin), float(end), file.stem))
    return sorted(found, key=lambda minibatch: minibatch.begin)


def find_gaps(minibatches: Iterable[Minibatch], leases: Iterable[Lease], runs: dict[int, int]) -> list[Gap]:
    """Gaps between leases, and those within them as kind ``step``; ``runs`` maps tags to runs."""
    starts = {(lease.run, lease.from_step): lease for lease in leases}
    steps: defaultdict[int, int] = defaultdict(int)
    last: dict[str, Minibatch] = {}
    held: dict[int, Lease] = {}
    home: dict[int, str] = {}
    gaps = []
    for minibatch in minibatches:
        run, before = runs[minibatch.tag], last.get(minibatch.process)
        began = starts.get((run, steps[run]))
        if before is not None and run in home:
            ended = held[runs[before.tag]]
            gaps.append(Gap(_kind(minibatch, before, began, home[run]), before, minibatch, ended, began or ended))
        held[run] = began or held[run]
        steps[run] += 1
        home[run] = minibatch.process
        last[minibatch.process] = minibatch
    return gaps


def _kind(minibatch: Minibatch, before: Minibatch, began: Lease | None, home: str) -> str:
    if began is None:
        return "step"
    if minibatch.tag == before.tag:
        return "same_run"
    return "hop_resident" if home == minibatch.process else "hop_from_other_slot"


def train(home: EngineHome, experiment: Experiment, options: argparse.Namespace) -> list[Gap]:
    data, notes = home.root / "digits", home.root / "notes"
    notes.mkdir()
    write_digits(data)
    group = configs(options.runs, options.epochs, notes)
    experiment.run_fit(digits_handle(data, "train"), group, num_chunks=options.chunks)
    records = experiment.runs()
    tags = {record.leaf["user_knobs"]["tag"]: record.id for record in records}
    first_end = min(record.ended or 0.0 for record in records)
    gaps = find_gaps(read_minibatches(notes), read_leases(home), tags)
    return [gap for gap in gaps if gap.after.begin < first_end]


def figures_of(gaps: list[Gap]) -> dict[str, Any]:
    between = [gap for gap in gaps if gap.kind != "step"]
    kinds = {kind: [gap for gap in gaps if gap.kind == kind] for kind in ("hop_resident", "hop_from_other_slot")}
    kinds["same_run"] = [gap for gap in gaps if gap.kind == "same_run"]
    return {
        "gap_ms": milliseconds(gap.total for gap in between),
        "by_kind_ms": {kind: milliseconds(gap.total for gap in chosen) for kind, chosen in kinds.items()},
        "parts_ms": {
            part: milliseconds(gap.parts()[part] for gap in between)
            for part in ("copy_and_decide", "receive_and_restore")
        },
        "until_committed_ms": milliseconds(gap.ended.closed - gap.before.end for gap in between),
        "between_steps_of_a_lease_ms": milliseconds(gap.total for gap in gaps if gap.kind == "step"),
        "step_ms": milliseconds(gap.after.seconds for gap in gaps),
    }


def milliseconds(seconds: Iterable[float]) -> dict[str, float]:
    return spread([1_000 * value for value in seconds], 90, 99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--runs", type=int, default=8, help="MLPs and CNNs in turn")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=10, help="leases per epoch and run")
    options = parser.parse_args()
    with one_json_line("lease_gap") as figures, engine_home(slots=options.slots) as home:
        experiment = Experiment(SPECS / "timed_digits.py", "lease-gap")
        wait_for_slots(home, options.slots)
        tell(f"{options.runs} runs of {options.epochs} epochs in {options.chunks} chunks each")
        load = OtherLoad(with_engine(home))
        gaps = train(home, experiment, options)
        figures.update(vars(options), target_ms=TARGET_MS, goal_ms=GOAL_MS, busy_cores_of_others=load.cores())
        figures.update(figures_of(gaps))


if __name__ == "__main__":
    main()
