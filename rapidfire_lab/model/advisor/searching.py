"""Advisors that search, and the use that they make of a model's policies."""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.diff import identity
from rapidfire_lab.model.advisor.base import BaseAdvisor, policy_knobs
from rapidfire_lab.model.advisor.draws import drawn
from rapidfire_lab.model.advisor.proposal import ParamsType, Proposal
from rapidfire_lab.model.knob_space import to_space

if TYPE_CHECKING:
    from rapidfire_lab.model.advisor.proposal import Tried
    from rapidfire_lab.model.base import Knobs
    from rapidfire_lab.search.space import Params

SEARCH_SHARE = 0.8
"""Of the budget: what is left is for the best knobs without policies that cut trials short."""

_CHEAPER = ("EARLY_STOP", "DOWNSCALE", "QUICK_EVAL")
_SHARING_PACE = 4.0
_CYCLE = 6
"""Trials between two that train what the others are evaluated with."""

_PHASE, _PARAMS = "phase", "params"


class SearchingAdvisor(BaseAdvisor):
    """Searches for good knobs; where policies make trials cheaper, the best are trained in full afterwards.

    * ``EARLY_STOP``, ``DOWNSCALE`` and ``QUICK_EVAL`` are on until 80 % of the budget are spent, and off afterwards,
      when the best knobs, the next best and so on are tried again, from scratch, until all are; of a budget of trials
      the last is always so.
    * ``SHARE_PARAMS``: a trial begins with the parameters of the best so far with a probability of 1 - exp(-4 t), t the
      part of the budget that is spent. Then knobs may come again.
    * ``SKIP_TRAIN``, together with ``SHARE_PARAMS``: one trial in six trains, on top of the last one that did; the
      others are only evaluated, with its parameters.
    """

    @abstractmethod
    def searched(self, trial_no: int, rng: random.Random) -> tuple[Knobs, Params | None, dict[str, Any]] | None:
        """Give knobs to try, what they are made of, and notes to keep; None when there are no others."""

    def choose(self, trial_no: int, spent: float) -> Proposal | None:
        """Give the next trial of the phase that the budget is in."""
        if spent >= 1:
            return None
        rng = random.Random(f"{self.seed}/{trial_no}")
        is_final = bool(self._cheaper) and (spent >= SEARCH_SHARE or trial_no == self.max_trials)
        if is_final and any(tried.status == "done" for tried in self.history()):
            return self._final(trial_no)
        found = self.searched(trial_no, rng) or self._again(rng)
        if found is None:
            return None
        knobs, params, notes = found
        knobs = {**knobs, **dict.fromkeys(self._cheaper, not is_final)}
        proposal = Proposal(trial_no, knobs, meta={_PHASE: "search", _PARAMS: params, **notes})
        self._share(proposal, spent, rng)
        return proposal

    @property
    def _cheaper(self) -> list[str]:
        return [name for policy in _CHEAPER for name in policy_knobs(self.knob_config, policy)]

    @property
    def _sharing(self) -> list[str]:
        return policy_knobs(self.knob_config, "SHARE_PARAMS")

    def history(self) -> list[Tried]:
        """Give the trials of the search, by number."""
        return [tried for _, tried in sorted(self.tried.items()) if tried.proposal.meta.get(_PHASE) == "search"]

    def seen(self) -> set[str]:
        """Give the identities of the knobs that were searched, without what policies make of them."""
        return {identity(self.own_knobs(tried)) for tried in self.history()}

    def own_knobs(self, tried: Tried) -> Knobs:
        """Give the knobs that were searched, with policies off, and without those that are given beside ours."""
        off = to_space({name: knob for name, knob in self.knob_config.items() if name in self._policies()})
        return {**{name: tried.proposal.knobs[name] for name in self.knob_config}, **off}

    def _policies(self) -> list[str]:
        names = (*_CHEAPER, "SHARE_PARAMS", "SKIP_TRAIN")
        return [name for policy in names for name in policy_knobs(self.knob_config, policy)]

    def _again(self, rng: random.Random) -> tuple[Knobs, Params | None, dict[str, Any]] | None:
        """Try knobs a second time, when there are no others: with shared parameters they may come further."""
        return (*drawn(to_space(self.knob_config), rng), {}) if self._sharing else None

    def _final(self, trial_no: int) -> Proposal | None:
        """Train the best knobs that were not trained in full yet."""
        finals = [tried for tried in self.tried.values() if tried.proposal.meta.get(_PHASE) == "final"]
        seen = {identity(self.own_knobs(tried)) for tried in finals}
        done = [tried for tried in self.history() if tried.status == "done"]
        for tried in sorted(done, key=_by_score, reverse=True):
            knobs = self.own_knobs(tried)
            if identity(knobs) not in seen:
                return Proposal(trial_no, knobs, meta={_PHASE: "final"})
        return None

    def _share(self, proposal: Proposal, spent: float, rng: random.Random) -> None:
        if not self._sharing:
            return
        skipping = policy_knobs(self.knob_config, "SKIP_TRAIN")
        proposal.to_cache_params = True
        if skipping:
            proposal.params_type = ParamsType.GLOBAL_RECENT
        elif rng.random() >= math.exp(-_SHARING_PACE * spent):
            proposal.params_type = ParamsType.GLOBAL_BEST
        if self.lender(proposal.params_type) is None:
            proposal.params_type = ParamsType.NONE
        shares = proposal.params_type is not ParamsType.NONE
        skips = shares and bool(proposal.trial_no % _CYCLE)
        proposal.knobs |= {**dict.fromkeys(self._sharing, shares), **dict.fromkeys(skipping, skips)}
        if skipping and skips:
            proposal.to_cache_params = False


def _by_score(tried: Tried) -> float:
    return -math.inf if tried.score is None else tried.score
