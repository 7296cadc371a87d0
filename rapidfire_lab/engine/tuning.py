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
from rapidfire_lab.model.template import Template

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.protocol import SubmitTuning

_TRIALS_PER_SLOT = 2
"""Trials that are asked for ahead, so that a slow one does not keep the other slots waiting for its result."""


def submit_tuning(request: SubmitTuning, ledger: Ledger, slots: int) -> dict[str, Any]:
    """Begin a tuning: a search, whose runs are trials of the template."""
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
    return {"search": name}
