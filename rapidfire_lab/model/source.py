"""Model files: loaded from where they are, with nothing written beside them."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.base import BaseModel
from rapidfire_lab.model.console import warn_user
from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.model.knobs import BaseKnob
from rapidfire_lab.model.package_import import (
    import_in_package,
    module_name,
    packages_above,
    relative_imports_told,
    relative_levels,
)

if TYPE_CHECKING:
    import os

    from rapidfire_lab.model.base import KnobConfig


def load_model_file(path: str | os.PathLike[str], model_class: str) -> type[BaseModel]:
    """Run a Python file, and give the model class of this name in it.

    Where it has relative imports, it is run as a module of its package: the folders above it that have an
    ``__init__.py``, or as many as its imports lead up to.

    Raises
    ------
    InvalidModelClassError
        When there is no such file or class, or the class is no model.
    """
    path = Path(path).expanduser().absolute()
    if not path.is_file():
        raise InvalidModelClassError(f"There is no model file {path}: give the path of a Python file.")
    content = path.read_bytes()
    levels = _relative_levels(content)
    if levels:
        return _model_class(import_in_package(path, packages_above(path, levels)), model_class)
    return _model_class(_run(content, module_name(path.name), str(path)), model_class)


def load_model_class(model_file_bytes: bytes, model_class: str, temp_mod_name: str | None = None) -> type[BaseModel]:
    """Run the content of a Python file, and give the model class of this name in it.

    Parameters
    ----------
    model_file_bytes
        The content.
    model_class
        The name of the class.
    temp_mod_name
        The name of the module that holds it.

    Raises
    ------
    InvalidModelClassError
        When there is no such class, or it is no model.
    """
    name = temp_mod_name or f"rapidfire_lab_model_{model_class}"
    return _model_class(_run(model_file_bytes, name, f"<{name}>"), model_class)


def check_model_class(found: object, where: str = "") -> type[BaseModel]:
    """Give a class back that is a complete model.

    Raises
    ------
    InvalidModelClassError
        When it is not; the message names what is missing.
    """
    if not isinstance(found, type) or not issubclass(found, BaseModel):
        raise InvalidModelClassError(f"{found!r}{where} must be a class that extends BaseModel")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise InvalidModelClassError(f"{found.__name__}{where} lacks {', '.join(f'{name}()' for name in missing)}")
    if not isinstance(inspect.getattr_static(found, "get_knob_config"), staticmethod | classmethod):
        raise InvalidModelClassError(f"{found.__name__}.get_knob_config(){where} must be a @staticmethod")
    if inspect.isfunction(getattr(found, "init", None)):
        warn_user(f"{found.__name__}.init() is never called: set the model up in __init__()")
    return found


def knob_config_of(model: type[BaseModel]) -> KnobConfig:
    """Give the knobs of a model class.

    Raises
    ------
    InvalidModelClassError
        When they are not knobs by name.
    """
    config: Any = model.get_knob_config()
    if not isinstance(config, dict):
        raise InvalidModelClassError(f"{model.__name__}.get_knob_config() must give a dict, not {config!r}")
    for name, knob in config.items():
        if not isinstance(name, str) or not isinstance(knob, BaseKnob):
            raise InvalidModelClassError(f"{model.__name__}.get_knob_config() has {name!r}: {knob!r}, which is no knob")
    return config


def _run(content: bytes, name: str, filename: str) -> types.ModuleType:
    # An ordinary import would leave its cache beside the file.
    try:
        code = compile(content, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise InvalidModelClassError(f"{filename} is no Python: {error}") from error
    module = types.ModuleType(name)
    module.__file__ = filename
    module.__package__ = ""
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickle look classes up here
    try:
        with relative_imports_told():
            exec(code, module.__dict__)  # noqa: S102 - this is what a model file is for
    except BaseException:
        _put_back(name, before)
        raise
    return module


def _relative_levels(content: bytes) -> int:
    try:
        return relative_levels(ast.parse(content))
    except (SyntaxError, ValueError):
        return 0  # which is told when it is run


def _put_back(name: str, module: types.ModuleType | None) -> None:
    if module is None:
        del sys.modules[name]
    else:
        sys.modules[name] = module


def _model_class(module: types.ModuleType, name: str) -> type[BaseModel]:
    where = f" in {module.__file__}"
    if not hasattr(module, name):
        known = ", ".join(key for key, value in vars(module).items() if _is_own_model(value, module)) or "none"
        raise InvalidModelClassError(f"There is no class {name!r}{where}; its models are: {known}")
    return check_model_class(getattr(module, name), where)


def _is_own_model(value: object, module: types.ModuleType) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
