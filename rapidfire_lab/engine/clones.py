"""Clones of runs: what they would be, and making them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import check_torch_names, differing_knobs, get_path
from rapidfire_lab.configs.changes import apply_changes
from rapidfire_lab.configs.diff import identity
from rapidfire_lab.engine.requests import check_length, insert_run, schedule_run
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import CheckClone, RunOperation
    from rapidfire_lab.journal import RunRecord


@dataclass(frozen=True)
class ClonePlan:
    """A clone that nothing stands against."""

    parent: RunRecord
    changes: dict[str, Any]
    leaf: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for, as the control ops log keeps it."""
        return {"changes": self.changes}


def plan_clones(request: RunOperation | CheckClone, ledger: Ledger, parents: list[RunRecord]) -> list[ClonePlan]:
    """Say what a clone of each parent with each of the changes would be.

    Raises
    ------
    ConfigError
        When one cannot be, or two would be the same.
    """
    changes = request.changes or [{}]
    plans = [_plan(ledger, parent, change) for parent in parents for change in changes]
    _refuse_twins(plans)
    return plans


def _plan(ledger: Ledger, parent: RunRecord, changes: dict[str, Any]) -> ClonePlan:
    leaf = apply_changes(parent.leaf, changes)
    if leaf == parent.leaf:
        left = "leave" if changes else "are none: they leave"
        message = f"The changes {left} run {parent.run_id}'s config as it is; a clone needs at least one changed knob."
        raise ConfigError(message)
    check_torch_names(leaf)
    check_length(leaf, json.loads(ledger.journal.fit(parent.fit_id).data)["partitions"]["train"]["rows"])
    return ClonePlan(parent, changes, leaf)


def _refuse_twins(plans: Iterable[ClonePlan]) -> None:
    """Refuse clones that would be the same run: the same config on the same data."""
    places: dict[tuple[int, str], int] = {}
    for number, plan in enumerate(plans, start=1):
        first = places.setdefault((plan.parent.fit_id, identity(plan.leaf)), number)
        if first != number:
            message = f"Clones {first} and {number} of those asked for have the same config: leave one out."
            raise ConfigError(message)


def describe_clones(plans: Iterable[ClonePlan]) -> list[dict[str, Any]]:
    return [{"parent": plan.parent.run_id, "config": plan.leaf, "changed": _changed(plan)} for plan in plans]


def _changed(plan: ClonePlan) -> list[dict[str, Any]]:
    old, new = plan.parent.leaf, plan.leaf
    return [
        {"knob": knob, "from": get_path(old, knob), "to": get_path(new, knob)} for knob in differing_knobs([old, new])
    ]


def make_clones(plans: Iterable[ClonePlan], ledger: Ledger) -> list[int]:
    """Make the clones and have them scheduled; returns their run ids."""
    clones = [
        insert_run(
            ledger,
            ledger.journal.fit(plan.parent.fit_id),
            plan.leaf,
            source="clone",
            parent=plan.parent.run_id,
        )
        for plan in plans
    ]
    for clone in clones:
        schedule_run(ledger, clone, ledger.journal.fit(clone.fit_id))
    return [clone.run_id for clone in clones]
