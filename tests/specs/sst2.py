"""Sentiment of film reviews: words are looked up row by row, and padded by a collate_fn of our own."""

import json
import zlib
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

BUCKETS = 4096


class MLSpec:
    def initialize_run(self, misc_path, cfg, mode):
        self.stop_words = set(json.loads((Path(misc_path) / "stop_words.json").read_text()))

    def row_prep(self, row, cfg, mode):
        words = [word for word in row["text"].split() if word not in self.stop_words] or ["empty"]
        codes = [1 + zlib.crc32(word.encode()) % (BUCKETS - 1) for word in words[: cfg["longest"]]]
        return {"codes": torch.tensor(codes), "label": row["label"]}

    def collate_fn(self, batch, cfg, mode):
        codes = nn.utils.rnn.pad_sequence([row["codes"] for row in batch], batch_first=True)
        return {"codes": codes, "labels": torch.tensor([row["label"] for row in batch])}

    def create_model(self, cfg):
        return Classifier(cfg["width"])

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["codes"])
        outputs = {"predictions": logits.argmax(dim=1), "targets": minibatch["labels"]}
        return functional.cross_entropy(logits, minibatch["labels"]), outputs


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embedding = nn.EmbeddingBag(BUCKETS, width, padding_idx=0)
        self.head = nn.Linear(width, 2)

    def forward(self, codes):
        return self.head(self.embedding(codes))
