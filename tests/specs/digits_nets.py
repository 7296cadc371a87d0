"""Models beside the spec, one with dropout and one with batch normalisation."""

from torch import nn


class MLP(nn.Sequential):
    def __init__(self, dropout):
        super().__init__(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Dropout(dropout), nn.Linear(48, 10))


class CNN(nn.Sequential):
    def __init__(self, dropout):
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(128, 10),
        )
