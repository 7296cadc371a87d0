"""The digits, with a note of when each minibatch began and ended: from its first row to its optimizer's step.

The knob ``pause`` makes a minibatch that many seconds longer.
"""

# User code, as users write it.
# ruff: noqa: ANN001, ANN002, ANN201, ANN204, ARG002

import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook

# Wall-clock time, as the journal has it: the two are compared.
now = time.time


class Notes:
    """One line for each minibatch in a file of this process: the run's tag, begin and end."""

    def __init__(self):
        self.file = None
        self.begin = None
        register_optimizer_step_post_hook(self.end)

    def row(self, cfg):
        if self.begin is None:
            self.begin = now()
            self.tag = cfg["tag"]
            self.folder = cfg["notes"]

    def end(self, *_):
        end = now()
        if self.begin is None:
            return  # a warm start tries an optimizer out
        if self.file is None:
            self.file = (Path(self.folder) / f"{os.getpid()}.txt").open("w", buffering=1)
        self.file.write(f"{self.tag} {self.begin!r} {end!r}\n")
        self.begin = None


notes = Notes()


class MLSpec:
    # A minibatch begins with its first row.
    share_prepared_rows = False

    def row_prep(self, row, cfg, mode):
        notes.row(cfg)
        with Image.open(row["image"]) as image:
            pixels = np.asarray(image, dtype=np.float32) / 255.0
        return {"pixels": torch.from_numpy(pixels).unsqueeze(0), "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        width = cfg["width"]
        if cfg["model"] == "mlp":
            return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
        return nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(width * 16, 10),
        )

    def compute_forward(self, model, minibatch, cfg, mode):
        time.sleep(cfg.get("pause", 0))
        logits = model(minibatch["pixels"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs
