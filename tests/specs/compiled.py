"""A model that is compiled, whole or in part, where the config says so."""

import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(8, 3)

    def forward(self, features):
        return self.head(self.body(features))


class MLSpec:
    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        model = Net()
        if cfg["compiled"] == "body":
            model.body = torch.compile(model.body, backend=cfg["backend"])
        return torch.compile(model, backend=cfg["backend"]) if cfg["compiled"] == "whole" else model

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["features"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs
