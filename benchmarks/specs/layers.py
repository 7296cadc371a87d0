"""Rows of numbers and a stack of linear layers with batch normalisation and dropout."""

# User code, as users write it.
# ruff: noqa: ANN001, ANN201, ARG002

import torch
from torch import nn
from torch.nn import functional

FEATURES = [f"x{number}" for number in range(8)]


class MLSpec:
    def row_prep(self, row, cfg, mode):
        return {
            "features": torch.tensor([row[name] for name in FEATURES], dtype=torch.float32),
            "label": torch.tensor(int(row["label"])),
        }

    def create_model(self, cfg):
        width = cfg["width"]
        layers = [nn.Linear(len(FEATURES), width), nn.ReLU()]
        for _ in range(cfg["depth"] - 1):
            layers += [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(cfg["dropout"])]
        return nn.Sequential(*layers, nn.Linear(width, 3))

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["features"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs
