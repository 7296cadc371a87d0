"""Metrics of one pass over a partition: loss, named metrics and the user's custom metrics.

An accumulator sees minibatches one at a time, can be saved between any two of them, and gives the epoch's values.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rapidfire_lab.configs.named_metrics import COLUMNS_OF_TESTS, RESERVED_METRICS
from rapidfire_lab.errors import RapidfireLabError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks


class NonFiniteLossError(RapidfireLabError):
    """The training loss became NaN or infinite."""


def correct_predictions(metric: str, outputs: Mapping[str, Any]) -> tuple[torch.Tensor, int]:
    """Count hits of a named metric in one minibatch.

    Parameters
    ----------
    metric
        ``top1_accuracy`` compares ``predictions`` with ``targets``, element by element; ``topk_accuracy`` asks whether
        the target is among the k largest ``logits`` of the last dimension.
    outputs
        What ``compute_forward`` returned.

    Returns
    -------
    The number of hits as a 0-d int64 tensor on the outputs' device, and the number of targets.

    Raises
    ------
    SpecError
        When an output that the metric needs is missing or has another shape.
    """
    k = int(metric.removeprefix("top").partition("_")[0])
    predicted = "predictions" if k == 1 else "logits"
    for key in (predicted, "targets"):
        if not isinstance(outputs.get(key), torch.Tensor):
            message = (
                f"The named metric {metric} needs the tensors {predicted!r} and 'targets' among the outputs of "
                f"compute_forward, which returned {sorted(outputs)}."
            )
            raise SpecError(message)
    targets, values = outputs["targets"], outputs[predicted]
    leading = values.shape if k == 1 else values.shape[:-1]
    if leading != targets.shape or (k > 1 and not values.ndim):
        message = (
            f"The named metric {metric} compares {predicted!r} of shape {tuple(values.shape)} with 'targets' of "
            f"shape {tuple(targets.shape)}; they must have the same leading shape."
        )
        raise SpecError(message)
    if k == 1:
        return (values == targets).sum(), targets.numel()
    if values.shape[-1] < k:
        message = f"The named metric {metric} needs at least {k} classes; 'logits' has {values.shape[-1]}."
        raise SpecError(message)
    hits = (values.detach().topk(k, dim=-1).indices == targets.unsqueeze(-1)).any(dim=-1)
    return hits.sum(), targets.numel()


MOST_LATE = 32
"""Losses that may wait on a GPU, so that reading them does not stall every minibatch."""


def losses_of(tensors: Sequence[torch.Tensor]) -> list[float]:
    """Losses as numbers, read back from a GPU at once."""
    if not any(map(_is_read_late, tensors)):
        return [float(loss) for loss in tensors]
    values: list[float] = torch.stack([loss.double().reshape(()) for loss in tensors]).tolist()
    return values


def _is_read_late(loss: torch.Tensor) -> bool:
    return loss.is_cuda


class EpochMetrics:
    """Accumulator of one pass over a partition."""

    def __init__(self, named: Sequence[str]) -> None:
        self._named = tuple(named)
        self._loss_sum = 0.0
        self._examples = 0
        self._late: list[tuple[torch.Tensor, int]] = []
        """Losses that are yet to be read back from a GPU, with their numbers of examples."""
        self._hits: dict[str, tuple[torch.Tensor | int, int]] = dict.fromkeys(self._named, (0, 0))
        self._rows: list[dict[str, Any]] = []

    def add_loss(self, loss: float | torch.Tensor, examples: int) -> None:
        """Add a minibatch's mean loss, weighted by its number of examples; nobody waits for a GPU's."""
        if isinstance(loss, torch.Tensor) and _is_read_late(loss):
            # A copy: a graph of the user's may put the next loss into the same place.
            self._late.append((loss.detach().clone(), examples))
            if len(self._late) >= MOST_LATE:
                self._read_losses()
            return
        self._loss_sum += float(loss) * examples
        self._examples += examples

    def _read_losses(self) -> None:
        late, self._late = self._late, []
        for value, (_, examples) in zip(losses_of([loss for loss, _ in late]), late, strict=True):
            self.add_loss(value, examples)

    def add_outputs(self, outputs: Mapping[str, Any]) -> None:
        for name in self._named:
            hits, total = self._hits[name]
            more_hits, more = correct_predictions(name, outputs)
            self._hits[name] = (hits + more_hits, total + more)

    def add_custom(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Add one row of custom metrics; returns those that are plain numbers.

        Raises
        ------
        SpecError
            When one has the name of a metric of the engine's own.
        """
        self._refuse_reserved("compute_metrics", values)
        row = {str(name): _plain_value(value) for name, value in values.items()}
        self._rows.append(row)
        return {name: float(value) for name, value in row.items() if isinstance(value, numbers.Real)}

    def results(self, hooks: Hooks, mode: Mode) -> dict[str, float]:
        """Values of the whole pass by name; the loss, where there was one, under ``loss``."""
        self._read_losses()
        values: dict[str, float] = {}
        if self._examples:
            values["loss"] = self._loss_sum / self._examples
        for name, (hits, total) in self._hits.items():
            values[name] = int(hits) / total if total else math.nan
        return values | self._aggregated(hooks, mode)

    def _aggregated(self, hooks: Hooks, mode: Mode) -> dict[str, float]:
        if not self._rows:
            return {}
        frame = pd.DataFrame(self._rows)
        if not hooks.has("aggregate_metrics"):
            summed = {str(name): self._sum(frame[name]) for name in frame.select_dtypes("number")}
            _leave_columns_of_tests("compute_metrics", summed, mode)
            return summed
        aggregated = hooks.aggregate_metrics(frame, mode)
        if not isinstance(aggregated, dict):
            message = f"aggregate_metrics must return a dictionary, not {type(aggregated).__name__}."
            raise SpecError(message)
        self._refuse_reserved("aggregate_metrics", aggregated)
        _leave_columns_of_tests("aggregate_metrics", aggregated, mode)
        return {str(name): _as_float(name, value) for name, value in aggregated.items()}

    def _sum(self, column: pd.Series) -> float:
        """Sum of a metric: minibatches without it add nothing, and one where it is NaN makes it NaN."""
        given = (row[column.name] for row in self._rows if column.name in row)
        return math.nan if any(math.isnan(value) for value in given) else float(column.sum())

    def _refuse_reserved(self, hook: str, values: Mapping[str, Any]) -> None:
        taken = sorted({*RESERVED_METRICS, *self._named}.intersection(values))
        if taken:
            message = f"{hook} gives a metric the name {taken[0]!r}, which the engine uses itself; choose another."
            raise SpecError(message)

    def add_pass(self, later: EpochMetrics) -> None:
        """Add what was counted of the minibatches that come next.

        Where ``later`` is of a single minibatch, the sums are bit for bit those of one pass over all.
        """
        later._read_losses()
        self._read_losses()
        self._loss_sum += later._loss_sum
        self._examples += later._examples
        for name, (hits, total) in later._hits.items():
            self._hits[name] = (self._hits[name][0] + hits, self._hits[name][1] + total)
        self._rows += later._rows

    def to_plain(self) -> dict[str, Any]:
        self._read_losses()
        return {
            "loss_sum": self._loss_sum,
            "examples": self._examples,
            "hits": {name: (int(hits), total) for name, (hits, total) in self._hits.items()},
            "rows": [{name: _storable(name, value) for name, value in row.items()} for row in self._rows],
        }

    @classmethod
    def from_plain(cls, named: Sequence[str], plain: dict[str, Any]) -> EpochMetrics:
        metrics = cls(named)
        metrics._loss_sum = plain["loss_sum"]
        metrics._examples = plain["examples"]
        metrics._hits.update({name: tuple(pair) for name, pair in plain["hits"].items()})
        metrics._rows = [{name: _restored(value) for name, value in row.items()} for row in plain["rows"]]
        return metrics


def _leave_columns_of_tests(hook: str, metrics: Mapping[str, Any], mode: Mode) -> None:
    taken = sorted(set(COLUMNS_OF_TESTS).intersection(metrics))
    if not taken:
        return
    message = f"{hook} gives a metric the name {taken[0]!r}, which is a column of the table of tests"
    if mode == "test":
        raise SpecError(f"{message}; choose another.")
    # No training is lost over what only a test minds.
    warnings.warn(f"{message}: run_test will refuse it.", stacklevel=2)


def _plain_value(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return value.item()
    return value.item() if isinstance(value, np.generic) else _own(value)


def _own(value: Any) -> Any:
    """A copy on the CPU: user code may go on to change the tensors and arrays that it gave."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return type(value)(map(_own, value)) if type(value) in (list, tuple) else value


def _as_float(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        message = f"aggregate_metrics must give a number for {name!r}, not {type(value).__name__}."
        raise SpecError(message) from error


_NDARRAY = "__ndarray__"


def _storable(name: str, value: Any) -> Any:
    """Bring a custom metric into a form that a checkpoint can hold and that is loaded without unpickling.

    Types are looked at exactly: what is derived from them, as numpy's float64 is from float, would come back as
    something else or not at all.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or type(plain) in (bool, int, float, str) or isinstance(plain, torch.Tensor):
        return plain
    if type(value) is np.ndarray:
        with contextlib.suppress(TypeError):  # of text or objects
            return {_NDARRAY: torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))}
    if type(value) is dict:
        return {_storable(name, key): _storable(name, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_storable(name, item) for item in value)
    message = (
        f"compute_metrics gave a {_kind(value)} for {name!r}. In training and tests, give numbers, strings, "
        "tensors, numpy arrays of numbers, or lists and dictionaries of them, which a file can hold."
    )
    raise SpecError(message)


def _kind(value: Any) -> str:
    return f"{type(value).__name__} of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if _NDARRAY in value:
            return value[_NDARRAY].numpy()
        return {key: _restored(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_restored(item) for item in value)
    return value
