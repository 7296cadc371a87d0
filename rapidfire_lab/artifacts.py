"""What an experiment leaves in a bucket, below its name: checkpoints, metrics, logs, predictions, the spec's source.

::

    <bucket>/<prefix>/<experiment>/
      experiment.json                  whose artifacts these are; stored first
      metrics.csv, tests.csv, runs.csv, operations.csv, log.csv
      spec.json, spec/                 source of the MLSpec
      runs/<run_id>/run.log, metrics.csv, checkpoints/final.*, checkpoints/epoch-<n>.*
      jobs/<job_id>/job.log            of tests and predictions
      predictions/                     what run_predict wrote, wherever that is, unless it is another file by now
      manifest.json                    SHA-256 and size of all of these; stored last

Nothing local is changed. Of deleted runs there are the lines in log and operations alone. Secrets in configs are
hidden, as everywhere where others may look.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from rapidfire_lab.configs.secrets import hide_secrets
from rapidfire_lab.errors import ObjectNotFoundError, OperationError, StorageError
from rapidfire_lab.inference import test_results
from rapidfire_lab.journal import MetricPoint
from rapidfire_lab.results import epoch_results, operations, runs_info
from rapidfire_lab.storage import Options, digest_of, open_store, publish, url_of
from rapidfire_lab.storage.display import shown
from rapidfire_lab.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapidfire_lab.journal import EventRecord, ExperimentRecord, JournalReader, RunRecord
    from rapidfire_lab.storage import Store

OWNER = "experiment.json"

_PLACES = ("spec.json", "spec/**/*", "templates/**/*", "jobs/*/job.log")
_OF_RUN = ("run.log", "plots.json", "checkpoints/final.*")
_EPOCHS = "checkpoints/epoch-*"


def open_artifact_store(url: str | Path, endpoint_url: str | None = None) -> Store:
    """Open the place that a user names for artifacts.

    Raises
    ------
    StorageError
        When it is no URL of a place (a bucket's bare name could be a folder's as well), or that of a file.
    """
    if url_of(url) is None:
        written = str(url).strip("/") if isinstance(url, str) else ""
        folder = f", or {Path(url).as_uri()} for a folder" if str(url).startswith("/") else ""
        raise StorageError(f"{str(url)!r} is no URL of a bucket: write s3://{written or 'bucket/prefix'}{folder}")
    store = open_store(url, endpoint_url=endpoint_url)
    if isinstance(store, LocalStore):
        _refuse_file(store.folder)
    return store


def _refuse_file(folder: Path) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise StorageError(f"{there} is a file: give the URL of a folder or bucket for the artifacts")


class Artifacts:
    """The artifacts of one experiment and the store that they go to.

    Raises
    ------
    OperationError
        When epoch checkpoints are wanted that the experiment did not keep.
    """

    def __init__(
        self, journal: JournalReader, experiment: ExperimentRecord, store: Store, *, epoch_checkpoints: bool
    ) -> None:
        if epoch_checkpoints and not experiment.epoch_checkpoints:
            raise OperationError(
                f"experiment {experiment.name!r} kept no epoch checkpoints, so that none can be saved: leave "
                "save_epoch_checkpoints out, and create the next one with epoch_checkpoints=True"
            )
        self._journal = journal
        self._experiment = experiment
        self._store = store
        self._of_run = (*_OF_RUN, _EPOCHS) if epoch_checkpoints else _OF_RUN
        self.left_out: list[str] = []
        """What was not saved, and why, after `save`."""

    @property
    def address(self) -> str:
        return self._store.address(self._experiment.name)

    def check(self) -> None:
        """Ask whether the artifacts may go there, before anything is done.

        Raises
        ------
        OperationError
            When those of another experiment with this name are there.
        StorageError
            When the store cannot be asked.
        """
        self._is_ours()

    def save(self, workers: int = Options.workers) -> int:
        """Store what is missing, check that all is there, and only then write the manifest.

        Returns
        -------
        The number of files, as the manifest lists them.

        Raises
        ------
        StorageError, OSError
            The first failure; what was stored by then is not sent again.
        """
        if not self._is_ours():
            self._store.put_bytes(self._owner(), self._key(OWNER))
        with tempfile.TemporaryDirectory(prefix="rapidfire_lab-") as made:
            files = {**self._kept(Path(made)), **self._made(Path(made)), **self._predictions()}
            with shown(f"Saving {self.address}") as on_progress:
                options = Options(workers, on_progress)
                return len(publish(self._store, files, options=options, folder=self._experiment.name, verify=True))

    def _key(self, name: str) -> str:
        return f"{self._experiment.name}/{name}"

    def _owner(self) -> bytes:
        known = self._experiment
        owner = {"experiment": known.name, "created": known.created, "spec_hash": known.spec_hash}
        return json.dumps(owner, indent=1).encode()

    def _is_ours(self) -> bool:
        """Whether this experiment has begun to store its artifacts there."""
        try:
            found = self._store.get_bytes(self._key(OWNER))
        except ObjectNotFoundError:
            return False
        if found != self._owner():
            raise OperationError(
                f"{self.address} has the artifacts of another experiment that is called "
                f"{self._experiment.name!r}, too; give another artifacts_bucket"
            )
        return True

    def _kept(self, made: Path) -> dict[str, Path]:
        """Files of the experiment's folder, with copies of those that would give secrets away."""
        root = Path(self._experiment.path)
        # A deleted run's log stays where it is, for who deleted it by mistake.
        places = [*_PLACES, *(f"runs/{run.run_id}/{place}" for run in self._runs() for place in self._of_run)]
        found = (path for place in places for path in sorted(root.glob(place)) if _is_plain(root, path))
        return {path.relative_to(root).as_posix(): _without_secrets(path, made / "metadata") for path in found}

    def _predictions(self) -> dict[str, Path]:
        """Files that are what was written; of two with one name, in two folders, the later has its job's number."""
        jobs = [job for job in self._journal.jobs(self._experiment.id) if job.status == "completed" and job.target]
        latest = {Path(job.target or ""): job for job in jobs}
        files: dict[str, Path] = {}
        self.left_out = []
        for path, job in latest.items():
            why = _why_not(path, job.target_sha256)
            if why is None:
                name = f"predictions/{path.name}"
                files[name if name not in files else f"predictions/{job.job_id}/{path.name}"] = path
            else:
                self.left_out.append(f"{path} of prediction {job.job_id} is not saved: {why}")
        return files

    def _runs(self) -> list[RunRecord]:
        return [run for run in self._journal.runs(self._experiment.id) if run.status != "deleted"]

    def _made(self, folder: Path) -> dict[str, Path]:
        """Files of what the journal knows."""
        (folder / OWNER).write_bytes(self._owner())
        files = {OWNER: folder / OWNER}
        for name, table in self._tables():
            files[name] = folder / name
            files[name].parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(files[name], index=False)
        return files

    def _tables(self) -> Iterator[tuple[str, pd.DataFrame]]:
        experiment = self._experiment.id
        runs = self._runs()
        yield "metrics.csv", epoch_results(self._journal, runs)
        yield "tests.csv", test_results(self._journal.jobs(experiment))
        yield "runs.csv", _in_json(runs_info(self._journal, experiment, runs), "config")
        yield "operations.csv", _in_json(operations(self._journal, experiment), "arguments")
        yield "log.csv", self._log()
        for run in runs:
            yield f"runs/{run.run_id}/metrics.csv", self._points(run)

    def _points(self, run: RunRecord) -> pd.DataFrame:
        points = [*self._journal.points(run.id, per="step"), *self._journal.points(run.id, per="epoch")]
        return pd.DataFrame(map(msgspec.structs.astuple, points), columns=list(MetricPoint.__struct_fields__))

    def _log(self) -> pd.DataFrame:
        lines: list[EventRecord] = []
        while page := self._journal.events(self._experiment.id, after=lines[-1].id if lines else 0):
            lines += page
        rows = [(line.time, line.level, line.run_id, line.message) for line in lines]
        return pd.DataFrame(rows, columns=["time", "level", "run_id", "message"]).astype({"run_id": "Int64"})


def _why_not(path: Path, sha256: str | None) -> str | None:
    """Why a prediction's file is not taken; None if it is what was written, as far as is known."""
    if not path.is_file():
        return "it is gone"
    if sha256 is not None and digest_of(path).sha256 != sha256:
        return "another file is there by now, which is not what was predicted"
    return None


def _is_plain(root: Path, path: Path) -> bool:
    """Whether it is a file of the experiment: no link, and nothing hidden or compiled."""
    parts = path.relative_to(root).parts
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return path.is_file() and not path.is_symlink() and not hidden


def _without_secrets(path: Path, folder: Path) -> Path:
    """The file, or a copy without secrets of a checkpoint's metadata that has some."""
    if path.parent.name != "checkpoints" or path.suffix != ".json":
        return path
    told = msgspec.json.decode(path.read_bytes())
    open_to_all = hide_secrets(told)
    if open_to_all == told:
        return path
    copy = folder / f"{path.parent.parent.name}-{path.name}"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(msgspec.json.format(msgspec.json.encode(open_to_all)))
    return copy


def _in_json(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with dictionaries of a column as JSON, without secrets."""
    table[column] = [json.dumps(hide_secrets(value)) for value in table[column]]
    return table
