"""What clients may ask of the engine. Each function runs inside a durable journal transaction."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import check_torch_names, normalise
from rapidfire_lab.configs.changes import apply_changes
from rapidfire_lab.engine.layout import ExperimentLayout, SpecInfo
from rapidfire_lab.engine.ledger import run_state
from rapidfire_lab.engine.scheduler import DeleteAsked, ResumeAsked, RunAdded, StopAsked
from rapidfire_lab.errors import ConfigError, DataError, EngineError, NotFoundError, OperationError, SpecError
from rapidfire_lab.journal import ACTIVE_STATUSES

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import CreateExperiment, EndExperiment, RunOperation, SubmitFit
    from rapidfire_lab.journal import ExperimentRecord, FitRecord, RunRecord

LEGAL_STATUSES = {
    "stop": ACTIVE_STATUSES,
    "resume": ("stopped", "failed"),
    "delete": ("queued", "running", "stopped", "completed", "failed"),
    "clone": ("queued", "running", "stopped", "completed", "failed"),
}
"""Statuses in which each operation is legal."""


_MOST_STEPS = 1 << 53
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")


# Experiments


def create_experiment(request: CreateExperiment, ledger: Ledger, home: EngineHome) -> dict[str, Any]:
    """Create an experiment, or find the live one that the same constructor call made."""
    live = ledger.journal.live_experiment()
    if live and request.name in (live.name, live.asked_name):
        return _reattach(request, live)
    warnings = []
    name = _free_name(request.name, {experiment.name for experiment in ledger.journal.experiments()})
    if name != request.name:
        warnings.append(f"The name {request.name!r} is taken by an earlier experiment; this one is {name!r}.")
    path = _make_folder(request, home, name)
    if live:
        end_live(ledger, live, f"because experiment {name!r} was created")
        warnings.append(f"Experiment {live.name!r} was still live; it has been ended.")
    identifier = ledger.journal.add_experiment(
        name=name,
        asked_name=request.name,
        path=str(path),
        spec_path=request.spec_path,
        spec_hash=request.spec_hash,
        epoch_checkpoints=request.epoch_checkpoints,
        tracking_uri=request.tracking_uri,
    )
    ledger.journal.add_event(f"Experiment {name} created", experiment_id=identifier)
    return {"name": name, "path": str(path), "created": True, "warnings": warnings}


def _reattach(request: CreateExperiment, live: ExperimentRecord) -> dict[str, Any]:
    if request.spec_hash != live.spec_hash:
        message = (
            f"{request.spec_path} or a module that it imports has changed since experiment {live.name!r} was created, "
            "and its runs go on with the code of then. Undo the change to reattach, or end() the experiment (or choose "
            "another experiment_name) to use the new code."
        )
        raise SpecError(message)
    if request.epoch_checkpoints != live.epoch_checkpoints:
        message = (
            f"Experiment {live.name!r} is live with epoch_checkpoints={live.epoch_checkpoints}; "
            "use the same value, or end() it first."
        )
        raise OperationError(message)
    warnings = [
        f"Experiment {live.name!r} is live and keeps its {name} {kept}."
        for name, kept, asked in (
            ("tracking_uri", live.tracking_uri, request.tracking_uri),
            ("experiments_path", str(Path(live.path).parent), request.experiments_path),
        )
        if asked is not None and asked != kept
    ]
    return {"name": live.name, "path": live.path, "created": False, "warnings": warnings}


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _make_folder(request: CreateExperiment, home: EngineHome, name: str) -> Path:
    if not _NAME.fullmatch(name):
        message = (
            f"The experiment name {name!r} cannot be used: take letters, digits, '.', '_', '-' and spaces, "
            "beginning with a letter or digit, 100 at most."
        )
        raise OperationError(message)
    path = (Path(request.experiments_path) if request.experiments_path else home.experiments) / name
    try:
        # A folder that the journal does not know and that has no runs is what a refused creation left behind.
        path.mkdir(mode=0o700, parents=True, exist_ok=not (path / "runs").exists())
        if request.spec_path and request.spec_hash:
            info = SpecInfo(main=Path(request.spec_path).name, hash=request.spec_hash, original=request.spec_path)
            ExperimentLayout(path).write_spec(request.spec_sources, info)
    except OSError as error:
        message = (
            f"The experiment folder {path} cannot be made ({error.strerror}). "
            "Choose another experiment_name or experiments_path."
        )
        raise EngineError(message) from error
    return path


def end_experiment(request: EndExperiment, ledger: Ledger) -> dict[str, Any]:
    experiment = _experiment(ledger, request.name)
    active = [run.run_id for run in ledger.journal.runs(experiment.id) if run.status in ACTIVE_STATUSES]
    if active:
        message = (
            f"Runs {_listed(active)} of experiment {experiment.name!r} are still {' or '.join(ACTIVE_STATUSES)}. "
            "Call wait() or cancel_current() first."
        )
        raise OperationError(message)
    if experiment.status == "live":
        end_live(ledger, experiment, "by its user")
    return {}


def end_live(ledger: Ledger, experiment: ExperimentRecord, why: str) -> None:
    for run in ledger.journal.runs(experiment.id):
        if run.status in ACTIVE_STATUSES:
            _steer("stop", ledger, run)
    ledger.journal.end_experiment(experiment.id)
    ledger.journal.add_event(f"Experiment {experiment.name} ended {why}", experiment_id=experiment.id)


def _experiment(ledger: Ledger, name: str) -> ExperimentRecord:
    experiment = ledger.journal.experiment(name)
    if experiment is None:
        known = ", ".join(record.name for record in ledger.journal.experiments()) or "none"
        message = f"There is no experiment {name!r}; the engine knows: {known}."
        raise NotFoundError(message)
    return experiment


def _live(ledger: Ledger, name: str) -> ExperimentRecord:
    experiment = _experiment(ledger, name)
    if experiment.status != "live":
        message = f"Experiment {name!r} has ended. Create a new Experiment to train more runs."
        raise OperationError(message)
    return experiment


# Runs


def submit_fit(request: SubmitFit, ledger: Ledger) -> dict[str, Any]:
    experiment = _live(ledger, request.experiment)
    if experiment.spec_path is None:
        message = f"Experiment {experiment.name!r} was created without an MLSpec file, which run_fit needs."
        raise OperationError(message)
    if "train" not in request.data["partitions"]:
        message = "run_fit needs a train partition; give DataHandle a 'train' locator."
        raise DataError(message)
    leaves = [normalise(leaf) for leaf in request.leaves]
    for leaf in leaves:
        check_torch_names(leaf)
        _check_length(leaf, request.data["partitions"]["train"]["rows"])
    fit = ledger.journal.add_fit(
        experiment_id=experiment.id,
        data=json.dumps(request.data),
        seed=request.seed,
        num_chunks=request.num_chunks,
    )
    record = ledger.journal.fit(fit)
    runs = [_add_run(ledger, record, leaf, source="initial", parent=None) for leaf in leaves]
    return {"run_ids": [run.run_id for run in runs]}


def _check_length(leaf: dict[str, Any], rows: int) -> None:
    if leaf["train"]["epochs"] * math.ceil(rows / leaf["train"]["batch_size"]) >= _MOST_STEPS:
        message = f"'train.epochs' of {leaf['train']['epochs']} makes more than {_MOST_STEPS} minibatches."
        raise ConfigError(message)


def _add_run(ledger: Ledger, fit: FitRecord, leaf: dict[str, Any], *, source: str, parent: int | None) -> RunRecord:
    rows = json.loads(fit.data)["partitions"]["train"]["rows"]
    train = leaf["train"]
    key = ledger.journal.add_run(
        fit.experiment_id,
        config=leaf,
        fit_id=fit.id,
        source=source,
        parent=parent,
        epochs=train["epochs"],
        steps_per_epoch=math.ceil(rows / train["batch_size"]),
    )
    run = ledger.journal.run_by_key(key)
    ledger.track(key, "start", {})
    ledger.feed(RunAdded(run_state(run, fit.num_chunks), newcomer=True))
    return run


def operate(request: RunOperation, ledger: Ledger) -> dict[str, Any]:
    """Carry an operation out on all the runs, or, where it is not legal for one, on none."""
    experiment = _experiment(ledger, request.experiment)
    runs = [_run(ledger, experiment, run_id) for run_id in dict.fromkeys(request.run_ids)]
    for run in runs:
        _check_legal(request.operation, run)
    if request.operation == "clone":
        _live(ledger, experiment.name)
        results = [
            _clone(ledger, run, leaf) for run, leaf in [(run, _cloned_leaf(request, ledger, run)) for run in runs]
        ]
    else:
        results = [_steer(request.operation, ledger, run) for run in runs]
    for run, result in zip(runs, results, strict=True):
        _record(request, ledger, run, result)
    return {"run_ids": results}


def _run(ledger: Ledger, experiment: ExperimentRecord, run_id: int) -> RunRecord:
    run = ledger.journal.run(experiment.id, run_id)
    if run is None or run.status == "deleted":
        known = [other.run_id for other in ledger.journal.runs(experiment.id) if other.status != "deleted"]
        gone = "was deleted" if run else "does not exist"
        message = f"Run {run_id} of experiment {experiment.name!r} {gone}; its runs are {_listed(known)}."
        raise NotFoundError(message)
    return run


def _check_legal(operation: str, run: RunRecord) -> None:
    if run.status in LEGAL_STATUSES[operation] and not (operation == "stop" and run.wanted == "stopped"):
        return
    status = "stopping already" if run.wanted == "stopped" else run.status
    legal = [name for name, statuses in LEGAL_STATUSES.items() if run.status in statuses and name != operation]
    message = f"Run {run.run_id} is {status}: it cannot {operation}. Possible now: {', '.join(legal) or 'nothing'}."
    raise OperationError(message)


def _record(request: RunOperation, ledger: Ledger, run: RunRecord, result: int) -> None:
    ledger.journal.add_operation(
        request.operation,
        experiment_id=run.experiment_id,
        run_id=run.run_id,
        origin=request.origin,
        arguments={"changes": request.changes} if request.changes else {},
        result=f"run {result}",
    )
    made = f" as run {result}" if result != run.run_id else ""
    ledger.event(run, f"{request.operation.capitalize()} run {run.run_id}{made}, asked by {request.origin}")


def _steer(operation: str, ledger: Ledger, run: RunRecord) -> int:
    if operation == "stop":
        ledger.journal.update_run(run.id, wanted="stopped")
        ledger.feed(StopAsked(run.id))
    elif operation == "resume":
        _resume(ledger, run)
    else:
        _adopt(ledger, run)
        ledger.feed(DeleteAsked(run.id))
    return run.run_id


def _resume(ledger: Ledger, run: RunRecord) -> None:
    """Let a run go on from its last commit; one that failed forgets what it did after that, and why it failed."""
    ledger.journal.trim_points(run.id, run.step)
    ledger.journal.update_run(run.id, live_step=run.step, deaths=0, error=None, traceback=None)
    _adopt(ledger, ledger.journal.run_by_key(run.id))
    ledger.feed(ResumeAsked(run.id))
    ledger.track(run.id, "status", {"status": "running", "ended_by": None})


def _adopt(ledger: Ledger, run: RunRecord) -> None:
    if run.id not in ledger.scheduler.runs:
        ledger.scheduler.adopt(run_state(run, ledger.journal.fit(run.fit_id).num_chunks))


def _cloned_leaf(request: RunOperation, ledger: Ledger, parent: RunRecord) -> dict[str, Any]:
    if not request.changes:
        message = f"A clone of run {parent.run_id} needs at least one changed knob."
        raise ConfigError(message)
    leaf = apply_changes(parent.leaf, request.changes)
    if leaf == parent.leaf:
        message = f"The changes leave run {parent.run_id}'s config as it is; change at least one knob."
        raise ConfigError(message)
    check_torch_names(leaf)
    _check_length(leaf, json.loads(ledger.journal.fit(parent.fit_id).data)["partitions"]["train"]["rows"])
    return leaf


def _clone(ledger: Ledger, parent: RunRecord, leaf: dict[str, Any]) -> int:
    fit = ledger.journal.fit(parent.fit_id)
    return _add_run(ledger, fit, leaf, source="clone", parent=parent.run_id).run_id


def _listed(run_ids: list[int]) -> str:
    return ", ".join(map(str, run_ids)) or "none"
