"""A model that is tested and that predicts; preparing rows and the forward pass both draw random numbers."""

import os
import time

import torch
from torch import nn
from torch.nn import functional


class MLSpec:
    def initialize_run(self, misc_path, cfg, mode):
        self.shift = torch.rand(()) * cfg.get("shift", 0.0)
        self.for_prediction = mode == "predict"

    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        if not cfg.get("plain"):
            features = features + 0.01 * torch.rand(2) + self.shift
        prepared = {"features": features}
        return prepared if self.for_prediction else {**prepared, "label": torch.tensor(int(row["label"]))}

    def create_model(self, cfg):
        return nn.Sequential(nn.Linear(2, cfg["width"]), nn.BatchNorm1d(cfg["width"]), nn.Linear(cfg["width"], 3))

    def compute_forward(self, model, minibatch, cfg, mode):
        if mode in ("test", "predict"):
            time.sleep(cfg.get("pause", 0.0))
            misbehave(cfg.get("fault"), minibatch["features"])
        noise = 0.0 if cfg.get("plain") else 0.01 * torch.rand(len(minibatch["features"]), 1)
        logits = model(minibatch["features"] + noise)
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1)}
        if mode == "predict":
            if cfg.get("wide"):
                outputs["wide"] = logits.repeat(1, cfg["wide"])
            return {**outputs, "words": [f"class {number}" for number in outputs["predictions"].tolist()]}
        return functional.cross_entropy(logits, minibatch["label"]), {**outputs, "targets": minibatch["label"]}

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        return {"worst": outputs["logits"].max().item(), "labels": minibatch["label"].tolist(), "drawn": torch.rand(())}

    def aggregate_metrics(self, metrics, cfg, mode):
        labels = [label for labels in metrics["labels"] for label in labels]
        order = sum(place * label for place, label in enumerate(labels))
        return {
            "worst": metrics["worst"].max(),
            "order": order,
            "drawn": metrics["drawn"].sum(),
            "minibatches": len(metrics),
            **({cfg["metric"]: 0.0} if cfg.get("metric") else {}),
        }


def misbehave(fault, features):
    if fault == "raise":
        raise ValueError("the user's own mistake")
    if fault == "exit":
        os._exit(1)
