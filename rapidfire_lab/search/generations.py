"""Population based training in step: a generation is judged when all of it is there."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import Algorithm, Job, State, from_json, to_json

if TYPE_CHECKING:
    from rapidfire_lab.search.searcher import Supply


class Generations(Algorithm):
    """Trains ``size`` trials side by side. After every ``interval`` epochs copies of the best replace the worst.

    As `Population`, but each generation waits for its last member, and all of it is compared at the same epoch.

    Parameters
    ----------
    share
        Part of the population that is replaced, and part that is copied from.
    """

    def __init__(
        self,
        *,
        size: int,
        interval: int,
        share: float,
        seed: int,
        state: State | None = None,
    ) -> None:
        super().__init__(state)
        self._size = size
        self._interval = interval
        self._replaced = max(1, round(share * size)) if size > 1 else 0
        self._seed = seed
        self.state.setdefault("generation", 0)
        self.state.setdefault("waiting", None)
        self.state.setdefault("under_way", [])
        self.state.setdefault("costs", {})
        self.state.setdefault("lost", [])

    def next_job(self, supply: Supply) -> Job | None:
        if self.state["waiting"] is None:
            self._begin(supply)
        elif not self.state["waiting"] and not self.state["under_way"]:
            self._next_generation(supply)
        if not self.state["waiting"]:
            return None
        job = Job(**self.state["waiting"].pop(0))
        self.state["under_way"].append(job.trial)
        return job

    def _begin(self, supply: Supply) -> None:
        self.state["waiting"] = []
        while len(self.state["waiting"]) < self._size and (trial := supply.take()) is not None:
            self.state["waiting"].append(self._goes_on(trial, supply))

    def _goes_on(self, trial: int, supply: Supply) -> dict[str, Any]:
        until = min((self.state["generation"] + 1) * self._interval, supply.epochs(trial))
        return {"trial": trial, "until": until}

    def _next_generation(self, supply: Supply) -> None:
        costs = {int(trial): from_json(cost) for trial, cost in self.state["costs"].items()}
        ranked = sorted(
            (trial for trial in costs if trial not in self.state["lost"]), key=lambda one: (costs[one], one)
        )
        self.state["costs"] = {}
        self.state["generation"] += 1
        if not ranked or self.state["generation"] * self._interval >= supply.epochs(ranked[0]):
            return
        missing = self._size - len(ranked)
        replaced = min(self._replaced, len(ranked) - 1)
        kept = ranked[: len(ranked) - replaced]
        copied = self._copies(ranked[: max(1, self._replaced)], replaced + missing, supply)
        # Copies come first: they are made of what their parents have now.
        self.state["waiting"] = [*copied, *(self._goes_on(trial, supply) for trial in kept)]

    def _copies(self, best: list[int], number: int, supply: Supply) -> list[dict[str, Any]]:
        rng = random.Random(f"{self._seed}/{self.state['generation']}")
        copies = []
        for _ in range(number):
            parent = rng.choice(best)
            copies.append({**self._goes_on(supply.varied(parent, rng), supply), "parent": parent})
        return copies

    def reached(self, trial: int, cost: float) -> None:
        self.state["under_way"].remove(trial)
        self.state["costs"][str(trial)] = to_json(cost)

    def lost(self, trial: int) -> None:
        self.state["lost"].append(trial)
        self.state["under_way"] = [other for other in self.state["under_way"] if other != trial]
        self.state["waiting"] = [job for job in self.state["waiting"] or [] if job["trial"] != trial]
