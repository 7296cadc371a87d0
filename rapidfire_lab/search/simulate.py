"""A search in simulated time: recorded or made-up learning curves take the place of training."""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rapidfire_lab.search.conductor import Conductor, Drop, Start, TrialView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rapidfire_lab.search.searcher import State

    Curve = Sequence[float | tuple[float, ...]]
    Curves = Callable[[int, Mapping[str, object]], Curve]


@dataclass
class Simulated:
    """How a search went.

    Attributes
    ----------
    results
        Results of each trial, as far as it was trained.
    epochs
        Epochs that were trained, over all trials.
    seconds
        When the last of them was.
    log
        Decisions in the order in which they were made.
    state
        The search's last state, for the rest of it.
    """

    results: dict[int, list[Any]] = field(default_factory=dict)
    epochs: float = 0.0
    seconds: float = 0.0
    log: list[object] = field(default_factory=list)
    state: State = field(default_factory=dict)
    over: str | None = None

    def best(self, length: int, sign: int = 1) -> int:
        """The trial with the best last result among those with all ``length`` results; -1 without one."""
        whole = [trial for trial, results in self.results.items() if len(results) >= length]
        return min(whole, key=lambda trial: sign * self.results[trial][length - 1], default=-1)


def simulate(
    make: Callable[[State], Conductor],
    curves: Curves,
    *,
    slots: int = 2,
    per_epoch: int = 1,
    speed: Callable[[int], float] = lambda _: 1.0,
    anew: bool = False,
) -> Simulated:
    """Play a search to its end.

    Parameters
    ----------
    make
        Makes the conductor from a state.
    curves
        Results of a trial, by its number and config, one for each part of an epoch.
    slots
        Trials that train at once. Each trains one part, and then the trial goes to the end of the queue.
    per_epoch
        Parts of an epoch.
    speed
        Seconds that a trial's epoch takes.
    anew
        Make the conductor anew for every step, from its state as JSON: as in an engine in which everybody dies after
        each decision.
    """
    return _Simulation(make, curves, slots, per_epoch, speed, anew=anew).play()


class _Simulation:
    def __init__(
        self,
        make: Callable[[State], Conductor],
        curves: Curves,
        slots: int,
        per_epoch: int,
        speed: Callable[[int], float],
        *,
        anew: bool,
    ) -> None:
        self._make = make
        self._conductor = None if anew else make({})
        self._curves_of = curves
        self._per_epoch = per_epoch
        self._speed = speed
        self._free = slots
        self._curves: dict[int, Curve] = {}
        self._until: dict[int, int] = {}
        """Parts up to which each trial is to train; those that have come there are paused."""
        self._queue: list[int] = []
        self._training: list[tuple[float, int]] = []
        self._now = 0.0
        self._went = Simulated()

    def play(self) -> Simulated:
        self._decide()
        while self._training or self._queue:
            self._grant()
            self._now, trial = heapq.heappop(self._training)
            self._free += 1
            self._train(trial)
            self._decide()
        self._went.seconds = self._now
        return self._went

    def _grant(self) -> None:
        while self._free and self._queue:
            trial = self._queue.pop(0)
            heapq.heappush(self._training, (self._now + self._speed(trial) / self._per_epoch, trial))
            self._free -= 1

    def _train(self, trial: int) -> None:
        results = self._went.results[trial]
        results.append(self._curves[trial][len(results)])
        self._went.epochs += 1 / self._per_epoch
        if len(results) < self._until[trial]:
            self._queue.append(trial)

    def _decide(self) -> None:
        conductor = self._conductor or self._make(self._went.state)
        for decision in conductor.step({trial: self._view(trial) for trial in self._went.results}, self._now):
            self._went.log.append(decision)
            if isinstance(decision, Drop):
                self._until[decision.trial] = 0
                self._queue = [trial for trial in self._queue if trial != decision.trial]
                continue
            if isinstance(decision, Start):
                self._start(decision)
            self._until[decision.trial] = decision.until * self._per_epoch
            self._queue.append(decision.trial)
        self._went.over = conductor.over
        self._went.state = conductor.state if self._conductor else json.loads(json.dumps(conductor.state))

    def _start(self, decision: Start) -> None:
        self._curves[decision.trial] = self._curves_of(decision.trial, decision.config)
        inherited = [] if decision.parent is None else self._went.results[decision.parent]
        self._went.results[decision.trial] = list(inherited)

    def _view(self, trial: int) -> TrialView:
        results = self._went.results[trial]
        complete = len(results) == len(self._curves[trial])
        active = len(results) < self._until[trial]
        objectives = [value if isinstance(value, tuple) else (value,) for value in results]
        return TrialView(objectives, self._per_epoch, is_active=active, is_complete=complete)
