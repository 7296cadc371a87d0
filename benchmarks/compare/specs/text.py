"""Sentiment of short reviews, tokenised in Python: a regular expression, then a vocabulary with pieces of words."""

# User code, as users write it.
# ruff: noqa: ANN001, ANN201, ANN204, ARG002

import json
import re
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

WORD = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
PAD, UNKNOWN = 0, 1


class MLSpec:
    def initialize_run(self, misc_path, cfg, mode):
        words = json.loads((Path(misc_path) / "vocabulary.json").read_text())
        self.codes = {word: code for code, word in enumerate(words, start=2)}

    def row_prep(self, row, cfg, mode):
        codes = []
        for word in WORD.findall(row["text"].lower()):
            code = self.codes.get(word)
            codes += self.pieces(word) if code is None else [code]
        codes = codes[: cfg["longest"]] or [UNKNOWN]
        return {"codes": torch.tensor(codes), "label": row["label"]}

    def pieces(self, word):
        """Take the longest known pieces from the left."""
        codes, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                code = self.codes.get(word[start:end] if start == 0 else "##" + word[start:end])
                if code is not None:
                    break
            codes.append(UNKNOWN if code is None else code)
            start = end
        return codes

    def collate_fn(self, batch, cfg, mode):
        codes = nn.utils.rnn.pad_sequence([row["codes"] for row in batch], batch_first=True)
        return {"codes": codes, "label": torch.tensor([row["label"] for row in batch])}

    def create_model(self, cfg):
        return Classifier(len(self.codes) + 2, cfg["width"])

    def compute_forward(self, model, minibatch, cfg, mode):
        logits = model(minibatch["codes"])
        outputs = {"logits": logits, "predictions": logits.argmax(dim=1), "targets": minibatch["label"]}
        return functional.cross_entropy(logits, minibatch["label"]), outputs


class Classifier(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embedding = nn.EmbeddingBag(words, width, padding_idx=PAD)
        self.head = nn.Linear(width, 2)

    def forward(self, codes):
        return self.head(self.embedding(codes))
