"""Experiment savers with the names, signatures and folders of AIToolbox's ``experiment`` package.

Files appear whole or not at all, with a ``manifest.json`` of them; what goes to a cloud is checked, tried again and
resumed. Names load lazily, and each saver loads the libraries that it needs, when it is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "basic_packages": (
        "BinaryClassificationResultPackage",
        "ClassificationResultPackage",
        "GeneralResultPackage",
        "HFEvaluateResultPackage",
        "RegressionResultPackage",
        "TorchMetricsPackage",
    ),
    "cloud_loading": ("PyTorchGoogleStorageModelLoader", "PyTorchS3ModelLoader"),
    "cloud_models": (
        "KerasGoogleStorageModelSaver",
        "KerasS3ModelSaver",
        "PyTorchGoogleStorageModelSaver",
        "PyTorchS3ModelSaver",
    ),
    "cloud_results": ("GoogleStorageResultsSaver", "S3ResultsSaver"),
    "experiment_saver": (
        "FullKerasExperimentGoogleStorageSaver",
        "FullKerasExperimentS3Saver",
        "FullPyTorchExperimentGoogleStorageSaver",
        "FullPyTorchExperimentS3Saver",
    ),
    "folder": ("FolderNameError", "ProtectedError"),
    "hyperparameters": ("HyperParamSourceReporter",),
    "interface": ("AbstractExperimentSaver",),
    "local_experiment_saver": ("FullKerasExperimentLocalSaver", "FullPyTorchExperimentLocalSaver"),
    "local_models": ("KerasLocalModelSaver", "PyTorchLocalModelSaver"),
    "local_results": ("LocalResultsSaver", "load_results"),
    "metrics": ("AbstractBaseMetric",),
    "model_loading": ("PyTorchLocalModelLoader",),
    "model_remover": ("LocalSubOptimalModelRemover",),
    "reports": ("GradientPlotter", "TrainingHistoryPlotter", "TrainingHistoryWriter"),
    "result_packages": ("AbstractResultPackage", "MultipleResultPackageWrapper", "PreCalculatedResultPackage"),
    "training_history": ("TrainingHistory",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - it is a list


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
