"""The libraries that a model names: how to install them, and what to say when one is missing."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from rapidfire_lab.model.console import inform_user, warn_user
from rapidfire_lab.model.constants import ModelDependency
from rapidfire_lab.model.errors import InvalidModelClassError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OLD_TENSORFLOW = "1."
"""TensorFlow had a package of its own for GPUs up to here."""


def parse_model_install_command(dependencies: Mapping[str, str], enable_gpu: bool = False) -> str:  # noqa: FBT001, FBT002
    """Give the shell commands that install the libraries of a model, with versions where they are given."""
    return "; ".join(_command(name, version, gpu=enable_gpu) for name, version in dependencies.items())


def _command(name: str, version: str, *, gpu: bool) -> str:
    if name == ModelDependency.SINGA:
        return f"conda install -y -c nusdbsystem singa-{'gpu' if gpu else 'cpu'}={version}"
    if gpu and name == ModelDependency.TENSORFLOW and str(version).startswith(_OLD_TENSORFLOW):
        name = "tensorflow-gpu"
    return f"pip install {shlex.quote(f'{name}=={version}' if version else name)}"


def check_dependencies(dependencies: object) -> None:
    """Say which libraries of a model are not installed, or of another version.

    Raises
    ------
    InvalidModelClassError
        When this is no dict.
    """
    if not isinstance(dependencies, dict):
        raise InvalidModelClassError(f"dependencies must be a dict of versions by name, not {dependencies!r}")
    for name, version in dependencies.items():
        installed = _installed(name)
        if installed is None:
            warn_user(f"{name} is not installed: {_command(name, version, gpu=False)}")
        elif version and installed != version:
            inform_user(f"{name} {version} is asked for, {installed} is installed")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@contextmanager
def missing_modules_named(dependencies: Mapping[str, str]) -> Iterator[None]:
    """Say how to install what is needed, when a module cannot be found.

    Raises
    ------
    MissingDependencyError
        In place of ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        command = parse_model_install_command(dependencies) or "pip install its package, and name it in dependencies"
        raise MissingDependencyError(f"The model needs {error.name!r}, which is not installed: {command}") from error
