"""How long the scheduler takes to decide: a lease ends, and its slot is granted the next one."""

from __future__ import annotations

import random
import time

from benchmarks.common import one_json_line, spread, tell
from rapidfire_lab.engine.scheduler import GrantLease, Instruction, LeaseEnded, RunAdded, RunState, Scheduler, SlotUp

SLOTS = 8
CHUNKS = 8
DECISIONS = 5_000
SEED = 7
TARGET_SECONDS = 0.005


class Engine:
    """A scheduler whose leases last as long as a random number says."""

    def __init__(self, runs: int) -> None:
        self._random = random.Random(SEED)
        self._scheduler = Scheduler()
        self._leases: list[GrantLease] = []
        for key in range(runs):
            steps = self._random.randint(20, 2_000)
            run = RunState(key=key, steps_per_epoch=steps, epochs=1_000_000, num_chunks=CHUNKS)
            self._keep(self._scheduler.handle(RunAdded(run)))
        for slot in range(SLOTS):
            self._keep(self._scheduler.handle(SlotUp(slot)))

    def _keep(self, instructions: list[Instruction]) -> None:
        self._leases += [instruction for instruction in instructions if isinstance(instruction, GrantLease)]

    def decide(self) -> float:
        """End a lease and return the seconds until the next one was granted."""
        lease = self._leases.pop(self._random.randrange(len(self._leases)))
        trained = lease.to_step - lease.from_step
        ended = LeaseEnded(
            lease=lease.lease,
            outcome="reached",
            step=lease.to_step,
            trained_steps=trained,
            seconds=trained * 0.01,
            overhead=0.005,
        )
        start = time.perf_counter()
        instructions = self._scheduler.handle(ended)
        seconds = time.perf_counter() - start
        self._keep(instructions)
        if len(self._leases) != SLOTS:
            message = f"{len(self._leases)} leases on {SLOTS} slots"
            raise AssertionError(message)
        return seconds


def measure(runs: int) -> dict[str, float]:
    tell(f"{runs} runs on {SLOTS} slots, {DECISIONS} decisions")
    engine = Engine(runs)
    return spread([engine.decide() for _ in range(DECISIONS)], 99, digits=7)


def main() -> None:
    with one_json_line("scheduler_decision") as figures:
        figures["target_seconds_64x8"] = TARGET_SECONDS
        figures["decision_seconds"] = {f"{runs}x{SLOTS}": measure(runs) for runs in (64, 1_000)}


if __name__ == "__main__":
    main()
