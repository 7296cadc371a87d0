"""A search as a policy: what it sees of its runs, and what it has the engine do."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.protocol import PolicyAction, Trial
from rapidfire_lab.errors import PolicyError
from rapidfire_lab.policies.source import load_policy
from rapidfire_lab.policies.tuning_policy import KIND, load_tuning, tuning_deadline
from rapidfire_lab.search import make_conductor
from rapidfire_lab.search.conductor import Drop, Start, TrialView
from rapidfire_lab.search.groups import CHUNK_LOSS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rapidfire_lab.journal import PolicyRecord
    from rapidfire_lab.policies.control import PolicyControl
    from rapidfire_lab.policies.run_policy import Policy
    from rapidfire_lab.policies.view import PolicyRun
    from rapidfire_lab.search.conductor import Decision


def load_search(policy: PolicyRecord) -> Policy:
    """Make the policy that a search is."""
    definition = json.loads(policy.definition or "{}")
    if definition.get("kind") == KIND:
        return load_tuning(policy)
    source = definition["constraint"]
    constraint: Any = load_policy(source["source"], source["function"]) if source else None
    metrics = [name for name, _ in definition["metrics"]]

    def search(runs: list[PolicyRun], control: PolicyControl) -> None:
        own = {run.trial: run for run in runs if run.search == policy.name and run.trial is not None}
        views = {trial: _view(run, metrics, policy.origin) for trial, run in own.items()}
        conductor = make_conductor(definition, control.state, constraint=constraint)
        decisions = conductor.step(views, time.time())
        run_ids = {trial: run.run_id for trial, run in own.items()}
        # Short runs may have come to their end before it was known that they are not worth it.
        needed = [one for one in decisions if not (isinstance(one, Drop) and views[one.trial].is_complete)]
        control.actions += [_action(decision, run_ids, policy.name) for decision in needed]
        control.done = conductor.over is not None

    return search


def deadline_of(policy: PolicyRecord) -> float:
    """When a search has to be called whatever happens; infinite for all else."""
    if policy.definition is None:
        return math.inf
    definition = json.loads(policy.definition)
    if definition.get("kind") == KIND:
        return tuning_deadline(definition, json.loads(policy.state))
    deadline: float = definition["budget"].get("deadline", math.inf)
    return deadline


def _view(run: PolicyRun, metrics: Sequence[str], origin: str) -> TrialView:
    by_chunk = metrics == [CHUNK_LOSS]
    results = [(loss,) for loss in run.chunk_losses] if by_chunk else _epoch_results(run, metrics)
    if run.is_active and run.is_at_limit:
        # It was interrupted there, and is about to stop: what follows is decided once it has.
        results = results[:-1]
    return TrialView(
        results,
        per_epoch=run.chunks_per_epoch if by_chunk else 1,
        is_active=run.is_active,
        is_complete=run.status == "completed",
        is_ours=run.steerers <= {origin},
    )


def _epoch_results(run: PolicyRun, metrics: Sequence[str]) -> list[tuple[float, ...]]:
    rows: dict[int, Mapping[str, float]] = {int(row["epoch"]): row for row in run.rows}
    unknown = (math.nan,) * len(metrics)  # what a copy's parent has trained
    return [
        tuple(_value(rows[epoch], name) for name in metrics) if epoch in rows else unknown
        for epoch in range(1, max(rows, default=0) + 1)
    ]


def _value(row: Mapping[str, float], name: str) -> float:
    if name in row:
        return row[name]
    message = f"the runs have no metric {name!r}; they have: {', '.join(_names(row))}"
    raise PolicyError(message)


def _names(row: Iterable[str]) -> list[str]:
    return [*(name for name in row if name not in ("epoch", "step")), CHUNK_LOSS]


def _action(decision: Decision, run_ids: Mapping[int, int], search: str) -> PolicyAction:
    if isinstance(decision, Drop):
        return PolicyAction(operation="stop", run_ids=[run_ids[decision.trial]])
    trial = Trial(search=search, number=decision.trial, until=decision.until)
    if not isinstance(decision, Start):
        return PolicyAction(operation="resume", run_ids=[run_ids[decision.trial]], trial=trial)
    if decision.parent is None:
        return PolicyAction(operation="add", run_ids=[], leaf=decision.config, trial=trial)
    return PolicyAction(
        operation="clone",
        run_ids=[run_ids[decision.parent]],
        changes=[decision.config],
        warm_start=True,
        continue_position=True,
        trial=trial,
    )
