"""What must hold after any faults: results, operations, MLflow's store, and nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psutil

from rapidfire_lab import Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.journal import JournalReader
from rapidfire_lab.journal.buckets import summarise
from rapidfire_lab.model.parameters import load_params
from rapidfire_lab.worker.checkpoint import load_checkpoint
from tests import contract, plain_loop
from tests.conftest import engine_home, wait_until
from tests.faults.session import SETTINGS
from tests.faults.user import NAME, SPEC, TRAIN_SEED, Book

if TYPE_CHECKING:
    import pandas as pd

    from rapidfire_lab import DataHandle
    from rapidfire_lab.journal import RunRecord
    from tests.faults.session import Session

_KEPT_CHECKPOINTS = 2


class Undisturbed:
    """Results of runs as the plain loop gives them; those of equal runs are made once, whatever home they are in."""

    _known: ClassVar[dict[Any, dict[str, Any]]] = {}

    def __init__(self, experiment: Experiment, data: dict[str, pd.DataFrame]) -> None:
        with experiment.reader() as reader:
            self._runs = {run.run_id: run for run in reader.runs(reader.experiment(experiment.name).id)}
        self._data = data

    def results(self, run: RunRecord, steps: int = sys.maxsize) -> dict[str, Any]:
        key = self._identity(run, steps)
        if key not in self._known:
            parent = self.results(self._runs[run.parent], run.parent_step) if run.warm_start else None
            leaf = _without_pause(run)
            self._known[key] = plain_loop.train(SPEC, leaf, self._data, TRAIN_SEED, parent=parent, steps=steps)
        return self._known[key]

    def _identity(self, run: RunRecord, steps: int) -> Any:
        parent = self._identity(self._runs[run.parent], run.parent_step) if run.warm_start else None
        return json.dumps(_without_pause(run)), steps, parent


def _without_pause(run: RunRecord) -> dict[str, Any]:
    return {**run.leaf, "user_knobs": {**run.leaf["user_knobs"], "pause": 0.0}}


def assert_all(session: Session, points: DataHandle, store: Path) -> int:
    """Whatever was done to it, nothing is lost, nothing is there twice and nothing is left; returns how many runs."""
    home = EngineHome(session.home)
    with engine_home(session.home, **SETTINGS):
        experiment = Experiment(SPEC, NAME)
        assert_each_operation_once(experiment, session.folder)
        assert_results(experiment, tables(points, store))
        wait_until(_is_everything_sent, "MLflow to have everything")
        assert_mlflow(experiment, home)
        experiment.end()
    assert_nothing_left(home, session.folder)
    return len(experiment.runs())


def _is_everything_sent() -> bool:
    """Whether nothing waits for MLflow; a fault after the last run leaves no engine, and who looks begins none."""
    client = EngineClient()
    client.start()
    return client.status().get("unsent") == 0


def tables(points: DataHandle, store: Path) -> dict[str, pd.DataFrame]:
    """The data as the plain loop reads it; numbers of several kinds in a row keep their kinds."""
    return {name: table.astype(object) for name, table in contract.tables(points, store).items()}


def assert_results(experiment: Experiment, data: dict[str, pd.DataFrame]) -> None:
    """Weights, rows and losses of every run are those of an undisturbed one, and nothing is there twice."""
    undisturbed = Undisturbed(experiment, data)
    for run in experiment.runs():
        assert run.status == "completed", run
        contract.assert_like_plain_loop(experiment, run.run_id, undisturbed.results(run))
        with experiment.reader() as reader:
            points = reader.points(run.id, per="step")
            found = reader._all("SELECT bucket, low, high FROM metric_buckets WHERE run = ?", (run.id,))
        buckets = {number: (bucket.low.value, bucket.high.value) for (_, number), bucket in summarise(points).items()}
        assert {row["bucket"]: (row["low"], row["high"]) for row in found} == buckets


def assert_each_operation_once(experiment: Experiment, folder: Path) -> None:
    """What was answered is there once, and nothing else is: not what was refused, nor what was asked again."""
    book = Book(folder)
    answers = book.answers()
    assert sorted(answers) == [question["number"] for question in book.asked()]
    made = [
        run_id
        for question in book.asked()
        if question["operation"] in ("fit", "clone")
        for run_id in answers[question["number"]].get("run_ids", [])
    ]
    operations = [number for answer in answers.values() for number in answer.get("operation_ids", [])]
    with experiment.reader() as reader:
        runs = reader.runs(reader.experiment(experiment.name).id)
        rows = reader._all("SELECT id FROM operations ORDER BY id")
    assert sorted(made) == [run.run_id for run in runs]
    assert sorted(operations) == [row["id"] for row in rows]


# MLflow


def assert_mlflow(experiment: Experiment, home: EngineHome) -> None:
    """MLflow has every run once and every point of it once, read from its own store."""
    with contextlib.closing(sqlite3.connect(home.mlflow_store)) as store, experiment.reader() as reader:
        assert reader.outbox_size() == 0
        runs = reader.runs(reader.experiment(experiment.name).id)
        names = store.execute("SELECT value FROM tags WHERE key = 'rapidfire_lab.run_id'").fetchall()
        assert sorted(int(value) for (value,) in names) == [run.run_id for run in runs]
        for run in runs:
            query = "SELECT status, lifecycle_stage FROM runs WHERE run_uuid = ?"
            status, stage = store.execute(query, (run.mlflow_run_id,)).fetchone()
            if run.status == "deleted":
                assert stage == "deleted"
                continue
            assert (status, stage) == ("FINISHED", "active")
            query = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?"
            found = [
                (key, step, math.nan if nan else value)
                for key, step, value, nan in store.execute(query, (run.mlflow_run_id,))
            ]
            assert Counter(found) == Counter(_told(reader, run))


def _told(reader: JournalReader, run: RunRecord) -> list[tuple[str, int, float]]:
    by_step = [(point.name, point.step, point.value) for point in reader.points(run.id, per="step")]
    return by_step + [(point.name, point.epoch, point.value) for point in reader.points(run.id, per="epoch")]


# What is left


def assert_nothing_left(home: EngineHome, folder: Path) -> None:
    """After an orderly stop: no process, lock, socket, half-written file or checkpoint too many."""
    assert processes_of(folder) == []
    for lock in (home.engine_lock, home.writer_lock):
        with lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert [path for path in home.runtime.iterdir() if path.is_socket()] == []
    unfinished = [path for path in home.root.rglob("*") if path.name.endswith((".tmp", ".new"))]
    assert unfinished == []
    with JournalReader(home.journal) as reader:
        assert reader._all("SELECT * FROM leases WHERE state = 'granted'") == []
        for experiment in reader.experiments():
            for run in reader.runs(experiment.id):
                _assert_checkpoints(ExperimentLayout(Path(experiment.path)), run)


def _assert_checkpoints(layout: ExperimentLayout, run: RunRecord) -> None:
    """The last commits alone are there, and whole; of a deleted run nothing is but its log."""
    weights, _ = layout.checkpoint(run.run_id, run.base_lease)
    if run.status == "deleted":
        assert not weights.parent.exists()
        assert not layout.checkpoints(run.run_id).exists()
        return
    leases = {int(path.name.split(".")[0].removeprefix("lease-")) for path in weights.parent.iterdir()}
    assert len(leases) <= _KEPT_CHECKPOINTS, (run.run_id, leases)
    assert run.base_lease in leases
    for lease in leases:
        if run.leaf["train"]:
            load_checkpoint(*layout.checkpoint(run.run_id, lease))
        else:  # a trial of a model template
            load_params(layout.weights(run.run_id, lease))
    assert layout.final_weights(run.run_id).samefile(weights)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Whatever was started for this folder of faults and lives."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("FAULTS_FOLDER") == str(folder)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
