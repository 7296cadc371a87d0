"""Ragged text in three classes; each call of row_prep adds a line to a file."""

import os

import torch
from torch import nn
from torch.nn import functional


class MLSpec:
    def initialize_run(self, misc_path, cfg, mode):
        self.known = [f"word{number}" for number in range(200)]

    def row_prep(self, row, cfg, mode):
        notes = os.open(cfg["notes"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(notes, f"{mode} {row['id']}\n".encode())
        os.close(notes)
        words = row["text"].split()[: cfg["longest"]]
        # As slow as a tokenizer in Python: a search through a list, again and again.
        codes = [self.known.index(word) for word in words for _ in range(40)][::40]
        return {"codes": torch.tensor(codes), "label": row["label"]}

    def collate_fn(self, batch, cfg, mode):
        for row in batch:
            row["codes"] += 1
        codes = nn.utils.rnn.pad_sequence([row["codes"] for row in batch], batch_first=True)
        return {"codes": codes, "labels": torch.tensor([row["label"] for row in batch])}

    def create_model(self, cfg):
        return Classifier(cfg["width"])

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["codes"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["labels"]}
        return functional.cross_entropy(logits, minibatch["labels"]), outputs


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(201, width, padding_idx=0)
        self.head = nn.Linear(width, 3)

    def forward(self, codes):
        return self.head(self.embedding(codes).sum(dim=1))
