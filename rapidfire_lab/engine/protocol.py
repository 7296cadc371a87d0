"""The one wire: what clients, slots and the tracker say to the controller, and what it says to them.

MessagePack on ZeroMQ, controller ROUTER, everybody else DEALER. Values are plain data; nothing on the wire is code.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from rapidfire_lab.engine.jobs import PartOutcome
from rapidfire_lab.journal.records import Fusion, MetricPoint

API_LEVEL = 3
"""Grows when a client of an older level could not talk to this engine."""

Outcome = Literal["reached", "preempted", "finished", "converged", "failed", "discarded", "unsaved", "damaged"]
"""How a lease ended: target step reached, stopped on the way, last epoch done, ``has_converged`` said so, error,
dropped without a commit because its run was deleted, trained for nothing as the disk did not take its checkpoint, or
not begun as the base lease's checkpoint is damaged."""

OperationName = Literal["stop", "resume", "delete", "clone", "cancel"]
"""What can be asked of runs."""


Fuse = Literal["auto", "off"]
"""Whether runs of one structure may be trained as one batched model, where that is faster."""

JobKind = Literal["test", "predict"]
"""What a job does; also the partition that it does it on, and the mode that hooks are called in."""

FileFormat = Literal["csv", "parquet"]


class Message(msgspec.Struct, kw_only=True, tag=True):
    """Base of every message."""


# Client to controller. A repeat of the same request_id gets the first answer.


class Status(Message):
    request_id: str


class CreateExperiment(Message):
    request_id: str
    name: str
    experiments_path: str | None
    spec_path: str | None
    spec_hash: str | None
    spec_sources: dict[str, str]
    epoch_checkpoints: bool
    tracking_uri: str | None
    policy_hook: str | None = None
    """Hook of the spec that is a policy, where it has one."""


class EndExperiment(Message):
    request_id: str
    name: str


class SubmitFit(Message):
    request_id: str
    experiment: str
    data: dict[str, Any]
    leaves: list[dict[str, Any]]
    seed: int
    num_chunks: int | None
    fuse: Fuse = "off"
    searches: list[dict[str, Any]] = []
    """Definitions of searches, which add their runs by and by."""


class SubmitTuning(Message):
    """Tune a model template: have an advisor propose trials, each of which is a run.

    ``template`` is a `rapidfire_lab.model.template.Template`, ``sources`` the files that its hash is of. ``budget`` has
    Rafiki's options; with ``hard`` what still trains at the end of ``TIME_HOURS`` is stopped.
    """

    request_id: str
    experiment: str
    template: dict[str, Any]
    sources: dict[str, str]
    budget: dict[str, Any]
    hard: bool
    seed: int


class Trial(msgspec.Struct, kw_only=True):
    """What a run is in a search: the trial of this number, to be trained for ``until`` epochs for now."""

    search: str
    number: int
    until: int


class RunOperation(Message):
    """Stop, resume, delete or clone runs, or cancel: stop every active run of the experiment.

    ``changes`` are partial configs: each gives one clone of each run. ``seen`` are the statuses that the user saw,
    by run id; where one is another by now, nothing is done. ``run_ids`` must be empty for cancel.
    """

    request_id: str
    experiment: str
    run_ids: list[int]
    operation: OperationName
    origin: str = "user"
    changes: list[dict[str, Any]] = []
    warm_start: bool = False
    continue_position: bool = False
    seen: dict[str, str] = {}
    trial: Trial | None = None
    """Of a resume or clone that a search asks for."""


class CheckClone(Message):
    """What the clones of such a ``RunOperation`` would be, and whether the engine would make them."""

    request_id: str
    experiment: str
    run_ids: list[int]
    changes: list[dict[str, Any]]
    warm_start: bool = False
    continue_position: bool = False


class SubmitJob(Message):
    """Test or predict with the weights of a run, or with those of a file.

    ``weights`` and ``weights_sha256`` are the file that ``model_tag`` led to; ``folder`` is where a prediction is to be
    written.
    """

    request_id: str
    experiment: str
    kind: JobKind
    data: dict[str, Any]
    batch_size: int
    run_id: int | None = None
    epoch: int | None = None
    model_tag: str | None = None
    weights: str | None = None
    weights_sha256: str | None = None
    config: dict[str, Any] | None = None
    """Of a model tag; a run has its own."""
    folder: str | None = None
    file_format: FileFormat = "csv"


class AddPolicy(Message):
    """Have the engine call a policy at every commit of a chunk; replaces one of the same name.

    ``source`` is text that defines ``function``, or None for the spec's own hook.
    """

    request_id: str
    experiment: str
    name: str
    function: str
    source: str | None


class RemovePolicy(Message):
    request_id: str
    experiment: str
    name: str


class Shutdown(Message):
    request_id: str


class Reply(Message):
    """Answer to a request: a result, or an error's class name and text."""

    request_id: str
    result: dict[str, Any] = {}
    error: str | None = None
    error_type: str = "EngineError"


# Slot and tracker to controller.


class SlotReady(Message):
    slot: int
    pid: int
    device: str


class Progress(Message):
    """What a training slot did since it last said so; sent a few times a second at most."""

    lease: int
    step: int
    loss: float | None
    points: list[MetricPoint]


class LeaseTrained(Message):
    """A lease's training is over and its checkpoint is being written: the slot is free, the commit follows."""

    lease: int
    outcome: Outcome
    step: int
    fusion: Fusion | None = None


class LeaseDone(Message):
    """End of a lease. The checkpoint of ``step`` is on disk before this is sent, unless the outcome says otherwise."""

    lease: int
    outcome: Outcome
    step: int
    completed_epochs: int
    points: list[MetricPoint] = []
    seconds: float = 0.0
    """Time in training steps and validation."""
    overhead: float = 0.0
    """Time to restore, and to take what the checkpoint is made of."""
    saving: float = 0.0
    """Time to write the checkpoint, during which the slot may train."""
    trained_steps: int = 0
    device: str = "cpu"
    fusion: Fusion | None = None
    """What was found out about training the run together with others, if that was to be tried."""
    error: str | None = None
    traceback: str | None = None
    fall_back: int = 0
    """Of a damaged base: the earlier lease whose checkpoint is whole, at ``step`` and ``completed_epochs``."""


class PartDone(Message):
    """End of a part of a job. Its result is on the disk before this is sent, if the outcome says so."""

    lease: int
    outcome: PartOutcome
    seconds: float = 0.0
    metrics: dict[str, float] | None = None
    """Of a test, once all is put together."""
    sha256: str | None = None
    """Of the file of a prediction, once it is written."""
    error: str | None = None
    traceback: str | None = None


class Carried(msgspec.Struct, kw_only=True):
    """What a warm start took over of a parent's tensors: how many, and by name why the others not."""

    carried: int
    left: dict[str, str] = {}
    fresh: str | None = None
    """Why none could be."""


class WarmStarted(Message):
    """A run without a commit begins with the state of its parent; said each time that it is made anew."""

    lease: int
    weights: Carried
    optimizer: Carried


class TrackerReady(Message):
    pid: int


class Tracked(Message):
    """The tracker has sent these outbox entries; ``mlflow_run_ids`` maps run keys to new MLflow run ids."""

    outbox_ids: list[int]
    mlflow_run_ids: dict[int, str]


# Policies to controller.


class PoliciesReady(Message):
    pid: int


class PolicyAction(msgspec.Struct, kw_only=True):
    """An operation that a policy wants; the fields are those of ``RunOperation``.

    A search may also ``add`` a run with the config ``leaf``.
    """

    operation: OperationName | Literal["add"]
    run_ids: list[int]
    changes: list[dict[str, Any]] = []
    warm_start: bool = False
    continue_position: bool = False
    leaf: dict[str, Any] | None = None
    trial: Trial | None = None


class Deciding(Message):
    """A policy is about to be called: should the process die, it is known of what."""

    policy: int


class Decided(Message):
    """What a policy wants done, after it was shown the runs as they were after so many commits."""

    policy: int
    commits: int
    actions: list[PolicyAction]
    state: dict[str, Any]
    printed: str = ""
    done: bool = False
    """Whether it needs to be called no more."""
    error: str | None = None
    """Why it failed; it is called no more."""
    traceback: str | None = None


# Controller to slot, tracker and policies.


class WarmStart(msgspec.Struct, kw_only=True):
    """How a run without a commit begins with the checkpoint of its parent."""

    optimizer: dict[str, Any]
    """Name and arguments of the parent's optimizer."""
    continue_position: bool
    """Whether it goes on where the parent stood, instead of at its own first epoch."""


class Work(Message):
    """What a slot is given to do, from the spec and the data of an experiment."""

    lease: int
    experiment: str
    experiment_path: str
    spec_hash: str
    config: dict[str, Any]
    data: dict[str, Any]
    seed: int


class Grant(Work):
    """Train one run up to ``to_step``, from the state that lease ``base_lease`` committed (0: from the start)."""

    run: int
    run_id: int
    epochs: int
    steps_per_epoch: int
    from_step: int
    to_step: int
    at_most: int
    """Where the slot may go on to when that is soon done (`engine.chunks.is_soon_done`)."""
    base_lease: int
    epoch_checkpoints: bool
    previous_lease: int = 0
    """The lease whose commit was the last but one, to fall back on (0: none)."""
    warm_start: WarmStart | None = None


class GrantTogether(Message):
    """Train several runs of a fit from one step to another, as one model if that can be and is faster."""

    fit: int
    grants: list[Grant]


class Infer(Work):
    """Work on a part of a job: rows of its partition, or, with ``sources``, put the results of all parts together."""

    job: int
    job_id: int
    kind: JobKind
    weights: str
    weights_sha256: str | None
    """What the file must come to, where it is not the engine's own."""
    batch_size: int
    first_row: int
    end_row: int
    """After the last one."""
    result: str
    """File for the result of the part, or of all."""
    sources: list[str] | None = None
    """Files of all parts, in order."""


class Preempt(Message):
    """End the lease after the present minibatch; ``discard`` when its work is not wanted."""

    lease: int
    discard: bool


class Exit(Message):
    """Finish and exit."""


class OutboxGrew(Message):
    """There is something to send."""


class Decide(Message):
    """There are commits, or policies, that were not there before."""


class DecisionTaken(Message):
    """What was decided is in the journal, and was carried out."""


Request: TypeAlias = (
    Status
    | CreateExperiment
    | EndExperiment
    | SubmitFit
    | SubmitTuning
    | SubmitJob
    | RunOperation
    | CheckClone
    | AddPolicy
    | RemovePolicy
    | Shutdown
)
ToController: TypeAlias = (
    Request
    | SlotReady
    | Progress
    | WarmStarted
    | LeaseTrained
    | LeaseDone
    | PartDone
    | TrackerReady
    | Tracked
    | PoliciesReady
    | Deciding
    | Decided
)
FromController: TypeAlias = Reply | Grant | GrantTogether | Infer | Preempt | Exit | OutboxGrew | Decide | DecisionTaken

_encoder = msgspec.msgpack.Encoder()
_to_controller: msgspec.msgpack.Decoder[ToController] = msgspec.msgpack.Decoder(ToController)
_from_controller: msgspec.msgpack.Decoder[FromController] = msgspec.msgpack.Decoder(FromController)


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode_to_controller(frame: bytes) -> ToController:
    return _to_controller.decode(frame)


def decode_from_controller(frame: bytes) -> FromController:
    return _from_controller.decode(frame)
