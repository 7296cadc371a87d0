"""Specs for fused training: points in a plane, and models of many kinds."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rapidfire_lab import MLSpec


class Points(MLSpec):
    """An MLP with batch normalisation, tied weights and accumulated metrics."""

    def initialize_run(self, misc_path, cfg, mode):
        pass

    def row_prep(self, row, cfg, mode):
        return torch.tensor([row["x"], row["y"]], dtype=torch.float32), torch.tensor(int(row["label"]))

    def create_model(self, cfg):
        return nn.Sequential(
            nn.Linear(2, cfg["width"], bias=False), nn.BatchNorm1d(cfg["width"]), nn.ReLU(), nn.Linear(cfg["width"], 2)
        )

    def compute_forward(self, model, minibatch, cfg, mode):
        points, labels = minibatch
        logits = model(points)
        return functional.cross_entropy(logits, labels), {"logits": logits, "labels": labels, "kind": "points"}

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        assert outputs["kind"] == "points"
        return {"largest": float(outputs["logits"].detach().max())}


class Scaled(Points):
    """What a row is depends on a knob: runs have minibatches of their own."""

    def row_prep(self, row, cfg, mode):
        point, label = super().row_prep(row, cfg, mode)
        return point * cfg["scale"], label


class Smoothed(Points):
    """The loss depends on a knob that is read where it is computed."""

    def compute_forward(self, model, minibatch, cfg, mode):
        points, labels = minibatch
        logits = model(points)
        return functional.cross_entropy(logits, labels, label_smoothing=cfg["smoothing"]), {"logits": logits}

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        return {}


class Dropped(Points):
    """Dropout: random numbers in the forward pass."""

    def create_model(self, cfg):
        return nn.Sequential(nn.Linear(2, cfg["width"]), nn.Dropout(0.5), nn.Linear(cfg["width"], 2))


class Noisy(Points):
    """Random numbers that torch knows nothing of."""

    def compute_forward(self, model, minibatch, cfg, mode):
        points, labels = minibatch
        logits = model(points + float(np.random.rand()))
        return functional.cross_entropy(logits, labels), {"logits": logits, "labels": labels, "kind": "points"}


class Branching(Points):
    """The way through the model depends on its values."""

    def compute_forward(self, model, minibatch, cfg, mode):
        loss, outputs = super().compute_forward(model, minibatch, cfg, mode)
        return (loss if loss.item() > 0 else -loss), outputs


class _Counting(nn.Linear):
    calls = 0

    def forward(self, value):
        self.calls += 1
        return super().forward(value)


class Counting(Points):
    """A module with state that is no tensor."""

    def create_model(self, cfg):
        return _Counting(2, 2)


class _Averaging(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("average", torch.zeros(()))

    def forward(self, value):
        self.average = 0.9 * self.average + 0.1 * value.detach().mean()
        return super().forward(value)


class Averaging(Points):
    """A module that exchanges a buffer for another tensor."""

    def create_model(self, cfg):
        return _Averaging(2, 2)


class _Tied(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.into = nn.Linear(2, width, bias=False)
        self.out = nn.Linear(width, 2, bias=False)
        self.again = nn.Linear(2, width, bias=False)
        self.again.weight = self.into.weight
        self.unused = nn.Linear(2, 2)

    def forward(self, value):
        return self.out(torch.tanh(self.again(self.out(torch.tanh(self.into(value))))))


class Tied(Points):
    """One tensor under two names, and parameters that nothing is learnt for."""

    def create_model(self, cfg):
        model = _Tied(cfg["width"])
        model.unused.bias.requires_grad_(requires_grad=False)
        return model


class Convolved(Points):
    """A convolution, whose input all runs share."""

    def row_prep(self, row, cfg, mode):
        point, label = super().row_prep(row, cfg, mode)
        return point.repeat(1, 4, 2).reshape(1, 4, 4), label

    def create_model(self, cfg):
        return nn.Sequential(nn.Conv2d(1, cfg["width"], 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * cfg["width"], 2))
