"""rapidfire-lab, as from a notebook cell; whether an engine is running is up to who starts this."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compare.job import Job, serve
from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rapidfire_lab.journal import JournalReader, RunRecord

_LOOK_SECONDS = 0.05


class Watcher(threading.Thread):
    """Looks into the journal, as anybody may, and notes when all runs had come how far."""

    def __init__(self, experiment: str, job: Job) -> None:
        super().__init__(daemon=True)
        self._experiment = experiment
        self._marks: dict[str, Callable[[RunRecord, int], bool]] = {
            "first_chunk": lambda run, chunk: run.live_step >= chunk,
            "first_validation": lambda run, _: run.completed_epochs > 0,
        }
        self._chunks = [job.first_chunk(config) for config in job.configs]
        self.times: dict[str, float] = {}
        self.done = threading.Event()

    def run(self) -> None:
        with EngineClient().reader() as journal:
            record = journal.experiment(self._experiment)
            while record and len(self.times) < len(self._marks):
                last = self.done.wait(_LOOK_SECONDS)
                self._look(journal.runs(record.id))
                if last:
                    return

    def _look(self, runs: Sequence[RunRecord]) -> None:
        if len(runs) < len(self._chunks):
            return
        for name, reached in self._marks.items():
            if name not in self.times and all(map(reached, runs, self._chunks)):
                self.times[name] = time.time()


def handle_of(job: Job) -> DataHandle:
    data = Path(job.data)
    locators: dict[str, str | Path] = {mode: data / f"{mode}.csv" for mode in ("train", "validation")}
    if job.images:
        locators |= {f"{mode}_objects": data / "images" for mode in ("train", "validation")}
    if job.misc:
        locators["misc"] = data / "misc"
    return DataHandle(locators)


def first_step(journal: JournalReader, runs: Sequence[RunRecord]) -> float:
    """When the first of all runs made its first step, as its slot noted it."""
    return min(journal.points(run.id, per="step", to_step=1)[0].time for run in runs)


def work(job: Job) -> dict[str, Any]:
    experiment = Experiment(job.spec, f"compare-{uuid.uuid4().hex[:8]}")
    watcher = Watcher(experiment.name, job)
    watcher.start()
    experiment.run_fit(handle_of(job), job.configs)
    results = experiment.get_results()
    done = time.time()
    watcher.done.set()
    watcher.join()
    runs = experiment.runs()
    failed = [run.error for run in runs if run.status != "completed"]
    if failed:
        raise RuntimeError(failed[0])
    with EngineClient().reader() as journal:
        begun = first_step(journal, runs)
    loss = float(results.groupby("run_id")["val_loss"].last().mean())
    return {"first_step": begun, **watcher.times, "done": done, "mean_val_loss": loss}


def main() -> None:
    job = Job.from_arguments()
    serve(lambda: work(job))


if __name__ == "__main__":
    main()
