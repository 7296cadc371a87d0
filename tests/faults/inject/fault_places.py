"""Where in the product faults can strike: product functions are wrapped as their modules are imported.

The points are those of ``tests/faults/matrix.py``. The state is that of the run which the process has in hand.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from fault_strikes import reached

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_TOLD_TO_MLFLOW = ("create_run", "log_batch", "log_artifacts", "set_tag", "set_terminated", "update_run")


def install() -> None:
    sys.meta_path.insert(0, Watcher())


class Watcher(MetaPathFinder):
    """Lets the usual finder find, and wraps functions once the module has been executed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in PLACES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_wrap(module: ModuleType) -> None:
            execute(module)
            PLACES[name](module)

        loader.exec_module = execute_and_wrap
        return spec


def wrap(owner: Any, name: str, *, before: Callable[..., Any] = lambda *_, **__: None, after: Any = None) -> None:
    """Have ``before`` called with the arguments of a function, and ``after`` with its result and the arguments."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        result = function(*args, **kwargs)
        if after:
            after(result, *args, **kwargs)
        return result

    setattr(owner, name, wrapped)


# In a slot: the state is that of the lease

_grants: list[Any] = []


def _remember_grant(module: ModuleType) -> None:
    def remember(message: Any, *_: Any) -> None:
        if isinstance(message, module.Grant):
            _grants[:] = [message]

    wrap(module, "decode_from_controller", after=remember)


def _on_slot(point: str) -> Callable[..., None]:
    def place(*_: Any, **__: Any) -> None:
        if _grants:
            reached(point, _state_of_grant(_grants[0]), os.getpid())

    return place


def _state_of_grant(grant: Any) -> str:
    if grant.base_lease:
        return "later"
    return "warm" if grant.warm_start is not None else "first"


def _checkpoints(module: ModuleType) -> None:
    wrap(module, "save_checkpoint", before=_on_slot("before-checkpoint"), after=_on_slot("after-checkpoint"))
    wrap(module, "load_checkpoint", after=_on_slot("restore"))


def _validation(module: ModuleType) -> None:
    wrap(module.TrainingRun, "_validate_minibatch", before=_on_slot("validation"))


def _trials(module: ModuleType) -> None:
    """Of a model template: where the points are that runs of a spec have, too."""
    wrap(module, "load_params", after=_on_slot("restore"))
    wrap(module, "evaluated", before=_on_slot("validation"))
    wrap(module, "_save", before=_on_slot("before-checkpoint"), after=_on_slot("after-checkpoint"))


# In the controller: the state is that of the run in the journal


def _state_of_run(run: Any) -> str | None:
    if run.base_lease:
        return "later"
    if run.warm_start:
        return "warm"
    return "first" if run.started else None


_committing: list[tuple[str | None, int | None]] = []
"""State before the commit of the run whose lease is done, and pid of its slot."""


def _commits(module: ModuleType) -> None:
    def before(controller: Any, message: Any) -> None:
        _committing.clear()
        scheduler, journal = controller._scheduler, controller._journal
        key = scheduler.lease_holder(message.lease)
        if key is not None and message.step and message.outcome in ("reached", "preempted", "finished"):
            slot = scheduler.runs[key].slot
            _committing.append((_state_of_run(journal.run_by_key(key)), controller._node.slot_pid(slot)))
            reached("before-commit", *_committing[0])

    wrap(module.Controller, "_lease_done", before=before)
    wrap(module.Controller, "_carry_out", after=_answering)


def _committed(module: ModuleType) -> None:
    def before(_: Any) -> None:
        for state, slot in _committing:
            reached("after-commit", state, slot)

    wrap(module.Ledger, "remove_obsolete", before=before)


def _operations(module: ModuleType) -> None:
    """Inside the transaction, when all is done; the other place is after it, before the client is answered."""
    wrap(module, "operate", after=lambda _, request, ledger: _operating(request, ledger))


def _answering(_: bytes, controller: Any, request: Any) -> None:
    if type(request).__name__ == "RunOperation":
        _operating(request, controller._ledger)


def _operating(request: Any, ledger: Any) -> None:
    experiment = ledger.journal.experiment(request.experiment)
    for run_id in request.run_ids[:1]:
        reached("operation", _state_of_run(ledger.journal.run(experiment.id, run_id)))


# In the tracker: the state is that of the run that MLflow is told of

_told: list[Any] = []


def _journal_reads(module: ModuleType) -> None:
    def remember(run: Any, *_: Any) -> None:
        _told[:] = [run]

    wrap(module.JournalReader, "run_by_key", after=remember)


def _tellings(module: ModuleType) -> None:
    def after(*_: Any, **__: Any) -> None:
        if _told:
            reached("outbox", _state_of_run(_told[0]))

    for name in _TOLD_TO_MLFLOW:
        wrap(module.MlflowClient, name, after=after)


PLACES = {
    "rapidfire_lab.engine.protocol": _remember_grant,
    "rapidfire_lab.worker.checkpoint": _checkpoints,
    "rapidfire_lab.worker.training": _validation,
    "rapidfire_lab.worker.trial": _trials,
    "rapidfire_lab.engine.controller": _commits,
    "rapidfire_lab.engine.ledger": _committed,
    "rapidfire_lab.engine.operations": _operations,
    "rapidfire_lab.journal.reader": _journal_reads,
    "mlflow.tracking.client": _tellings,
}
"""Modules, and what is wrapped in them."""
