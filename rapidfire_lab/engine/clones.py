"""Clones of runs: what they would be, and making them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import check_torch_names, differing_knobs, get_path
from rapidfire_lab.configs.changes import MAX_CHANGES, apply_changes
from rapidfire_lab.configs.diff import identity
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.protocol import RunOperation
from rapidfire_lab.engine.requests import check_length, insert_run, schedule_runs
from rapidfire_lab.errors import ConfigError, EngineError, OperationError
from rapidfire_lab.model.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import CheckClone, Trial
    from rapidfire_lab.journal import FitRecord, RunRecord


_DECIDE_POSITION = ("train.batch_size", "train.gradient_accumulation_steps", "named_metrics")
"""Knobs that say what a step is and what an epoch counts."""


@dataclass(frozen=True)
class ClonePlan:
    """A clone that nothing stands against."""

    parent: RunRecord
    changes: dict[str, Any]
    leaf: dict[str, Any]
    warm_start: bool
    continue_position: bool
    trial: Trial | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What was asked for, as the control ops log keeps it; of options those that are on."""
        options = {"warm_start": self.warm_start, "continue_position": self.continue_position}
        return {"changes": self.changes, **{name: True for name, on in options.items() if on}}


def plan_clones(request: RunOperation | CheckClone, ledger: Ledger, parents: list[RunRecord]) -> list[ClonePlan]:
    """Say what a clone of each parent with each of the changes would be.

    Raises
    ------
    ConfigError
        When they are too many, one cannot be, or two would be the same.
    OperationError
        When a clone cannot start warm, as its parent has no checkpoint, or not at its parent's position.
    """
    if request.continue_position and not request.warm_start:
        message = "continue_position=True goes on with the parent's weights: it needs warm_start=True as well."
        raise OperationError(message)
    changes = request.changes or [{}]
    if (number := len(parents) * len(changes)) > MAX_CHANGES:
        message = f"These would be {number} clones, over {MAX_CHANGES}: take fewer runs or changes, or clone in turns."
        raise ConfigError(message)
    if request.warm_start:
        for parent in parents:
            _check_checkpoint(ledger, parent)
    plans = [plan for parent in parents for plan in _plans(ledger, parent, changes, request)]
    _refuse_twins(plans)
    return plans


def _check_checkpoint(ledger: Ledger, parent: RunRecord) -> None:
    remedy = "Clone it with warm_start=False"
    if not parent.base_lease:
        message = f"Run {parent.run_id} has committed nothing yet that a clone could start from. {remedy}, or wait."
        raise OperationError(message)
    weights, state = _layout(ledger, parent).checkpoint(parent.run_id, parent.base_lease)
    for path in (weights,) if parent.is_trial else (weights, state):
        if not path.exists():
            message = f"The checkpoint of run {parent.run_id} is gone: there is no {path}. {remedy}."
            raise OperationError(message)


def _layout(ledger: Ledger, run: RunRecord) -> ExperimentLayout:
    return ExperimentLayout(Path(ledger.journal.experiment_by_id(run.experiment_id).path))


def _plans(
    ledger: Ledger, parent: RunRecord, changes: Iterable[dict[str, Any]], request: RunOperation | CheckClone
) -> Iterator[ClonePlan]:
    old = parent.leaf
    data = ledger.journal.fit(parent.fit_id).data
    template = Template.of_fit(data)
    if template is not None and request.continue_position:
        message = f"Run {parent.run_id} is a trial, which has no position: leave continue_position out."
        raise OperationError(message)
    for change in changes:
        if template is not None:
            leaf = template.changed(old, change, warm_start=request.warm_start)
        else:
            leaf = _checked_changes(old, change, json.loads(data)["partitions"]["train"]["rows"])
        if leaf == old and not request.warm_start:
            left = "leave" if change else "are none: they leave"
            message = (
                f"The changes {left} run {parent.run_id}'s config as it is; a clone needs at least one changed knob."
            )
            raise ConfigError(message)
        if request.continue_position:
            _check_position(parent, leaf)
        trial = request.trial if isinstance(request, RunOperation) else None
        yield ClonePlan(parent, change, leaf, request.warm_start, request.continue_position, trial)


def _checked_changes(old: dict[str, Any], change: dict[str, Any], rows: int) -> dict[str, Any]:
    leaf = apply_changes(old, change)
    check_torch_names(leaf)
    check_length(leaf, rows)
    return leaf


def _check_position(parent: RunRecord, leaf: dict[str, Any]) -> None:
    """Refuse a clone that cannot stand where its parent does, or has nothing left to train there."""
    for knob in _DECIDE_POSITION:
        was, will = get_path(parent.leaf, knob), get_path(leaf, knob)
        if was != will:
            message = (
                f"{knob!r} is {was} in run {parent.run_id} and {will} in the clone, which can then not go on at the "
                "same place. Leave it as it is, or leave continue_position out: the clone then begins at its first "
                "epoch."
            )
            raise OperationError(message)
    epochs = leaf["train"]["epochs"]
    if parent.completed_epochs >= epochs:
        message = (
            f"'train.epochs' is {epochs} in the clone, and run {parent.run_id} has completed "
            f'{parent.completed_epochs}: give it more to go on, as in {{"epochs": {parent.completed_epochs + 1}}}.'
        )
        raise OperationError(message)


def _refuse_twins(plans: Iterable[ClonePlan]) -> None:
    """Refuse clones that would be the same run: the same config on the same data, from the same start."""
    places: dict[tuple[int, int | None, str], int] = {}
    for number, plan in enumerate(plans, start=1):
        begins_with = plan.parent.id if plan.warm_start else None
        first = places.setdefault((plan.parent.fit_id, begins_with, identity(plan.leaf)), number)
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


def make_clones(plans: Sequence[ClonePlan], ledger: Ledger) -> list[int]:
    """Make the clones and have them scheduled; returns their run ids."""
    fits = {fit: ledger.journal.fit(fit) for fit in {plan.parent.fit_id for plan in plans}}
    clones = [_insert(plan, fits[plan.parent.fit_id], ledger) for plan in plans]
    _keep_checkpoints(plans, clones, ledger)
    schedule_runs(ledger, [(clone, fits[clone.fit_id]) for clone in clones])
    return [clone.run_id for clone in clones]


def _insert(plan: ClonePlan, fit: FitRecord, ledger: Ledger) -> RunRecord:
    parent = plan.parent
    position: dict[str, int] = {}
    if plan.continue_position:
        position = {"step": parent.step, "live_step": parent.step, "completed_epochs": parent.completed_epochs}
    return insert_run(
        ledger,
        fit,
        plan.leaf,
        source="clone",
        parent=parent.run_id,
        warm_start=plan.warm_start,
        continue_position=plan.continue_position,
        parent_step=parent.step if plan.warm_start else None,
        trial=plan.trial,
        **position,
    )


def _keep_checkpoints(plans: Sequence[ClonePlan], clones: Sequence[RunRecord], ledger: Ledger) -> None:
    """Give warm clones their parents' checkpoints; what a crash leaves of that, the next run of the id replaces."""
    try:
        for plan, clone in zip(plans, clones, strict=True):
            if plan.warm_start:
                _layout(ledger, clone).begin_with(clone.run_id, plan.parent.run_id, plan.parent.base_lease)
    except OSError as error:
        for clone in clones:
            _layout(ledger, clone).drop_run(clone.run_id)
        message = f"A parent's checkpoint cannot be kept for its clone ({error}). Nothing was cloned."
        raise EngineError(message) from error
