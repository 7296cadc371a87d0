"""A trial of a model template: one lease, in which the model trains and is evaluated as its author wrote it.

The class is imported anew for each trial, so that none depends on what was in the slot before.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.compat import bridge
from rapidfire_lab.engine.protocol import LeaseDone
from rapidfire_lab.journal.records import MetricPoint
from rapidfire_lab.model.errors import InvalidParamsFormatError
from rapidfire_lab.model.knob_values import is_cut_short
from rapidfire_lab.model.package_import import module_name
from rapidfire_lab.model.parameters import load_params, save_params
from rapidfire_lab.model.source import check_model_class
from rapidfire_lab.model.template import Template
from rapidfire_lab.model.trials import evaluated, instance, torn_down
from rapidfire_lab.serving import SCORE
from rapidfire_lab.worker.failure import describe, user_traceback
from rapidfire_lab.worker.hooks import load_snapshot
from rapidfire_lab.worker.rng import seed_everything

if TYPE_CHECKING:
    from rapidfire_lab.engine.layout import ExperimentLayout
    from rapidfire_lab.engine.protocol import Grant, Outcome
    from rapidfire_lab.model import BaseModel, Params
    from rapidfire_lab.worker.trial_log import TrialLog

TEST_SCORE = "test_score"


class _UnsavedError(Exception):
    """The disk does not take the parameters."""


def load_template(folder: Path, template: Template) -> type[BaseModel]:
    """Import the class of a template from its snapshot, which may import Rafiki or SINGA-Auto."""
    bridge(("rafiki", "singa_auto"))
    module = load_snapshot(folder, template.main, template.hash, module_name(template.main))
    return check_model_class(getattr(module, template.model_class, None), f" in {template.original}")


def train_trial(grant: Grant, layout: ExperimentLayout, log: TrialLog, device: str) -> LeaseDone:
    """Train a trial; its parameters are on the disk when this returns, unless the outcome says otherwise."""
    started = time.perf_counter()
    template = Template.of(grant.data)
    if template is None:
        message = f"lease {grant.lease} is of no model template"
        raise RuntimeError(message)
    done = _attempt(grant, layout, template, log)
    done.points = [*log.drain(), *done.points]
    done.seconds, done.device = time.perf_counter() - started, device
    return done


def _attempt(grant: Grant, layout: ExperimentLayout, template: Template, log: TrialLog) -> LeaseDone:
    try:
        shared = load_params(layout.weights(grant.run_id, 0)) if grant.warm_start is not None else None
    except (InvalidParamsFormatError, OSError) as error:
        return _without_result(grant, "damaged", str(error))
    try:
        with log.attached():
            points = _train(grant, layout, template, log, shared)
    except _UnsavedError as error:
        return _without_result(grant, "unsaved", str(error))
    except BaseException as error:  # noqa: BLE001 - whatever user code raises fails its trial alone
        if log.broken_off is not None:  # also where the model has made another error of it
            return _without_result(grant, log.broken_off)
        return _failed(grant, layout, template, error)
    return LeaseDone(lease=grant.lease, outcome="finished", step=1, completed_epochs=1, trained_steps=1, points=points)


def _train(
    grant: Grant, layout: ExperimentLayout, template: Template, log: TrialLog, shared: Params | None
) -> list[MetricPoint]:
    """Train and evaluate the model, and keep its parameters; gives its scores."""
    model_class = load_template(layout.template(template.hash), template)
    knobs = grant.config["user_knobs"]
    seed_everything(grant.seed)
    with torn_down(model_class), instance(model_class, knobs) as model:
        log.check()
        model.train(template.train, shared_params=shared, **template.train_args)
        log.check()
        scores = {SCORE: evaluated(model, template.validation)}
        if template.test is not None and not is_cut_short(knobs, template.knob_config):
            log.check()
            scores[TEST_SCORE] = evaluated(model, template.test)
        log.check()
        params = model.dump_parameters()
        with log.resting():
            _save(layout.weights(grant.run_id, grant.lease), params)
    return [
        MetricPoint(name=name, per="epoch", step=1, epoch=1, value=value, time=time.time())
        for name, value in scores.items()
    ]


def _save(path: Path, params: Params) -> None:
    try:
        save_params(path, params)
    except OSError as error:
        raise _UnsavedError(f"{path}: {error}") from error


def _without_result(grant: Grant, outcome: Outcome, error: str | None = None) -> LeaseDone:
    return LeaseDone(lease=grant.lease, outcome=outcome, step=grant.from_step, completed_epochs=0, error=error)


def _failed(grant: Grant, layout: ExperimentLayout, template: Template, error: BaseException) -> LeaseDone:
    snapshot = layout.template(template.hash)
    original = Path(template.original).parents[template.main.count("/")]
    text = user_traceback(error, snapshot, original)
    with contextlib.suppress(OSError), layout.log(grant.run_id).open("ab") as log:
        log.write(text.encode(errors="backslashreplace"))
    done = _without_result(grant, "failed", describe(error, snapshot))
    done.traceback = text
    return done
