"""The model template: what its author writes, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from rapidfire_lab.model.knobs import BaseKnob

if TYPE_CHECKING:
    import numpy as np

Knobs: TypeAlias = dict[str, Any]
"""One value per knob name."""

KnobConfig: TypeAlias = dict[str, BaseKnob]
"""One knob per knob name."""

Params: TypeAlias = dict[str, "str | int | float | np.ndarray[Any, Any] | None"]
"""The trained state of a model, by name."""


class BaseModel(ABC):
    """The base class of all model templates.

    A template is trained once for each choice of knobs. ``__init__`` gets one value per knob and calls
    ``super().__init__(**knobs)`` first. The base keeps nothing, so that any name is free for a knob.

    Parameters
    ----------
    knobs
        A value for each name in `get_knob_config`.
    """

    def __init__(self, **knobs: Any) -> None: ...  # noqa: B027 - there is nothing to keep

    @staticmethod
    @abstractmethod
    def get_knob_config() -> KnobConfig:
        """Give the knobs by name: what may be tuned, and within which bounds."""

    @abstractmethod
    def train(self, dataset_path: str, shared_params: Params | None = None, **train_args: Any) -> None:
        """Train this instance; from here on it is trained.

        Parameters
        ----------
        dataset_path
            File with the training data, in the format of the task.
        shared_params
            What ``dump_parameters()`` of an earlier trial gave, where the policy ``SHARE_PARAMS`` is on; else None.
        train_args
            What else the task gives, as ``features`` and ``target`` of tabular data.
        """

    @abstractmethod
    def evaluate(self, dataset_path: str) -> float:
        """Give the score of this trained instance on a file of validation data; higher is better."""

    @abstractmethod
    def predict(self, queries: list[Any]) -> list[Any]:
        """Give one prediction per query, in the same order; each must be something that JSON can hold."""

    @abstractmethod
    def dump_parameters(self) -> Params:
        """Give all that the trained state consists of."""

    @abstractmethod
    def load_parameters(self, params: Params) -> None:
        """Take over the state of a trained instance with the same knobs; from here on this one is trained."""

    def destroy(self) -> None:  # noqa: B027 - a hook that may stay empty
        """Free what this instance holds; it is not used afterwards."""

    @staticmethod  # noqa: B027 - as above
    def teardown() -> None:
        """Free what the class holds, after the last trial."""


class ImageClfBase(BaseModel):
    """SINGA-Auto's name for a template of the task ``IMAGE_CLASSIFICATION``."""


class PosTagModel(BaseModel):
    """SINGA-Auto's name for a template of the task ``POS_TAGGING``."""


class TabularClfModel(BaseModel):
    """SINGA-Auto's name for a template of the task ``TABULAR_CLASSIFICATION``."""


class ObjtDetModel(BaseModel):
    """SINGA-Auto's name for a template of the task ``OBJECT_DETECTION``."""
