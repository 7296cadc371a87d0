"""The training contract as a plain PyTorch loop, written from docs/architecture.md and sharing no code with the engine.

It reads the CSV and the images itself. The engine's results must equal its results bit for bit.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import random
import sys
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import default_collate

if TYPE_CHECKING:
    from pathlib import Path


def seed_all(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def states() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), np.random.get_state(), random.getstate(), cuda


def restore(saved: tuple[Any, ...]) -> None:
    torch.set_rng_state(saved[0])
    np.random.set_state(saved[1])
    random.setstate(saved[2])
    if saved[3]:
        torch.cuda.set_rng_state_all(saved[3])


def autocast(options: dict[str, Any], device: str) -> Any:
    precision = options.get("precision", "fp32")
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device, dtype, enabled=precision != "fp32")


def row_seed(seed: int, mode: str, epoch: int, example: int) -> int:
    text = f"{seed}/{mode}/{epoch}/{example}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")


def prepare(
    spec: Any, rows: pd.DataFrame, positions: list[int], cfg: Any, mode: str, seed: int, epoch: int, device: str
) -> Any:
    saved = states()
    prepared = []
    for position in positions:
        seed_all(row_seed(seed, mode, epoch, int(rows["id"].iloc[position])))
        prepared.append(spec.row_prep(rows.iloc[position], cfg, mode))
    seed_all(row_seed(seed, mode, epoch, int(rows["id"].iloc[positions[0]])))
    minibatch = spec.collate_fn(prepared, cfg, mode) if hasattr(spec, "collate_fn") else default_collate(prepared)
    restore(saved)
    return {name: tensor.to(device) for name, tensor in minibatch.items()}


class Pass:
    """Metrics of one pass over a partition."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.count = 0
        self.hits = {1: 0, 3: 0}
        self.rows: list[dict[str, Any]] = []

    def add(self, spec: Any, loss: Any, outputs: Any, minibatch: Any, cfg: Any, mode: str) -> None:
        size = len(outputs["targets"])
        self.loss += loss.item() * size
        self.count += size
        self.hits[1] += int((outputs["predictions"] == outputs["targets"]).sum())
        top = outputs["logits"].topk(3, dim=-1).indices
        self.hits[3] += int((top == outputs["targets"][:, None]).any(dim=1).sum())
        if hasattr(spec, "compute_metrics"):
            values = spec.compute_metrics(loss.detach(), outputs, minibatch, cfg, mode)
            self.rows.append({k: v.item() if isinstance(v, torch.Tensor) else v for k, v in values.items()})

    def values(self, spec: Any, cfg: Any, prefix: str) -> dict[str, float]:
        result = {f"{prefix}top{k}_accuracy": hits / self.count for k, hits in self.hits.items()}
        if self.rows:
            custom = spec.aggregate_metrics(pd.DataFrame(self.rows), cfg)
            result |= {f"{prefix}{name}": float(value) for name, value in custom.items()}
        return result


def train(  # noqa: C901 - the contract in one piece
    spec_path: Path,
    leaf: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    seed: int,
    device: str = "cpu",
    parent: dict[str, Any] | None = None,
    steps: int = sys.maxsize,
    change: tuple[int, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Train one config; returns ``weights``, ``rows`` (metrics per epoch) and ``losses`` (per minibatch).

    It begins with what an earlier call returned as ``parent``, and ends after so many minibatches, where these are
    given. A ``change`` is a config that holds once so many minibatches are done, as if its learning rates had come
    as far.
    """
    torch.set_num_threads(1)
    saved = states()
    seed_all(0)
    sys.path.insert(0, str(spec_path.parent))
    try:
        spec_class = importlib.import_module(spec_path.stem).MLSpec
    finally:
        sys.path.pop(0)
        restore(saved)
    knobs, options = leaf["user_knobs"], leaf["train"]
    cfg = MappingProxyType({**leaf, **knobs, **options})
    saved = states()
    seed_all(seed)
    spec = spec_class()
    if hasattr(spec, "initialize_run"):
        spec.initialize_run(None, cfg, "train")
    restore(saved)
    seed_all(seed)
    model = spec.create_model(cfg).to(device)
    fitting = carry_weights(model, parent["weights"] if parent else {})
    scaler = torch.amp.GradScaler(device, enabled=options.get("precision") == "fp16")
    optimizer = getattr(torch.optim, options["optimizer"]["name"])(model.parameters(), **options["optimizer"]["args"])
    scheduling = options.get("lr_scheduler")
    scheduler = make_scheduler(optimizer, scheduling)
    if parent and parent["optimizer"] == options["optimizer"]["name"]:
        carry_moments(model, optimizer, parent["moments"], fitting)
    rows, losses = [], []
    optimizer_steps = 0
    accumulate = options.get("gradient_accumulation_steps", 1)
    epochs = max(options["epochs"], change[1]["train"]["epochs"] if change else 0)
    for epoch in range(epochs):
        order = torch.randperm(len(tables["train"]), generator=torch.Generator().manual_seed(seed + epoch))
        trained = Pass()
        batches = order.split(options["batch_size"])
        for number, positions in enumerate(batches[: steps - len(losses)]):
            if change and change[0] == len(losses):
                options = change[1]["train"]
                cfg = MappingProxyType({**change[1], **change[1]["user_knobs"], **options})
                model = model_like(model, spec, cfg, seed)
                optimizer, scheduler = optimizer_like(optimizer, model, options, rows, optimizer_steps)
                scheduling = options.get("lr_scheduler")
            minibatch = prepare(spec, tables["train"], positions.tolist(), cfg, "train", seed, epoch, device)
            model.train()
            with autocast(options, device):
                loss, outputs = spec.compute_forward(model, minibatch, cfg, "train")
            losses.append(loss.item())
            trained.add(spec, loss, outputs, minibatch, cfg, "train")
            first = number // accumulate * accumulate
            group = min(accumulate, len(batches) - first)
            if number == first:
                optimizer.zero_grad()
            scaler.scale(loss / group if group > 1 else loss).backward()
            if number == first + group - 1:
                optimizer_step(model, optimizer, scaler, options.get("gradient_clip_norm"))
                optimizer_steps += 1
                if scheduler and scheduling["interval"] == "step":
                    scheduler.step()
        if len(losses) == steps:
            break
        row = {"train_loss": trained.loss / trained.count, **trained.values(spec, cfg, "train_")}
        row |= validate(spec, model, cfg, tables.get("validation"), options, seed, epoch, device)
        row["learning_rate"] = optimizer.param_groups[0]["lr"]
        if scheduler and scheduling["interval"] == "epoch":
            advance(scheduler, row)
        rows.append(row)
    return {
        "weights": {name: tensor.cpu() for name, tensor in model.state_dict().items()},
        "rows": rows,
        "losses": losses,
        "optimizer": options["optimizer"]["name"],
        "moments": {name: optimizer.state[parameter] for name, parameter in model.named_parameters()},
    }


def carry_weights(model: Any, weights: dict[str, torch.Tensor]) -> list[str]:
    own = model.state_dict()
    fitting = [name for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape]
    for name in fitting:
        own[name].copy_(weights[name])
    return fitting


def carry_moments(model: Any, optimizer: Any, moments: dict[str, Any], fitting: list[str]) -> None:
    for name, parameter in model.named_parameters():
        if name in fitting:
            optimizer.state[parameter] = copy.deepcopy(moments[name])


def make_scheduler(optimizer: Any, scheduling: dict[str, Any] | None) -> Any:
    if not scheduling:
        return None
    return getattr(torch.optim.lr_scheduler, scheduling["name"])(optimizer, **scheduling["args"])


def model_like(old: Any, spec: Any, cfg: Any, seed: int) -> Any:
    """A model of another config with the old one's weights and gradients."""
    saved = states()
    seed_all(seed)
    model = spec.create_model(cfg)
    restore(saved)
    carry_weights(model, old.state_dict())
    for parameter, earlier in zip(model.parameters(), old.parameters(), strict=True):
        parameter.grad = earlier.grad
    return model


def optimizer_like(old: Any, model: Any, options: dict[str, Any], rows: Any, steps: int) -> tuple[Any, Any]:
    """An optimizer of another config that has come as far as the old one, and its scheduler."""
    name, scheduling = options["optimizer"]["name"], options.get("lr_scheduler")
    optimizer = getattr(torch.optim, name)(model.parameters(), **options["optimizer"]["args"])
    scheduler = make_scheduler(optimizer, scheduling)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if scheduler and scheduling["interval"] == "step":
            for _ in range(steps):
                scheduler.step()
        elif scheduler:
            for row in rows:
                advance(scheduler, row)
    if type(optimizer) is type(old):
        before = [parameter for group in old.param_groups for parameter in group["params"]]
        for parameter, earlier in zip(model.parameters(), before, strict=True):
            optimizer.state[parameter] = old.state[earlier]
    return optimizer, scheduler


def advance(scheduler: Any, row: dict[str, float]) -> None:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(row.get("val_loss", row["train_loss"]))
    else:
        scheduler.step()


def optimizer_step(model: Any, optimizer: Any, scaler: Any, clip: float | None) -> None:
    if clip:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    scaler.step(optimizer)
    scaler.update()


def validate(
    spec: Any, model: Any, cfg: Any, table: Any, options: Any, seed: int, epoch: int, device: str
) -> dict[str, float]:
    if table is None:
        return {}
    saved = states()
    seen = Pass()
    model.eval()
    with torch.no_grad():
        for start in range(0, len(table), options["batch_size"]):
            positions = list(range(start, min(start + options["batch_size"], len(table))))
            minibatch = prepare(spec, table, positions, cfg, "validation", seed, epoch, device)
            with autocast(options, device):
                loss, outputs = spec.compute_forward(model, minibatch, cfg, "validation")
            seen.add(spec, loss, outputs, minibatch, cfg, "validation")
    restore(saved)
    return {"val_loss": seen.loss / seen.count, **seen.values(spec, cfg, "")}
