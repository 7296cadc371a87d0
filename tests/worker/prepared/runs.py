"""A spec whose preparation is counted, and runs of it in one process."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import pad_sequence

from rapidfire_lab.configs import Config, normalise
from rapidfire_lab.data import IngestedData, PartitionInfo
from rapidfire_lab.data.order import epoch_order
from rapidfire_lab.spec import MLSpec
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput
from rapidfire_lab.worker.prepared import PreparedData
from rapidfire_lab.worker.rng import own_rng

ROWS = 150
BATCH = 16


class Text(MLSpec):
    """Ragged rows, padded by a collate_fn; of the knobs, row_prep reads `longest` and `lower`."""

    calls = 0

    def initialize_run(self, misc_path, cfg, mode):
        self.lower = cfg.get("lower", False)

    def row_prep(self, row, cfg, mode):
        type(self).calls += 1
        text = row["text"].lower() if self.lower else row["text"]
        return {"codes": torch.tensor([ord(letter) for letter in text[: cfg["longest"]]]), "label": row["label"]}

    def collate_fn(self, batch, cfg, mode):
        codes = pad_sequence([row["codes"] for row in batch], batch_first=True)
        return {"codes": codes, "labels": torch.tensor([row["label"] for row in batch])}


class Run:
    """A run in one process: its hooks, and its input with shared rows or without."""

    def __init__(
        self,
        partition,
        spec,
        store=None,
        memory=None,
        *,
        seed=42,
        mode="train",
        misc=None,
        objects=(),
        one_thread=False,
        **knobs,
    ):
        config = {"epochs": 1, "batch_size": 2, "optimizer": "SGD", "longest": 40, "augment": False, **knobs}
        with own_rng(seed, cuda=False):
            self.hooks = Hooks(spec, Config(normalise(config)))
            self.hooks.initialize_run(misc, mode)
        self.shared = None
        if store:
            data = IngestedData("handle", "fingerprint", {mode: PartitionInfo("", ROWS, list(objects))}, misc)
            self.shared = PreparedData(store, "spec", data, memory).rows(self.hooks, partition, mode, seed)
        self.input = MinibatchInput(self.hooks, partition, mode, seed, shared=self.shared, one_thread=one_thread)

    def epochs(self, count=2):
        return [
            self.input.minibatch(epoch, positions.tolist())
            for epoch in range(count)
            for positions in epoch_order(len(self.input), 42, epoch).split(BATCH)
        ]
