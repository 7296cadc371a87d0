"""A model that asks for as much device memory as the config says."""

import torch
from torch import nn
from torch.nn import functional


class MLSpec:
    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        model = nn.Linear(2, 3)
        model.ballast = nn.Parameter(torch.zeros(cfg["gigabytes"] * 2**28))
        return model

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = functional.linear(minibatch["features"], model.weight, model.bias)
        return functional.cross_entropy(logits, minibatch["label"]) + model.ballast[0], {}
