"""The controller: one thread that owns the journal, the wire, the schedule and this node's slots."""

from __future__ import annotations

import time
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

import rapidfire_lab
from rapidfire_lab.engine import inference, operations, policies, protocol, requests, tuning
from rapidfire_lab.engine.children import exit_reason
from rapidfire_lab.engine.policy_line import PolicyLine
from rapidfire_lab.engine.scheduler import DrainAsked, SlotDown, SlotDying, SlotUp
from rapidfire_lab.engine.tracker_line import TrackerLine
from rapidfire_lab.errors import RapidfireLabError

if TYPE_CHECKING:
    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.node import Node
    from rapidfire_lab.engine.scheduler import SlotState
    from rapidfire_lab.engine.settings import EngineSettings

_TICK = 0.1
_ANSWERING_SECONDS = 0.1
"""After so long in a turn of the loop, the requests that are left wait for the next one."""

_PROGRESS_SECONDS = 0.25
_DRAIN_SECONDS = 20.0
_TRACKER_DRAIN_SECONDS = 10.0
_REPLY_LIFE = 24 * 3600.0
_LATE = "A minibatch went on for {:g} s after a stop or delete (the engine setting stop_grace_seconds)."
_TOO_LONG = (
    "After step {}, a minibatch or the end of an epoch took longer than {:g} s (the engine setting "
    "step_timeout_seconds). The run's log tells where it was. Should it need longer, raise the setting (0 sets no "
    "limit), restart the engine with `rapidfire-lab stop-engine` and resume the run."
)
_TRIAL_TOO_LONG = (
    "The trial logged nothing for {:g} s (the engine setting step_timeout_seconds), and neither training nor an "
    "evaluation came to an end. The run's log tells where it was. Should it need longer, log more often by the model's "
    "logger or Python's, or raise the setting (0 sets no limit), restart the engine with `rapidfire-lab stop-engine` "
    "and resume the run."
)
_PART_TOO_LONG = (
    "After {} minibatches of a part, one took longer than {:g} s (the engine setting step_timeout_seconds). job.log "
    "tells where it was. Should it need longer, raise the setting (0 sets no limit), restart the engine with "
    "`rapidfire-lab stop-engine` and ask again."
)
_NEWS_TO_POLICIES = (
    protocol.AddPolicy,
    protocol.CreateExperiment,
    protocol.SubmitFit,
    protocol.SubmitTuning,
    protocol.RunOperation,
)

_KEPT_REPLIES = 1_000
"""More than can be asked while a client still repeats its question."""


class Controller:
    """Event loop of the engine."""

    def __init__(self, home: EngineHome, settings: EngineSettings, ledger: Ledger, node: Node) -> None:
        self._home = home
        self._settings = settings
        self._ledger = ledger
        self._journal = ledger.journal
        self._scheduler = ledger.scheduler
        self._node = node
        self._slots: dict[int, bytes] = {}
        self._tracker = TrackerLine(node, self._send)
        self._policies = PolicyLine(ledger, node, self._send, max_deaths=settings.max_attempts)
        self._requests: deque[tuple[bytes, protocol.Request]] = deque()
        self._progress: dict[int, protocol.Progress] = {}
        self._preempts: dict[int, float] = {}
        self._killed: dict[int, str] = {}
        """Why we kill slots, by their numbers, until they are dead."""
        self._drain_deadline: float | None = None
        self._last_contact = time.monotonic()
        self._last_flush = 0.0
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.LINGER, 1_000)

    def bind(self, address: str) -> None:
        self._socket.bind(address)

    def run(self) -> None:
        """Serve until told to stop, or until idle for long enough."""
        self._node.want_slots(self._scheduler.useful_slots)
        self._policies.call()
        self._tell_slots()
        while not self._finished():
            now = time.monotonic()
            self._node.start_due(now)
            self._serve_messages()
            self._reap(time.monotonic())
            self._flush_progress()
            self._tracker.tell_due(time.monotonic())
            self._kill_overdue()
            self._exit_when_idle()
        self._close()

    def drain(self) -> None:
        """Stop granting leases, and stop serving once every slot has committed what it was doing."""
        if self._drain_deadline is not None:
            return
        self._drain_deadline = time.monotonic() + _DRAIN_SECONDS
        with self._journal.transaction():
            self._journal.add_event("The engine is shutting down")
            self._ledger.feed(DrainAsked())
        self._tell_slots()

    def _finished(self) -> bool:
        if self._drain_deadline is None:
            return False
        return not self._scheduler.has_leases or time.monotonic() > self._drain_deadline

    def _close(self) -> None:
        for identity in self._slots.values():
            self._send(identity, protocol.Exit())
        self._policies.close()
        self._drain_tracker()
        self._node.close()
        self._socket.close()

    def _drain_tracker(self) -> None:
        deadline = time.monotonic() + _TRACKER_DRAIN_SECONDS
        self._tracker.tell()
        while self._tracker.is_up and self._journal.outbox_size() and time.monotonic() < deadline:
            self._serve_messages()
            self._tracker.tell_due(time.monotonic())
            if any(child.name == "tracker" for child, _ in self._node.reap(time.monotonic())):
                return
        self._tracker.close()

    # Messages

    def _serve_messages(self) -> None:
        if self._socket.poll(0 if self._requests else int(_TICK * 1_000)):
            self._receive_all()
        deadline = time.monotonic() + _ANSWERING_SECONDS
        while self._requests and time.monotonic() < deadline:
            self._serve_request(*self._requests.popleft())

    def _receive_all(self) -> None:
        """Take in what our own processes say; what clients ask may take longer, and waits its turn."""
        while True:
            try:
                identity, frame = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            except ValueError:
                continue
            self._receive(identity, frame)

    def _receive(self, identity: bytes, frame: bytes) -> None:  # noqa: C901 - one line per message
        try:
            message = protocol.decode_to_controller(frame)
        except (msgspec.MsgspecError, RecursionError) as error:
            self._send(identity, protocol.Reply(request_id="", error=f"unreadable message: {error}"))
            return
        match message:
            case protocol.SlotReady():
                self._slot_ready(identity, message)
            case protocol.Progress():
                self._collect_progress(message)
            case protocol.WarmStarted():
                with self._journal.transaction():
                    self._ledger.warm_started(message)
            case protocol.LeaseTrained():
                with self._journal.transaction():
                    self._ledger.lease_trained(message)
                self._tell_slots()
            case protocol.LeaseDone():
                self._lease_done(message)
            case protocol.PartDone():
                self._part_done(message)
            case protocol.TrackerReady():
                self._tracker.ready(identity)
            case protocol.Tracked():
                self._tracked(message)
            case protocol.PoliciesReady() | protocol.Deciding() | protocol.Decided():
                self._policies.receive(identity, message)
                self._after_changes()
            case _:
                self._last_contact = time.monotonic()
                self._requests.append((identity, message))

    def _send(self, identity: bytes, message: protocol.Message) -> None:
        self._send_raw(identity, protocol.encode(message))

    def _send_raw(self, identity: bytes, frame: bytes) -> None:
        self._socket.send_multipart([identity, frame])

    def _tell_slots(self) -> None:
        """Send what the ledger has for the slots, now that its transaction is committed."""
        outgoing, self._ledger.outgoing = self._ledger.outgoing, []
        for slot, message in outgoing:
            if isinstance(message, protocol.Preempt):
                self._preempts.setdefault(message.lease, time.monotonic() + self._settings.stop_grace_seconds)
            if slot in self._slots:
                self._send(self._slots[slot], message)
        if self._ledger.outbox_grew:
            self._ledger.outbox_grew = False
            self._tracker.grew(training=self._drain_deadline is None and bool(self._scheduler.live_runs()))

    # Requests

    def _serve_request(self, identity: bytes, request: protocol.Request) -> None:
        """Answer; on an error of our own say so and crash: a fresh controller reads a state that is whole.

        What only looks has changed nothing, and crashes nothing.
        """
        if self._drain_deadline is not None and not isinstance(request, protocol.Status):
            return  # no answer: the client asks again, and the next engine is there to do it
        try:
            self._send_raw(identity, self._answer(request))
        except Exception as error:
            text = f"internal error of the engine ({type(error).__name__}: {error}); its log has more"
            self._send(identity, protocol.Reply(request_id=request.request_id, error=text))
            if isinstance(request, protocol.Status | protocol.CheckClone):
                traceback.print_exc()
                return
            self._socket.close(linger=1_000)
            raise

    def _answer(self, request: protocol.Request) -> bytes:
        """Answer a client; a request that was answered before gets the same answer."""
        try:
            if isinstance(request, protocol.Status | protocol.CheckClone):
                return _reply(request, self._look_up(request))
            frame = self._journal.recall_reply(request.request_id) or self._carry_out(request)
        except RapidfireLabError as error:
            self._ledger.outgoing.clear()
            return protocol.encode(
                protocol.Reply(request_id=request.request_id, error=str(error), error_type=type(error).__name__)
            )
        self._after_changes()
        if isinstance(request, _NEWS_TO_POLICIES):
            self._policies.call()
        return frame

    def _after_changes(self) -> None:
        self._tell_slots()
        self._ledger.jobs.remove_obsolete()
        self._node.want_slots(self._scheduler.useful_slots)

    def _look_up(self, request: protocol.Status | protocol.CheckClone) -> dict[str, Any]:
        """Answer what changes nothing, outside of any transaction."""
        if isinstance(request, protocol.CheckClone):
            return operations.check_clone(request, self._ledger)
        return self._status()

    def _carry_out(self, request: protocol.Request) -> bytes:
        with self._journal.transaction(durable=True):
            result = self._dispatch(request)
            frame = _reply(request, result)
            self._journal.remember_reply(request.request_id, frame)
            self._journal.forget_replies(time.time() - _REPLY_LIFE, keep=_KEPT_REPLIES)
        return frame

    def _dispatch(self, request: protocol.Request) -> dict[str, Any]:  # noqa: PLR0911 - one line per request
        match request:
            case protocol.CreateExperiment():
                return requests.create_experiment(request, self._ledger, self._home)
            case protocol.EndExperiment():
                return requests.end_experiment(request, self._ledger)
            case protocol.SubmitFit():
                return requests.submit_fit(request, self._ledger, self._node.slots)
            case protocol.SubmitTuning():
                return tuning.submit_tuning(request, self._ledger, self._node.slots, on_gpus=self._node.on_gpus)
            case protocol.SubmitJob():
                return inference.submit_job(request, self._ledger)
            case protocol.RunOperation():
                return operations.operate(request, self._ledger)
            case protocol.AddPolicy() | protocol.RemovePolicy():
                return policies.answer(request, self._ledger)
            case _:
                self._home.mark_stopped()
                self._node.ask_to_drain()
                return {}

    def _status(self) -> dict[str, Any]:
        return {
            "version": rapidfire_lab.__version__,
            "api_level": protocol.API_LEVEL,
            "epoch": self._journal.epoch,
            "active_runs": len(self._scheduler.live_runs()),
            "unsent": self._journal.outbox_size(),
            "slots": [
                {
                    "slot": slot.index,
                    "phase": slot.phase,
                    "runs": [run for run in slot.leases.values() if run is not None],
                    "job": slot.job,
                    "pid": self._node.slot_pid(slot.index),
                }
                for slot in self._scheduler.slots.values()
            ],
            "processes": self._node.processes(),
        }

    # Slots and tracker

    def _slot_ready(self, identity: bytes, message: protocol.SlotReady) -> None:
        self._slots[message.slot] = identity
        with self._journal.transaction():
            self._journal.add_event(f"Slot {message.slot} is up on {message.device} (pid {message.pid})")
            self._ledger.feed(SlotUp(message.slot))
        self._tell_slots()

    def _reap(self, now: float) -> None:
        for child, code in self._node.reap(now):
            slot = self._node.slot_of(child.name)
            if child.name == "policies":
                self._policies.died(exit_reason(code))
            elif slot is None:
                self._tracker.died()
            elif self._drain_deadline is None or code != 0:
                self._slot_died(slot, exit_reason(code))

    def _slot_died(self, slot: int, reason: str) -> None:
        if slot in self._scheduler.slots:
            self._scheduler.handle(SlotDying(slot))
        self._receive_all()  # what it managed to say before it died
        self._slots.pop(slot, None)
        state = self._scheduler.slots.get(slot)
        for lease in state.leases if state else ():
            self._progress.pop(lease, None)
        why = self._killed.pop(slot, None)
        told = f"was killed. {why}" if why else reason
        last = f"This was the last of {self._settings.max_attempts} attempts at the same place."
        working = "worked on a part of this" if state and state.job is not None else "trained this run"
        explanation = f"{why or f'The process of its slot {reason} while it {working}.'} {last}"
        with self._journal.transaction():
            self._journal.add_event(f"Slot {slot} {told}", level="warning")
            self._ledger.feed(SlotDown(slot, explanation))
        self._ledger.jobs.remove_obsolete()
        self._tell_slots()
        self._policies.call()

    def _collect_progress(self, message: protocol.Progress) -> None:
        earlier = self._progress.get(message.lease)
        if earlier:
            message.points = earlier.points + message.points
        self._progress[message.lease] = message

    def _flush_progress(self) -> None:
        if not self._progress or time.monotonic() - self._last_flush < _PROGRESS_SECONDS:
            return
        self._last_flush = time.monotonic()
        reports, self._progress = self._progress, {}
        with self._journal.transaction():
            for report in reports.values():
                self._ledger.progress(report.lease, report.step, report.loss, report.points)

    def _lease_done(self, message: protocol.LeaseDone) -> None:
        self._preempts.pop(message.lease, None)
        report = self._progress.pop(message.lease, None)
        if report:
            message.points = report.points + message.points
        # Durable: older checkpoints are dropped on the strength of it.
        with self._journal.transaction(durable=True):
            self._ledger.lease_done(message)
        self._ledger.remove_obsolete()
        if message.outcome != "failed":
            self._node.slots_are_fine()
        self._tell_slots()
        self._policies.call()

    def _part_done(self, message: protocol.PartDone) -> None:
        self._preempts.pop(message.lease, None)
        self._progress.pop(message.lease, None)
        # Files are dropped on the strength of a job's end; a part alone can be done again.
        with self._journal.transaction(durable=self._ledger.jobs.ends_job(message)):
            self._ledger.jobs.part_done(message)
        if message.outcome != "failed":
            self._node.slots_are_fine()
        self._after_changes()

    def _kill_overdue(self) -> None:
        """Kill slots whose user code does not come back, after a stop or delete or at all."""
        now = time.monotonic()
        for slot in self._scheduler.slots.values():
            late = [lease for lease in slot.leases if self._preempts.get(lease, now) < now]
            for lease in late:
                del self._preempts[lease]
            if late:
                self._kill(slot, now, _LATE.format(self._settings.stop_grace_seconds))
        for index, step in self._node.overdue(now):
            slot = self._scheduler.slots[index]
            self._kill(slot, now, self._too_long(slot, step))

    def _too_long(self, slot: SlotState, step: int) -> str:
        limit = self._settings.step_timeout_seconds
        if slot.job is not None:
            return _PART_TOO_LONG.format(step, limit)
        if any(run is not None and self._journal.run_by_key(run).is_trial for run in slot.leases.values()):
            return _TRIAL_TOO_LONG.format(limit)
        return _TOO_LONG.format(step, limit)

    def _kill(self, slot: SlotState, now: float, why: str) -> None:
        """Kill a slot that works on a lease; it gets no other, even should it come to an end of this one yet."""
        if not slot.leases or slot.dying:
            return
        self._scheduler.handle(SlotDying(slot.index))
        self._killed[slot.index] = why
        told = f"{why} Its process is killed, which was here:"
        for run in slot.leases.values():
            if run is not None:
                self._ledger.write_log(run, told)
        if slot.job is not None:
            self._ledger.jobs.write_log(slot.job, told)
        self._node.kill_slot(slot.index, now)

    def _tracked(self, message: protocol.Tracked) -> None:
        with self._journal.transaction():
            self._journal.drop_outbox(message.outbox_ids)
            for run, mlflow_run_id in message.mlflow_run_ids.items():
                self._journal.update_run(run, mlflow_run_id=mlflow_run_id)

    def _exit_when_idle(self) -> None:
        if self._scheduler.useful_slots:
            self._last_contact = time.monotonic()
        elif time.monotonic() - self._last_contact > self._settings.idle_minutes * 60:
            self.drain()
        if self._node.drain_asked:
            self.drain()


def _reply(request: protocol.Request, result: dict[str, Any]) -> bytes:
    return protocol.encode(protocol.Reply(request_id=request.request_id, result=result))
