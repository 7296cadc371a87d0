"""Parameters that trials pass on to later ones."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from rapidfire_lab.model.advisor.proposal import RECENT, ParamsType

if TYPE_CHECKING:
    from rapidfire_lab.model.base import Params


class SharedParams:
    """The latest and the best parameters of the trials of one worker."""

    def __init__(self) -> None:
        self._recent: Params | None = None
        self._best: Params | None = None
        self._best_score = -math.inf

    def store(self, params: Params, score: float | None) -> None:
        """Keep parameters; of equal scores the later is the better, and no score is the worst."""
        # Arrays may be views of weights that their model goes on to change.
        self._recent = copy.deepcopy(params)
        comparable = -math.inf if score is None or math.isnan(score) else score
        if comparable >= self._best_score:
            self._best, self._best_score = self._recent, comparable

    def retrieve(self, which: ParamsType) -> Params | None:
        """Give a copy of the parameters that a proposal asks for; None when there are none."""
        if which is ParamsType.NONE:
            return None
        return copy.deepcopy(self._recent if which in RECENT else self._best)
