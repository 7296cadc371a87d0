"""What clients may ask of runs: stop, resume, delete, clone, and cancel for all of an experiment, jobs included.

``operate`` runs inside a durable journal transaction. An operation is carried out on all of its runs or, where it is
not legal for one, on none: everything that can be refused is, before the scheduler hears of anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.clones import describe_clones, make_clones, plan_clones
from rapidfire_lab.engine.ledger import run_state
from rapidfire_lab.engine.requests import (
    cancel_jobs,
    checked_leaves,
    find_experiment,
    find_run,
    give_up_searches,
    insert_run,
    live_experiment,
    run_or_none,
    schedule_runs,
    stop_run,
)
from rapidfire_lab.engine.scheduler import DeleteAsked, ResumeAsked
from rapidfire_lab.errors import OperationError, StaleError
from rapidfire_lab.journal import ACTIVE_STATUSES

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import CheckClone, PolicyAction, RunOperation, Trial
    from rapidfire_lab.journal import ExperimentRecord, PolicyRecord, RunRecord

LEGAL_STATUSES = {
    "stop": ACTIVE_STATUSES,
    "resume": ("stopped", "failed"),
    "delete": ("queued", "running", "stopped", "completed", "failed"),
    "clone": ("queued", "running", "stopped", "completed", "failed"),
}
"""Statuses in which each operation is legal."""

_RUN_ID = re.compile(r"[0-9]{1,18}")


def operate(request: RunOperation, ledger: Ledger) -> dict[str, Any]:
    """Carry an operation out; answers the runs that were steered, or the clones that were made."""
    experiment = find_experiment(ledger, request.experiment)
    _check_seen(request.seen, ledger, experiment)
    if request.operation == "clone":
        return _clone(request, ledger, experiment)
    if request.changes or request.warm_start or request.continue_position:
        message = f"changes, warm_start and continue_position are for clone, not for {request.operation}."
        raise OperationError(message)
    runs = _active_runs if request.operation == "cancel" else _chosen_runs
    steered = runs(request, ledger, experiment)
    if request.operation == "cancel":
        give_up_searches(ledger, experiment, f"by {request.origin}")
    for run in steered:
        _steer(request, ledger, run)
    if request.operation == "cancel":
        cancel_jobs(ledger, experiment)
    return {
        "run_ids": [run.run_id for run in steered],
        "operation_ids": [_record(request, ledger, run, run.run_id, {}) for run in steered],
    }


def add_trial(action: PolicyAction, policy: PolicyRecord, ledger: Ledger) -> None:
    """Add a run that a search wants, as ``run_fit`` does."""
    if policy.fit_id is None or action.leaf is None:
        message = "Only searches add runs."
        raise OperationError(message)
    fit = ledger.journal.fit(policy.fit_id)
    [leaf] = checked_leaves([action.leaf], fit)
    run = insert_run(ledger, fit, leaf, source="search", parent=None, trial=action.trial)
    schedule_runs(ledger, [(run, fit)])
    ledger.event(run, f"Add run {run.run_id}, asked by {policy.origin}")
    ledger.journal.add_operation(
        "add",
        experiment_id=run.experiment_id,
        run_id=run.run_id,
        origin=policy.origin,
        arguments={"trial": run.trial, "until": run.until},
        result=f"run {run.run_id}",
        step=0,
    )


def check_clone(request: CheckClone, ledger: Ledger) -> dict[str, Any]:
    """Do every check of a clone, and nothing else."""
    experiment = live_experiment(ledger, request.experiment)
    parents = _legal_runs("clone", request.run_ids, ledger, experiment)
    return {"clones": describe_clones(plan_clones(request, ledger, parents))}


# Which runs


def _check_seen(seen: dict[str, str], ledger: Ledger, experiment: ExperimentRecord) -> None:
    """Refuse what was asked on the strength of statuses that are no more."""
    for run_id, was in seen.items():
        run = run_or_none(ledger, experiment, int(run_id)) if _RUN_ID.fullmatch(run_id) else None
        status = run.status if run else "unknown"
        if status != was:
            message = (
                f"Run {run_id} of experiment {experiment.name!r} is {status} now; it was {was} when you looked. "
                "Nothing was done: look again."
            )
            raise StaleError(message)


def _active_runs(request: RunOperation, ledger: Ledger, experiment: ExperimentRecord) -> list[RunRecord]:
    if request.run_ids:
        message = "cancel stops all runs of an experiment and takes no run ids; stop takes some."
        raise OperationError(message)
    runs = ledger.journal.runs(experiment.id)
    return [run for run in runs if run.status in ACTIVE_STATUSES and run.wanted != "stopped"]


def _chosen_runs(request: RunOperation, ledger: Ledger, experiment: ExperimentRecord) -> list[RunRecord]:
    return _legal_runs(request.operation, request.run_ids, ledger, experiment)


def _legal_runs(operation: str, run_ids: list[int], ledger: Ledger, experiment: ExperimentRecord) -> list[RunRecord]:
    runs = [find_run(ledger, experiment, run_id) for run_id in dict.fromkeys(run_ids)]
    for run in runs:
        _check_legal(operation, run)
    return runs


def _check_legal(operation: str, run: RunRecord) -> None:
    if run.status in LEGAL_STATUSES[operation] and not (operation == "stop" and run.wanted == "stopped"):
        return
    status = "stopping already" if run.wanted == "stopped" else run.status
    legal = [name for name, statuses in LEGAL_STATUSES.items() if run.status in statuses and name != operation]
    message = f"Run {run.run_id} is {status}: it cannot {operation}. Possible now: {', '.join(legal) or 'nothing'}."
    raise OperationError(message)


# What is done


def _clone(request: RunOperation, ledger: Ledger, experiment: ExperimentRecord) -> dict[str, Any]:
    parents = _legal_runs("clone", request.run_ids, ledger, experiment)
    live_experiment(ledger, experiment.name)
    plans = plan_clones(request, ledger, parents)
    run_ids = make_clones(plans, ledger)
    operation_ids = [
        _record(request, ledger, plan.parent, run_id, plan.arguments)
        for plan, run_id in zip(plans, run_ids, strict=True)
    ]
    return {"run_ids": run_ids, "operation_ids": operation_ids}


def _steer(request: RunOperation, ledger: Ledger, run: RunRecord) -> None:
    by = request.origin.partition(" ")[0]
    if request.operation in ("stop", "cancel"):
        stop_run(ledger, run, by)
    elif request.operation == "resume":
        _resume(ledger, run, request.trial)
    else:
        ledger.journal.update_run(run.id, wanted_by=by)
        _adopt(ledger, run)
        ledger.feed(DeleteAsked(run.id))


def _resume(ledger: Ledger, run: RunRecord, trial: Trial | None) -> None:
    """Let a run go on from its last commit; one that failed forgets what it did after that, and why it failed.

    Of a search's run it is known how far; who else resumes it has it train to its end.
    """
    until = trial.until * run.steps_per_epoch if trial is not None else None
    ledger.journal.trim_points(run.id, run.step)
    ledger.journal.update_run(run.id, live_step=run.step, deaths=0, error=None, traceback=None, until=until)
    _adopt(ledger, ledger.journal.run_by_key(run.id))
    ledger.feed(ResumeAsked(run.id, until))
    ledger.track(run.id, "status")


def _adopt(ledger: Ledger, run: RunRecord) -> None:
    if run.id not in ledger.scheduler.runs:
        ledger.scheduler.adopt(run_state(run, ledger.journal.fit(run.fit_id)))


def _record(request: RunOperation, ledger: Ledger, run: RunRecord, result: int, arguments: dict[str, Any]) -> int:
    """Write an operation on one run into the logs; returns its id in the control ops log."""
    made = f" as run {result}" if result != run.run_id else ""
    ledger.event(run, f"{request.operation.capitalize()} run {run.run_id}{made}, asked by {request.origin}")
    return ledger.journal.add_operation(
        request.operation,
        experiment_id=run.experiment_id,
        run_id=run.run_id,
        origin=request.origin,
        arguments=arguments,
        result=f"run {result}",
        step=run.step,
    )
