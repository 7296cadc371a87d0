"""What of our environment is not for the processes that we start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_JUPYTER_VARIABLES = ("JPY", "JUPYTER", "CONFIGPROXY")
"""How the names of variables begin that hold tokens of Jupyter and of its hub."""


def without_jupyter(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what Jupyter and its hub keep there: none of it is for user code or for MLflow."""
    return {name: value for name, value in environment.items() if not name.startswith(_JUPYTER_VARIABLES)}
