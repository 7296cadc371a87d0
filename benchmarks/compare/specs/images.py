"""Patterns in photographs: JPEG and PNG files are decoded and resized row by row, for a small CNN."""

# User code, as users write it.
# ruff: noqa: ANN001, ANN201, ARG002

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

SIDE = 32


class MLSpec:
    def row_prep(self, row, cfg, mode):
        with Image.open(row["image"]) as image:
            small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255.0)
        return {"pixels": pixels.permute(2, 0, 1) - 0.5, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        width = cfg["width"]
        return nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, 4),
        )

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["pixels"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs
