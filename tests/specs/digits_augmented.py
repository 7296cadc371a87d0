"""The digits with random augmentation from all three generators, custom metrics and an early stop."""

import random
import time

import numpy as np
import torch
from digits_nets import CNN, MLP
from PIL import Image
from torch.nn import functional


class MLSpec:
    def initialize_run(self, misc_path, cfg, mode):
        # Draws from every generator: the run's own random numbers must not notice.
        torch.rand(3), np.random.rand(3), random.random()

    def row_prep(self, row, cfg, mode):
        with Image.open(row["image"]) as image:
            pixels = np.asarray(image, dtype=np.float32) / 255.0
        if cfg["augment"]:
            pixels = np.roll(pixels, random.randint(-1, 1), axis=1)
            pixels = pixels + np.random.normal(0, 0.05, pixels.shape).astype(np.float32)
            pixels = torch.from_numpy(pixels) * (0.9 + 0.2 * torch.rand(()))
        return {"pixels": torch.as_tensor(pixels).unsqueeze(0), "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        return (CNN if cfg["model"] == "cnn" else MLP)(cfg["dropout"])

    def compute_forward(self, model, minibatch, cfg, mode):
        time.sleep(cfg.get("pause", 0.0))
        logits = model(minibatch["pixels"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        confidence = outputs["logits"].detach().softmax(dim=1).max(dim=1).values
        return {"confidence": confidence.sum(), "count": len(confidence), "worst": float(confidence.min())}

    def aggregate_metrics(self, metrics, cfg):
        return {
            "confidence": metrics["confidence"].sum() / metrics["count"].sum(),
            "worst": metrics["worst"].min(),
        }
