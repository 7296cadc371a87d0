"""What clients may ask of tests and predictions. Each is called inside a durable journal transaction."""

from __future__ import annotations

import filecmp
import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.leaf import normalise_for_inference
from rapidfire_lab.engine.job_ledger import job_name, job_state
from rapidfire_lab.engine.jobs import JobAdded, minibatches_per_part
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.requests import find_run, listed, live_experiment
from rapidfire_lab.errors import DataError, NotFoundError, OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import SubmitJob
    from rapidfire_lab.journal import ExperimentRecord, JobRecord, RunRecord

_DEFAULT_SEED = 42
_LONGEST_NAME = 100
_HASH_DIGITS = 8
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


def submit_job(request: SubmitJob, ledger: Ledger) -> dict[str, Any]:
    """Write a test or prediction down, and let it compete for slots."""
    experiment = live_experiment(ledger, request.experiment)
    if experiment.spec_path is None:
        message = f"Experiment {experiment.name!r} was created without an MLSpec file, which run_{request.kind} needs."
        raise OperationError(message)
    if request.kind not in request.data["partitions"]:
        message = f"run_{request.kind} needs a {request.kind} partition; give DataHandle a {request.kind!r} locator."
        raise DataError(message)
    rows = request.data["partitions"][request.kind]["rows"]
    if not rows:
        message = f"The {request.kind} partition has no rows."
        raise DataError(message)
    submit = _from_tag if request.run_id is None else _from_run
    key = submit(request, ledger, experiment)
    job = ledger.journal.job(key)
    ledger.feed(JobAdded(job_state(job, ledger.journal.parts(key))))
    return {"job": key, "job_id": job.job_id}


def _from_run(request: SubmitJob, ledger: Ledger, experiment: ExperimentRecord) -> int:
    run = find_run(ledger, experiment, request.run_id or 0)
    if run.is_trial:
        message = f"Run {run.run_id} is a trial of a model template, which run_{request.kind} is not for: use predict."
        raise OperationError(message)
    layout = ExperimentLayout(Path(experiment.path))
    weights = _weights(request, ledger, experiment, run)
    fit = ledger.journal.fit(run.fit_id)
    epoch = f"_epoch{request.epoch}" if request.epoch is not None else ""
    target = _target(request, f"predictions_run{run.run_id}{epoch}")
    for kept in _kept(request, ledger, experiment):
        if _are_same(Path(kept.weights), weights[0]):
            return _go_on_with(kept, ledger, target, kept.weights)
    key = _add(request, ledger, experiment, target, config=run.leaf, seed=fit.seed, weights="")
    job = ledger.journal.job(key)
    _begin(layout, job.job_id, weights)
    ledger.journal.update_job(key, weights=str(layout.job_weights(job.job_id)))
    return key


def _from_tag(request: SubmitJob, ledger: Ledger, experiment: ExperimentRecord) -> int:
    config = normalise_for_inference(request.config or {})
    target, weights = _target(request, f"predictions_{_name_of_tag(request)}"), request.weights or ""
    for kept in _kept(request, ledger, experiment):
        if json.loads(kept.config) == config and kept.weights_sha256 == request.weights_sha256:
            return _go_on_with(kept, ledger, target, weights)
    key = _add(request, ledger, experiment, target, config=config, seed=_DEFAULT_SEED, weights=weights)
    _begin(ExperimentLayout(Path(experiment.path)), ledger.journal.job(key).job_id, [])
    return key


def _name_of_tag(request: SubmitJob) -> str:
    """A checkpoint's own name, which others have as well, and a hash of where it is, which is of this one alone."""
    tag = request.model_tag or ""
    address = tag if "://" in tag and not tag.startswith("file://") else request.weights or ""
    stem = _FOREIGN.sub("_", PurePosixPath(tag).stem)[:_LONGEST_NAME]
    return f"{stem}_{hashlib.sha256(address.encode()).hexdigest()[:_HASH_DIGITS]}"


def _target(request: SubmitJob, name: str) -> str | None:
    """File for a prediction.

    Raises
    ------
    OperationError
        When a folder is in its place: that is better known before than after all the work.
    """
    if request.folder is None:
        return None
    target = Path(request.folder) / f"{name}.{request.file_format}"
    if target.is_dir():
        message = f"The predictions are to be written to {target}, which is a folder: rename it, or use another one."
        raise OperationError(message)
    return str(target)


def _kept(request: SubmitJob, ledger: Ledger, experiment: ExperimentRecord) -> Iterator[JobRecord]:
    """Jobs of these rows that the disk made fail, and whose parts are there: as far as known here, the same work."""
    layout = ExperimentLayout(Path(experiment.path))
    asked = (request.kind, request.run_id, request.epoch, request.batch_size, request.data)
    for job in reversed(ledger.journal.jobs(experiment.id)):
        was = (job.kind, job.run_id, job.epoch, job.batch_size)
        if job.status == "failed" and (*was, json.loads(job.data)) == asked and layout.job_parts(job.job_id).exists():
            done = [part for part in ledger.journal.parts(job.id) if part.state == "done"]
            if all(layout.job_part(job.job_id, part.part, part.lease or 0).exists() for part in done):
                yield job


def _are_same(kept: Path, weights: Path) -> bool:
    return kept.exists() and (kept.samefile(weights) or filecmp.cmp(kept, weights, shallow=False))


def _go_on_with(job: JobRecord, ledger: Ledger, target: str | None, weights: str) -> int:
    ledger.journal.reopen_job(job.id, target=target, weights=weights)
    message = f"{job_name(job)} goes on from what was kept of it"
    ledger.journal.add_event(message, experiment_id=job.experiment_id, run_id=job.run_id)
    return job.id


def _begin(layout: ExperimentLayout, job_id: int, weights: list[Path]) -> None:
    try:
        layout.begin_job(job_id, weights)
    except OSError as error:
        message = (
            f"{layout.job(job_id)} cannot be made ({error.strerror or error}). Make room on that disk, or mend it."
        )
        raise OperationError(message) from error


def _add(
    request: SubmitJob,
    ledger: Ledger,
    experiment: ExperimentRecord,
    target: str | None,
    *,
    config: dict[str, Any],
    seed: int,
    weights: str,
) -> int:
    rows = request.data["partitions"][request.kind]["rows"]
    minibatches = -(-rows // request.batch_size)
    return ledger.journal.add_job(
        experiment.id,
        parts=-(-minibatches // minibatches_per_part(minibatches)),
        kind=request.kind,
        run_id=request.run_id,
        epoch=request.epoch,
        model_tag=request.model_tag,
        weights=weights,
        weights_sha256=request.weights_sha256,
        config=json.dumps(config),
        data=json.dumps(request.data),
        seed=seed,
        batch_size=request.batch_size,
        rows=rows,
        target=target,
    )


def _weights(request: SubmitJob, ledger: Ledger, experiment: ExperimentRecord, run: RunRecord) -> list[Path]:
    """Files with the weights of an epoch, or of the last commit with the state that goes with them."""
    layout = ExperimentLayout(Path(experiment.path))
    if request.epoch is not None:
        return [_epoch_weights(request.epoch, experiment, run, layout)]
    last = layout.checkpoint(run.run_id, run.base_lease)
    if run.base_lease and not ledger.journal.is_damaged(run.base_lease) and all(path.exists() for path in last):
        return list(last)
    if layout.final_weights(run.run_id).exists():
        return [layout.final_weights(run.run_id)]
    message = (
        f"Run {run.run_id} ({run.status}) has no weights yet: it has committed nothing. Wait until it has trained its "
        "first chunk."
    )
    raise OperationError(message)


def _epoch_weights(epoch: int, experiment: ExperimentRecord, run: RunRecord, layout: ExperimentLayout) -> Path:
    if not experiment.epoch_checkpoints:
        message = (
            f"epoch_checkpoint={epoch} cannot be used: experiment {experiment.name!r} keeps no weights of epochs. "
            "Create the experiment with epoch_checkpoints=True, or leave epoch_checkpoint out to use the final weights."
        )
        raise OperationError(message)
    epochs = range(1, run.completed_epochs + 1)
    known = [number for number in epochs if layout.epoch_weights(run.run_id, number).exists()]
    if epoch not in known:
        message = f"Run {run.run_id} has no checkpoint of epoch {epoch}; it has those of epochs {listed(known)}."
        raise NotFoundError(message)
    return layout.epoch_weights(run.run_id, epoch)
