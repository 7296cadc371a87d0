"""A trained model in this process, for tests and predictions: the contract of docs/architecture.md, section 5.11."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from rapidfire_lab.configs import Config
from rapidfire_lab.data.order import row_seed
from rapidfire_lab.errors import DataError, SpecError
from rapidfire_lab.metrics import EpochMetrics
from rapidfire_lab.model_files import read_model, tensors_of
from rapidfire_lab.storage import digest_of
from rapidfire_lab.worker.checkpoint import load_checkpoint, load_weights
from rapidfire_lab.worker.forward import autocast, count_minibatch
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput, to_device
from rapidfire_lab.worker.names import as_named_in
from rapidfire_lab.worker.process_state import ProcessState
from rapidfire_lab.worker.rng import own_rng, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rapidfire_lab.data import Partition
    from rapidfire_lab.engine.protocol import JobKind
    from rapidfire_lab.worker.prepared import PreparedData

_EXTRA_STATE = "_extra_state"
_TOLD = 5


@dataclass(frozen=True)
class InferencePlan:
    """What is to be done, with which weights and on which rows."""

    mode: JobKind
    config: dict[str, Any]
    seed: int
    misc_path: str | None
    partition: Partition
    weights: Path
    weights_sha256: str | None
    prepared: PreparedData | None = None


class Inference:
    """A model with its weights, and the rows of a partition. What it gives for a minibatch depends on that alone."""

    def __init__(self, plan: InferencePlan, spec_class: type[Any], device: torch.device) -> None:
        self._plan = plan
        self._device = device
        self._cuda = device.type == "cuda"
        with own_rng(plan.seed, cuda=self._cuda):
            self._hooks = Hooks(spec_class, Config(plan.config))
            self._hooks.initialize_run(plan.misc_path, plan.mode)
        prepared, mode = plan.prepared, plan.mode
        shared = prepared.rows(self._hooks, plan.partition, mode, plan.seed) if prepared else None
        self._input = MinibatchInput(self._hooks, plan.partition, mode, plan.seed, cuda=self._cuda, shared=shared)
        seed_everything(plan.seed)
        self._model = self._make_model()
        self._process = ProcessState.capture()

    def _make_model(self) -> nn.Module:
        model = self._hooks.create_model()
        if not isinstance(model, nn.Module):
            message = f"create_model must return a torch.nn.Module, not {type(model).__name__}."
            raise SpecError(message)
        model = model.to(self._device)
        self._load(model, self._tensors())
        return model.eval()

    def _tensors(self) -> dict[str, Any]:
        """What is to be loaded into the model."""
        weights, sha256 = self._plan.weights, self._plan.weights_sha256
        if sha256 is not None:
            if digest_of(weights).sha256 != sha256:
                message = f"{weights} was changed since this was asked for; ask again to use the new content."
                raise DataError(message)
            return dict(tensors_of(read_model(weights), weights))
        state = weights.with_suffix(".state.pt")
        if not state.exists():
            return dict(load_weights(weights))
        tensors, rest = load_checkpoint(weights, state)
        return {**tensors, **rest["extra"]}

    def _load(self, model: nn.Module, tensors: dict[str, Any]) -> None:
        try:
            missing, unexpected = model.load_state_dict(as_named_in(model, tensors), strict=False)
        except RuntimeError as error:
            message = f"The weights {self._plan.weights} do not fit the model that create_model makes: {error}"
            raise SpecError(message) from error
        # A checkpoint of an epoch has tensors alone.
        lacking = [name for name in missing if not name.endswith(_EXTRA_STATE)]
        if lacking or unexpected:
            message = (
                f"The weights {self._plan.weights} do not fit the model that create_model makes. "
                f"Missing there: {_told(lacking)}. Not in the model: {_told(unexpected)}. The config must be one that "
                "makes a model of the same architecture."
            )
            raise SpecError(message)

    # Minibatches

    def test(self, minibatches: Iterable[list[int]], keep_going: Callable[[], None]) -> list[dict[str, Any]]:
        """Metrics of each minibatch, as `summary` takes them; ``keep_going`` is called before each."""
        counted = []
        for positions, minibatch, result in self._forward(minibatches, keep_going):
            metrics = EpochMetrics(self._named)
            with torch.no_grad():
                count_minibatch(metrics, self._hooks, result, minibatch, "test", len(positions))
            counted.append(metrics.to_plain())
        return counted

    def predict(
        self, minibatches: Iterable[list[int]], keep_going: Callable[[], None]
    ) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """Ids and outputs of each minibatch."""
        for positions, _, result in self._forward(minibatches, keep_going):
            outputs = result[1] if isinstance(result, tuple) and len(result) == 2 else result  # noqa: PLR2004
            if not isinstance(outputs, dict):
                message = (
                    "compute_forward must return the outputs dictionary in mode 'predict'; it returned "
                    f"{type(result).__name__}."
                )
                raise SpecError(message)
            yield self._plan.partition.ids[positions].tolist(), outputs

    def _forward(
        self, minibatches: Iterable[list[int]], keep_going: Callable[[], None]
    ) -> Iterator[tuple[list[int], Any, Any]]:
        self._process.apply()
        plan = self._plan
        precision = plan.config["train"].get("precision", "fp32")
        for positions in minibatches:
            keep_going()
            with torch.no_grad():
                minibatch = to_device(self._input.minibatch(0, positions), self._device)
                # Whoever has made the minibatches before: what this one draws is its own.
                seed_everything(row_seed(plan.seed, plan.mode, 0, int(plan.partition.ids[positions[0]])))
                with autocast(self._device, precision):
                    result = self._hooks.compute_forward(self._model, minibatch, plan.mode)
                yield positions, minibatch, result
        self._process = ProcessState.capture()

    @property
    def _named(self) -> list[str]:
        named: list[str] = self._plan.config["named_metrics"]
        return named

    def summary(self, minibatches: Iterable[dict[str, Any]]) -> dict[str, float]:
        """Metrics of the whole partition, from those of its minibatches in order."""
        self._process.apply()
        whole = EpochMetrics(self._named)
        for plain in minibatches:
            whole.add_pass(EpochMetrics.from_plain(self._named, plain))
        seed_everything(self._plan.seed)
        return whole.results(self._hooks, "test")


def _told(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return (", ".join(names[:_TOLD]) or "nothing") + more
