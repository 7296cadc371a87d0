"""A tuning as a policy: an advisor, its trials as runs, and what the engine is to do next.

All that it knows is the trials that the advisor remembers: the advisor is made anew from these for each decision.
Results are taken in one by one and by the numbers of the trials, whichever came first: so what is proposed depends on
the seed, the results and, as far as the budget is one of time, on the time.
"""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.protocol import PolicyAction, Trial
from rapidfire_lab.model.advisor import TrialResult, make_advisor
from rapidfire_lab.model.advisor.base import DEFAULT_TRAIN_HOURS
from rapidfire_lab.model.constants import BudgetOption
from rapidfire_lab.model.knob_json import deserialize_knob_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.journal import PolicyRecord
    from rapidfire_lab.model.advisor import Proposal
    from rapidfire_lab.policies.control import PolicyControl
    from rapidfire_lab.policies.run_policy import Policy
    from rapidfire_lab.policies.view import PolicyRun

KIND = "tuning"
_WORKER = "engine"
_CLOSED = "closed"
_TRIALS = "trials"
_HOPELESS = 100
"""Trials that fail in a row before there are no more."""


def load_tuning(policy: PolicyRecord) -> Policy:
    """Make the policy that a tuning is."""
    definition = json.loads(policy.definition or "{}")

    def tuning(runs: list[PolicyRun], control: PolicyControl) -> None:
        own = {run.trial: run for run in runs if run.search == policy.name and run.trial is not None}
        Tuning(definition, own, control, origin=policy.origin, now=time.time()).step()

    return tuning


def tuning_deadline(definition: Mapping[str, Any], state: Mapping[str, Any]) -> float:
    """When a tuning has to be called whatever happens; infinite once it has been, and without a limit of time."""
    hours: float = definition["limits"].get(BudgetOption.TIME_HOURS, DEFAULT_TRAIN_HOURS)
    return math.inf if state.get(_CLOSED) else definition["begun"] + 3600 * hours


class Tuning:
    """What a tuning decides, once.

    Parameters
    ----------
    definition
        What ``submit_tuning`` wrote down.
    own
        The runs by the numbers of their trials.
    control
        Has the state, and takes the actions.
    origin
        What the tuning is called where it steers runs.
    now
        Time in seconds since 1970.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        own: Mapping[int, PolicyRun],
        control: PolicyControl,
        *,
        origin: str,
        now: float,
    ) -> None:
        self._definition = definition
        self._own = own
        self._control = control
        self._origin = origin
        self._now = now
        self._advisor = make_advisor(
            deserialize_knob_config(definition["knobs"]),
            definition["limits"],
            seed=definition["seed"],
            clock=lambda: now,
            start=definition["begun"],
        )
        self._advisor.restore(control.state.get(_TRIALS, []))
        self._asked_before = set(self._open())

    def step(self) -> None:
        """Take in what has come of trials, and ask for others."""
        if self._now >= tuning_deadline(self._definition, self._control.state):
            self._close()
        self._ask()
        while self._take_in():
            self._ask()
        self._control.state[_TRIALS] = self._advisor.to_jsonable()
        self._control.done = not self._open()

    def _open(self) -> list[int]:
        return [number for number, tried in sorted(self._advisor.tried.items()) if tried.status == "open"]

    def _close(self) -> None:
        """Begin no more trials, and stop those that shall not go on."""
        self._control.state[_CLOSED] = True
        under_way = [self._own[number] for number in self._open() if number in self._own]
        is_hard = self._definition["hard"]
        for run in under_way:
            if run.is_active and (is_hard or run.status == "queued"):
                self._control.stop(run)  # each for itself: of several, one that has ended would keep all from it

    def _take_in(self) -> bool:
        """Take in what has come of the first trial that is open; later ones wait for their turn."""
        number = next(iter(self._open()), None)
        if number not in self._asked_before:
            return False
        run = self._own.get(number)
        if run is not None and run.status == "completed" and self._is_ours(run):
            result = TrialResult(self._advisor.tried[number].proposal, run.metrics.get("score"))
            self._advisor.feedback(_WORKER, result)
        elif run is None or not run.is_active or not self._is_ours(run):
            self._advisor.failed(number)  # also when it was refused or deleted, or somebody else steers it
        else:
            return False
        return True

    def _is_ours(self, run: PolicyRun) -> bool:
        return run.steerers <= {self._origin}

    def _ask(self) -> None:
        while self._may_ask():
            number = max(self._advisor.tried, default=0) + 1
            proposal = self._advisor.propose(_WORKER, number)
            if proposal is None:
                return
            trial = Trial(search=self._definition["name"], number=number, until=1)
            self._control.actions.append(_action(proposal, trial, self._lender(proposal)))

    def _may_ask(self) -> bool:
        last = list(self._advisor.tried.values())[-_HOPELESS:]
        is_hopeless = len(last) == _HOPELESS and all(tried.status == "failed" for tried in last)
        has_room = len(self._open()) < self._definition["ahead"]
        return has_room and not is_hopeless and not self._control.state.get(_CLOSED)

    def _lender(self, proposal: Proposal) -> PolicyRun | None:
        """The run whose parameters a trial begins with."""
        number = self._advisor.lender(proposal.params_type)
        return None if number is None else self._own.get(number)


def _action(proposal: Proposal, trial: Trial, lender: PolicyRun | None) -> PolicyAction:
    leaf = {"user_knobs": proposal.knobs}
    if lender is None:
        return PolicyAction(operation="add", run_ids=[], leaf=leaf, trial=trial)
    return PolicyAction(operation="clone", run_ids=[lender.run_id], changes=[leaf], warm_start=True, trial=trial)
