"""The slot process: takes leases from the controller, trains, checkpoints, and says so.

It has one thread for all but the writing of checkpoints. Messages are looked at between two minibatches, which is when
a stop takes effect.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import os
import pickle
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
import zmq

from rapidfire_lab.data import IngestedData, Partition
from rapidfire_lab.engine.chunks import is_soon_done
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.engine.protocol import (
    Exit,
    Grant,
    GrantTogether,
    Infer,
    LeaseDone,
    LeaseTrained,
    Message,
    Outcome,
    PartDone,
    Preempt,
    Progress,
    Reply,
    SlotReady,
    WarmStarted,
    Work,
    decode_from_controller,
    encode,
)
from rapidfire_lab.engine.watchdog import TELL_WHERE, Pulse
from rapidfire_lab.errors import EngineError, SpecError
from rapidfire_lab.journal.records import Fusion
from rapidfire_lab.metrics import NonFiniteLossError
from rapidfire_lab.worker.checkpoint import (
    DamagedCheckpointError,
    UnsavedError,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_weights,
)
from rapidfire_lab.worker.failure import describe, user_traceback
from rapidfire_lab.worker.fused import FusedRuns, FusionMemory
from rapidfire_lab.worker.hooks import load_spec_class
from rapidfire_lab.worker.inference import Inference, InferencePlan
from rapidfire_lab.worker.output import output_to
from rapidfire_lab.worker.parts import UnsavedPartError, do_part
from rapidfire_lab.worker.prepared import MinibatchMemory, PreparedData, PreparedStore
from rapidfire_lab.worker.process_state import process_state_kept
from rapidfire_lab.worker.residency import Residency
from rapidfire_lab.worker.saver import Checkpoint, Saver
from rapidfire_lab.worker.structure import NotFusibleError, structure_of
from rapidfire_lab.worker.training import RunPlan, TrainingRun
from rapidfire_lab.worker.trial import train_trial
from rapidfire_lab.worker.trial_log import TrialLog
from rapidfire_lab.worker.warm_start import Parent, carry_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rapidfire_lab.spec import MLSpec

_MODES = ("train", "validation")
_MOST_PARTITIONS = 4
_REPORT_SECONDS = 0.25
_MANY_OBJECTS = 50_000
"""Objects that the garbage collector looks at: so many take it some milliseconds."""
_LINGER = 1_000
_MOST_COMPILED = 1 << 14
"""Versions of one piece of code that torch may compile: for each run's model and each shape of its minibatches."""


class _OutOfSharedMemoryError(Exception):
    """There is no room beside the runs that stay on the device."""


class DiscardedError(Exception):
    """The lease's work is not wanted: its run was deleted."""


@dataclass(frozen=True)
class _Lease:
    """A lease with its run."""

    grant: Grant
    layout: ExperimentLayout
    training: TrainingRun
    restored: float
    """Seconds that it took to have the run here."""


class Slot:
    """One slot: a device, a connection to the controller, and the runs it remembers."""

    def __init__(
        self,
        index: int,
        address: str,
        device: torch.device,
        residency: Residency,
        prepared: PreparedStore | None,
        pulse: Pulse,
        input_processes: int = 0,
    ) -> None:
        self._index = index
        self._device = device
        self._pulse = pulse
        self._residency = residency
        self._saver = Saver()
        self._prepared = prepared
        self._minibatches = MinibatchMemory()
        self._input_processes = input_processes
        self._partitions: dict[str, Partition] = {}
        self._spec_classes: dict[str, type[MLSpec]] = {}
        self._spared_spec = False
        self._inference: tuple[int, Inference] | None = None
        """The model of the last job that this slot worked for."""
        self._training: TrainingRun | None = None
        """The run of the present lease, until its commit."""
        self._preempted = False
        self._exiting = False
        self._asked: dict[int, bool] = {}
        """Leases that are to end, and whether their work is wanted no more."""
        self._fusions = FusionMemory()
        self._found: dict[int, Fusion] = {}
        """What was found out about fusing the runs of leases that are under way."""
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, f"slot-{index}-{os.getpid()}".encode())
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.LINGER, _LINGER)
        self._socket.connect(address)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._saver.wakeup, zmq.POLLIN)

    def serve(self) -> None:
        """Serve leases until told to exit."""
        self._send(SlotReady(slot=self._index, pid=os.getpid(), device=self._device_name()))
        while not self._exiting:
            message = decode_from_controller(self._wait_for_message())
            self._asked.clear()
            if isinstance(message, Grant):
                self._work(message)
            elif isinstance(message, GrantTogether):
                self._work_together(message)
            elif isinstance(message, Infer):
                self._infer(message)
            elif isinstance(message, Exit):
                self._exiting = True
            elif isinstance(message, Reply):
                sys.exit(f"The controller did not understand this slot: {message.error}")
        self._saver.close()
        self._tell_saved()
        # A forked process ends without what would otherwise wait for messages to be sent.
        zmq.Context.instance().destroy(linger=_LINGER)

    def _wait_for_message(self) -> bytes:
        """Wait for the controller, and pass on meanwhile what was saved."""
        while True:
            self._tell_saved()
            if self._socket in dict(self._poller.poll()):
                return self._socket.recv()

    def _tell_saved(self) -> None:
        for done in self._saver.finished():
            self._send(done)

    def _device_name(self) -> str:
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "cpu"

    def _send(self, message: Message) -> None:
        self._socket.send(encode(message))

    # A lease

    def _work(self, grant: Grant) -> None:
        """Train a lease, and answer: at once, or once its checkpoint is written."""
        self._preempted = self._exiting
        layout = ExperimentLayout(Path(grant.experiment_path))
        try:
            layout.make_run(grant.run_id)
            with output_to(layout.log(grant.run_id)), process_state_kept():
                done = self._trial(grant, layout) if "template" in grant.data else self._attempts(grant, layout)
        except OSError as error:
            done = self._unsaved(grant, UnsavedError(layout.run(grant.run_id), error))
        if self._training is not None and done is not None:
            # What a failed lease reached before it failed is worth seeing: how the loss grew, for instance.
            done.points = self._training.report.drain()
            self._training = None
            self._free_memory()
        if done is not None:
            # What the run did before comes first.
            self._settle(grant.run)
            self._send(done)

    def _trial(self, grant: Grant, layout: ExperimentLayout) -> LeaseDone:
        """Train a trial of a model template, which has the slot to itself; it may import what specs do, otherwise."""
        self._spec_classes.clear()
        self._drop_residents()

        def asked() -> Outcome | None:
            try:
                self._read_messages(grant)
            except DiscardedError:
                return "discarded"
            return "preempted" if self._preempted else None

        log = TrialLog(grant.lease, asked, self._send, layout.plots(grant.run_id), self._pulse)
        try:
            done = train_trial(grant, layout, log, self._device_name())
        finally:
            self._pulse.rest()
        self._free_memory()
        return done

    def _settle(self, run: int) -> None:
        """Wait until all of a run is on the disk, and say so."""
        self._saver.wait_for(run)
        self._tell_saved()

    def _attempts(self, grant: Grant, layout: ExperimentLayout) -> LeaseDone | None:
        with contextlib.suppress(_OutOfSharedMemoryError):
            return self._attempt(grant, layout)
        # Beside the resident runs there was too little memory: the device is given to this run alone. The error is
        # gone by now, which had all that the first attempt made.
        self._settle(grant.run)
        self._training = None
        self._vacate_device()
        return self._attempt(grant, layout)

    def _vacate_device(self) -> None:
        """Have all other runs leave the device."""
        self._residency.vacate()
        self._inference = None
        self._free_memory()

    def _drop_residents(self) -> None:
        self._residency.clear()
        self._inference = None

    def _attempt(self, grant: Grant, layout: ExperimentLayout) -> LeaseDone | None:
        """Train a lease; None when its checkpoint is being written.

        Raises
        ------
        _OutOfSharedMemoryError
            When memory ran out while other runs were resident.
        """
        try:
            return self._train(grant, layout)
        except DiscardedError:
            return LeaseDone(lease=grant.lease, outcome="discarded", step=grant.from_step, completed_epochs=0)
        except UnsavedError as error:
            return self._unsaved(grant, error)
        except DamagedCheckpointError as error:
            return self._damaged(grant, layout, error)
        except torch.OutOfMemoryError as error:
            if self._residency.is_on_device or self._inference:
                raise _OutOfSharedMemoryError from error
            return self._failed(grant, layout, error)
        except BaseException as error:  # noqa: BLE001 - whatever user code raises fails its run alone
            return self._failed(grant, layout, error)

    def _free_memory(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _train(self, grant: Grant, layout: ExperimentLayout) -> LeaseDone | None:
        started = time.perf_counter()
        self._training = training = self._obtain(grant, layout)
        lease = _Lease(grant, layout, training, time.perf_counter() - started)
        trained = time.perf_counter()
        outcome = self._train_reporting(lease)
        done = self._end(lease, outcome, time.perf_counter() - trained)
        self._training = None
        return done

    def _end(self, lease: _Lease, outcome: Outcome, seconds: float) -> LeaseDone | None:
        """Have a lease's checkpoint written, and say so; gives the answer where there is nothing to write."""
        grant, layout, training = lease.grant, lease.layout, lease.training
        started = time.perf_counter()
        checkpoint = Checkpoint.of(training) if training.step else None
        done = LeaseDone(
            lease=grant.lease,
            outcome=outcome,
            step=training.step,
            completed_epochs=training.completed_epochs,
            points=training.report.drain(),
            seconds=seconds,
            # Making the run for the first time is no cost of hopping: it has to be done once anyway.
            overhead=(lease.restored if grant.base_lease else 0.0) + (time.perf_counter() - started),
            trained_steps=training.step - grant.from_step,
            device=self._device_name(),
            fusion=self._found.pop(grant.lease, None),
        )
        if checkpoint is None:
            return done
        if outcome in ("reached", "preempted"):
            training.drop_spent_gradients()
            self._residency.put(grant.run, grant.lease, training)
        self._saver.save(grant.run, lambda: self._saved(grant, layout, checkpoint, done), is_live=checkpoint.is_live)
        self._send(LeaseTrained(lease=grant.lease, outcome=outcome, step=training.step, fusion=done.fusion))
        return None

    def _saved(self, grant: Grant, layout: ExperimentLayout, checkpoint: Checkpoint, done: LeaseDone) -> LeaseDone:
        """Write a checkpoint, in the saver's thread; a run's first is read back, so that one that cannot be fails."""
        started = time.perf_counter()
        weights, state = layout.checkpoint(grant.run_id, grant.lease)
        try:
            save_checkpoint(weights, state, checkpoint.tensors, checkpoint.state)
            if not grant.base_lease:
                _read_back(state)
        except UnsavedError as error:
            return self._unsaved(grant, error)
        except BaseException as error:  # noqa: BLE001 - what cannot be written fails its run alone
            failed = self._failed(grant, layout, error)
            failed.points = done.points
            return failed
        done.saving = time.perf_counter() - started
        return done

    def _obtain(self, grant: Grant, layout: ExperimentLayout) -> TrainingRun:
        """The run in the state that the base lease committed: from memory, from disk, or made anew."""
        resident = self._residency.take(grant.run, grant.base_lease)
        if resident is not None:
            self._saver.wait_for(grant.run, live=True)
            return resident
        self._settle(grant.run)
        training = TrainingRun(self._plan(grant), self._spec_class(layout, grant.spec_hash), self._device)
        self._check_steps(grant, training)
        weights, state = layout.checkpoint(grant.run_id, grant.base_lease)
        if grant.base_lease:
            training.restore(*load_checkpoint(weights, state))
        elif grant.warm_start is not None:
            parent = Parent(*load_checkpoint(weights, state), grant.warm_start.optimizer)
            carried, moments = carry_over(training, parent, continue_position=grant.warm_start.continue_position)
            self._send(WarmStarted(lease=grant.lease, weights=carried, optimizer=moments))
        return training

    @staticmethod
    def _check_steps(grant: Grant, training: TrainingRun) -> None:
        if training.steps_per_epoch != grant.steps_per_epoch:
            message = f"{training.steps_per_epoch} steps per epoch here, {grant.steps_per_epoch} in the lease"
            raise RuntimeError(message)

    def _plan(self, grant: Grant) -> RunPlan:
        data = IngestedData.from_json(grant.data)
        store = self._prepared
        return RunPlan(
            config=grant.config,
            seed=grant.seed,
            epochs=grant.epochs,
            misc_path=data.misc,
            partitions={mode: self._partition(info.path) for mode, info in data.partitions.items() if mode in _MODES},
            prepared=PreparedData(store, grant.spec_hash, data, self._minibatches) if store else None,
            input_processes=self._input_processes,
        )

    def _partition(self, path: str) -> Partition:
        if path not in self._partitions:
            while len(self._partitions) >= _MOST_PARTITIONS:
                del self._partitions[next(iter(self._partitions))]
            self._partitions[path] = Partition.open(Path(path))
        return self._partitions[path]

    def _spec_class(self, layout: ExperimentLayout, expected_hash: str) -> type[MLSpec]:
        key = str(layout.spec)
        if key not in self._spec_classes:
            self._spec_classes.clear()
            self._drop_residents()
            self._spec_classes[key] = load_spec_class(layout.spec, layout.spec_info().main, expected_hash)
            self._spared_spec = _spare_modules(again=self._spared_spec)
        return self._spec_classes[key]

    def _train_reporting(self, lease: _Lease) -> Outcome:
        training = lease.training

        def keep_going() -> bool:
            self._read_messages(lease.grant)
            return not self._preempted

        with self._watching([lease], keep_going) as watched:
            began, first = time.perf_counter(), training.step
            outcome = training.train(lease.grant.to_step, watched)
            training.settle_losses()  # waits for the device
            seconds, steps = time.perf_counter() - began, training.step - first
            left = lease.grant.at_most - training.step
            if outcome == "reached" and is_soon_done(steps=steps, seconds=seconds, left=left):
                outcome = training.train(lease.grant.at_most, watched)
                training.settle_losses()
        return outcome

    @contextlib.contextmanager
    def _watching(self, leases: Sequence[_Lease], keep_going: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
        """Have runs report how far they are, and keep what epochs leave, each time it is asked whether to go on."""
        reported = time.monotonic()
        saved = {lease.grant.lease: lease.training.completed_epochs for lease in leases}
        first = leases[0].training

        def save_epochs() -> None:
            for lease in leases:
                epochs = lease.training.completed_epochs
                if lease.grant.epoch_checkpoints and epochs > saved[lease.grant.lease]:
                    saved[lease.grant.lease] = epochs
                    self._pulse.rest()
                    self._save_epoch(lease)

        def watched() -> bool:
            nonlocal reported
            save_epochs()
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                for lease in leases:
                    self._report(lease)
            goes_on = keep_going()
            self._pulse.beat(first.step)
            return goes_on

        try:
            self._pulse.beat(first.step)
            yield watched
        finally:
            self._pulse.rest()
        save_epochs()

    @staticmethod
    def _save_epoch(lease: _Lease) -> None:
        path = lease.layout.epoch_weights(lease.grant.run_id, lease.training.completed_epochs)
        try:
            save_weights(path, lease.training.weights())
        except OSError as error:
            raise UnsavedError(path, error) from error

    def _report(self, lease: _Lease) -> None:
        training = lease.training
        training.settle_losses()
        points = training.report.drain()
        self._send(Progress(lease=lease.grant.lease, step=training.step, loss=training.report.loss, points=points))

    def _read_messages(self, work: Work) -> None:
        """Hear what the controller says; raises when the work is not wanted any more."""
        self._hear()
        if work.lease in self._asked:
            if self._asked[work.lease]:
                raise DiscardedError
            self._preempted = True

    def _hear(self) -> None:
        if self._saver.has_answers:
            self._tell_saved()
        while self._socket.poll(0):
            message = decode_from_controller(self._socket.recv())
            if isinstance(message, Reply):
                raise EngineError(message.error)
            if isinstance(message, Exit):
                self._exiting = self._preempted = True
            elif isinstance(message, Preempt):
                self._asked[message.lease] = message.discard

    # Leases of several runs

    def _work_together(self, granted: GrantTogether) -> None:
        """Train leases of several runs as one model where that can be, and one after the other where not."""
        for grant in self._fuse(granted):
            self._work(grant)
        self._found.clear()

    def _fuse(self, granted: GrantTogether) -> list[Grant]:
        """Train what can be fused; gives the leases that are yet to be worked on."""
        left = granted.grants
        with process_state_kept():
            for alike in self._alike([lease for grant in left if (lease := self._begin(grant))]):
                if len(alike) > 1 and self._train_fused(alike, granted.fit):
                    left = [grant for grant in left if all(grant is not lease.grant for lease in alike)]
        return left

    def _begin(self, grant: Grant) -> _Lease | None:
        """Have a run here, if nothing is wrong with it: what is, it tells where it is trained by itself."""
        layout = ExperimentLayout(Path(grant.experiment_path))
        started = time.perf_counter()
        try:
            layout.make_run(grant.run_id)
            with output_to(layout.log(grant.run_id)):
                training = self._obtain(grant, layout)
        except BaseException:  # noqa: BLE001 - user code may raise anything
            return None
        return _Lease(grant, layout, training, time.perf_counter() - started)

    def _alike(self, leases: Sequence[_Lease]) -> list[list[_Lease]]:
        """Leases by the structures of their runs; those that are fused with nobody stay in memory for later."""
        alike: dict[str, list[_Lease]] = {}
        for lease in leases:
            found = self._found[lease.grant.lease] = _look_at(lease.training)
            # What cannot be fused is like nothing else.
            alike.setdefault(found.structure or f"lease {lease.grant.lease}", []).append(lease)
        for several in alike.values():
            if len(several) == 1:
                self._put_back(several[0])
        return list(alike.values())

    def _put_back(self, lease: _Lease) -> None:
        self._residency.put(lease.grant.run, lease.grant.base_lease, lease.training)

    def _train_fused(self, leases: Sequence[_Lease], fit: int) -> bool:
        """Train runs of one structure as one model; False where each is to be trained by itself, from its base."""
        found = [self._found[lease.grant.lease] for lease in leases]
        runs = frozenset(lease.grant.run for lease in leases)
        calibration = self._fusions.calibration(fit, found[0].structure, len(leases))
        fused = FusedRuns([lease.training for lease in leases], calibration, is_checked=self._fusions.is_checked(runs))
        started = time.perf_counter()
        try:
            outcomes = self._train_together(leases, fused)
        except BaseException as error:  # noqa: BLE001 - alone, each run tells what is wrong with it
            self._refuse(leases, error, intact=isinstance(error, NotFusibleError) and not fused.is_checked)
            return False
        self._fusions.checked(runs)
        for fusion in found:
            fusion.runs, fusion.gain = len(leases), calibration.gain
            if calibration.is_too_slow:
                fusion.too_few = len(leases)
        for lease, outcome in zip(leases, outcomes, strict=True):
            self._end_together(lease, outcome, (time.perf_counter() - started) / len(leases))
        return True

    def _train_together(self, leases: Sequence[_Lease], fused: FusedRuns) -> list[Outcome]:
        first = leases[0]

        def keep_going() -> bool:
            self._hear()
            return not (self._exiting or any(lease.grant.lease in self._asked for lease in leases))

        with output_to(first.layout.log(first.grant.run_id)), self._watching(leases, keep_going) as watched:
            outcomes = fused.train(first.grant.to_step, watched)
            for lease in leases:
                lease.training.settle_losses()
        return outcomes

    def _refuse(self, leases: Sequence[_Lease], error: BaseException, *, intact: bool) -> None:
        """Have runs be trained by themselves, from now on unless one of them is to blame."""
        for lease in leases:
            if intact:
                self._put_back(lease)
            if not isinstance(error, NonFiniteLossError):
                self._found[lease.grant.lease].refused = str(error) or type(error).__name__
        if not intact:
            self._free_memory()

    def _end_together(self, lease: _Lease, outcome: Outcome, seconds: float) -> None:
        """End one of several leases, of which each is answered by itself."""
        if self._asked.get(lease.grant.lease):
            done: LeaseDone | None = LeaseDone(
                lease=lease.grant.lease, outcome="discarded", step=lease.grant.from_step, completed_epochs=0
            )
        else:
            done = self._end(lease, outcome, seconds)
        if done is not None:
            self._settle(lease.grant.run)
            self._send(done)

    # A part of a job

    def _infer(self, part: Infer) -> None:
        """Work on a part of a test or prediction, and answer."""
        self._preempted = False
        started = time.perf_counter()
        layout = ExperimentLayout(Path(part.experiment_path))
        try:
            with output_to(layout.job_log(part.job_id)), process_state_kept():
                done = self._part_attempts(part, layout)
        except OSError as error:
            done = PartDone(lease=part.lease, outcome="unsaved", error=f"{layout.job_log(part.job_id)}: {error}")
        if part.sources is not None or done.outcome == "failed":
            self._inference = None
            self._free_memory()
        done.seconds = time.perf_counter() - started
        self._send(done)

    def _part_attempts(self, part: Infer, layout: ExperimentLayout) -> PartDone:
        with contextlib.suppress(_OutOfSharedMemoryError):
            return self._part_attempt(part, layout)
        self._vacate_device()
        return self._part_attempt(part, layout)

    def _part_attempt(self, part: Infer, layout: ExperimentLayout) -> PartDone:
        try:
            done = do_part(part, lambda: self._inference_of(part, layout), self._keep_going_with(part))
            return PartDone(lease=part.lease, outcome="done", metrics=done.metrics, sha256=done.sha256)
        except DiscardedError:
            return PartDone(lease=part.lease, outcome="discarded")
        except UnsavedPartError as error:
            return PartDone(lease=part.lease, outcome="unsaved", error=str(error))
        except torch.OutOfMemoryError as error:
            if self._residency.is_on_device:
                raise _OutOfSharedMemoryError from error
            return self._part_failed(part, layout, error)
        except BaseException as error:  # noqa: BLE001 - whatever user code raises fails its job alone
            return self._part_failed(part, layout, error)
        finally:
            self._pulse.rest()

    def _keep_going_with(self, part: Infer) -> Callable[[], None]:
        """What is called before each minibatch: says how far it is, and raises when it is not to go on."""
        reported, minibatches = time.monotonic(), 0

        def keep_going() -> None:
            nonlocal reported, minibatches
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                if part.sources is None:
                    self._send(Progress(lease=part.lease, step=minibatches, loss=None, points=[]))
            self._read_messages(part)
            if self._preempted:
                raise DiscardedError
            self._pulse.beat(minibatches)
            minibatches += 1

        return keep_going

    def _inference_of(self, part: Infer, layout: ExperimentLayout) -> Inference:
        """The model of a job, with its weights: the one that is there, or made anew."""
        if self._inference is None or self._inference[0] != part.job:
            self._inference = None
            spec_class = self._spec_class(layout, part.spec_hash)
            data = IngestedData.from_json(part.data)
            plan = InferencePlan(
                mode=part.kind,
                config=part.config,
                seed=part.seed,
                misc_path=data.misc,
                partition=self._partition(data.partitions[part.kind].path),
                weights=Path(part.weights),
                weights_sha256=part.weights_sha256,
                prepared=PreparedData(self._prepared, part.spec_hash, data) if self._prepared else None,
            )
            self._inference = part.job, Inference(plan, spec_class, self._device)
        return self._inference[1]

    @staticmethod
    def _part_failed(part: Infer, layout: ExperimentLayout, error: BaseException) -> PartDone:
        text = _logged_traceback(error, layout, layout.job_log(part.job_id))
        return PartDone(lease=part.lease, outcome="failed", error=describe(error, layout.spec), traceback=text)

    @staticmethod
    def _unsaved(grant: Grant, error: UnsavedError) -> LeaseDone:
        """End a lease whose work cannot be kept: nothing of it counts, and it may be tried again."""
        return LeaseDone(
            lease=grant.lease, outcome="unsaved", step=grant.from_step, completed_epochs=0, error=str(error)
        )

    @staticmethod
    def _damaged(grant: Grant, layout: ExperimentLayout, error: DamagedCheckpointError) -> LeaseDone:
        """Say that the run cannot go on from its base, and whether it can from the commit before."""
        done = LeaseDone(
            lease=grant.lease, outcome="damaged", step=grant.from_step, completed_epochs=0, error=str(error)
        )
        if not grant.previous_lease:
            return done
        try:
            _, state = load_checkpoint(*layout.checkpoint(grant.run_id, grant.previous_lease))
        except DamagedCheckpointError as second:
            done.error = f"{error}; {second}"
        else:
            done.fall_back, done.step = grant.previous_lease, state["step"]
            done.completed_epochs = len(state["history"])
        return done

    def _failed(self, grant: Grant, layout: ExperimentLayout, error: BaseException) -> LeaseDone:
        text = _logged_traceback(error, layout, layout.log(grant.run_id))
        return LeaseDone(
            lease=grant.lease,
            outcome="failed",
            step=grant.from_step,
            completed_epochs=0,
            error=describe(error, layout.spec),
            traceback=text,
        )


def _look_at(training: TrainingRun) -> Fusion:
    """What can be said of fusing a run before it is tried."""
    try:
        return Fusion(structure=structure_of(training))
    except NotFusibleError as error:
        return Fusion(structure="", refused=str(error))


def _logged_traceback(error: BaseException, layout: ExperimentLayout, path: Path) -> str:
    """Write the traceback of what user code raised into its log."""
    text = user_traceback(error, layout.spec, layout.spec_folder_of_user())
    with contextlib.suppress(OSError), path.open("ab") as log:
        log.write(text.encode(errors="backslashreplace"))
    return text


def _read_back(state: Path) -> None:
    try:
        load_state(state)
    except pickle.UnpicklingError as error:
        message = (
            "The run state cannot be read back from its checkpoint. State of a model's get_extra_state and of an "
            f"optimizer must be tensors, numbers, strings, or lists and dictionaries of them ({error})."
        )
        raise SpecError(message) from error


def _memory_budget(device: torch.device, fraction: float, slots: int, bound: int) -> int:
    """Bytes for runs that stay on the device: a share of what this slot may use of it, or of what is free now."""
    if bound:
        return int(bound * fraction)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * fraction / slots)
    return int(psutil.virtual_memory().available * fraction / slots)


def _bound_memory(most: int) -> None:
    """Have torch allocate no more on a GPU that other slots share; 0 for no bound."""
    if most:
        total = torch.cuda.get_device_properties().total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / total))


def load_torch() -> None:
    """Have torch load what it otherwise loads with the first optimizer, in the midst of a lease."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def _spare_modules(*, again: bool = False) -> bool:
    """Have the garbage collector look no more at what is there now, if that is much; returns whether it was.

    What modules have stays for as long as they do, and going over all that torch has takes a tenth of a second, in the
    midst of training and before a slot is free again. No run may be there: what it leaves in cycles would stay.
    ``again`` also frees what was spared before and is not used any more, as by the last spec.
    """
    if again:
        gc.unfreeze()
    gc.collect()
    if len(gc.get_objects()) < _MANY_OBJECTS:
        return False
    gc.freeze()
    return True


def make_compilation_alike() -> None:
    """Have ``torch.compile`` make the same code for a run whatever was compiled in this process before.

    Otherwise another shape of a minibatch, the neighbours' too, has it compile once more for all shapes, and too many
    have it give up; either changes results by a bit.
    """
    config = torch._dynamo.config  # noqa: SLF001 - loaded with the first optimizer; it has no other name
    config.automatic_dynamic_shapes = False
    config.cache_size_limit = config.accumulated_cache_size_limit = _MOST_COMPILED


def _make_deterministic() -> None:
    """Ask CUDA for the same result every time; CPU kernels give it by themselves at a fixed number of threads."""
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of a slot process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sharing", type=int, required=True, help="slots on the same device")
    parser.add_argument("--device-bytes", type=int, default=0, help="what may be allocated there; 0 for no bound")
    parser.add_argument("--memory-fraction", type=float, required=True)
    parser.add_argument("--host-bytes", type=int, default=0, help="for runs that find no room on the device")
    parser.add_argument("--prepared", type=Path, required=True, help="folder of prepared rows")
    parser.add_argument("--prepared-bytes", type=int, required=True, help="what they may take; 0 to keep none")
    parser.add_argument("--input-processes", type=int, default=0, help="how many may prepare minibatches ahead")
    parser.add_argument("--pulse", type=Path, help="where to tell that a minibatch begins, if anybody looks")
    arguments = parser.parse_args(argv)
    die_with_parent(arguments.parent)
    faulthandler.enable()
    faulthandler.register(TELL_WHERE, file=2)  # the run's log, during a lease
    pulse = Pulse(arguments.pulse)
    pulse.rest()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    if device.type == "cuda":
        _make_deterministic()
        _bound_memory(arguments.device_bytes)
    load_torch()
    make_compilation_alike()
    _spare_modules()
    budget = _memory_budget(device, arguments.memory_fraction, arguments.sharing, arguments.device_bytes)
    residency = Residency(budget, arguments.host_bytes)
    prepared = PreparedStore(arguments.prepared, arguments.prepared_bytes) if arguments.prepared_bytes else None
    Slot(arguments.index, arguments.address, device, residency, prepared, pulse, arguments.input_processes).serve()


if __name__ == "__main__":
    main()
