"""The user of an engine that does not stay up: has runs trained and steers them, until there are no faults left.

``python -m tests.faults.user FOLDER``, or the same in a notebook kernel. It may be killed at any place and started
again: what it asks is written down before, and what it was answered after. Without an answer it asks again under the
same request id.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient, new_request_id
from rapidfire_lab.engine.protocol import SubmitFit
from rapidfire_lab.errors import EngineError, RapidfireLabError
from rapidfire_lab.journal import ACTIVE_STATUSES
from tests import contract
from tests.conftest import SPECS, paced_config

if TYPE_CHECKING:
    from rapidfire_lab.journal import RunRecord

SPEC = SPECS / "paced.py"
NAME = "faults"
TRAIN_SEED = 42
WIDTHS = range(4, 9)
RATES = (0.01, 0.02)
_LOOK_SECONDS = 0.1
_FEW, _MANY = 4, 6
"""Active runs below which there are soon more, and above which there are none."""


class Book:
    """What was asked, in order, and the answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "asked"

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self._folder.glob("*.question"))]

    def answers(self) -> dict[int, dict[str, Any]]:
        return {int(path.stem): json.loads(path.read_text()) for path in sorted(self._folder.glob("*.answer"))}

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        number = len(list(self._folder.glob("*.question"))) + 1
        asked = {"number": number, "request_id": new_request_id(), **question}
        write(self._folder / f"{number:05}.question", asked)
        return asked

    def answered(self, number: int, answer: dict[str, Any]) -> None:
        write(self._folder / f"{number:05}.answer", answer)

    def open(self) -> list[dict[str, Any]]:
        """Questions without an answer: one at most, unless somebody else asks too."""
        answered = self.answers()
        return [question for question in self.asked() if question["number"] not in answered]


def write(path: Path, content: Any) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


class User:
    """Acts at random, by a seed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plan = json.loads((folder / "plan.json").read_text())
        self._client = EngineClient()
        self._book = Book(folder)
        self._random = random.Random(f"{self._plan['seed']}-{len(self._book.asked())}")
        self._experiment = self._attached()
        self._data = DataHandle(self._plan["locators"])
        write(folder / "up" / "user", os.getpid())

    def _attached(self) -> Experiment:
        while True:
            with suppress(EngineError):
                return Experiment(SPEC, NAME)
            time.sleep(_LOOK_SECONDS)

    def work(self) -> None:
        for question in self._book.open():
            self._see_at_most_once(question)
            self._insist(question)
        self._prepare()
        while self._goes_on():
            self._keep_engine()
            self._act(self._experiment.runs())
            time.sleep(_LOOK_SECONDS)
        self._wind_up()
        write(self._folder / "done", True)  # noqa: FBT003

    def _prepare(self) -> None:
        """Have something to clone warm before the first fault is armed."""
        if not self._book.asked():
            self._fit()
        while not (self._folder / "go").exists():
            if any(run.base_lease for run in self._experiment.runs()):
                write(self._folder / "prepared", True)  # noqa: FBT003
            time.sleep(_LOOK_SECONDS)

    def _goes_on(self) -> bool:
        until = self._plan["until"]
        return time.time() < until if until else bool(self._armed())

    def _armed(self) -> list[tuple[str, str]]:
        """Points and states that faults wait for."""
        names = [path.name.split(".") for path in sorted((self._folder / "armed").iterdir())]
        return [(point, state) for _, _, point, state, _ in names]

    def _keep_engine(self) -> None:
        with suppress(EngineError):
            if not self._client.is_alive():
                self._client.start()

    # What is done

    def _act(self, runs: list[RunRecord]) -> None:
        active = [run for run in runs if run.status in ACTIVE_STATUSES]
        stopped = [run for run in runs if run.status == "stopped"]
        if len(active) < _FEW:
            self._add(runs)
        elif self._plan["until"]:
            if self._random.random() < 0.1:
                self._do_anything(runs, active, stopped)
        elif operable := [run for run in active if ("operation", state_of(run)) in self._armed()]:
            self._operate_on(self._random.choice(operable), crowded=len(active) > _MANY)
        if stopped and self._random.random() < 0.2:
            self._operate("resume", self._random.choice(stopped).run_id)

    def _add(self, runs: list[RunRecord]) -> None:
        """Have more runs of the kinds whose first lease is waited for."""
        parents = [run for run in runs if run.base_lease]
        wanted = {state for _, state in self._armed()}
        both = {"warm", "first"} <= wanted or self._plan["until"]
        if parents and (self._random.random() < 0.6 if both else "warm" in wanted):
            self._clone(self._random.choice(parents), warm_start=True)
        else:
            self._fit()

    def _fit(self) -> None:
        configs = [self._config(width) for width in self._random.sample(WIDTHS, 2)]
        self._ask({"operation": "fit", "configs": configs, "num_chunks": self._random.choice([1, 1, 2])})

    def _config(self, width: int) -> dict[str, Any]:
        return {**paced_config(width=width, pause=self._pause()), "named_metrics": contract.NAMED}

    def _pause(self) -> float:
        """Seconds per minibatch; enough for MLflow to be told of a run before its first commit, where that matters."""
        if self._plan["until"]:
            return self._random.choice([0.02, 0.05, 0.1, 0.2])
        unsent = any(point == "outbox" and state != "later" for point, state in self._armed())
        return self._random.choice([0.01, 0.03, 0.3]) if unsent else self._random.choice([0.01, 0.02, 0.03])

    def _operate_on(self, run: RunRecord, *, crowded: bool) -> None:
        if crowded or (run.wanted is None and self._random.random() < 0.5):
            self._operate("stop", run.run_id)
        else:
            self._clone(run, warm_start=bool(run.base_lease) and self._random.random() < 0.5)

    def _do_anything(self, runs: list[RunRecord], active: list[RunRecord], stopped: list[RunRecord]) -> None:
        run, kind = self._random.choice(runs), self._random.random()
        if kind < 0.1 and len(runs) > _MANY:
            self._operate("delete", run.run_id)
        elif kind < 0.5 and len(active) < _MANY:
            self._clone(run, warm_start=bool(run.base_lease) and self._random.random() < 0.7)
        elif kind < 0.8:
            self._operate("stop", self._random.choice(active).run_id)
        elif stopped:
            self._operate("resume", self._random.choice(stopped).run_id)

    def _clone(self, run: RunRecord, *, warm_start: bool) -> None:
        """Change some knobs; what begins cold has to differ."""
        known = run.leaf["user_knobs"]["width"]
        width = known if warm_start else self._random.choice([other for other in WIDTHS if other != known])
        changes = {"width": width, "pause": self._pause(), "optimizer": {"args": {"lr": self._random.choice(RATES)}}}
        self._operate("clone", run.run_id, changes=changes, warm_start=warm_start)

    def _operate(self, operation: str, run_id: int, **rest: Any) -> None:
        self._ask({"operation": operation, "run_ids": [run_id], **rest})

    def _wind_up(self) -> None:
        """Have every run trained to its end, and the experiment ended."""
        while any(run.status != "completed" for run in self._experiment.runs()):
            self._keep_engine()
            for run in self._experiment.runs():
                if run.status == "stopped":
                    self._operate("resume", run.run_id)
            time.sleep(_LOOK_SECONDS)

    # Asking

    def _ask(self, question: dict[str, Any]) -> None:
        self._insist(self._book.ask(question))

    def _insist(self, question: dict[str, Any]) -> None:
        while True:
            try:
                answer = self._answer(question)
            except (EngineError, OSError):
                time.sleep(_LOOK_SECONDS)
                # A server starts no engine unless it is told to.
                self._keep_engine()
                continue
            except RapidfireLabError as refusal:
                answer = {"refused": str(refusal)}
            self._book.answered(question["number"], answer)
            return

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if question["operation"] == "fit":
            return self._submit(question)
        address = self._folder / "up" / "server.json"
        if address.exists() and question["number"] % 2:
            return _post(json.loads(address.read_text()), question)
        return self._client.operate(
            NAME,
            question["operation"],
            question["run_ids"],
            changes=[question["changes"]] if "changes" in question else None,
            warm_start=question.get("warm_start", False),
            request_id=question["request_id"],
        )

    def _submit(self, question: dict[str, Any]) -> dict[str, Any]:
        request = SubmitFit(
            request_id=question["request_id"],
            experiment=NAME,
            data=self._data.download().to_json(),
            leaves=question["configs"],
            seed=TRAIN_SEED,
            num_chunks=question["num_chunks"],
        )
        return self._client.request(request)

    def _see_at_most_once(self, question: dict[str, Any]) -> None:
        """Whatever became of a question that was not answered, it has been carried out once or not at all."""
        known = {number for answer in self._book.answers().values() for number in answer.get("operation_ids", [])}
        with self._experiment.reader() as reader:
            found = {row["id"] for row in reader._all("SELECT id FROM operations")} - known
        assert len(found) <= len(question.get("run_ids", [])), (question, found)


def _post(server: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    """Ask through the Jupyter server."""
    body = {name: value for name, value in question.items() if name != "number"}
    request = urllib.request.Request(
        f"{server['url']}/rapidfire-lab/api/experiments/{NAME}/ops",
        json.dumps(body).encode(),
        {"Authorization": f"token {server['token']}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode()
        if error.code in (400, 404, 409, 422):
            return {"refused": text}
        raise


def state_of(run: RunRecord) -> str | None:
    if run.base_lease:
        return "later"
    if run.warm_start:
        return "warm"
    return "first" if run.started else None


def main(folder: str) -> None:
    try:
        User(Path(folder)).work()
    except BaseException:
        write(Path(folder) / "failed", traceback.format_exc())
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
