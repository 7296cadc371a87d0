"""Stands in for modules that send mail through a cloud: it can be imported, and says on use what there is instead."""

from __future__ import annotations

from typing import Any, NoReturn

from rapidfire_lab.errors import RapidfireLabError

__all__: list[str] = []


class NoMailError(RapidfireLabError, NotImplementedError):
    """Mail was to be sent."""


class NoMail:
    """Whatever a script takes out of such a module.

    Raises
    ------
    NoMailError
        When it is made or called.
    """

    def __init__(self, *_: object, **__: object) -> None:
        self.__call__()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise NoMailError(
            "rapidfire-lab sends no mail: JupyterLab tells of runs that end, and so does the engine's log. Leave this "
            "call out, or install aitoolbox to have its mail"
        )


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return NoMail
