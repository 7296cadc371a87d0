"""Several runs trained as one model, where that gives the same and is faster.

Optimizer, scheduler, clipping, metrics, validation and checkpoint stay each run's own. Sums come out in another order
than alone, so results are equal within rounding, not to the bit, which is why a user has to ask for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch

from rapidfire_lab.worker.forward import loss_and_outputs
from rapidfire_lab.worker.prepared.questions import Facts
from rapidfire_lab.worker.rng import RngState
from rapidfire_lab.worker.stacked import StackedRuns, gradients_of
from rapidfire_lab.worker.structure import NotFusibleError, module_attributes
from rapidfire_lab.worker.training import StoppedInValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rapidfire_lab.engine.protocol import Outcome
    from rapidfire_lab.worker.stacked import Tensors
    from rapidfire_lab.worker.training import TrainingRun

LEAST_GAIN = 1.2
"""How many times as fast it must be to be worth giving up the bits for."""

LOSS_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5
"""Relative deviations that rounding explains: of a loss, and of the norm of all gradients of a run."""

_TIMED = 5
"""Minibatches that are timed on either path; one more goes before them."""
_MOST_REMEMBERED = 1_000


class Calibration:
    """Which path is the faster for runs of a structure: timed on minibatches that are trained anyway."""

    def __init__(self) -> None:
        self._seconds: dict[bool, list[float]] = {False: [], True: []}
        self.gain: float | None = None
        """How many times as fast it is to train them as one; None while that is not known."""

    @property
    def next_is_fused(self) -> bool:
        """Path of the next minibatch: both in turns until enough are timed."""
        return self.gain is not None or len(self._seconds[True]) <= len(self._seconds[False])

    @property
    def is_too_slow(self) -> bool:
        return self.gain is not None and self.gain < LEAST_GAIN

    def saw(self, seconds: float, *, fused: bool) -> None:
        self._seconds[fused].append(seconds)
        if min(map(len, self._seconds.values())) > _TIMED:
            # Whatever else the machine does makes them longer: the shortest was disturbed least.
            alone, together = (min(self._seconds[path][1:]) for path in (False, True))
            self.gain = alone / together


class FusionMemory:
    """What a slot has found out: what is faster, by fit, structure and number of runs, and which runs were checked."""

    def __init__(self) -> None:
        self._calibrations: OrderedDict[tuple[int, str, int], Calibration] = OrderedDict()
        self._checked: OrderedDict[frozenset[int], None] = OrderedDict()

    def calibration(self, fit: int, structure: str, runs: int) -> Calibration:
        found = self._calibrations.setdefault((fit, structure, runs), Calibration())
        _bound(self._calibrations)
        return found

    def is_checked(self, runs: frozenset[int]) -> bool:
        return any(runs <= checked for checked in self._checked)

    def checked(self, runs: frozenset[int]) -> None:
        self._checked[runs] = None
        _bound(self._checked)


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > _MOST_REMEMBERED:
        remembered.popitem(last=False)


class FusedRuns:
    """Runs of one structure that stand at the same step, trained together.

    Parameters
    ----------
    runs
        At least two, of one seed, on the same data.
    calibration
        What is known of runs of this structure.
    is_checked
        Whether these very runs have been found to give the same together as alone.
    """

    def __init__(self, runs: Sequence[TrainingRun], calibration: Calibration, *, is_checked: bool) -> None:
        self.runs = runs
        self.is_checked = is_checked
        self._calibration = calibration
        self._converged: list[TrainingRun] = []
        self._have_same_input = False
        self._asked = -1
        self._is_fused: bool | None = None
        """Path of the present group of accumulated minibatches."""

    def train(self, to_step: int, keep_going: Callable[[], bool]) -> list[Outcome]:
        """Train all runs to a step, or until one of them is to stop or has converged, or it turns out not to pay.

        Raises
        ------
        NotFusibleError
            When they cannot be trained together; they stand where they stood.
        Exception
            Whatever else goes wrong: the runs are of no use then, and to be trained from their last commit.
        """
        with ExitStack() as stack:
            for run in self.runs:
                stack.enter_context(run.pass_to(to_step))
            try:
                if self._finish_epochs(keep_going):
                    self._train_minibatches(to_step, keep_going)
            except StoppedInValidationError:
                pass
        return [self._outcome(run, to_step) for run in self.runs]

    def _train_minibatches(self, to_step: int, keep_going: Callable[[], bool]) -> None:
        with StackedRuns(self.runs) as stacked:
            while not self._is_over(to_step) and keep_going():
                self._train_minibatch(stacked)
                if not self._finish_epochs(keep_going):
                    return

    def _is_over(self, to_step: int) -> bool:
        is_complete = any(run.is_complete for run in self.runs)
        return is_complete or self.runs[0].step >= to_step or self._calibration.is_too_slow

    def _outcome(self, run: TrainingRun, to_step: int) -> Outcome:
        if run in self._converged:
            return "converged"
        if run.is_at_epoch_end:
            return "preempted"
        if run.is_complete:
            return "finished"
        return "reached" if run.step >= to_step else "preempted"

    def _finish_epochs(self, keep_going: Callable[[], bool]) -> bool:
        """Finish the epoch of each run that is at its end; returns whether all of them go on."""
        for run in self.runs:
            if run.is_at_epoch_end:
                with run.own_state():
                    if run.finish_epoch(keep_going):
                        self._converged.append(run)
        return not self._converged

    # A minibatch

    def _train_minibatch(self, stacked: StackedRuns) -> None:
        minibatches = self._minibatches()
        if not self.is_checked:
            self._check(stacked, minibatches)
            self.is_checked = True
        if self._is_fused is None or not self.runs[0].is_inside_group:
            self._is_fused = self._calibration.next_is_fused
        is_known = self._calibration.gain is not None
        seconds = self._learn(stacked, minibatches) if self._is_fused else self._learn_alone(minibatches)
        if not is_known:
            self._calibration.saw(seconds, fused=self._is_fused)

    def _learn(self, stacked: StackedRuns, minibatches: Sequence[Any]) -> float:
        """Train the minibatches together; gives the seconds that it took, as far as they are to be measured."""
        self.runs[0].apply_switches()
        started = self._now()
        stacked.learn(minibatches)
        return self._now() - started

    def _learn_alone(self, minibatches: Sequence[Any]) -> float:
        seconds = 0.0
        for run, minibatch in zip(self.runs, minibatches, strict=True):
            with run.own_state():  # to take turns costs what it would not cost alone
                started = self._now()
                run.train_minibatch(minibatch)
                seconds += self._now() - started
        return seconds

    def _now(self) -> float:
        """The time, at which the device has done what it was told if the path is yet to be chosen."""
        if self._calibration.gain is None and self.runs[0].device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _minibatches(self) -> list[Any]:
        """The next minibatch of each run: one object where all are known to be the same."""
        if self.is_checked and self._is_same_input():
            return [self.runs[0].next_minibatch()] * len(self.runs)
        return [run.next_minibatch() for run in self.runs]

    def _is_same_input(self) -> bool:
        """Whether all configs answer what was asked to prepare minibatches in the same way."""
        hooks = self.runs[0].hooks
        asked = hooks.recorder.asked | hooks.collate_recorder.asked
        if len(asked) != self._asked:
            facts = Facts.of(hooks.cfg, asked)
            self._asked = len(asked)
            self._have_same_input = all(facts.hold_for(run.hooks.cfg) for run in self.runs[1:])
        return self._have_same_input

    # Whether it gives the same

    def _check(self, stacked: StackedRuns, minibatches: Sequence[Any]) -> None:
        """Compare losses and gradients of the next minibatch, together and alone, without learning from it."""
        alone = [_try_alone(run, minibatch) for run, minibatch in zip(self.runs, minibatches, strict=True)]
        self._compare_knobs()
        before = RngState.capture()
        self.runs[0].apply_switches()
        losses, gradients = stacked.try_out(minibatches)
        if not before.unchanged():
            message = "compute_forward draws random numbers"
            raise NotFusibleError(message)
        for at, (loss, own) in enumerate(alone):
            together = {name: value[at] for name, value in gradients.items()}
            if not (_is_close(loss, losses[at], LOSS_TOLERANCE) and _are_close(own, together)):
                message = "it gives another loss or other gradients together with others than alone"
                raise NotFusibleError(message)

    def _compare_knobs(self) -> None:
        hooks = self.runs[0].hooks
        facts = Facts.of(hooks.cfg, hooks.forward_recorder.asked)
        if not all(facts.hold_for(run.hooks.cfg) for run in self.runs[1:]):
            message = "compute_forward reads knobs that differ between runs"
            raise NotFusibleError(message)


def _try_alone(run: TrainingRun, minibatch: Any) -> tuple[torch.Tensor, Tensors]:
    """Loss and gradients of a run's minibatch; the run is left as it was."""
    trained = {name: value for name, value in run.model.named_parameters() if value.requires_grad}
    attributes = module_attributes(run.model)
    with run.tried():
        loss, _ = loss_and_outputs(run.hooks.watched_forward(run.model, minibatch, "train"))
        found = gradients_of(loss, trained)
    if module_attributes(run.model) != attributes:
        message = "its modules keep state of their own"
        raise NotFusibleError(message)
    return loss.detach(), found


def _is_close(value: torch.Tensor, other: torch.Tensor, tolerance: float) -> bool:
    one, two = value.double().reshape(()), other.double().reshape(())
    return bool((one - two).abs() <= tolerance * one.abs())


def _are_close(gradients: Tensors, others: Tensors) -> bool:
    """Whether the gradients of a model differ by rounding."""
    if gradients.keys() != others.keys():
        return False
    norms = [value.double().norm() for value in gradients.values()]
    deviations = [(value - others[name]).double().norm() for name, value in gradients.items()]
    return bool(torch.stack(deviations).norm() <= GRADIENT_TOLERANCE * torch.stack(norms).norm())
