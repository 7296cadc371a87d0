"""Between the pure scheduler and the world: events go in, and what follows is written down and told.

Every method is called inside a journal transaction. Messages are kept in ``outgoing`` until it has committed: nobody
hears of anything that a crash could still undo.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import rapidfire_lab
from rapidfire_lab.engine.job_ledger import JobLedger
from rapidfire_lab.engine.jobs import GrantPart, JobEnded, PartLost
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.protocol import Grant, GrantTogether, Infer, LeaseDone, Preempt, WarmStart
from rapidfire_lab.engine.scheduler import (
    Event,
    GrantLease,
    GrantLeases,
    Group,
    Instruction,
    LeaseEnded,
    LeaseLost,
    PreemptLease,
    RunEnded,
    RunState,
    RunWaits,
    Scheduler,
    SlotFreed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.engine.protocol import Carried, LeaseTrained, WarmStarted
    from rapidfire_lab.journal import ExperimentRecord, FitRecord, Fusion, JournalWriter, MetricPoint, RunRecord

_LOG_TAIL = 4_000
_LARGEST_STACK = 10_000
_STACK = b"Current thread "
_CRASH = b"Fatal Python error: "
"""How faulthandler begins a stack, innermost first, and what comes above it after a crash, with other threads."""
_TOLD_TENSORS = 6


def run_state(run: RunRecord, fit: FitRecord) -> RunState:
    """The scheduler's view of a journal row."""
    return RunState(
        key=run.id,
        steps_per_epoch=run.steps_per_epoch,
        epochs=run.epochs,
        step=run.step,
        num_chunks=fit.num_chunks,
        handicap=run.handicap,
        limit=run.until,
        slot=run.slot,
        deaths=run.deaths,
        group=_group(fit, run.last_fusion),
    )


def _group(fit: FitRecord, known: Fusion | None) -> Group | None:
    """Which runs may be trained as one with a run of this fit, as far as that is known."""
    if fit.fuse != "auto" or (known and known.refused):
        return None
    return Group(f"{fit.id} {known.structure}", known.too_few) if known else Group(f"{fit.id}")


class Ledger:
    """Carries the scheduler's instructions out in the journal and the experiment folder."""

    def __init__(self, journal: JournalWriter, scheduler: Scheduler, *, tracking: bool) -> None:
        self.journal = journal
        self.scheduler = scheduler
        self._tracking = tracking
        self.outgoing: list[tuple[int, Grant | GrantTogether | Infer | Preempt]] = []
        """Messages to slots, by slot index."""
        self.outbox_grew = bool(journal.outbox_size())
        """Whether there is something for the tracker that it has not been told of."""
        self.jobs = JobLedger(self)
        self._obsolete: list[Path] = []
        self._told = journal.damaged_steps()
        """Steps of runs that have gone back further than what the tracker was told of them."""

    def feed(self, event: Event) -> None:
        for instruction in self.scheduler.handle(event):
            self._carry_out(instruction)

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case GrantLease():
                self.outgoing.append((instruction.slot, self._grant(instruction)))
            case GrantLeases(grants=grants):
                fit = self.journal.run_by_key(grants[0].run).fit_id
                message = GrantTogether(fit=fit, grants=[self._grant(grant) for grant in grants])
                self.outgoing.append((grants[0].slot, message))
            case PreemptLease():
                self.outgoing.append((instruction.slot, Preempt(lease=instruction.lease, discard=instruction.discard)))
            case LeaseLost():
                self._lose(instruction)
            case RunEnded():
                self._end(instruction)
            case RunWaits():
                self._wait(instruction)
            case GrantPart() | PartLost() | JobEnded():
                self.jobs.carry_out(instruction)

    def _wait(self, waits: RunWaits) -> None:
        """Between two leases a run that has trained is still called running: it is in the rotation."""
        self.journal.update_run(
            waits.run,
            status="running" if self.journal.run_by_key(waits.run).started else "queued",
            wanted=None,
            wanted_by=None,
            ended_by=None,
            ended=None,
            slot=None,
            handicap=waits.handicap,
        )

    # Leases

    def _grant(self, grant: GrantLease) -> Grant:
        """Write a lease down; returns what its slot has to know."""
        run = self.journal.run_by_key(grant.run)
        fit = self.journal.fit(run.fit_id)
        experiment = self.journal.experiment_by_id(run.experiment_id)
        self.journal.open_lease(
            lease=grant.lease,
            run=grant.run,
            slot=grant.slot,
            from_step=grant.from_step,
            to_step=grant.to_step,
        )
        self.journal.update_run(grant.run, status="running", slot=grant.slot, started=run.started or time.time())
        if run.started is None:
            self.event(run, f"Run {run.run_id} started on slot {grant.slot}")
        elif run.is_trial:
            self.journal.trim_points(run.id, run.step)  # a trial that was broken off begins anew
        return Grant(
            lease=grant.lease,
            run=grant.run,
            run_id=run.run_id,
            experiment=experiment.name,
            experiment_path=experiment.path,
            spec_hash=experiment.spec_hash or "",
            config=run.leaf,
            data=json.loads(fit.data),
            seed=fit.seed,
            epochs=run.epochs,
            steps_per_epoch=run.steps_per_epoch,
            from_step=grant.from_step,
            to_step=grant.to_step,
            at_most=run.total_steps if self._may_go_on(run, fit) else grant.to_step,
            base_lease=run.base_lease if grant.base is None else grant.base,
            previous_lease=self._previous_lease(run) if grant.base is None else run.base_lease,
            epoch_checkpoints=experiment.epoch_checkpoints,
            warm_start=self._warm_start(run) if grant.base is None else None,
        )

    def _may_go_on(self, run: RunRecord, fit: FitRecord) -> bool:
        """Whether a lease may go to the end of the run: nobody is to look at the run, or stop it, before."""
        return fit.num_chunks is None and run.until is None and not self.journal.active_policies()

    def _previous_lease(self, run: RunRecord) -> int:
        return self.journal.previous_lease(run.id, run.base_lease)

    def _warm_start(self, run: RunRecord) -> WarmStart | None:
        """What the run begins with, until it has a commit of its own."""
        if not run.warm_start or run.base_lease or run.parent is None:
            return None
        parent = self.journal.run(run.experiment_id, run.parent)
        if parent is None:
            return None
        optimizer = parent.leaf["train"].get("optimizer", {})  # a trial of a model template has none of ours
        return WarmStart(optimizer=optimizer, continue_position=run.continue_position)

    def warm_started(self, message: WarmStarted) -> None:
        """Note what a run took over from its parent; what is made anew after a crash says the same again."""
        key = self.scheduler.lease_holder(message.lease)
        if key is None:
            return
        run = self.journal.run_by_key(key)
        report = {"weights": message.weights, "optimizer": message.optimizer}
        carried = msgspec.json.encode(report).decode()
        if carried != run.carried:
            self.journal.update_run(key, carried=carried)
            verb = "goes on from" if run.continue_position else "begins with"
            begins = f"Run {run.run_id} {verb} run {run.parent} at step {run.parent_step}"
            told = ", ".join(f"{name} {_told(part)}" for name, part in report.items())
            self.event(run, f"{begins}: {told}", level="warning" if message.weights.left else "info")

    def progress(self, lease: int, step: int, loss: float | None, points: list[MetricPoint]) -> None:
        """Take what a slot reports between commits."""
        self.jobs.progress(lease, step)
        key = self.scheduler.lease_holder(lease)
        if key is None:
            return
        self.journal.update_run(key, live_step=step, live_loss=loss)
        self.journal.add_points(key, points)

    def lease_done(self, done: LeaseDone) -> None:
        """Commit a lease. One that is no longer held is refused: only its slot becomes free."""
        key = self.scheduler.lease_holder(done.lease)
        if key is None:
            self._forget_files(done.lease)
        if key is not None and done.outcome == "damaged":
            self._fall_back(self.journal.run_by_key(key), done)
        elif key is not None and done.outcome != "unsaved":
            run = self.journal.run_by_key(key)
            self._commit(run, done)
            self.journal.count_commit(run.experiment_id)
        ended = LeaseEnded(
            lease=done.lease,
            outcome=done.outcome,
            step=done.step,
            trained_steps=done.trained_steps,
            seconds=done.seconds,
            overhead=done.overhead,
            saving=done.saving,
            group=self._group_after(done.lease, done.fusion),
            reason=done.error if done.outcome == "unsaved" else None,
        )
        self.feed(ended)

    def _forget_files(self, lease: int) -> None:
        """Remove what a slot wrote for a run while it was deleted."""
        run = self.journal.run_of_lease(lease)
        if run is not None and run.status == "deleted":
            self._layout(run).drop_run(run.run_id)

    def lease_trained(self, trained: LeaseTrained) -> None:
        """Give the slot of a lease that is being saved its next one."""
        group = self._group_after(trained.lease, trained.fusion)
        self.feed(SlotFreed(trained.lease, trained.outcome, trained.step, group))

    def _group_after(self, lease: int, found: Fusion | None) -> Group | None:
        """Group of a lease's run, now that this was found out."""
        key = self.scheduler.lease_holder(lease)
        if key is None:
            return None
        if found is None:
            return self.scheduler.runs[key].group
        return _group(self.journal.fit(self.journal.run_by_key(key).fit_id), found)

    def _fall_back(self, run: RunRecord, done: LeaseDone) -> None:
        """Let a run whose last checkpoint is damaged go on from the one before, or fail where that is no better."""
        self.journal.close_lease(done.lease, "lost")
        self.journal.damage_lease(run.base_lease, run.step)
        damaged = f"The checkpoint of run {run.run_id} at step {run.step} (lease {run.base_lease}) cannot be used"
        if not done.fall_back:
            done.outcome = "failed"
            remedy = "clone it to train it from its beginning"
            if not run.base_lease:
                damaged = f"The checkpoint of run {run.parent} that run {run.run_id} begins with cannot be used"
                remedy = f"clone run {run.parent} again"
            error = (
                f"{damaged}, and there is no other: {done.error}. Put the files back from a backup and resume the "
                f"run, or {remedy}."
            )
            self.journal.update_run(run.id, error=error, traceback=None)
            return
        self._told[run.id] = max(run.step, self._told.get(run.id, 0))
        self.journal.trim_points(run.id, done.step)
        self.journal.update_run(
            run.id,
            step=done.step,
            live_step=done.step,
            completed_epochs=done.completed_epochs,
            base_lease=done.fall_back,
        )
        goes_back = f"it goes back to the one before, at step {done.step} (lease {done.fall_back})"
        self.event(run, f"{damaged}, and {goes_back}: {done.error}", level="warning")

    def _track_points(self, run: RunRecord, done: LeaseDone, to: int | None) -> None:
        """Have the tracker send the points of a lease that it has not been sent before.

        An epoch that was stopped in its validation ends without another step.
        """
        after = max(run.step, self._told.get(run.id, 0))
        if to is None or to > after or done.completed_epochs > run.completed_epochs:
            self.track(run.id, "points", {"after": after, "after_epoch": run.completed_epochs, "to": to})

    def _commit(self, run: RunRecord, done: LeaseDone) -> None:
        self.journal.add_points(run.id, done.points)
        if done.outcome == "failed":
            self.journal.close_lease(done.lease, "failed")
            self.journal.update_run(run.id, error=done.error, traceback=done.traceback)
            self._track_points(run, done, None)
            return
        self.journal.close_lease(done.lease, "committed")
        self.journal.update_run(
            run.id,
            step=done.step,
            live_step=max(done.step, run.live_step),
            completed_epochs=done.completed_epochs,
            # A run that was stopped before its first minibatch has made no checkpoint.
            base_lease=done.lease if done.step else 0,
            deaths=0 if done.step > run.step else run.deaths,
            seconds=run.seconds + done.seconds + done.overhead,
            device=done.device,
        )
        self._note_fusion(run, done)
        # What a trial logs is numbered on its own, and all of it is there when the trial is.
        self._track_points(run, done, None if run.is_trial and done.step else done.step)
        if run.warm_start and not run.base_lease and done.step:
            self._obsolete += self._layout(run).checkpoint(run.run_id, 0)
        self._with_files(run, lambda: self._keep_files(run, done))
        if done.completed_epochs > run.completed_epochs:
            self.event(run, f"Run {run.run_id} finished epoch {done.completed_epochs} of {run.epochs}")

    def _note_fusion(self, run: RunRecord, done: LeaseDone) -> None:
        """Keep which path a run's training took; what is new of it is told."""
        if done.fusion is None:
            return
        fusion = msgspec.json.encode(done.fusion).decode()
        self.journal.update_run(run.id, fusion=fusion)
        known = (done.fusion.refused, done.fusion.gain)
        if any(known) and (run.last_fusion is None or known != (run.last_fusion.refused, run.last_fusion.gain)):
            self.event(run, f"Run {run.run_id} is trained {done.fusion}")

    def _with_files(self, run: RunRecord, work: Callable[[], None]) -> None:
        """Do something with a run's files; what the disk refuses is told, and costs neither run nor engine."""
        try:
            work()
        except OSError as error:
            self.event(run, f"Files of run {run.run_id} could not be kept in order: {error}", level="error")

    def _keep_files(self, run: RunRecord, done: LeaseDone) -> None:
        layout = self._layout(run)
        layout.keep_checkpoints(run.run_id, {run.base_lease, done.lease})
        experiment = self.journal.experiment_by_id(run.experiment_id)
        if experiment.epoch_checkpoints:
            for epoch in range(run.completed_epochs + 1, done.completed_epochs + 1):
                layout.write_metadata(layout.epoch_weights(run.run_id, epoch), self._metadata(run, experiment, epoch))

    def remove_obsolete(self) -> None:
        """Remove what a warm start began with, once the run's own first commit is on the disk."""
        obsolete, self._obsolete = self._obsolete, []
        for path in obsolete:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _lose(self, lost: LeaseLost) -> None:
        run = self.journal.run_by_key(lost.run)
        self.journal.close_leases_of(lost.run, "lost")
        self.journal.trim_points(lost.run, run.step)
        self.journal.update_run(lost.run, deaths=lost.deaths, live_step=run.step)
        told = f"Run {run.run_id} lost its slot and goes back to step {run.step}"
        if lost.unsaved:
            told = f"Run {run.run_id} goes back to step {run.step}, as its work could not be saved: {lost.unsaved}"
        self.event(run, told, level="warning")

    # Ends

    def _end(self, ended: RunEnded) -> None:
        run = self.journal.run_by_key(ended.run)
        ended_by = run.wanted_by or ended.ended_by if ended.ended_by == "user" else ended.ended_by
        columns: dict[str, Any] = {
            "status": ended.status,
            "ended_by": ended_by,
            "ended": time.time(),
            "wanted": None,
            "wanted_by": None,
            "slot": None,
        }
        if ended.reason is not None:
            columns |= {"error": ended.reason, "traceback": self._log_tail(run)}
        self.journal.update_run(run.id, **columns)
        # Ends without a commit are news to policies, too.
        self.journal.count_commit(run.experiment_id)
        self.journal.close_leases_of(run.id, "discarded")
        self._with_files(run, lambda: self._finish_files(self.journal.run_by_key(run.id)))
        if ended.status == "failed":
            # Where it failed is in the error; what it may go on from is the last commit.
            error = columns.get("error") or run.error or ended_by
            self.event(run, f"Run {run.run_id} failed, last saved at step {run.step}: {error}", level="error")
        else:
            self.event(run, f"Run {run.run_id} {ended.status} at step {run.step} ({ended_by})")
        self.track(run.id, "status")

    def _finish_files(self, run: RunRecord) -> None:
        layout = self._layout(run)
        if run.status == "deleted":
            layout.drop_run(run.run_id)
            return
        experiment = self.journal.experiment_by_id(run.experiment_id)
        metadata = self._metadata(run, experiment, run.completed_epochs)
        lease = 0 if self.journal.is_damaged(run.base_lease) else run.base_lease
        layout.keep_final(run.run_id, lease, {**metadata, "ended_by": run.ended_by, "error": run.error})

    def _metadata(self, run: RunRecord, experiment: ExperimentRecord, epoch: int) -> dict[str, object]:
        points = self.journal.points(run.id, per="epoch")
        return {
            "rapidfire_lab": rapidfire_lab.__version__,
            "torch": version("torch"),
            "python": platform.python_version(),
            "experiment": experiment.name,
            "run_id": run.run_id,
            "status": run.status,
            "epoch": epoch,
            "step": run.step if epoch == run.completed_epochs else epoch * run.steps_per_epoch,
            "config": run.leaf,
            "spec_hash": experiment.spec_hash,
            "metrics": {point.name: point.value for point in points if point.epoch == epoch},
        }

    def write_log(self, key: int, text: str) -> None:
        """Add a line of the engine's own to what a run's code has printed."""
        run = self.journal.run_by_key(key)
        with contextlib.suppress(OSError), self._layout(run).log(run.run_id).open("a") as log:
            log.write(f"[rapidfire-lab] {text}\n")

    def _log_tail(self, run: RunRecord) -> str:
        """How the log ends; where a stack is told last, innermost first, it begins there."""
        try:
            with self._layout(run).log(run.run_id).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LARGEST_STACK))
                read = log.read()
        except OSError:
            return ""
        stack = read.rfind(_STACK)
        if stack < 0:
            return read[-_LOG_TAIL:].decode(errors="replace")
        crash = read.rfind(_CRASH, max(0, stack - _LOG_TAIL // 2), stack)
        return read[crash if crash >= 0 else stack :][:_LOG_TAIL].decode(errors="replace")

    def _layout(self, run: RunRecord) -> ExperimentLayout:
        return ExperimentLayout(Path(self.journal.experiment_by_id(run.experiment_id).path))

    def track(self, run: int, kind: str, payload: dict[str, Any] | None = None) -> None:
        """Have the tracker send something, where there is one."""
        if self._tracking:
            self.journal.add_outbox(run, kind, payload or {})
            self.outbox_grew = True

    def event(self, run: RunRecord, message: str, level: str = "info") -> None:
        self.journal.add_event(message, experiment_id=run.experiment_id, run_id=run.run_id, level=level)


def _told(part: Carried) -> str:
    """What was carried and what not, in a few words."""
    if part.fresh:
        return f"fresh ({part.fresh})"
    left = [f"{name} ({why})" for name, why in part.left.items()]
    more = f" and {len(left) - _TOLD_TENSORS} more" if len(left) > _TOLD_TENSORS else ""
    return f"carried but for {', '.join(left[:_TOLD_TENSORS])}{more}" if left else "carried"
