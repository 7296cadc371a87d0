"""Try a model template before it is used: `test_model_class`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model import command_line
from rapidfire_lab.model.budget import checked
from rapidfire_lab.model.console import header, inform_user, say, warn_user
from rapidfire_lab.model.constants import BudgetOption
from rapidfire_lab.model.dependencies import check_dependencies, missing_modules_named, parse_model_install_command
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.knob_json import deserialize_knob_config, serialize_knob_config
from rapidfire_lab.model.source import check_model_class, knob_config_of, load_model_file
from rapidfire_lab.model.tasks import check_datasets
from rapidfire_lab.model.trials import Best, Data, Trials, restored, torn_down

if TYPE_CHECKING:
    from rapidfire_lab.model.advisor import Proposal
    from rapidfire_lab.model.base import BaseModel, Params
    from rapidfire_lab.model.constants import Budget

__all__ = ["inform_user", "make_predictions", "test_model_class", "tune_model", "warn_user"]

_DEFAULT_BUDGET = {BudgetOption.TIME_HOURS: 0.01, BudgetOption.GPU_COUNT: 0, BudgetOption.MODEL_TRIAL_COUNT: -1}
"""36 seconds."""


def test_model_class(
    model_file_path: str,
    model_class: str,
    task: str,
    dependencies: dict[str, str],
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: str | None = None,
    budget: Budget | None = None,
    train_args: dict[str, Any] | None = None,
    queries: list[Any] | dict[str, Any] | None = None,
) -> tuple[list[Any] | None, BaseModel | None]:
    """Try a model class on data: trials with several knobs, and predictions with the best, restored from storage.

    Arguments of the program fix a knob (``--learning_rate=0.01``) or set a part of the budget (``--TIME_HOURS=0.01``).
    Nothing is installed, and nothing is written but in a temporary folder.

    Parameters
    ----------
    model_file_path, model_class
        A Python file, and the name of a class in it that extends `BaseModel`.
    task
        Name of the task, such as ``IMAGE_CLASSIFICATION``.
    dependencies
        Versions of the libraries that the model needs, by name.
    train_dataset_path, val_dataset_path, test_dataset_path
        Files in the format of the task. Each model that is better than those before is evaluated on the last one.
    budget
        As `BudgetOption` says; by default 36 seconds. Looked at before each trial.
    train_args
        Given to ``train()`` as keywords.
    queries
        What the best model shall predict; a dict is one query.

    Returns
    -------
    predictions, model
        Of the best model, restored from what it dumped; None without queries, and both None without a score.

    Raises
    ------
    InvalidModelClassError
        When the class is not what a model must be.
    InvalidDatasetFormatError
        When a data set is missing, or not in its format.
    MissingDependencyError
        When the model imports what is not installed.
    """
    queries = [queries] if isinstance(queries, dict) else queries
    header("Checking dependencies")
    check_dependencies(dependencies)
    say(f"To install them: {parse_model_install_command(dependencies) or 'nothing'}")
    with missing_modules_named(dependencies):
        header("Loading the model")
        model = load_model_file(model_file_path, model_class)
        paths = {"training": train_dataset_path, "validation": val_dataset_path, "test": test_dataset_path}
        check_datasets(task, paths, train_args or {})
        with torn_down(model):
            data = Data(train_dataset_path, val_dataset_path, test_dataset_path, train_args or {}, queries)
            best = _tune(model, data, budget)
            served = (None, None) if best is None else _served(model, best, queries)
    inform_user("The model was tested without an error.")
    return served


test_model_class.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test where it is imported


def tune_model(
    py_model_class: type[BaseModel],
    train_dataset_path: str,
    val_dataset_path: str,
    test_dataset_path: str | None = None,
    budget: Budget | None = None,
    train_args: dict[str, Any] | None = None,
) -> tuple[Proposal | None, float | None, Params | None]:
    """Run trials of a model class, as `test_model_class` does.

    Returns
    -------
    proposal, test_score, params
        Of the trial with the highest score; None when there is none.
    """
    check_model_class(py_model_class)
    data = Data(train_dataset_path, val_dataset_path, test_dataset_path, train_args or {})
    with torn_down(py_model_class):
        best = _tune(py_model_class, data, budget)
    return (None, None, None) if best is None else (best.proposal, best.test_score, best.params)


def make_predictions(
    queries: list[Any], task: str, py_model_class: type[BaseModel], proposal: Proposal, params: Params
) -> tuple[list[Any], BaseModel]:
    """Restore a model from its parameters, and have it predict.

    Returns
    -------
    predictions, model
        One prediction per query, and the restored model.
    """
    header(f"Predicting with the restored model ({task})")
    model = restored(py_model_class, proposal.knobs, params)
    return _predictions(model, queries), model


def _tune(model: type[BaseModel], data: Data, budget: Budget | None) -> Best | None:
    knob_config = deserialize_knob_config(serialize_knob_config(knob_config_of(model)))
    given = command_line.arguments()
    fixed = command_line.knobs_from(given, knob_config)
    for name, value in fixed.items():
        inform_user(f"The knob {name!r} is {value!r}, as given")
    wanted = checked({**(budget or {}), **command_line.budget_from(given)})
    _tell_without_effect(wanted)
    return Trials(model, knob_config, data, fixed).run({**_DEFAULT_BUDGET, **wanted})


def _tell_without_effect(budget: Budget) -> None:
    """Warn of what a budget asks for and nothing here does."""
    if BudgetOption.GPU_COUNT in budget:
        wanted, gpus = budget[BudgetOption.GPU_COUNT], _gpus()
        if wanted > 0 and not gpus:
            warn_user("GPU_COUNT asks for a GPU, and there is none: the model trains on the CPU.")
        elif wanted != gpus:
            warn_user(
                f"GPU_COUNT={wanted} has no effect: the model may use each GPU that it sees, of which there are {gpus}."
                " Set CUDA_VISIBLE_DEVICES before Python starts to let it see others, or none."
            )
    if budget.get(BudgetOption.DIST_WORKERS, 0) > 1:
        warn_user("DIST_WORKERS has no effect: each trial trains in this process.")


def _served(model: type[BaseModel], best: Best, queries: list[Any] | None) -> tuple[list[Any] | None, BaseModel]:
    header("Restoring the best model")
    made = restored(model, best.proposal.knobs, best.params)
    if queries is None:
        return None, made
    predictions = _predictions(made, queries)
    say(f"Predictions: {predictions}")
    if json.dumps(predictions) != _as_json(best.predictions):
        warn_user(
            "The restored model predicts otherwise than the trained one did: does dump_parameters() give all that it "
            "needs, or does predict() draw random numbers?"
        )
    return predictions, made


def _predictions(model: BaseModel, queries: list[Any]) -> list[Any]:
    predictions: Any = model.predict(list(queries))
    if not isinstance(predictions, list | tuple):
        kind = type(predictions).__name__
        raise InvalidModelClassError(f"predict() must return a list, not a {kind}; array.tolist() gives one")
    if len(predictions) != len(queries):
        warn_user(f"predict() must give one prediction a query: {len(predictions)} came for {len(queries)} queries.")
    for place, prediction in enumerate(predictions):
        if _as_json(prediction) is None:
            raise InvalidModelClassError(
                f"prediction {place} is {prediction!r}, which JSON cannot hold: return lists, dicts, strings and "
                "numbers, as array.tolist() gives them"
            )
    return list(predictions)


def _as_json(value: object) -> str | None:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return None


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
