"""Words that model files, budgets and jobs use, spelt as in Rafiki and SINGA-Auto."""

from __future__ import annotations

from typing import Any


class BudgetOption:
    """Keys of a budget for training."""

    TIME_HOURS = "TIME_HOURS"
    GPU_COUNT = "GPU_COUNT"
    MODEL_TRIAL_COUNT = "MODEL_TRIAL_COUNT"
    DIST_WORKERS = "DIST_WORKERS"


class InferenceBudgetOption:
    """Keys of a budget for serving."""

    GPU_COUNT = "GPU_COUNT"


Budget = dict[str, Any]
InferenceBudget = dict[str, Any]
ModelDependencies = dict[str, str]


class ModelDependency:
    """Names of the libraries that model files name most."""

    TENSORFLOW = "tensorflow"
    KERAS = "Keras"
    SCIKIT_LEARN = "scikit-learn"
    TORCH = "torch"
    TORCHVISION = "torchvision"
    SINGA = "singa"
    XGBOOST = "xgboost"
    DS_CTCDECODER = "ds-ctcdecoder"


class ModelAccessRight:
    """Who may use a model."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class TrialStatus:
    """How far a trial has come."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    ERRORED = "ERRORED"
    COMPLETED = "COMPLETED"


class TrainJobStatus:
    """How far a job of trials has come."""

    STARTED = "STARTED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    ERRORED = "ERRORED"


class InferenceJobStatus:
    """How far serving has come."""

    STARTED = "STARTED"
    RUNNING = "RUNNING"
    ERRORED = "ERRORED"
    STOPPED = "STOPPED"
