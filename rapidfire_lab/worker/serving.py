"""The process that predicts with one trial's model: questions come in as lines of JSON, and answers go out as such."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import msgspec

from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.model.parameters import load_params
from rapidfire_lab.model.trials import restored
from rapidfire_lab.serving import ServedTrial
from rapidfire_lab.worker.failure import describe
from rapidfire_lab.worker.rng import seed_everything
from rapidfire_lab.worker.trial import load_template

if TYPE_CHECKING:
    from rapidfire_lab.model import BaseModel


def serve(questions: IO[str], answers: IO[str]) -> None:
    """Restore the model that the first line is about, and answer the others until there are no more."""
    trial = msgspec.convert(json.loads(questions.readline()), ServedTrial)
    model: BaseModel | None = None

    def restore() -> dict[str, Any]:
        nonlocal model
        model = _restored(trial)
        return {}

    _answer(answers, trial, restore)
    for line in questions:
        queries = json.loads(line)["queries"]
        _answer(answers, trial, lambda queries=queries: {"predictions": _predicted(model, queries)})
    if model is not None:
        with suppress(Exception):
            model.destroy()


def _restored(trial: ServedTrial) -> BaseModel:
    model_class = load_template(trial.source, trial.template)
    seed_everything(trial.seed)
    return restored(model_class, trial.knobs, load_params(trial.weights))


def _predicted(model: BaseModel | None, queries: list[Any]) -> list[Any]:
    if model is None:
        message = "there is no model"
        raise RuntimeError(message)
    found: Any = model.predict(queries)
    predictions = list(found)
    if len(predictions) != len(queries):
        message = f"predict() gave {len(predictions)} predictions for {len(queries)} queries"
        raise ValueError(message)
    return predictions


def _answer(answers: IO[str], trial: ServedTrial, work: Any) -> None:
    try:
        text = json.dumps(work(), default=_plain)
    except Exception as error:  # noqa: BLE001 - whatever the model raises is told to who has asked
        traceback.print_exc()
        text = json.dumps({"error": describe(error, trial.source)})
    answers.write(text + "\n")
    answers.flush()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    message = f"predict() gave a {type(value).__name__}, which JSON cannot hold"
    raise TypeError(message)


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    die_with_parent(parser.parse_args().parent)
    os.umask(0o077)
    # What the model prints is not to be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
