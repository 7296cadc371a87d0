"""What becomes of jobs in the journal, on the disk and on the slots: the part of the ledger that is about them."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.jobs import GrantPart, JobEnded, JobState, PartEnded, PartLost, minibatches_per_part
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.protocol import Infer, JobKind, PartDone

_NO_RUN = 0
_KEPT = (
    "What is done so far is kept: call run_{} again with the same arguments, in any folder, and it goes on from there."
)

if TYPE_CHECKING:
    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.journal import JobRecord, PartRecord


def job_state(job: JobRecord, parts: list[PartRecord]) -> JobState:
    """The scheduler's view of a job and its parts."""
    done = {part.part for part in parts if part.state == "done"}
    return JobState(
        key=job.id, parts=len(parts) - 1, done=done, deaths={part.part: part.deaths for part in parts if part.deaths}
    )


def job_name(job: JobRecord) -> str:
    """What a job is called in the log, as in "Test 3 of run 5, epoch 2"."""
    kind = "Test" if job.kind == "test" else "Prediction"
    epoch = f", epoch {job.epoch}" if job.epoch is not None else ""
    return f"{kind} {job.job_id} of {job.model_tag or f'run {job.run_id}{epoch}'}"


class JobLedger:
    """Carries out what the scheduler says of jobs, inside the ledger's transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._journal = ledger.journal
        self._over: list[tuple[ExperimentLayout, int]] = []

    def carry_out(self, instruction: GrantPart | PartLost | JobEnded) -> None:
        match instruction:
            case GrantPart():
                self._grant(instruction)
            case PartLost():
                self._lose(instruction)
            case JobEnded():
                self._end(instruction)

    def _grant(self, grant: GrantPart) -> None:
        job = self._journal.job(grant.job)
        self._journal.update_part(
            job.id, grant.part, state="granted", lease=grant.lease, slot=grant.slot, minibatches=0
        )
        if job.started is None:
            self._journal.update_job(job.id, status="running", started=time.time())
            self._event(job, f"{job_name(job)} started")
        self._ledger.outgoing.append((grant.slot, self._message(grant, job)))

    def _message(self, grant: GrantPart, job: JobRecord) -> Infer:
        experiment = self._journal.experiment_by_id(job.experiment_id)
        layout = ExperimentLayout(Path(experiment.path))
        is_last = grant.part == self._journal.last_part(job.id)
        rows = job.batch_size * minibatches_per_part(-(-job.rows // job.batch_size))
        result = layout.job_part(job.job_id, grant.part, grant.lease)
        kind: JobKind = "test" if job.kind == "test" else "predict"
        return Infer(
            lease=grant.lease,
            job=job.id,
            job_id=job.job_id,
            kind=kind,
            experiment=experiment.name,
            experiment_path=experiment.path,
            spec_hash=experiment.spec_hash or "",
            config=json.loads(job.config),
            data=json.loads(job.data),
            seed=job.seed,
            weights=job.weights,
            weights_sha256=job.weights_sha256,
            batch_size=job.batch_size,
            first_row=grant.part * rows,
            end_row=min(job.rows, (grant.part + 1) * rows),
            result=job.target if is_last and job.target is not None else str(result),
            sources=self._results(layout, job) if is_last else None,
        )

    def _results(self, layout: ExperimentLayout, job: JobRecord) -> list[str]:
        """Files of all parts but the last, in order."""
        *parts, _ = self._journal.parts(job.id)
        return [str(layout.job_part(job.job_id, part.part, part.lease or 0)) for part in parts]

    def _lose(self, lost: PartLost) -> None:
        self._journal.update_part(lost.job, lost.part, state="waiting", minibatches=0, deaths=lost.deaths)
        job = self._journal.job(lost.job)
        why = f", as it could not be saved: {lost.unsaved}" if lost.unsaved else ""
        self._event(job, f"{job_name(job)}: part {lost.part + 1} is to be done again{why}", level="warning")

    def progress(self, lease: int, minibatches: int) -> None:
        held = self._ledger.scheduler.board.holder(lease)
        if held is not None:
            self._journal.update_part(held.job, held.part, minibatches=minibatches)

    def ends_job(self, done: PartDone) -> bool:
        """Whether a job is over with this, unless attempts at it were."""
        held = self._ledger.scheduler.board.holder(done.lease)
        return held is not None and (done.outcome == "failed" or held.part == self._journal.last_part(held.job))

    def part_done(self, done: PartDone) -> None:
        """Commit a part. One that is no longer held is refused: only its slot becomes free."""
        held = self._ledger.scheduler.board.holder(done.lease)
        if held is not None and done.outcome == "done":
            self._commit(self._journal.job(held.job), held.part, done)
        elif held is not None and done.outcome == "failed":
            self._journal.update_job(held.job, error=done.error, traceback=done.traceback)
        reason = done.error if done.outcome == "unsaved" else None
        self._ledger.feed(PartEnded(done.lease, done.outcome, done.seconds, reason))

    def _commit(self, job: JobRecord, part: int, done: PartDone) -> None:
        per_part, minibatches = self._sizes(job)
        inside = max(0, min(per_part, minibatches - part * per_part))
        self._journal.update_part(job.id, part, state="done", minibatches=inside, seconds=done.seconds)
        if done.metrics is not None:
            self._journal.update_job(job.id, metrics=json.dumps(done.metrics))
        if done.sha256 is not None:
            self._journal.update_job(job.id, target_sha256=done.sha256)

    @staticmethod
    def _sizes(job: JobRecord) -> tuple[int, int]:
        minibatches = -(-job.rows // job.batch_size)
        return minibatches_per_part(minibatches), minibatches

    def _end(self, ended: JobEnded) -> None:
        columns: dict[str, Any] = {"status": ended.status, "ended": time.time()}
        if ended.reason is not None:
            kept = f" {_KEPT.format(self._journal.job(ended.job).kind)}" if ended.can_go_on else ""
            columns["error"] = f"{ended.reason}{kept}"
        self._journal.update_job(ended.job, **columns)
        job = self._journal.job(ended.job)
        why = f": {job.error}" if ended.status == "failed" else ""
        self._event(job, f"{job_name(job)} {ended.status}{why}", level="error" if why else "info")
        if not ended.can_go_on:
            self._over.append((self._layout(job), job.job_id))
        if job.metrics is not None:
            self._track(job, json.loads(job.metrics))

    def _track(self, job: JobRecord, metrics: dict[str, float]) -> None:
        """Have the tracker add the metrics of a test to its run, or make a run for the test of a model tag."""
        if job.run_id is None:
            self._ledger.track(_NO_RUN, "tag_test", {"job": job.id})
            return
        run = self._journal.run(job.experiment_id, job.run_id)
        if run is not None and run.status != "deleted":
            epoch = job.epoch if job.epoch is not None else run.completed_epochs
            self._ledger.track(run.id, "test", {"metrics": metrics, "epoch": epoch, "time": job.ended})

    def give_up(self, experiment_id: int) -> None:
        """Free the disk of jobs that could have gone on, as their experiment is over."""
        self._over += [
            (self._layout(job), job.job_id) for job in self._journal.jobs(experiment_id) if job.status == "failed"
        ]

    def remove_obsolete(self) -> None:
        """Remove the files of jobs that are over, once the journal says so."""
        over, self._over = self._over, []
        for layout, job_id in over:
            layout.end_job(job_id)

    def write_log(self, key: int, text: str) -> None:
        """Add a line of the engine's own to what a job's code has printed."""
        job = self._journal.job(key)
        with contextlib.suppress(OSError), self._layout(job).job_log(job.job_id).open("a") as log:
            log.write(f"[rapidfire-lab] {text}\n")

    def _layout(self, job: JobRecord) -> ExperimentLayout:
        return ExperimentLayout(Path(self._journal.experiment_by_id(job.experiment_id).path))

    def _event(self, job: JobRecord, message: str, level: str = "info") -> None:
        self._journal.add_event(message, experiment_id=job.experiment_id, run_id=job.run_id, level=level)
