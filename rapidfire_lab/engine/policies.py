"""Policies from the engine's side: adding and removing them, and carrying out what they decide.

Each function runs inside a journal transaction. The policies themselves are called by a process of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.operations import add_trial, operate
from rapidfire_lab.engine.protocol import AddPolicy, RemovePolicy, RunOperation
from rapidfire_lab.engine.requests import NAME_RULE, POLICY_NAME, find_experiment, live_experiment
from rapidfire_lab.errors import NotFoundError, PolicyError, RapidfireLabError

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import Decided, PolicyAction
    from rapidfire_lab.journal import PolicyRecord

_MOST_POLICIES = 100
_MOST_SOURCE = 1_000_000


def answer(request: AddPolicy | RemovePolicy, ledger: Ledger) -> dict[str, Any]:
    """Do what a client asks for."""
    return _add(request, ledger) if isinstance(request, AddPolicy) else _remove(request, ledger)


def _add(request: AddPolicy, ledger: Ledger) -> dict[str, Any]:
    """Add a policy, or put it in the place of the one of its name; the same one again goes on as it is."""
    experiment = live_experiment(ledger, request.experiment)
    if not POLICY_NAME.fullmatch(request.name):
        message = f"The policy name {request.name!r} cannot be used: {NAME_RULE}"
        raise PolicyError(message)
    if request.source is not None and len(request.source) > _MOST_SOURCE:
        message = f"The source of policy {request.name} has {len(request.source):,} characters, over {_MOST_SOURCE:,}."
        raise PolicyError(message)
    known = {policy.name: policy for policy in ledger.journal.policies(experiment.id)}
    same = known.get(request.name)
    if same is not None and same.definition is not None:
        message = f"Experiment {experiment.name!r} has a search {request.name!r}: give the policy another name."
        raise PolicyError(message)
    if same is not None and same.status == "active" and same.source == request.source:
        return {"added": False}
    if len(known) >= _MOST_POLICIES and same is None:
        message = f"Experiment {experiment.name!r} has {_MOST_POLICIES} policies: use one of their names."
        raise PolicyError(message)
    ledger.journal.put_policy(experiment.id, request.name, request.function, request.source)
    verb = "replaced" if same is not None else "added"
    ledger.journal.add_event(f"Policy {request.name} {verb}", experiment_id=experiment.id)
    return {"added": True}


def _remove(request: RemovePolicy, ledger: Ledger) -> dict[str, Any]:
    """Have a policy called no more."""
    experiment = find_experiment(ledger, request.experiment)
    policies = {policy.name: policy for policy in ledger.journal.policies(experiment.id)}
    policy = policies.get(request.name)
    if policy is None or policy.status == "removed":
        known = ", ".join(name for name, other in policies.items() if other.status != "removed") or "none"
        message = f"Experiment {experiment.name!r} has no policy {request.name!r}; its policies are: {known}."
        raise NotFoundError(message)
    ledger.journal.update_policy(policy.id, status="removed")
    ledger.journal.add_event(f"Policy {request.name} removed", experiment_id=experiment.id)
    return {}


def carry_out(decided: Decided, ledger: Ledger) -> None:
    """Do what a policy decided; what is not legal any more is left out, and told."""
    policy = _callable_policy(decided.policy, ledger)
    if policy is None:
        return  # removed, replaced or over with its experiment while it was deciding
    ledger.journal.update_policy(policy.id, commits=decided.commits, state=json.dumps(decided.state))
    if decided.printed:
        _tell(ledger, policy, f"says: {decided.printed}")
    if decided.error is not None:
        fail(policy, decided.error, ledger)
        return
    for action in decided.actions:
        _act(action, policy, ledger)
    if decided.done:
        ledger.journal.update_policy(policy.id, status="done")
        _tell(ledger, policy, "is over")


def _callable_policy(policy_id: int, ledger: Ledger) -> PolicyRecord | None:
    return next((policy for policy in ledger.journal.active_policies() if policy.id == policy_id), None)


def _act(action: PolicyAction, policy: PolicyRecord, ledger: Ledger) -> None:
    try:
        with ledger.journal.savepoint():
            _carry_out(action, policy, ledger)
    except RapidfireLabError as refusal:
        ledger.journal.count_commit(policy.experiment_id)
        _tell(ledger, policy, f"wanted to {action.operation} {_named(action)}: {refusal}", "warning")


def _carry_out(action: PolicyAction, policy: PolicyRecord, ledger: Ledger) -> None:
    if action.operation == "add":
        add_trial(action, policy, ledger)
        return
    request = RunOperation(
        request_id="",
        experiment=ledger.journal.experiment_by_id(policy.experiment_id).name,
        run_ids=action.run_ids,
        operation=action.operation,
        origin=policy.origin,
        changes=action.changes,
        warm_start=action.warm_start,
        continue_position=action.continue_position,
        trial=action.trial,
    )
    operate(request, ledger)


def _named(action: PolicyAction) -> str:
    if action.operation == "add":
        return f"trial {action.trial.number if action.trial else ''}"
    return f"run{'s' if len(action.run_ids) > 1 else ''} {', '.join(map(str, action.run_ids))}"


def fail(policy: PolicyRecord, error: str, ledger: Ledger) -> None:
    """Call a policy no more that raised, or took its process with it."""
    ledger.journal.update_policy(policy.id, status="failed", error=error)
    remedy = "add it again" if policy.definition is None else "begin another one"
    _tell(ledger, policy, f"failed and is called no more; {remedy} once it is mended. {error}", "error")


def _tell(ledger: Ledger, policy: PolicyRecord, what: str, level: str = "info") -> None:
    ledger.journal.add_event(f"{policy.origin.capitalize()} {what}", experiment_id=policy.experiment_id, level=level)
