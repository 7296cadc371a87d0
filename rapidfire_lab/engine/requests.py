"""What clients may ask of the engine: experiments, and runs that are new.

Each function runs inside a durable journal transaction. What may be asked of runs is in ``operations``.
"""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs import check_torch_names, normalise
from rapidfire_lab.engine.chunks import FIRST_CHUNKS
from rapidfire_lab.engine.home import require_private
from rapidfire_lab.engine.job_ledger import job_name
from rapidfire_lab.engine.jobs import JobCancelled
from rapidfire_lab.engine.layout import ExperimentLayout, SpecInfo
from rapidfire_lab.engine.ledger import run_state
from rapidfire_lab.engine.scheduler import RunsAdded, StopAsked
from rapidfire_lab.errors import ConfigError, DataError, EngineError, NotFoundError, OperationError, SpecError
from rapidfire_lab.journal import ACTIVE_STATUSES
from rapidfire_lab.model.template import Template
from rapidfire_lab.search import settled

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import CreateExperiment, EndExperiment, SubmitFit, Trial
    from rapidfire_lab.journal import ExperimentRecord, FitRecord, RunRecord

_MOST_STEPS = 1 << 53
_MOST_RUNS = 1 << 62
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")

POLICY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")
NAME_RULE = "take up to 60 letters, digits, '_', '.' and '-'."


# Experiments


def create_experiment(request: CreateExperiment, ledger: Ledger, home: EngineHome) -> dict[str, Any]:
    """Create an experiment, or find the live one that the same constructor call made."""
    live = ledger.journal.live_experiment()
    if live and request.name in (live.name, live.asked_name):
        return _reattach(request, live)
    warnings = []
    name = free_name(request.name, {experiment.name for experiment in ledger.journal.experiments()})
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
    if request.policy_hook is not None:
        ledger.journal.put_policy(identifier, request.policy_hook, request.policy_hook, None)
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


def free_name(name: str, taken: set[str]) -> str:
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
        require_private(path, "Remove it, or choose another experiment_name or experiments_path.")
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
    experiment = find_experiment(ledger, request.name)
    active = [run.run_id for run in ledger.journal.runs(experiment.id) if run.status in ACTIVE_STATUSES]
    if active:
        message = (
            f"Runs {listed(active)} of experiment {experiment.name!r} are still {' or '.join(ACTIVE_STATUSES)}. "
            "Call wait() or cancel_current() first."
        )
        raise OperationError(message)
    jobs = [job for job in ledger.journal.jobs(experiment.id) if job.is_open]
    if jobs:
        names = "; ".join(map(job_name, jobs))
        message = f"Still under way in experiment {experiment.name!r}: {names}. Call wait() or cancel_current() first."
        raise OperationError(message)
    if experiment.status == "live":
        _refuse_searches(ledger, experiment)
        end_live(ledger, experiment, "by its user")
    return {}


def _refuse_searches(ledger: Ledger, experiment: ExperimentRecord) -> None:
    if under_way := [search.name for search in ledger.journal.active_searches(experiment.id)]:
        message = (
            f"The search {', '.join(under_way)} of experiment {experiment.name!r} is not over. Call wait(), or "
            "cancel_current() to give it up."
        )
        raise OperationError(message)


def end_live(ledger: Ledger, experiment: ExperimentRecord, why: str) -> None:
    give_up_searches(ledger, experiment, f"as experiment {experiment.name!r} is over")
    for run in ledger.journal.runs(experiment.id):
        if run.status in ACTIVE_STATUSES:
            stop_run(ledger, run)
    cancel_jobs(ledger, experiment)
    ledger.jobs.give_up(experiment.id)
    ledger.journal.end_experiment(experiment.id)
    ledger.journal.add_event(f"Experiment {experiment.name} ended {why}", experiment_id=experiment.id)


def cancel_jobs(ledger: Ledger, experiment: ExperimentRecord) -> None:
    """Cancel the tests and predictions of an experiment that are not over."""
    for job in ledger.journal.jobs(experiment.id):
        if job.is_open:
            ledger.feed(JobCancelled(job.id))


def give_up_searches(ledger: Ledger, experiment: ExperimentRecord, why: str) -> None:
    """End searches, which would put other runs in the place of those that are stopped."""
    for search in ledger.journal.active_searches(experiment.id):
        ledger.journal.update_policy(search.id, status="removed")
        ledger.journal.add_event(f"Search {search.name} given up {why}", experiment_id=experiment.id)


def stop_run(ledger: Ledger, run: RunRecord, by: str = "user") -> None:
    """Have a run stop; the wish, and whose it is, is in the journal until it has."""
    ledger.journal.update_run(run.id, wanted="stopped", wanted_by=by)
    ledger.feed(StopAsked(run.id))


def find_experiment(ledger: Ledger, name: str) -> ExperimentRecord:
    experiment = ledger.journal.experiment(name)
    if experiment is None:
        known = ", ".join(record.name for record in ledger.journal.experiments()) or "none"
        message = f"There is no experiment {name!r}; the engine knows: {known}."
        raise NotFoundError(message)
    return experiment


def live_experiment(ledger: Ledger, name: str) -> ExperimentRecord:
    experiment = find_experiment(ledger, name)
    if experiment.status != "live":
        message = f"Experiment {name!r} has ended. Create a new Experiment to train more runs."
        raise OperationError(message)
    return experiment


# Runs


def find_run(ledger: Ledger, experiment: ExperimentRecord, run_id: int) -> RunRecord:
    run = run_or_none(ledger, experiment, run_id)
    if run is None or run.status == "deleted":
        known = [other.run_id for other in ledger.journal.runs(experiment.id) if other.status != "deleted"]
        gone = "was deleted" if run else "does not exist"
        message = f"Run {run_id} of experiment {experiment.name!r} {gone}; its runs are {listed(known)}."
        raise NotFoundError(message)
    return run


def run_or_none(ledger: Ledger, experiment: ExperimentRecord, run_id: int) -> RunRecord | None:
    # The journal's integers have 64 bits.
    return ledger.journal.run(experiment.id, run_id) if run_id < _MOST_RUNS else None


def submit_fit(request: SubmitFit, ledger: Ledger, slots: int) -> dict[str, Any]:
    experiment = live_experiment(ledger, request.experiment)
    if experiment.spec_path is None:
        message = f"Experiment {experiment.name!r} was created without an MLSpec file, which run_fit needs."
        raise OperationError(message)
    if "train" not in request.data["partitions"]:
        message = "run_fit needs a train partition; give DataHandle a 'train' locator."
        raise DataError(message)
    rows = request.data["partitions"]["train"]["rows"]
    leaves = _checked(request.leaves, rows)
    searches = [_checked_search(definition, rows) for definition in request.searches]
    fit = ledger.journal.add_fit(
        experiment_id=experiment.id,
        data=json.dumps(request.data),
        seed=request.seed,
        num_chunks=request.num_chunks,
        fuse=request.fuse,
    )
    record = ledger.journal.fit(fit)
    runs = [insert_run(ledger, record, leaf, source="initial", parent=None) for leaf in leaves]
    names = [_add_search(ledger, experiment, record, definition, slots) for definition in searches]
    schedule_runs(ledger, [(run, record) for run in runs])
    return {"run_ids": [run.run_id for run in runs], "searches": names}


def _checked(leaves: list[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    normal = [normalise(leaf) for leaf in leaves]
    for leaf in normal:
        check_torch_names(leaf)
        check_length(leaf, rows)
    return normal


def checked_leaves(leaves: list[dict[str, Any]], fit: FitRecord) -> list[dict[str, Any]]:
    """Check configs of runs that are to train on the data of a fit, and bring them into canonical form."""
    template = Template.of_fit(fit.data)
    if template is not None:
        return [template.leaf(leaf["user_knobs"]) for leaf in leaves]
    return _checked(leaves, json.loads(fit.data)["partitions"]["train"]["rows"])


def _checked_search(definition: dict[str, Any], rows: int) -> dict[str, Any]:
    """Check all configs of a search that are known by now."""
    configs = definition["configs"]
    known = "leaves" if "leaves" in configs else "defaults"
    return {**definition, "configs": {**configs, known: _checked(configs[known], rows)}}


def _add_search(
    ledger: Ledger, experiment: ExperimentRecord, fit: FitRecord, definition: dict[str, Any], slots: int
) -> str:
    """Begin a search; of its name an experiment may have several, and all others than the first get a number."""
    if not POLICY_NAME.fullmatch(definition["name"]):
        message = f"The name {definition['name']!r} of a search cannot be used: {NAME_RULE}"
        raise ConfigError(message)
    taken = {policy.name for policy in ledger.journal.policies(experiment.id)}
    name = free_name(definition["name"], taken)
    whole = settled({**definition, "name": name}, slots=slots, chunks=fit.num_chunks or FIRST_CHUNKS, now=time.time())
    ledger.journal.add_search(experiment.id, name, whole, fit.id)
    ledger.journal.add_event(f"Search {name} begun", experiment_id=experiment.id)
    return name


def check_length(leaf: dict[str, Any], rows: int) -> None:
    if leaf["train"]["epochs"] * math.ceil(rows / leaf["train"]["batch_size"]) >= _MOST_STEPS:
        message = f"'train.epochs' of {leaf['train']['epochs']} makes more than {_MOST_STEPS} minibatches."
        raise ConfigError(message)


def insert_run(
    ledger: Ledger, fit: FitRecord, leaf: dict[str, Any], *, trial: Trial | None = None, **columns: Any
) -> RunRecord:
    """Write a new run down; it trains once it is scheduled. A trial of a model template is one step."""
    if Template.of_fit(fit.data) is not None:
        epochs = steps_per_epoch = 1
    else:
        rows = json.loads(fit.data)["partitions"]["train"]["rows"]
        epochs, steps_per_epoch = leaf["train"]["epochs"], math.ceil(rows / leaf["train"]["batch_size"])
    if trial is not None:
        columns |= {"search": trial.search, "trial": trial.number, "until": trial.until * steps_per_epoch}
    key = ledger.journal.add_run(
        fit.experiment_id,
        config=leaf,
        fit_id=fit.id,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        **columns,
    )
    return ledger.journal.run_by_key(key)


def schedule_runs(ledger: Ledger, runs: list[tuple[RunRecord, FitRecord]]) -> None:
    """Let new runs compete for slots.

    The scheduler knows no rollback: whatever may still be refused must come before.
    """
    for run, _ in runs:
        ledger.track(run.id, "start")
    ledger.feed(RunsAdded(tuple(run_state(run, fit) for run, fit in runs)))


def listed(run_ids: list[int]) -> str:
    return ", ".join(map(str, run_ids)) or "none"
