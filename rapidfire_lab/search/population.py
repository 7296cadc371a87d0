"""Population based training (Jaderberg et al. 2017): the worst go on from copies of the best, with other knobs."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import Algorithm, Job, State, from_json, to_json

if TYPE_CHECKING:
    from rapidfire_lab.search.searcher import Supply


class Population(Algorithm):
    """Trains ``size`` trials side by side. Each is judged for itself, whenever it has trained ``interval`` epochs.

    It is held against the latest results of all: one of the worst gives its place to a copy of one of the best, which
    has that one's weights, its position, and its knobs with some of them moved. What is copied has to stand still. So
    one of the best rests where it is until all others have come as far, and all the rest go on at once.

    Parameters
    ----------
    share
        Part of the population that is replaced, and part that is copied from.
    """

    def __init__(self, *, size: int, interval: int, share: float, seed: int, state: State | None = None) -> None:
        super().__init__(state)
        self._size = size
        self._interval = interval
        self._share = share
        self._seed = seed
        self.state.setdefault("has_begun", False)
        self.state.setdefault("jobs", [])
        self.state.setdefault("members", {})
        """By trial that trains or is to: the epochs that it was last judged after, and the cost that it had there."""
        self.state.setdefault("until", {})
        self.state.setdefault("ready", [])
        self.state.setdefault("resting", [])
        self.state.setdefault("vacancies", 0)
        self.state.setdefault("copies", 0)

    def next_job(self, supply: Supply) -> Job | None:
        if not self.state["has_begun"]:
            self._begin(supply)
        while self.state["ready"]:
            self._judge(self.state["ready"].pop(0), supply)
        self._settle(supply)
        return Job(**self.state["jobs"].pop(0)) if self.state["jobs"] else None

    def _begin(self, supply: Supply) -> None:
        self.state["has_begun"] = True
        while len(self.state["members"]) < self._size and (trial := supply.take()) is not None:
            self.state["members"][str(trial)] = {"at": 0, "cost": None, "is_known": False, "is_tried": False}
            self._train(trial, supply)

    def _train(self, trial: int, supply: Supply, parent: int | None = None) -> None:
        until = min(self.state["members"][str(trial)]["at"] + self._interval, supply.epochs(trial))
        self.state["until"][str(trial)] = until
        self.state["jobs"].append({"trial": trial, "until": until, "parent": parent})

    def _judge(self, trial: int, supply: Supply) -> None:
        """Say of a trial that has come to the end of its job what becomes of it."""
        if self.state["members"][str(trial)]["at"] >= supply.epochs(trial):
            del self.state["members"][str(trial)]
            return
        if trial in self._worst():
            del self.state["members"][str(trial)]
            self.state["vacancies"] += 1
        else:
            self.state["resting"].append(trial)
        self._settle(supply)

    def _settle(self, supply: Supply) -> None:
        """Fill vacancies with copies of the best that rest, and send on all who need not rest."""
        donors = [trial for trial in self.state["resting"] if self._is_among_the_best(trial)]
        while self.state["vacancies"] and donors:
            self._copy(donors, supply)
        for trial in list(self.state["resting"]):
            if trial not in donors or not self._is_awaited(trial):
                self.state["resting"].remove(trial)
                self._train(trial, supply)

    def _copy(self, donors: list[int], supply: Supply) -> None:
        rng = random.Random(f"{self._seed}/{self.state['copies']}")
        parent = rng.choice(donors)
        copy = supply.varied(parent, rng)
        # It is judged by its parent's result until it has one of its own, and not copied before.
        self.state["members"][str(copy)] = {**self.state["members"][str(parent)], "is_tried": False}
        self._train(copy, supply, parent)
        self.state["copies"] += 1
        self.state["vacancies"] -= 1

    def _ranked(self) -> list[int]:
        """Members of whom a result is known, the best first."""
        known = [(from_json(member["cost"]), int(key)) for key, member in self._members() if member["is_known"]]
        return [trial for _, trial in sorted(known)]

    def _worst(self) -> list[int]:
        """Those whose places are to be given away, beside the places that are vacant already."""
        ranked, vacancies = self._ranked(), self.state["vacancies"]
        number = math.floor(self._share * (len(ranked) + vacancies)) - vacancies
        return ranked[len(ranked) - max(0, number) :]

    def _is_among_the_best(self, trial: int) -> bool:
        """Whether it is worth a copy, by the results of all who have come as far."""
        members = self.state["members"]
        own = members[str(trial)]
        peers = [other for other in self._ranked() if members[str(other)]["is_tried"]]
        ahead = [other for other in peers if members[str(other)]["at"] >= own["at"]]
        return own["cost"] is not None and trial in ahead[: max(1, round(self._share * self._size))]

    def _is_awaited(self, trial: int) -> bool:
        """Whether somebody may yet be judged who has not come as far."""
        at = self.state["members"][str(trial)]["at"]
        return any(member["at"] < at for _, member in self._members())

    def _members(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self.state["members"].items())

    def reached(self, trial: int, cost: float) -> None:
        until = self.state["until"].pop(str(trial))
        self.state["members"][str(trial)] = {
            "at": until,
            "cost": to_json(cost),
            "is_known": True,
            "is_tried": True,
        }
        self.state["ready"].append(trial)

    def lost(self, trial: int) -> None:
        member = self.state["members"].pop(str(trial), None)
        if member is None:
            return
        # A copy that never trained gets no other in its place, lest one be made again and again that cannot be.
        self.state["vacancies"] += 1 if member["is_tried"] or not member["is_known"] else 0
        self.state["until"].pop(str(trial), None)
        for name in ("ready", "resting"):
            self.state[name] = [other for other in self.state[name] if other != trial]
        self.state["jobs"] = [job for job in self.state["jobs"] if job["trial"] != trial]
