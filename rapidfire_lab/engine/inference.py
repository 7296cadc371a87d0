"""What clients may ask of tests and predictions. Each is called inside a durable journal transaction."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.leaf import normalise_for_inference
from rapidfire_lab.engine.job_ledger import job_state
from rapidfire_lab.engine.jobs import JobAdded, minibatches_per_part
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.requests import find_run, listed, live_experiment
from rapidfire_lab.errors import DataError, NotFoundError, OperationError

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import SubmitJob
    from rapidfire_lab.journal import ExperimentRecord, RunRecord

_DEFAULT_SEED = 42
_LONGEST_NAME = 100
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
    name = f"predictions_run{run.run_id}{epoch}"
    key = _add(request, ledger, experiment, name, config=run.leaf, seed=fit.seed, weights="")
    job = ledger.journal.job(key)
    _begin(layout, job.job_id, weights)
    ledger.journal.update_job(key, weights=str(layout.job_weights(job.job_id)))
    return key


def _from_tag(request: SubmitJob, ledger: Ledger, experiment: ExperimentRecord) -> int:
    config = normalise_for_inference(request.config or {})
    stem = PurePosixPath(request.model_tag or "").stem
    name = f"predictions_{_FOREIGN.sub('_', stem)[:_LONGEST_NAME]}"
    key = _add(request, ledger, experiment, name, config=config, seed=_DEFAULT_SEED, weights=request.weights or "")
    _begin(ExperimentLayout(Path(experiment.path)), ledger.journal.job(key).job_id, [])
    return key


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
    name: str,
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
        target=str(Path(request.folder) / f"{name}.{request.file_format}") if request.folder else None,
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
