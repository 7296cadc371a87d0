"""What all data sets have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class ModelDataset(ABC):
    """Examples by position, read when they are asked for.

    Attributes
    ----------
    path
        Where the data set lies.
    size
        How many examples there are.
    """

    def __init__(self, dataset_path: str) -> None:
        self.path = dataset_path
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        positions = range(self.size)[index]  # negative ones count from the end; IndexError ends a loop
        return self._examples(positions) if isinstance(positions, range) else self._example(positions)

    @abstractmethod
    def _example(self, position: int) -> Any:
        """Give the example at a position."""

    @abstractmethod
    def _examples(self, positions: Sequence[int]) -> Any:
        """Give several, as a slice asks for them."""
