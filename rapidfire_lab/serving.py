"""Predictions of trials: which one is asked, and the process that answers.

The process restores the model from the source and the parameters that the experiment keeps. Queries and answers go
through its pipes as lines of JSON, so nothing listens anywhere, and it ends with whoever has asked.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from rapidfire_lab.environment import without_jupyter
from rapidfire_lab.errors import JobError, NotFoundError, OperationError
from rapidfire_lab.last_words import last_words
from rapidfire_lab.model.knob_values import is_cut_short
from rapidfire_lab.model.template import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord

SCORE = "score"
_READ_BYTES = 1 << 20
_END_SECONDS = 5.0


class ServedTrial(msgspec.Struct, kw_only=True, frozen=True):
    """What of a trial is needed to predict: all of it lies in the experiment's folder."""

    run_id: int
    folder: str
    template: Template
    knobs: dict[str, Any]
    seed: int

    @property
    def log(self) -> Path:
        return Path(self.folder) / "runs" / str(self.run_id) / "run.log"

    @property
    def weights(self) -> Path:
        return Path(self.folder) / "runs" / str(self.run_id) / "checkpoints" / "final.safetensors"

    @property
    def source(self) -> Path:
        return Path(self.folder) / "templates" / self.template.hash


def trial_to_serve(journal: JournalReader, experiment: ExperimentRecord, run_id: int | None = None) -> ServedTrial:
    """Find a trial of an experiment, or its best: the highest score, of trials in full where there are such.

    Raises
    ------
    NotFoundError
        When there is no such run.
    OperationError
        When it is no trial, or has not been trained to its end; when there is none that has.
    """
    runs = [run for run in journal.runs(experiment.id) if run.status != "deleted"]
    templates = {fit.id: Template.of_fit(fit.data) for fit in journal.fits(experiment.id)}
    run = _best(journal, experiment, runs, templates) if run_id is None else _chosen(experiment, runs, run_id)
    template = templates[run.fit_id]
    if template is None:
        message = f"Run {run.run_id} is no trial of a model template: use run_predict."
        raise OperationError(message)
    if run.status != "completed":
        message = f"Run {run.run_id} is {run.status}: only a trial that is completed can predict."
        raise OperationError(message)
    return ServedTrial(
        run_id=run.run_id,
        folder=experiment.path,
        template=template,
        knobs=run.leaf["user_knobs"],
        seed=journal.fit(run.fit_id).seed,
    )


def _chosen(experiment: ExperimentRecord, runs: Sequence[RunRecord], run_id: int) -> RunRecord:
    for run in runs:
        if run.run_id == run_id:
            return run
    message = f"Experiment {experiment.name!r} has no run {run_id}."
    raise NotFoundError(message)


def _best(
    journal: JournalReader,
    experiment: ExperimentRecord,
    runs: Sequence[RunRecord],
    templates: dict[int, Template | None],
) -> RunRecord:
    ranks = {}
    for run in runs:
        template = templates[run.fit_id]
        if template is None or run.status != "completed":
            continue
        score = next((point.value for point in journal.points(run.id, per="epoch") if point.name == SCORE), math.nan)
        if not math.isnan(score):
            is_full = not is_cut_short(run.leaf["user_knobs"], template.knob_config)
            ranks[run.id] = (is_full, score, -run.run_id)
    if not ranks:
        message = f"Experiment {experiment.name!r} has no trial with a score yet: call tune, and wait for one."
        raise OperationError(message)
    best = max(ranks, key=lambda key: ranks[key])
    return next(run for run in runs if run.id == best)


class Predictor:
    """A live process with the model of one trial. What the model prints goes to its run's log.

    Threads take turns. It has to be made in a thread that lives as long as it is used.

    Raises
    ------
    JobError
        When the run's folder cannot be used.
    """

    def __init__(self, trial: ServedTrial) -> None:
        self.trial = trial
        self._lock = threading.Lock()
        self._begun = False
        self._left = b""
        with _opened(trial.log) as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                # Started by name, not imported: the module loads torch.
                [sys.executable, "-m", "rapidfire_lab.worker.serving", "--parent", str(os.getpid())],
                env=without_jupyter(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the notebook is for the notebook
            )
        self._questions = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self.close = weakref.finalize(self, _end, self._process)
        """Ends the process, at the latest with Python."""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def predict(self, queries: Sequence[Any], timeout: float = math.inf) -> list[Any]:
        """Have the model predict.

        Raises
        ------
        JobError
            When it cannot be restored, raises, or does not answer within ``timeout`` seconds; then the process is gone.
        """
        with self._lock:
            deadline = time.monotonic() + timeout
            if not self._begun:
                self._ask(msgspec.to_builtins(self.trial), deadline)
                self._begun = True
            answer: list[Any] = self._ask({"queries": list(queries)}, deadline)["predictions"]
            return answer

    def _ask(self, question: object, deadline: float) -> dict[str, Any]:
        line = json.dumps(question, default=_plain).encode() + b"\n"
        try:
            self._questions.write(line)
            self._questions.flush()
            answer: dict[str, Any] = json.loads(self._line(deadline))
        except OSError as error:
            raise self._broken(f"ended ({error})") from error
        except BaseException:
            self.close()  # an answer that nobody waits for would be taken for the next one
            raise
        if "error" in answer:
            message = f"Run {self.trial.run_id} cannot predict: {answer['error']}"
            if not self._begun:
                self.close()
            raise JobError(message)
        return answer

    def _line(self, deadline: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._left:
                left = deadline - time.monotonic()
                if not selector.select(None if math.isinf(left) else max(0.0, left)):
                    raise self._broken("did not answer in time")
                chunk = os.read(self._answers.fileno(), _READ_BYTES)
                if not chunk:
                    raise self._broken("ended")
                self._left += chunk
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _broken(self, how: str) -> JobError:
        self.close()
        words = last_words(self.trial.log, self._log_start)
        message = (
            f"The process that predicts with run {self.trial.run_id} {how}. Its log {self.trial.log} ends: {words}"
        )
        return JobError(message)


def _opened(log: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab")
    except OSError as error:
        message = f"The log {log} of the trial cannot be written ({error.strerror}): mend or restore its folder."
        raise JobError(message) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_END_SECONDS)
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not written any more
            cast("IO[bytes]", pipe).close()


def _plain(value: Any) -> Any:
    """Numpy's arrays and numbers as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    message = f"a query holds a {type(value).__name__}, which JSON cannot: give text, numbers, lists and dictionaries"
    raise TypeError(message)
