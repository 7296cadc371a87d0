"""Train many PyTorch configs at once from a notebook, and compare them while they train.

The public names load lazily: importing this package, as a Jupyter server does, loads neither torch nor
mlflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from rapidfire_lab._version import __version__
except ModuleNotFoundError:  # a source tree that was never built
    __version__ = "0+unbuilt"

if TYPE_CHECKING:
    from rapidfire_lab.configs import (
        GridSearch,
        List,
        RandomSearch,
        Range,
        RFGridSearch,
        RFRandomSearch,
    )
    from rapidfire_lab.data import DataHandle
    from rapidfire_lab.errors import (
        ConfigError,
        DataError,
        EngineError,
        JobError,
        NotFoundError,
        OperationError,
        PolicyError,
        RapidfireLabError,
        SpecError,
        StaleError,
        StorageError,
    )
    from rapidfire_lab.experiment import Experiment
    from rapidfire_lab.model_files import load_model
    from rapidfire_lab.search import ASHA, PBT, BayesianSearch, Hyperband, PairedRacing, SuccessiveHalving
    from rapidfire_lab.spec import MLSpec

__all__ = [
    "ASHA",
    "PBT",
    "BayesianSearch",
    "ConfigError",
    "DataError",
    "DataHandle",
    "EngineError",
    "Experiment",
    "GridSearch",
    "Hyperband",
    "JobError",
    "List",
    "MLSpec",
    "NotFoundError",
    "OperationError",
    "PairedRacing",
    "PolicyError",
    "RFGridSearch",
    "RFRandomSearch",
    "RandomSearch",
    "Range",
    "RapidfireLabError",
    "SpecError",
    "StaleError",
    "StorageError",
    "SuccessiveHalving",
    "__version__",
    "load_model",
]

_HOMES = {
    "configs": ("GridSearch", "List", "RFGridSearch", "RFRandomSearch", "RandomSearch", "Range"),
    "data": ("DataHandle",),
    "errors": (
        "ConfigError",
        "DataError",
        "EngineError",
        "JobError",
        "NotFoundError",
        "OperationError",
        "PolicyError",
        "RapidfireLabError",
        "SpecError",
        "StaleError",
        "StorageError",
    ),
    "experiment": ("Experiment",),
    "model_files": ("load_model",),
    "search": ("ASHA", "BayesianSearch", "Hyperband", "PBT", "PairedRacing", "SuccessiveHalving"),
    "spec": ("MLSpec",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "rapidfire-lab"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from rapidfire_lab.server.app import RapidfireLabApp

    return [{"module": "rapidfire_lab.server.app", "app": RapidfireLabApp}]
