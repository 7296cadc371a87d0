"""A small model that is as fast for many runs at once as for one: what a minibatch takes is a pause."""

import time

import torch
from torch import nn
from torch.nn import functional


class MLSpec:
    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(cfg.get("dropout", 0.0)), nn.Linear(8, 3))

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["features"])
        together = torch._C._functorch.is_batchedtensor(logits)
        time.sleep(cfg.get("slow_together", cfg["pause"]) if together else cfg["pause"])
        loss = functional.cross_entropy(logits, minibatch["label"])
        return loss, {"predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
