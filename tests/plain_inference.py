"""Tests and predictions as a plain loop, written from docs/architecture.md, section 5.11."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.utils.data import default_collate

from tests.plain_loop import restore, row_seed, seed_all, states

if TYPE_CHECKING:
    from collections.abc import Iterator


def minibatches(
    spec: Any, cfg: Any, weights: dict[str, torch.Tensor], rows: pd.DataFrame, mode: str, size: int, seed: int
) -> Iterator[tuple[list[int], Any, Any]]:
    """Ids, the minibatch and what ``compute_forward`` returns of it, in the order of the file."""
    saved = states()
    seed_all(seed)
    spec.initialize_run(None, cfg, mode)
    restore(saved)
    seed_all(seed)
    model = spec.create_model(cfg)
    model.load_state_dict(weights)
    model.eval()
    for start in range(0, len(rows), size):
        stretch = rows.iloc[start : start + size]
        ids = stretch["id"].tolist()
        prepared = []
        for place in range(len(stretch)):
            seed_all(row_seed(seed, mode, 0, ids[place]))
            prepared.append(spec.row_prep(stretch.iloc[place], cfg, mode))
        seed_all(row_seed(seed, mode, 0, ids[0]))
        minibatch = default_collate(prepared)
        seed_all(row_seed(seed, mode, 0, ids[0]))
        with torch.no_grad():
            yield ids, minibatch, spec.compute_forward(model, minibatch, cfg, mode)


def config(leaf: dict[str, Any]) -> Any:
    return MappingProxyType({**leaf, **leaf["user_knobs"], **leaf["train"]})


def metrics(
    spec: Any, leaf: dict[str, Any], weights: dict[str, torch.Tensor], rows: pd.DataFrame, size: int, seed: int = 42
) -> dict[str, float]:
    cfg = config(leaf)
    loss_sum, hits, counted = 0.0, 0, []
    for ids, minibatch, (loss, outputs) in minibatches(spec, cfg, weights, rows, "test", size, seed):
        loss_sum += loss.item() * len(ids)
        hits += int((outputs["predictions"] == outputs["targets"]).sum())
        values = spec.compute_metrics(loss, outputs, minibatch, cfg, "test")
        counted.append({name: v.item() if isinstance(v, torch.Tensor) else v for name, v in values.items()})
    aggregated = spec.aggregate_metrics(pd.DataFrame(counted), cfg, "test")
    named = {"top1_accuracy": hits / len(rows)}
    return {"test_loss": loss_sum / len(rows), **named, **{name: float(value) for name, value in aggregated.items()}}


def predictions(
    spec: Any, leaf: dict[str, Any], weights: dict[str, torch.Tensor], rows: pd.DataFrame, size: int, seed: int = 42
) -> list[dict[str, Any]]:
    made = []
    for ids, _, outputs in minibatches(spec, config(leaf), weights, rows, "predict", size, seed):
        plain = {name: v.tolist() if isinstance(v, torch.Tensor) else v for name, v in outputs.items()}
        made += [{"id": number, **{name: plain[name][place] for name in plain}} for place, number in enumerate(ids)]
    return made
