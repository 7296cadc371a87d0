"""Two workloads that spend their time in row_prep: a tokenizer in Python, and images that are decoded and resized."""

# User code, as users write it.
# ruff: noqa: ANN001, ANN201, ARG002

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = {piece: code for code, piece in enumerate((*LETTERS, *(a + b for a in LETTERS for b in LETTERS)), start=1)}
SIDE = 48


def tokenize(text):
    """Cut words into the longest pieces that are known, as a WordPiece tokenizer does."""
    codes = []
    for word in text.split():
        start = 0
        while start < len(word):
            end = len(word)
            while word[start:end] not in PIECES:
                end -= 1
            codes.append(PIECES[word[start:end]])
            start = end
    return codes


class MLSpec:
    def row_prep(self, row, cfg, mode):
        if cfg["workload"] == "text":
            return {"codes": torch.tensor(tokenize(row["text"])[: cfg["longest"]]), "label": row["label"]}
        with Image.open(row["image"]) as image:
            pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32) / 255
        return {"pixels": torch.from_numpy(pixels), "label": row["label"]}

    def collate_fn(self, batch, cfg, mode):
        labels = torch.tensor([row["label"] for row in batch])
        if cfg["workload"] == "text":
            codes = nn.utils.rnn.pad_sequence([row["codes"] for row in batch], batch_first=True)
            return {"x": codes, "label": labels}
        return {"x": torch.stack([row["pixels"] for row in batch]), "label": labels}

    def create_model(self, cfg):
        width = cfg["width"]
        if cfg["workload"] == "text":
            return nn.Sequential(nn.EmbeddingBag(len(PIECES) + 1, width, padding_idx=0), nn.Linear(width, 2))
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, width), nn.ReLU(), nn.Linear(width, 2))

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["x"])
        outputs = {"predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs
