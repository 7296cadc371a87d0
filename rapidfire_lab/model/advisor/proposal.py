"""What passes between an advisor and the trials."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapidfire_lab.model.base import Knobs


class ParamsType(Enum):
    """Which parameters of earlier trials a trial begins with: of this worker or all, the latest or the best."""

    LOCAL_RECENT = "LOCAL_RECENT"
    LOCAL_BEST = "LOCAL_BEST"
    GLOBAL_RECENT = "GLOBAL_RECENT"
    GLOBAL_BEST = "GLOBAL_BEST"
    NONE = "NONE"


RECENT = (ParamsType.LOCAL_RECENT, ParamsType.GLOBAL_RECENT)


@dataclass
class Proposal:
    """What a trial shall do.

    Attributes
    ----------
    trial_no
        Counted from 1.
    knobs
        A value for each knob.
    params_type
        Which ``shared_params`` to train with.
    to_eval
        Whether to evaluate.
    to_cache_params, to_save_params
        Whether to keep the parameters for later trials, and as a result.
    meta
        What the advisor wants to remember, as JSON can hold it.
    """

    trial_no: int
    knobs: Knobs
    params_type: ParamsType = ParamsType.NONE
    to_eval: bool = True
    to_cache_params: bool = False
    to_save_params: bool = True
    meta: dict[str, Any] = field(default_factory=dict)
    trial_id: str | None = None

    def __post_init__(self) -> None:
        self.params_type = ParamsType(self.params_type)

    def to_jsonable(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {**asdict(self), "params_type": self.params_type.value}

    @classmethod
    def from_jsonable(cls, jsonable: dict[str, Any]) -> Proposal:
        """Make it of what `to_jsonable` gave."""
        return cls(**jsonable)


@dataclass
class Tried:
    """A trial as its advisor remembers it.

    Attributes
    ----------
    status
        ``open``, ``done`` or ``failed``.
    score
        None when there is none, or none that is a finite number.
    """

    proposal: Proposal
    status: str = "open"
    score: float | None = None

    def to_jsonable(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"proposal": self.proposal.to_jsonable(), "status": self.status, "score": self.score}

    @classmethod
    def from_jsonable(cls, jsonable: dict[str, Any]) -> Tried:
        """Make it of what `to_jsonable` gave."""
        return cls(Proposal.from_jsonable(jsonable["proposal"]), jsonable["status"], jsonable["score"])


@dataclass
class TrialResult:
    """What came of a trial; ``score`` is None when it was not evaluated."""

    proposal: Proposal
    score: float | None = None

    def to_jsonable(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"proposal": self.proposal.to_jsonable(), "score": self.score}

    @classmethod
    def from_jsonable(cls, jsonable: dict[str, Any]) -> TrialResult:
        """Make it of what `to_jsonable` gave."""
        return cls(Proposal.from_jsonable(jsonable["proposal"]), jsonable["score"])
