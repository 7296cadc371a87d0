"""A step of some work that reports as many metrics as the config says."""

# User code, as users write it.
# ruff: noqa: ANN001, ANN201, ARG002

import torch
from torch import nn

SIDE = 192


class MLSpec:
    def row_prep(self, row, cfg, mode):
        return {"x": torch.tensor(float(row["x"]))}

    def create_model(self, cfg):
        return nn.Linear(SIDE, SIDE)

    def compute_forward(self, model, minibatch, cfg, mode):
        values = minibatch["x"].new_ones(SIDE, SIDE)
        for _ in range(cfg["rounds"]):
            values = torch.tanh(model(values))
        return values.mean() + minibatch["x"].mean(), {}

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        return {f"metric_{number}": number / 3 for number in range(cfg["metrics"])}

    def aggregate_metrics(self, metrics, cfg):
        return {}
