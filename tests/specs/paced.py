"""A small model whose minibatches take as long as the config says, and that can go wrong on demand."""

import ctypes
import itertools
import os
import signal
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

CALLS = itertools.count()


class MLSpec:
    def row_prep(self, row, cfg, mode):
        features = torch.tensor([row["a"], row["b"]], dtype=torch.float32)
        return {"features": features, "label": torch.tensor(row["label"])}

    def create_model(self, cfg):
        return nn.Sequential(nn.Linear(2, cfg["width"]), nn.Dropout(0.2), nn.ReLU(), nn.Linear(cfg["width"], 3))

    def compute_forward(self, model, minibatch, cfg, mode):
        time.sleep(cfg["pause"])
        if mode == "train":
            misbehave(cfg.get("fault"))
        elif cfg.get("fault") == "hang in validation":
            ctypes.PyDLL(None).sleep(3600)  # with the interpreter held
        elif str(cfg.get("fault")).startswith("validates after "):
            wait_for(Path(cfg["fault"].removeprefix("validates after ")))
        logits = model(minibatch["features"])
        loss = functional.cross_entropy(logits, minibatch["label"])
        if cfg.get("fault") == "nan":
            loss = loss * float("nan")
        return loss, {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}


def misbehave(fault):
    if fault == "raise later" and next(CALLS) >= 7:
        raise ValueError("a mistake that shows late")
    if fault == "raise":
        raise ValueError("the user's own mistake")
    if fault == "exit":
        os._exit(1)
    if fault == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "sys.exit":
        raise SystemExit(3)
    if fault == "hang":
        time.sleep(3600)
    if str(fault).startswith("exit at ") and os.path.exists(fault.removeprefix("exit at ")):  # noqa: PTH110
        os._exit(1)
    if fault == "slow once" and next(CALLS) == 3:
        time.sleep(2)
    if fault == "print":
        print("printed by the user")


def wait_for(sign):
    sign.with_suffix(".begun").touch()
    while not sign.exists():
        time.sleep(0.01)
