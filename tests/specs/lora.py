"""A layer that is frozen, with an adapter of low rank beside it, and a head: what users fine-tune."""

import torch
from torch import nn
from torch.nn import functional


class Adapted(nn.Module):
    def __init__(self, inputs, outputs, rank):
        super().__init__()
        self.base = nn.Linear(inputs, outputs).requires_grad_(requires_grad=False)
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, features):
        return self.base(features) + self.up(self.down(features))


class MLSpec:
    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        return nn.ModuleDict({"adapted": Adapted(2, 16, cfg["rank"]), "head": nn.Linear(16, 3)})

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model["head"](functional.relu(model["adapted"](minibatch["features"])))
        loss = functional.cross_entropy(logits, minibatch["label"])
        return loss, {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
