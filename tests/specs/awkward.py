"""User code that does what it should not, where the config says so."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BIAS = np.random.randn(3).astype("float32")


class MLSpec:
    def __init__(self):
        self.noise = torch.randn(3)

    def initialize_run(self, misc_path, cfg, mode):
        self.words = {word: index for index, word in enumerate({"red", "green", "blue", "black", "white"})}

    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        disturb(cfg["act"])
        torch.set_flush_denormal(False)
        model = Net(self.noise + torch.from_numpy(BIAS) + torch.arange(3) * self.words["red"])
        if cfg["act"] == "freeze":
            model.linear.bias.requires_grad_(requires_grad=False)
        return model.double() if cfg["act"] == "double" else model

    def compute_forward(self, model, minibatch, cfg, mode):
        features = minibatch["features"]
        logits = model(features.double() if cfg["act"] == "double" else features)
        if cfg["act"] == "freeze" and mode == "train" and model.seen > 3:
            model.linear.bias.requires_grad_()
        loss = functional.cross_entropy(logits, minibatch["label"])
        if cfg["act"] == "bare loss" and mode == "validation":
            return loss
        return loss, {"logits": logits}

    def compute_metrics(self, loss, outputs, minibatch, cfg, mode):
        if cfg["act"] == "number as name":
            return {0: 1.0}
        return {"acc@1": 1.0} if cfg["act"] == "odd name" else {}


class Net(nn.Module):
    def __init__(self, offset):
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.register_buffer("offset", offset)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, features):
        self.seen += 1
        return self.linear(features) + self.offset


def disturb(act):
    if act == "no grad":
        torch.set_grad_enabled(False)
    if act == "float64":
        torch.set_default_dtype(torch.float64)
    if act == "chdir":
        os.chdir("/")
    if act == "close stderr":
        sys.stderr.close()
        raise ValueError("after closing stderr")
    if act == "unprintable":
        raise ValueError("\udcff")
    if act == "sidecar":
        (Path(__file__).parent / "vocab.json").read_text()
    if act == "child":
        subprocess.Popen(["sleep", "600"])
