"""Handwritten digits: two architectures, trained from PNG files."""

import numpy as np
import torch
from digits_models import CNN, MLP
from PIL import Image
from torch.nn import functional


class MLSpec:
    """What a run does with its rows, its model and its minibatches."""

    def row_prep(self, row, cfg, mode):
        """Read one image: (1, 8, 8) pixels from 0 to 1."""
        with Image.open(row["image"]) as image:
            pixels = np.asarray(image, dtype=np.float32) / 255.0
        prepared = {"pixels": torch.from_numpy(pixels).unsqueeze(0)}
        if mode != "predict":
            prepared["label"] = torch.tensor(row["label"])
        return prepared

    def create_model(self, cfg):
        """Make the architecture that the config names."""
        if cfg["model"] == "cnn":
            return CNN(cfg["width"], cfg["dropout"])
        return MLP(cfg["width"], cfg["dropout"])

    def compute_forward(self, model, minibatch, cfg, mode):
        """Classify a minibatch."""
        logits = model(minibatch["pixels"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1)}
        if mode == "predict":
            return outputs
        outputs["targets"] = minibatch["label"]
        return functional.cross_entropy(logits, minibatch["label"]), outputs
