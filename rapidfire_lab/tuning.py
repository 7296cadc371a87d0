"""What a notebook asks of model templates: a class as text that slots can import, with its knobs and data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.cell_source import cell_source
from rapidfire_lab.errors import ConfigError
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.knob_json import serialize_knob_config
from rapidfire_lab.model.source import check_model_class, knob_config_of, load_model_class
from rapidfire_lab.model.tasks import check_datasets
from rapidfire_lab.model.template import Template
from rapidfire_lab.package_source import package_source
from rapidfire_lab.spec_source import SpecSource

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from rapidfire_lab.model import BaseModel

    AnyPath = str | os.PathLike[str]


def template_for(
    model_class: type[BaseModel],
    task: str,
    train: AnyPath,
    validation: AnyPath,
    test: AnyPath | None,
    train_args: Mapping[str, Any] | None,
) -> tuple[Template, SpecSource]:
    """Check a model class and its data, and take its source.

    Raises
    ------
    InvalidModelClassError
        When it is no model class, or not in a file.
    InvalidDatasetFormatError
        When a data set is missing, or lacks a column.
    ConfigError
        When ``train_args`` are no plain data.
    """
    source = _source_of(check_model_class(model_class))
    paths = {"training": _absolute(train), "validation": _absolute(validation)}
    if test is not None:
        paths["test"] = _absolute(test)
    given = _plain(train_args or {})
    check_datasets(task, paths, given)
    template = Template(
        main=source.main,
        hash=source.hash,
        original=str(source.path),
        model_class=model_class.__name__,
        task=task,
        knobs=serialize_knob_config(knob_config_of(model_class)),
        train=paths["training"],
        validation=paths["validation"],
        test=paths.get("test"),
        train_args=given,
    )
    return template, source


def _absolute(path: AnyPath) -> str:
    return str(Path(path).expanduser().absolute())


def _source_of(model_class: type[BaseModel]) -> SpecSource:
    module = sys.modules.get(model_class.__module__)
    path = Path(getattr(module, "__file__", None) or "")
    cell = cell_source(model_class) if path.suffix != ".py" else None
    if cell is not None:
        return _from_cell(cell, model_class.__name__)
    if path.suffix != ".py" or not path.is_file():
        raise InvalidModelClassError(
            f"{model_class.__name__} is in no file or cell, from which slots could take it: write it into a file (with "
            "%%writefile model.py at the top of a cell), and import it from there"
        )
    if getattr(module, model_class.__name__, None) is not model_class:
        raise InvalidModelClassError(f"{model_class.__name__} must stand at the top level of {path}")
    return package_source(path, getattr(module, "__package__", None) or "") or SpecSource.of_model(path)


def _from_cell(cell: str, name: str) -> SpecSource:
    load_model_class(cell.encode(), name)  # says what is amiss here and now
    main = f"{name}.py"
    return SpecSource(Path(main).absolute(), main, {main: cell})


def _plain(train_args: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(train_args)))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"train_args must be text, numbers, lists and dictionaries: {error}") from None
    return found
