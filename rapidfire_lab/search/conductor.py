"""Keeps a search going: gives jobs to workers, and results to the algorithm in an order that no machine decides.

A search has ``workers``, each of which trains one trial at a time. They have a clock of their own, which counts epochs:
results are taken in by that clock, whichever came first in fact. So what a search decides depends on its seed and the
results alone, not on who was slow, died or had to wait. Workers are more than slots, so that one whose result is not
asked for yet leaves its slot to the others; nobody waits for a whole rung.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.searcher import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rapidfire_lab.search.searcher import Algorithm, State, Supply


@dataclass(frozen=True)
class TrialView:
    """A trial's run, as it is now.

    Attributes
    ----------
    results
        Results after each epoch, or after each chunk; of several objectives there are several numbers.
    per_epoch
        How many of them an epoch gives.
    is_active
        Whether it trains or waits to.
    is_complete
        Whether it has ended by itself, all epochs trained or converged.
    is_ours
        Whether nobody else has stopped, resumed or deleted it.
    """

    results: Sequence[Sequence[float]]
    per_epoch: int = 1
    is_active: bool = True
    is_complete: bool = False
    is_ours: bool = True


@dataclass(frozen=True)
class Start:
    """Train a new trial up to an epoch; with a parent, from that one's weights and position."""

    trial: int
    until: int
    config: dict[str, Any]
    parent: int | None = None


@dataclass(frozen=True)
class GoOn:
    """Train a trial further, up to an epoch."""

    trial: int
    until: int


@dataclass(frozen=True)
class Drop:
    """Train a trial no further."""

    trial: int


Decision = Start | GoOn | Drop


@dataclass(frozen=True)
class Budget:
    """What a search may cost at most. No job is begun that could exceed it, and what trains at the deadline is dropped.

    ``deadline`` is a time in seconds, of the clock that is given to ``Conductor.step``.
    """

    epochs: float = math.inf
    deadline: float = math.inf


class Conductor:
    """Asks an algorithm for jobs and tells it results.

    Parameters
    ----------
    signs
        1 for each result that is to be small, -1 for one that is to be large. The first one is the cost.
    in_order
        False takes results in as they come: no worker ever waits, and the machine decides what is tried.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        supply: Supply,
        *,
        workers: int,
        signs: Sequence[int] = (1,),
        budget: Budget | None = None,
        in_order: bool = True,
        state: State | None = None,
    ) -> None:
        self._algorithm = algorithm
        self._supply = supply
        self._signs = signs
        self._budget = budget or Budget()
        self._in_order = in_order
        self.state: State = state if state is not None else {}
        self.state.setdefault("workers", [{"clock": 0.0, "trial": None} for _ in range(workers)])
        self.state.setdefault("trials", {})
        self.state.setdefault("spent", 0.0)
        self.state.setdefault("postponed", None)
        self.state.setdefault("over", None)
        self._decisions: list[Decision] = []
        self._fresh: set[int] = set()

    @property
    def over(self) -> str | None:
        """Why the search is over: ``"done"``, ``"epochs"`` or ``"seconds"``; None while it is not."""
        over: str | None = self.state["over"]
        return over

    def step(self, views: Mapping[int, TrialView], now: float = 0.0) -> list[Decision]:
        """Take in what is new of the trials, and decide what follows."""
        self._decisions, self._fresh = [], set()
        if self.over is None:
            self._withdraw(views)
            if now >= self._budget.deadline:
                self._end("seconds")
            else:
                self._go_round(views)
        return self._decisions

    def _go_round(self, views: Mapping[int, TrialView]) -> None:
        self._assign(0.0)
        while (worker := self._next(views)) is not None:
            self._take_in(worker, views)
            self._assign(worker["clock"])
        if all(worker["trial"] is None for worker in self.state["workers"]):
            self._end("epochs" if self.state["postponed"] else "done")

    def _end(self, why: str) -> None:
        self.state["over"] = why
        for worker in self.state["workers"]:
            if worker["trial"] is not None:
                self._decisions.append(Drop(worker["trial"]))
                worker["trial"] = None

    # Workers

    def _assign(self, clock: float) -> None:
        """Give jobs to the workers that have none."""
        for worker in self.state["workers"]:
            if worker["trial"] is None:
                job = self._affordable_job()
                if job is None:
                    return
                self._begin(worker, job, clock)

    def _affordable_job(self) -> Job | None:
        job = self._postponed() or self._algorithm.next_job(self._supply)
        left = self._budget.epochs - self.state["spent"]
        self.state["postponed"] = None
        if job is None:
            return self._algorithm.spare_job(self._supply, left) if math.isfinite(left) else None
        if self._length(job) > left:
            self.state["postponed"] = {"trial": job.trial, "until": job.until, "parent": job.parent}
            return None
        return job

    def _postponed(self) -> Job | None:
        postponed = self.state["postponed"]
        return Job(**postponed) if postponed else None

    def _length(self, job: Job) -> float:
        """Epochs that a job takes."""
        known = self.state["trials"].get(str(job.trial if job.parent is None else job.parent))
        return job.until - (known["at"] if known else 0.0)

    def _begin(self, worker: State, job: Job, clock: float) -> None:
        self.state["spent"] += self._length(job)
        trials = self.state["trials"]
        if str(job.trial) not in trials:
            seen, at = (0, 0.0) if job.parent is None else (trials[str(job.parent)][key] for key in ("seen", "at"))
            trials[str(job.trial)] = {"seen": seen, "at": at, "until": job.until, "parent": job.parent}
            config = self._supply.config(job.trial)
            self._decisions.append(Start(job.trial, job.until, config, job.parent))
        else:
            trials[str(job.trial)]["until"] = job.until
            self._decisions.append(GoOn(job.trial, job.until))
        worker["trial"], worker["clock"] = job.trial, max(clock, worker["clock"])
        self._fresh.add(job.trial)

    def _next(self, views: Mapping[int, TrialView]) -> State | None:
        """Find the worker whose result is to be taken in next; None while that is not there."""
        busy = [worker for worker in self.state["workers"] if worker["trial"] is not None]
        worker: State
        for worker in sorted(busy, key=lambda worker: worker["clock"]):
            trial = worker["trial"]
            view = views.get(trial)
            known = view is not None and trial not in self._fresh
            if known and view is not None and self._has_news(trial, view):
                return worker
            if self._in_order:
                return None
        return None

    def _has_news(self, trial: int, view: TrialView) -> bool:
        return len(view.results) > self.state["trials"][str(trial)]["seen"] or view.is_complete

    def _take_in(self, worker: State, views: Mapping[int, TrialView]) -> None:
        trial = worker["trial"]
        view = views[trial]
        record = self.state["trials"][str(trial)]
        if len(view.results) > record["seen"]:
            record["seen"] += 1
            record["at"] = record["seen"] / view.per_epoch
            worker["clock"] += 1 / view.per_epoch
            cost = self._cost(view.results[record["seen"] - 1])
            self._drop(self._algorithm.observe(trial, record["at"], cost), views)
        if worker["trial"] is None:
            return
        ended = view.is_complete and record["seen"] >= len(view.results)
        if record["at"] >= record["until"] or ended:
            self._reached(worker, view, final=ended or record["at"] >= self._supply.epochs(trial))

    def _cost(self, results: Sequence[float]) -> float:
        cost = self._signs[0] * results[0]
        return cost if math.isfinite(cost) else math.inf

    def _reached(self, worker: State, view: TrialView, *, final: bool) -> None:
        trial, worker["trial"] = worker["trial"], None
        record = self.state["trials"][str(trial)]
        self._refund(record)
        if not view.results:
            self._algorithm.lost(trial)
            return
        results = view.results[record["seen"] - 1]
        self._algorithm.reached(trial, self._cost(results))
        self._supply.told(trial, record["at"], results, final=final)

    # Trials that are out

    def _drop(self, trials: Sequence[int], views: Mapping[int, TrialView]) -> None:
        for trial in trials:
            for worker in self.state["workers"]:
                if worker["trial"] == trial:
                    worker["trial"] = None
                    record = self.state["trials"][str(trial)]
                    self._refund(record)
                    self._decisions.append(Drop(trial))
                    if record["seen"]:
                        self._supply.told(trial, record["at"], views[trial].results[record["seen"] - 1], final=False)

    def _refund(self, record: State) -> None:
        """Give back what was reserved for epochs that will not be trained."""
        self.state["spent"] -= max(0.0, record["until"] - record["at"])
        record["until"] = record["at"]

    def _withdraw(self, views: Mapping[int, TrialView]) -> None:
        """Give up trials that are gone, have failed, or that somebody else steers now."""
        under_way = {worker["trial"]: worker for worker in self.state["workers"] if worker["trial"] is not None}
        for key, record in self.state["trials"].items():
            trial = int(key)
            if record.get("lost") or not self._is_lost(views.get(trial), record, under_way=trial in under_way):
                continue
            record["lost"] = True
            self._algorithm.lost(trial)
            self._supply.failed(trial)
            postponed = self.state["postponed"]
            if postponed and postponed["trial"] == trial:
                self.state["postponed"] = None
            if trial in under_way:
                under_way[trial]["trial"] = None
                self._refund(record)

    @staticmethod
    def _is_lost(view: TrialView | None, record: State, *, under_way: bool) -> bool:
        if view is None or not view.is_ours:
            return True
        finished = view.is_complete or len(view.results) >= record["until"] * view.per_epoch
        return under_way and not view.is_active and not finished
