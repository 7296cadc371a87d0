"""Trials of a model class, one after another in this process, as an advisor proposes them."""

from __future__ import annotations

import math
import numbers
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.advisor import Proposal, TrialResult, make_advisor
from rapidfire_lab.model.console import header, inform_user, say, warn_user
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.knob_values import is_cut_short
from rapidfire_lab.model.parameters import FileParamStore
from rapidfire_lab.model.shared import SharedParams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rapidfire_lab.model.base import BaseModel, KnobConfig, Knobs, Params
    from rapidfire_lab.model.constants import Budget

_WORKER = "local"


@dataclass(frozen=True)
class Data:
    """What models are trained and tried on."""

    train: str
    validation: str
    test: str | None = None
    train_args: Mapping[str, Any] = field(default_factory=dict)
    queries: Sequence[Any] | None = None


@dataclass(frozen=True)
class Best:
    """The trial with the highest score, and what is left of it; ``predictions`` are those of the trained instance."""

    proposal: Proposal
    score: float
    test_score: float | None
    params: Params
    predictions: list[Any] | None


class Trials:
    """Runs trials of a model class until its advisor has no more.

    Parameters
    ----------
    model
        The class.
    knob_config
        Its knobs.
    data
        What to train and try it on.
    fixed
        Knobs that are given, whatever the advisor would choose.
    """

    def __init__(self, model: type[BaseModel], knob_config: KnobConfig, data: Data, fixed: Knobs) -> None:
        self._model = model
        self._knob_config = knob_config
        self._open = {name: knob for name, knob in knob_config.items() if name not in fixed}
        self._data = data
        self._fixed = fixed
        self._shared = SharedParams()
        self._best: Best | None = None

    def run(self, budget: Budget) -> Best | None:
        """Run them, and give the best; None when none has a score."""
        start = time.monotonic()
        advisor = make_advisor(self._open, budget)
        inform_user(f"Budget: {budget}; advisor: {type(advisor).__name__}")
        trial_no = 0
        with tempfile.TemporaryDirectory(prefix="rapidfire-lab-") as folder:
            store = FileParamStore(folder)
            while (proposal := advisor.propose(_WORKER, trial_no := trial_no + 1)) is not None:
                proposal.knobs = {**proposal.knobs, **self._fixed}
                header(f"Trial {trial_no}")
                say(f"Knobs: {proposal.knobs}")
                advisor.feedback(_WORKER, TrialResult(proposal, self._trial(proposal, store)))
        say(f"{trial_no - 1} trials took {time.monotonic() - start:.1f} s.")
        self._announce()
        return self._best

    def _trial(self, proposal: Proposal, store: FileParamStore) -> float | None:
        with instance(self._model, proposal.knobs) as model:
            shared = self._shared.retrieve(proposal.params_type)
            model.train(self._data.train, shared_params=shared, **self._data.train_args)
            score = evaluated(model, self._data.validation) if proposal.to_eval else None
            say(f"Score: {score}")
            if proposal.to_cache_params or proposal.to_save_params:
                self._keep(model, proposal, score, store)
        return score

    def _keep(self, model: BaseModel, proposal: Proposal, score: float | None, store: FileParamStore) -> None:
        params = model.dump_parameters()
        if proposal.to_save_params:
            saved = store.save(params)
            if score is not None and self._is_best(proposal, score):
                self._best = self._tried(model, proposal, score, store.load(saved))
            store.delete(saved)
        if proposal.to_cache_params:
            self._shared.store(params, score)

    def _tried(self, model: BaseModel, proposal: Proposal, score: float, params: Params) -> Best:
        inform_user("The best score so far.")
        test_score = None if self._data.test is None else evaluated(model, self._data.test)
        predictions = None if self._data.queries is None else model.predict(list(self._data.queries))
        return Best(proposal, score, test_score, params, predictions)

    def _is_best(self, proposal: Proposal, score: float) -> bool:
        """Whether no trial is better; those that a policy cut short count less than those in full."""
        if math.isnan(score):
            warn_user("The score is NaN, which is no better than any other: this trial does not count.")
            return False
        if self._best is None:
            return True
        return self._rank(proposal, score) > self._rank(self._best.proposal, self._best.score)

    def _rank(self, proposal: Proposal, score: float) -> tuple[bool, float]:
        return (not is_cut_short(proposal.knobs, self._knob_config), score)

    def _announce(self) -> None:
        if self._best is None:
            warn_user("No trial has a score: there is no best model.")
            return
        best = self._best
        tested = "" if best.test_score is None else f", and {best.test_score} on the test data"
        inform_user(f"Best: trial {best.proposal.trial_no} with {best.proposal.knobs}, score {best.score}{tested}")


@contextmanager
def instance(model: type[BaseModel], knobs: Knobs) -> Iterator[BaseModel]:
    """Make an instance, and destroy it in the end, also when something fails."""
    made = model(**knobs)
    with _destroyed_on_error(made):
        yield made
    made.destroy()


def restored(model: type[BaseModel], knobs: Knobs, params: Params) -> BaseModel:
    """Make a trained instance of what one dumped."""
    made = model(**knobs)
    with _destroyed_on_error(made):
        made.load_parameters(params)
    return made


@contextmanager
def _destroyed_on_error(made: BaseModel) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what failed first is what its author must see
            made.destroy()
        raise


@contextmanager
def torn_down(model: type[BaseModel]) -> Iterator[None]:
    """Tear a class down in the end, also when something fails."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            model.teardown()
        raise
    model.teardown()


def evaluated(model: BaseModel, dataset_path: str) -> float:
    """Give the score of a trained instance.

    Raises
    ------
    InvalidModelClassError
        When it is no number.
    """
    score = model.evaluate(dataset_path)
    if isinstance(score, numbers.Real) and not isinstance(score, bool):
        return float(score)
    raise InvalidModelClassError(f"evaluate() must return a float, not {score!r} ({type(score).__name__})")
