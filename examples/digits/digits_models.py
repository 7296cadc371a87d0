"""The models of the digits example: ordinary torch modules in a file beside the spec."""

from torch import nn


class MLP(nn.Sequential):
    """Two fully connected layers."""

    def __init__(self, width, dropout):
        super().__init__(
            nn.Flatten(),
            nn.Linear(64, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, 10),
        )


class CNN(nn.Sequential):
    """Two convolutions and a classifier."""

    def __init__(self, width, dropout):
        super().__init__(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * 16, 10),
        )
