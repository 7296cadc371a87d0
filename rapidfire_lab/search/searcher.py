"""What every search algorithm is: a deterministic state machine that is asked for jobs and told results."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

State = dict[str, Any]
"""Plain JSON."""


@dataclass(frozen=True)
class Job:
    """Train a trial up to the end of an epoch.

    Attributes
    ----------
    trial
        Number of the trial, from 0. One that was not there before is to be started.
    until
        Epochs that it is to have in the end.
    parent
        Of a new trial: the one whose weights and position it begins with.
    """

    trial: int
    until: int
    parent: int | None = None


class Supply(ABC):
    """Where trials and their configs come from. Trials are numbered from 0, in the order in which they are made.

    Like an algorithm it keeps all that it knows in ``state``, which is plain JSON.
    """

    def __init__(self, state: State | None = None) -> None:
        self.state: State = state if state is not None else {}

    @abstractmethod
    def take(self) -> int | None:
        """Make one more trial and give its number; None when there are no more."""

    @abstractmethod
    def config(self, trial: int) -> dict[str, Any]:
        """Canonical config of a trial."""

    def epochs(self, trial: int) -> int:
        """Epochs that a trial has at most."""
        epochs: int = self.config(trial)["train"]["epochs"]
        return epochs

    def varied(self, trial: int, rng: random.Random) -> int:
        """Make a trial whose knobs are near those of another one, and give its number."""
        raise NotImplementedError

    @abstractmethod
    def told(self, trial: int, epochs: float, results: Sequence[float], *, final: bool) -> None:
        """Take in what a trial has reached after so many epochs; ``final`` when it will train no further."""

    @abstractmethod
    def failed(self, trial: int) -> None:
        """Take in that a trial is out."""


class Algorithm(ABC):
    """Decides which trials train how far. Costs are compared: less is better, infinite is useless.

    It reads no clock, draws random numbers from its seed alone, and keeps all that it knows in ``state``, which is
    plain JSON: an algorithm that is made anew from a state goes on as if nothing had been.
    """

    def __init__(self, state: State | None = None) -> None:
        self.state: State = state if state is not None else {}

    @abstractmethod
    def next_job(self, supply: Supply) -> Job | None:
        """Say what a free worker is to do; None when there is nothing now."""

    def spare_job(self, supply: Supply, left: float) -> Job | None:  # noqa: ARG002 - for those who can use more
        """Say what a worker that has nothing to do may do with the ``left`` epochs of a budget; None for nothing."""
        return None

    def observe(self, trial: int, position: float, cost: float) -> Sequence[int]:  # noqa: ARG002 - for those who look
        """Take in a result on the way, after ``position`` epochs; gives trials that are to train no further."""
        return ()

    @abstractmethod
    def reached(self, trial: int, cost: float) -> None:
        """Take in that a trial has come to the end of its job."""

    @abstractmethod
    def lost(self, trial: int) -> None:
        """Take in that a trial is out: it failed, was deleted, or somebody else steers it."""


def to_json(cost: float) -> float | None:
    return cost if math.isfinite(cost) else None


def from_json(cost: float | None) -> float:
    return math.inf if cost is None else cost
