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
from rapidfire_lab.worker.checkpoint import (
    DamagedCheckpointError,
    UnsavedError,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_weights,
)
from rapidfire_lab.worker.failure import describe, user_traceback
from rapidfire_lab.worker.hooks import load_spec_class
from rapidfire_lab.worker.inference import Inference, InferencePlan
from rapidfire_lab.worker.output import output_to
from rapidfire_lab.worker.parts import UnsavedPartError, do_part
from rapidfire_lab.worker.prepared import MinibatchMemory, PreparedData, PreparedStore
from rapidfire_lab.worker.process_state import process_state_kept
from rapidfire_lab.worker.residency import Residency
from rapidfire_lab.worker.saver import Checkpoint, Saver
from rapidfire_lab.worker.training import RunPlan, TrainingRun
from rapidfire_lab.worker.trial import train_trial
from rapidfire_lab.worker.trial_log import TrialLog
from rapidfire_lab.worker.warm_start import Parent, carry_over

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rapidfire_lab.spec import MLSpec

_MODES = ("train", "validation")
_MOST_PARTITIONS = 4
_REPORT_SECONDS = 0.25
_MANY_OBJECTS = 50_000
"""Objects that the garbage collector looks at: so many take it some milliseconds."""
_LINGER = 1_000


class _OutOfSharedMemoryError(Exception):
    """There is no room beside the runs that stay on the device."""


class DiscardedError(Exception):
    """The lease's work is not wanted: its run was deleted."""


class Slot:
    """One slot: a device, a connection to the controller, and the runs it remembers."""

    def __init__(
        self,
        index: int,
        address: str,
        device: torch.device,
        budget: int,
        prepared: PreparedStore | None,
        pulse: Pulse,
        input_processes: int = 0,
    ) -> None:
        self._index = index
        self._device = device
        self._pulse = pulse
        self._residency = Residency(budget)
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
            if isinstance(message, Grant):
                self._work(message)
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
        self._preempted = False
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

        log = TrialLog(grant.lease, asked, self._send, layout.plots(grant.run_id))
        done = train_trial(grant, layout, log, self._device_name())
        self._free_memory()
        return done

    def _settle(self, run: int) -> None:
        """Wait until all of a run is on the disk, and say so."""
        self._saver.wait_for(run)
        self._tell_saved()

    def _attempts(self, grant: Grant, layout: ExperimentLayout) -> LeaseDone | None:
        try:
            return self._attempt(grant, layout)
        except _OutOfSharedMemoryError:
            # Beside the resident runs there was too little memory: the device is given to this run alone.
            self._settle(grant.run)
            self._drop_residents()
            self._training = None
            self._free_memory()
            return self._attempt(grant, layout)

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
            if len(self._residency) or self._inference:
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
        trained = time.perf_counter()
        outcome = self._train_reporting(grant, layout, training)
        checkpointed = time.perf_counter()
        checkpoint = Checkpoint.of(training) if training.step else None
        done = LeaseDone(
            lease=grant.lease,
            outcome=outcome,
            step=training.step,
            completed_epochs=training.completed_epochs,
            points=training.report.drain(),
            seconds=checkpointed - trained,
            # Making the run for the first time is no cost of hopping: it has to be done once anyway.
            overhead=(trained - started if grant.base_lease else 0.0) + (time.perf_counter() - checkpointed),
            trained_steps=training.step - grant.from_step,
            device=self._device_name(),
        )
        self._training = None
        if checkpoint is None:
            return done
        if outcome in ("reached", "preempted"):
            self._residency.put(grant.run, grant.lease, training)
        self._saver.save(grant.run, lambda: self._saved(grant, layout, checkpoint, done), is_live=checkpoint.is_live)
        self._send(LeaseTrained(lease=grant.lease, outcome=outcome, step=training.step))
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

    def _train_reporting(self, grant: Grant, layout: ExperimentLayout, training: TrainingRun) -> Outcome:
        reported = time.monotonic()
        epochs = training.completed_epochs

        def keep_going() -> bool:
            nonlocal reported, epochs
            if grant.epoch_checkpoints and training.completed_epochs > epochs:
                epochs = training.completed_epochs
                self._pulse.rest()
                self._save_epoch(grant, layout, training)
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                self._report(grant, training)
            self._read_messages(grant)
            self._pulse.beat(training.step)
            return not self._preempted

        try:
            self._pulse.beat(training.step)
            began, first = time.perf_counter(), training.step
            outcome = training.train(grant.to_step, keep_going)
            training.settle_losses()  # waits for the device
            seconds, steps = time.perf_counter() - began, training.step - first
            if outcome == "reached" and is_soon_done(steps=steps, seconds=seconds, left=grant.at_most - training.step):
                outcome = training.train(grant.at_most, keep_going)
                training.settle_losses()
        finally:
            self._pulse.rest()
        if grant.epoch_checkpoints and training.completed_epochs > epochs:
            self._save_epoch(grant, layout, training)
        return outcome

    @staticmethod
    def _save_epoch(grant: Grant, layout: ExperimentLayout, training: TrainingRun) -> None:
        path = layout.epoch_weights(grant.run_id, training.completed_epochs)
        try:
            save_weights(path, training.weights())
        except OSError as error:
            raise UnsavedError(path, error) from error

    def _report(self, grant: Grant, training: TrainingRun) -> None:
        training.settle_losses()
        points = training.report.drain()
        self._send(Progress(lease=grant.lease, step=training.step, loss=training.report.loss, points=points))

    def _read_messages(self, work: Work) -> None:
        if self._saver.has_answers:
            self._tell_saved()
        while self._socket.poll(0):
            message = decode_from_controller(self._socket.recv())
            if isinstance(message, Reply):
                raise EngineError(message.error)
            if isinstance(message, Exit):
                self._exiting = self._preempted = True
            elif isinstance(message, Preempt) and message.lease == work.lease:
                if message.discard:
                    raise DiscardedError
                self._preempted = True

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
        try:
            return self._part_attempt(part, layout)
        except _OutOfSharedMemoryError:
            self._drop_residents()
            self._free_memory()
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
            if len(self._residency):
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


def _memory_budget(device: torch.device, fraction: float, slots: int) -> int:
    """Bytes for resident runs: a share of what is free now, divided among the slots that share it."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * fraction / slots)
    return int(psutil.virtual_memory().available * fraction / slots)


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
    parser.add_argument("--memory-fraction", type=float, required=True)
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
    load_torch()
    _spare_modules()
    budget = _memory_budget(device, arguments.memory_fraction, arguments.sharing)
    prepared = PreparedStore(arguments.prepared, arguments.prepared_bytes) if arguments.prepared_bytes else None
    Slot(arguments.index, arguments.address, device, budget, prepared, pulse, arguments.input_processes).serve()


if __name__ == "__main__":
    main()
