"""What clients may ask of model templates. It is called inside a durable journal transaction."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.requests import free_name, live_experiment
from rapidfire_lab.errors import EngineError
from rapidfire_lab.model.budget import checked
from rapidfire_lab.model.constants import BudgetOption
from rapidfire_lab.model.template import Template

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import SubmitTuning
    from rapidfire_lab.model.constants import Budget

_TRIALS_PER_SLOT = 2
"""Trials that are asked for ahead, so that a slow one does not keep the other slots waiting for its result."""


def submit_tuning(request: SubmitTuning, ledger: Ledger, slots: int, *, on_gpus: bool) -> dict[str, Any]:
    """Begin a tuning: a search, whose runs are trials of the template.

    The answer warns of what the budget asks for and slots do not do.
    """
    experiment = live_experiment(ledger, request.experiment)
    template = msgspec.convert(request.template, Template)
    budget = checked(request.budget)
    try:
        ExperimentLayout(Path(experiment.path)).write_template(request.sources, template.hash)
    except OSError as error:
        message = f"The source of {template.model_class} cannot be kept in {experiment.path} ({error.strerror})."
        raise EngineError(message) from error
    fit = ledger.journal.add_fit(
        experiment_id=experiment.id, data=json.dumps(template.to_data()), seed=request.seed, num_chunks=None
    )
    taken = {policy.name for policy in ledger.journal.policies(experiment.id)}
    name = free_name("tuning", taken)
    definition = {
        "kind": "tuning",
        "name": name,
        "knobs": template.knobs,
        "limits": budget,
        "hard": request.hard,
        "seed": request.seed,
        "ahead": _TRIALS_PER_SLOT * slots,
        "begun": time.time(),
    }
    ledger.journal.add_search(experiment.id, name, definition, fit)
    ledger.journal.add_event(
        f"Search {definition['name']} begun, of {template.model_class} for {template.task}",
        experiment_id=experiment.id,
    )
    return {"search": name, "warnings": without_effect(budget, slots, on_gpus=on_gpus)}


def without_effect(budget: Budget, slots: int, *, on_gpus: bool) -> list[str]:
    """Tell what of a budget slots do not meet."""
    warnings = []
    wanted = budget.get(BudgetOption.GPU_COUNT)
    if wanted is not None and wanted != (slots if on_gpus else 0):
        where = "each with one GPU" if on_gpus else "on the CPU"
        warnings.append(
            f"GPU_COUNT={wanted} has no effect: trials train in the engine's slots, of which there are {slots}, "
            f"{where}. The engine settings slots and device say so (RAPIDFIRE_LAB_SLOTS, RAPIDFIRE_LAB_DEVICE); to "
            "change them, call `rapidfire-lab stop-engine`, set them, and go on."
        )
    if budget.get(BudgetOption.DIST_WORKERS, 0) > 1:
        warnings.append("DIST_WORKERS has no effect: each trial trains in one slot (the engine setting slots).")
    return warnings
