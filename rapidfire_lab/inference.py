"""Tests and predictions as a notebook asks for them: their arguments, their progress and their results."""

from __future__ import annotations

import contextlib
import json
import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rapidfire_lab.configs.leaf import normalise_for_inference
from rapidfire_lab.data import DataHandle
from rapidfire_lab.engine.client import new_request_id
from rapidfire_lab.engine.protocol import JobKind, SubmitJob
from rapidfire_lab.errors import ConfigError, DataError, JobError
from rapidfire_lab.model_files import find_model
from rapidfire_lab.storage import digest_of, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rapidfire_lab.journal import JobRecord

_FORMATS = ("csv", "parquet")
_MOST_NUMBER = 1 << 31


class JobRequest:
    """What was asked of `run_test` or `run_predict`, checked as far as it can be here.

    Raises
    ------
    ConfigError, DataError
        When an argument cannot be used, or they are not those of exactly one pathway.
    """

    def __init__(
        self,
        kind: JobKind,
        data_handle: DataHandle,
        run_id: int | None,
        model_tag: str | Path | None,
        config: Mapping[str, Any] | None,
        epoch_checkpoint: int | None,
        batch_size: int,
        file_format: str = "csv",
    ) -> None:
        self._name = f"run_{kind}"
        self._check_data(kind, data_handle)
        self._check_pathway(run_id, model_tag, config, epoch_checkpoint)
        if file_format not in _FORMATS:
            raise ConfigError(f"file_format must be one of {', '.join(map(repr, _FORMATS))}, not {file_format!r}.")
        self._handle = data_handle
        self._tag = model_tag
        self._request = SubmitJob(
            request_id=new_request_id(),
            experiment="",
            kind=kind,
            data={},
            batch_size=_whole("batch_size", batch_size),
            run_id=None if run_id is None else _whole("run_id", run_id),
            epoch=None if epoch_checkpoint is None else _whole("epoch_checkpoint", epoch_checkpoint),
            model_tag=None if model_tag is None else url_of(model_tag) or str(model_tag),
            config=None if config is None else normalise_for_inference(config),
            folder=_folder_for_predictions() if kind == "predict" else None,
            file_format="parquet" if file_format == "parquet" else "csv",
        )

    def _check_data(self, kind: JobKind, data_handle: object) -> None:
        if not isinstance(data_handle, DataHandle):
            raise DataError(f"data_handle must be a DataHandle, not {type(data_handle).__name__}.")
        if kind not in data_handle.partitions:
            raise DataError(f"{self._name} needs a {kind} partition; give DataHandle a {kind!r} locator.")

    def _check_pathway(self, run_id: object, model_tag: object, config: object, epoch: object) -> None:
        ways = f"{self._name} takes a run_id of this experiment, or a model_tag and a config"
        if run_id is None and model_tag is None:
            lacking = "model_tag, which goes with config" if config is not None else "run_id or model_tag"
            raise ConfigError(f"{ways}: it lacks {lacking}.")
        if run_id is not None and model_tag is not None:
            raise ConfigError(f"{ways}: not both. Leave one of run_id and model_tag out.")
        if model_tag is not None and config is None:
            raise ConfigError(
                f"{ways}: the model_tag pathway lacks config, a dictionary with the knobs that the MLSpec reads; {{}} "
                "will do where it reads none."
            )
        if model_tag is not None and epoch is not None:
            raise ConfigError(
                "epoch_checkpoint belongs to the run_id pathway: a model_tag leads to one checkpoint. Leave it out."
            )
        if run_id is not None and config is not None:
            raise ConfigError("config belongs to the model_tag pathway: a run has a config of its own. Leave it out.")

    def prepare(self, experiment: str, data: Path) -> SubmitJob:
        """Prepare the data, and find the checkpoint where a tag leads to one; gives what the engine is asked.

        Raises
        ------
        DataError, StorageError
            When the data, or the checkpoint, cannot be used or found.
        """
        request = self._request
        if self._tag is not None:
            weights = find_model(self._tag)
            request.weights, request.weights_sha256 = str(weights), digest_of(weights).sha256
        request.experiment = experiment
        request.data = self._handle.only(request.kind).download(data).to_json()
        return request


def _folder_for_predictions() -> str:
    """The notebook's folder, which must take a file: else all would be computed for nothing."""
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        raise DataError("The folder that this notebook runs in is gone; use os.chdir to another one.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"Predictions are written to {folder}, which takes no new files; use os.chdir to another one.")
    return str(folder)


def _whole(name: str, value: object) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if 0 < number < _MOST_NUMBER:
            return number
    raise ConfigError(f"{name} must be a whole number from 1, not {value!r}.")


def title(job: JobRecord) -> str:
    """What a job is called, as in "Test of run 5, epoch 2"."""
    kind = "Test" if job.kind == "test" else "Prediction"
    epoch = f", epoch {job.epoch}" if job.epoch is not None else ""
    return f"{kind} of {job.model_tag or f'run {job.run_id}{epoch}'}"


@contextlib.contextmanager
def progress_of(job: JobRecord) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, and give what it is told by how many minibatches are done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title(job), total=-(-job.rows // job.batch_size))
        yield lambda done: bar.update(task, completed=done)


def refuse_failed(job: JobRecord) -> None:
    """Raise what a job has failed with.

    Raises
    ------
    JobError
        When it has not completed.
    """
    if job.status == "cancelled":
        raise JobError(f"{title(job)} was cancelled.")
    if job.status == "failed":
        traceback = f"\n\n{job.traceback}" if job.traceback else ""
        raise JobError(f"{title(job)} failed: {job.error}{traceback}")


_ABOUT = ("test_id", "run_id", "epoch", "model_tag", "rows")


def test_results(jobs: Iterable[JobRecord]) -> pd.DataFrame:
    """One row per completed test: what was tested, ``test_loss`` and every other metric."""
    rows = [_test_row(job) for job in jobs if job.kind == "test" and job.metrics is not None]
    metrics = dict.fromkeys(name for row in rows for name in row if name not in _ABOUT)
    frame = pd.DataFrame(rows, columns=[*_ABOUT, *metrics])
    return frame.astype({"run_id": "Int64", "epoch": "Int64"})


def empty_columns(table: pd.DataFrame) -> list[str]:
    """Columns about what was tested that say nothing of these tests; metrics are none of them, NaN or not."""
    return [name for name in _ABOUT if table[name].isna().all()]


def _test_row(job: JobRecord) -> dict[str, Any]:
    metrics = json.loads(job.metrics or "{}")
    if "loss" in metrics:
        metrics = {"test_loss": metrics.pop("loss"), **metrics}
    about = {"test_id": job.job_id, "run_id": job.run_id, "epoch": job.epoch, "model_tag": job.model_tag}
    return {**about, "rows": job.rows, **metrics}
