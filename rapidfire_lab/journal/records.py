"""Rows of the journal as typed records. Field names are the columns' names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

if TYPE_CHECKING:
    import sqlite3

STATUSES = ("queued", "running", "stopped", "completed", "failed", "deleted")
"""Every status of a run, in the words that notebook, REST and tracker use."""

ACTIVE_STATUSES = ("queued", "running")


class ExperimentRecord(msgspec.Struct, kw_only=True):
    """One experiment. ``asked_name`` is what the constructor was given; ``name`` may carry a suffix."""

    id: int
    name: str
    asked_name: str
    path: str
    spec_path: str | None
    spec_hash: str | None
    epoch_checkpoints: bool
    tracking_uri: str | None
    status: str
    created: float
    ended: float | None
    rev: int
    commits: int


class Fusion(msgspec.Struct, kw_only=True):
    """How a run of a `run_fit` with ``fuse="auto"`` was trained in its last lease.

    Runs of the same ``structure`` can be fused. ``runs`` were trained as one model, ``gain`` times as fast as one after
    the other, which is not enough for ``too_few`` of them; or ``refused`` says why they cannot be.
    """

    structure: str
    runs: int = 1
    gain: float | None = None
    too_few: int = 1
    refused: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return f"alone: {self.refused}"
        if self.runs == self.too_few > 1:
            return f"alone: {self.runs} such runs are {self.gain:.2f} times as fast as one model"
        others = self.runs - 1
        if not others:
            return "alone: no other run like it was at the same step"
        fast = f", {self.gain:.1f} times as fast" if self.gain is not None else ""
        return f"as one model with {others} other{'s' if others > 1 else ''}{fast}"


class FitRecord(msgspec.Struct, kw_only=True):
    id: int
    experiment_id: int
    data: str
    seed: int
    num_chunks: int | None
    created: float
    fuse: str


class RunRecord(msgspec.Struct, kw_only=True):
    """One run. ``id`` is unique in the home, ``run_id`` counts within the experiment."""

    id: int
    experiment_id: int
    run_id: int
    fit_id: int
    config: str
    source: str
    parent: int | None
    status: str
    wanted: str | None
    ended_by: str | None
    epochs: int
    steps_per_epoch: int
    step: int
    completed_epochs: int
    live_step: int
    live_loss: float | None
    base_lease: int
    deaths: int
    handicap: float
    slot: int | None
    device: str | None
    seconds: float
    error: str | None
    traceback: str | None
    mlflow_run_id: str | None
    created: float
    started: float | None
    ended: float | None
    rev: int
    warm_start: bool
    parent_step: int | None
    carried: str | None
    continue_position: bool
    wanted_by: str | None
    search: str | None
    """Name of the search that it is a trial of; ``trial`` is its number in there."""
    trial: int | None
    until: int | None
    """Step at which it stops by itself, for its search to decide."""
    fusion: str | None
    """A `Fusion` as JSON; None where ``run_fit`` was not asked to fuse, and before the first lease."""

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def leaf(self) -> dict[str, Any]:
        """The canonical config dictionary."""
        leaf: dict[str, Any] = json.loads(self.config)
        return leaf

    @property
    def last_fusion(self) -> Fusion | None:
        return msgspec.json.decode(self.fusion, type=Fusion) if self.fusion else None

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial of a model template, which has no training of ours."""
        return not self.leaf["train"]


class Position(NamedTuple):
    """How far a run has come, of ``epochs`` that it is to train for now.

    ``committed`` is its last commit, and ``seconds`` are those on a slot up to there.
    """

    key: int
    epochs: float
    steps_per_epoch: int
    committed: int
    step: int
    seconds: float

    @property
    def epochs_left(self) -> float:
        return max(0.0, self.epochs - self.step / max(1, self.steps_per_epoch))


class EventRecord(msgspec.Struct, kw_only=True):
    """A line of the experiment log."""

    id: int
    rev: int
    time: float
    experiment_id: int | None
    run_id: int | None
    level: str
    message: str


class OperationRecord(msgspec.Struct, kw_only=True):
    """A line of the control ops log: an operation that was carried out.

    ``arguments`` is JSON, ``step`` is the last commit of the run then.
    """

    id: int
    time: float
    experiment_id: int
    run_id: int | None
    operation: str
    origin: str
    arguments: str
    result: str
    step: int | None


class PolicyRecord(msgspec.Struct, kw_only=True):
    """A policy of an experiment. ``state`` is JSON; ``commits`` are those of the experiment that it has decided on.

    ``status`` is ``active``, ``failed``, ``removed`` or ``done``; ``source`` is None for the spec's own hook. A search
    is a policy with a ``definition`` (JSON), whose runs train on the data of ``fit_id``.
    """

    id: int
    experiment_id: int
    name: str
    function: str
    source: str | None
    status: str
    state: str
    commits: int
    error: str | None
    created: float
    definition: str | None
    fit_id: int | None

    @property
    def origin(self) -> str:
        """What the control ops log calls it."""
        return f"{'policy' if self.definition is None else 'search'} {self.name}"


class JobRecord(msgspec.Struct, kw_only=True):
    """A test or prediction. ``id`` is unique in the home, ``job_id`` counts within the experiment.

    ``run_id`` and ``epoch`` tell whose weights it uses, or ``model_tag`` from where they are; ``weights`` is the file
    with them. ``metrics`` is JSON, of a test that is completed; ``target`` the file that a prediction is written to,
    and ``target_sha256`` what was written there.
    """

    id: int
    experiment_id: int
    job_id: int
    kind: str
    run_id: int | None
    epoch: int | None
    model_tag: str | None
    weights: str
    weights_sha256: str | None
    config: str
    data: str
    seed: int
    batch_size: int
    rows: int
    target: str | None
    status: str
    metrics: str | None
    error: str | None
    traceback: str | None
    created: float
    started: float | None
    ended: float | None
    rev: int
    target_sha256: str | None

    @property
    def is_open(self) -> bool:
        return self.status in ACTIVE_STATUSES


class PartRecord(msgspec.Struct, kw_only=True):
    """A part of a job; the last one puts the results of the others together.

    ``state`` is ``waiting``, ``granted`` or ``done``, ``minibatches`` how far it has come, ``lease`` the one that it is
    worked on under, or was done under.
    """

    job: int
    part: int
    state: str
    lease: int | None
    slot: int | None
    minibatches: int
    deaths: int
    seconds: float


class OutboxRecord(msgspec.Struct, kw_only=True):
    """Something the tracker has still to send."""

    id: int
    run: int
    kind: str
    payload: str


class MetricPoint(msgspec.Struct, kw_only=True, array_like=True):
    """One value of one metric.

    ``per`` is ``"step"`` or ``"epoch"``; ``step`` counts minibatches from 1 over the whole run, ``epoch`` from 1;
    ``time`` is in seconds since 1970.
    """

    name: str
    per: str
    step: int
    epoch: int
    value: float
    time: float


Record = TypeVar("Record", bound=msgspec.Struct)


def to_record(row: sqlite3.Row, kind: type[Record]) -> Record:
    return msgspec.convert(dict(row), kind, strict=False)
