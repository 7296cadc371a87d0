"""``ops``: steering runs. The engine does it and writes it down; the server only passes it on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.configs.secrets import HIDDEN, find_hidden, hide_secret_at, hide_secrets
from rapidfire_lab.errors import ConfigError, NotFoundError, OperationError
from rapidfire_lab.server.engine import running_client
from rapidfire_lab.server.handler import Refusal, RestHandler
from rapidfire_lab.server.questions import BadQuestionError, Id

_MOST_RUNS = 10_000
_MOST_CLONES = 1_000

RunIds = Annotated[list[Id], msgspec.Meta(max_length=_MOST_RUNS)]
RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Seen = Annotated[
    dict[str, Literal["queued", "running", "stopped", "completed", "failed", "deleted"]],
    msgspec.Meta(max_length=_MOST_RUNS),
]


class OperationQuestion(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is asked of runs."""

    operation: Literal["stop", "resume", "delete", "clone", "cancel"]
    run_ids: RunIds = []
    seen: Seen = {}
    changes: dict[str, Any] = {}
    num_runs: Annotated[int, msgspec.Meta(ge=1, le=_MOST_CLONES)] | None = None
    warm_start: bool = False
    continue_position: bool = False

    def __post_init__(self) -> None:
        if self.operation == "cancel" and self.run_ids:
            _refuse("'run_ids': cancel stops all runs that are queued or running; leave it out, or ask for stop.")
        if self.operation != "cancel" and not self.run_ids:
            _refuse(f"'run_ids': name the runs to {self.operation}.")
        if self.operation != "clone":
            for name in ("changes", "num_runs", "warm_start", "continue_position"):
                if getattr(self, name):
                    _refuse(f"{name!r}: only clones have it.")
        strange = next((run_id for run_id in self.seen if not (run_id.isascii() and run_id.isdecimal())), None)
        if strange is not None:
            _refuse(f"'seen': {strange!r} is no run id.")


class OperationOrder(OperationQuestion, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST ops``. A repeat of a ``request_id`` does nothing and gets the first answer."""

    request_id: RequestId


def _refuse(words: str) -> None:
    message = f"The request's body cannot be used at {words}"
    raise BadQuestionError(message)


class OpsHandler(RestHandler):
    """Have an operation carried out."""

    _track_activity = True

    @web.authenticated
    @authorized
    async def post(self, experiment: str) -> None:
        order = self.body(OperationOrder)
        self.answer(await self.ask(operate, experiment, order), 202)


class OpsCheckHandler(RestHandler):
    """Say what a clone would be, and whether the engine would make it; nothing is done."""

    _track_activity = True

    @web.authenticated
    @authorized
    async def post(self, experiment: str) -> None:
        question = self.body(OperationQuestion)
        if question.operation != "clone":
            message = "The request's body cannot be used at 'operation': only a clone can be checked."
            raise Refusal(400, message)
        self.answer(await self.ask(check, experiment, question))


def operate(experiment: str, order: OperationOrder) -> dict[str, list[int]]:
    """Have the engine do it, if it is running."""
    result = running_client().operate(
        experiment,
        order.operation,
        order.run_ids,
        changes=_expanded(order),
        warm_start=order.warm_start,
        continue_position=order.continue_position,
        seen=dict(order.seen),
        request_id=order.request_id,
        start=False,
        origin="user",
    )
    return {"operation_ids": result["operation_ids"], "run_ids": result["run_ids"]}


def check(experiment: str, question: OperationQuestion) -> dict[str, Any]:
    """Have the engine say what the clones would be, without their secrets, or what stands against them.

    A refusal is an answer here, not an error: it is what was asked for, at every stop of somebody's typing.
    """
    client = running_client()
    try:
        changes = _expanded(question)
        found = client.check_clone(
            experiment,
            question.run_ids,
            changes=changes,
            warm_start=question.warm_start,
            continue_position=question.continue_position,
        )
    except NotFoundError:
        raise
    except (ConfigError, OperationError) as refusal:
        return {"clones": [], "problem": str(refusal)}
    return {"clones": [_shown_clone(clone) for clone in found["clones"]], "problem": None}


def _shown_clone(clone: dict[str, Any]) -> dict[str, Any]:
    return {
        "parent": clone["parent"],
        "config": hide_secrets(clone["config"]),
        "changed": [_shown_change(change) for change in clone["changed"]],
    }


def _shown_change(change: dict[str, Any]) -> dict[str, Any]:
    knob = change["knob"]
    return {"knob": knob, **{end: hide_secret_at(knob, change[end]) for end in ("from", "to")}}


def _expanded(question: OperationQuestion) -> list[dict[str, Any]]:
    """The partial configs that the changes stand for, one per clone and parent."""
    if not question.changes:
        return []
    from rapidfire_lab.configs.changes import expand_changes
    from rapidfire_lab.configs.json_knobs import decode

    try:
        hidden = find_hidden(question.changes)
        if hidden is not None:
            message = f"'changes.{hidden}' is {HIDDEN}, which stands for a secret: give its value or leave it out."
            raise ConfigError(message)
        return expand_changes(decode(question.changes), question.num_runs)
    except RecursionError as error:
        message = "The request's body cannot be used at 'changes': it is nested too deeply."
        raise BadQuestionError(message) from error
