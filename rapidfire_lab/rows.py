"""One row per run, as every view shows it: the notebook's table, the terminal's, and the server's answers."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from rapidfire_lab.configs.diff import differing_knobs, get_path
from rapidfire_lab.configs.secrets import hide_secret_at
from rapidfire_lab.journal import ACTIVE_STATUSES
from rapidfire_lab.time_left import TimeLeft

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord

API_LEVEL = 2
"""Level of the REST API, which server, front end and the outputs in notebooks must agree on."""

TREND_VALUES = 24
FALLBACK_METRIC = "minibatch_loss"
"""What the trend shows of a run that has not finished an epoch."""

_LONGEST_TEXT = 200
_LONGEST_VALUE = 1_000
_MOST_CACHED = 64


class RunRow(msgspec.Struct, kw_only=True):
    """One run. The fields are those of a run in the REST API, which says what they mean (``docs/openapi.yaml``)."""

    run_id: int
    status: str
    wanted: str | None
    ended_by: str | None
    source: str
    parent: int | None
    search: str | None
    warm_start: bool
    epochs: int
    completed_epochs: int
    steps_per_epoch: int
    step: int
    total_steps: int
    progress: float
    epoch_progress: float
    seconds: float
    seconds_left: float | None
    created: float
    started: float | None
    ended: float | None
    slot: int | None
    device: str | None
    error: str | None
    loss: float | None
    metrics: dict[str, float]
    trend: list[float | None]
    knobs: dict[str, Any]

    @property
    def active(self) -> bool:
        return self.status in ACTIVE_STATUSES

    @property
    def epoch(self) -> str:
        """Position in epochs, for people."""
        return f"{self.completed_epochs}/{self.epochs}"

    @property
    def note(self) -> str:
        return "stopping" if self.wanted else self.ended_by or ""


def make_rows(
    journal: JournalReader, runs: Sequence[RunRecord], knobs: Iterable[str], metric: str | None = None
) -> list[RunRow]:
    """Turn runs into rows with the values of these knobs, and the trend of ``metric`` where one is given.

    Runs that have not finished an epoch have the trend of `FALLBACK_METRIC`, to be given where there is no other.
    A run whose config cannot be read gets a row without knobs that says so.
    """
    keys = [run.id for run in runs]
    last: dict[int, dict[str, tuple[int, float]]] = {}
    for value in journal.last_epoch_values(keys):
        last.setdefault(value.run, {})[value.name] = (value.step, value.value)
    trends = _trends(journal, runs, metric, last) if metric else {}
    rows = [
        _row(run, list(knobs), {name: value for name, (_, value) in last.get(run.id, {}).items()}, trends.get(run.id))
        for run in runs
    ]
    if any(run.status == "running" for run in runs):
        left = TimeLeft(journal)
        for run, row in zip(runs, rows, strict=True):
            row.seconds_left = left.of(run.id)
    return rows


def _row(run: RunRecord, knobs: list[str], metrics: dict[str, float], trend: list[float | None] | None) -> RunRow:
    step = max(run.step, run.live_step)
    completed = run.status == "completed"
    done = min(1.0, step / run.total_steps) if run.total_steps else 0.0
    in_epoch = (step - run.completed_epochs * run.steps_per_epoch) / max(1, run.steps_per_epoch)
    values, problem = _knob_values(run, knobs)
    return RunRow(
        run_id=run.run_id,
        status=run.status,
        wanted=run.wanted,
        ended_by=run.ended_by,
        source=run.source,
        parent=run.parent,
        search=run.search,
        warm_start=run.warm_start,
        epochs=run.epochs,
        completed_epochs=run.completed_epochs,
        steps_per_epoch=run.steps_per_epoch,
        step=step,
        total_steps=run.total_steps,
        progress=1.0 if completed else done,
        epoch_progress=1.0 if completed else min(1.0, max(0.0, in_epoch)),
        seconds=run.seconds,
        seconds_left=None,
        created=run.created,
        started=run.started,
        ended=run.ended,
        slot=run.slot,
        device=run.device,
        error=_first_line(run.error) if run.status == "failed" else problem,
        loss=run.live_loss,
        metrics=metrics,
        trend=trend or [],
        knobs=values,
    )


def _first_line(text: str | None) -> str | None:
    return text.strip().partition("\n")[0] if text else text


# Knobs


_known_knobs: OrderedDict[tuple[object, ...], list[str]] = OrderedDict()


def experiment_knobs(journal: JournalReader, experiment: ExperimentRecord) -> list[str]:
    """The knobs that differ between an experiment's runs. Configs are read only after runs came or went."""
    place = (experiment.path, experiment.created, experiment.id, *journal.last_run(experiment.id))
    known = _known_knobs.get(place)
    if known is None:
        known = differing(journal.configs(experiment.id))
        _known_knobs[place] = known
        if len(_known_knobs) > _MOST_CACHED:
            _known_knobs.popitem(last=False)
    return known


def differing(configs: Iterable[str]) -> list[str]:
    """The knobs that differ between configs; those that cannot be read are passed over."""
    leaves = [leaf for leaf in map(read_leaf, configs) if leaf is not None]
    return differing_knobs(leaves) if leaves else []


def read_leaf(config: str) -> dict[str, Any] | None:
    """A run's config; None where it cannot be read."""
    try:
        leaf = json.loads(config)
    except (ValueError, RecursionError):
        return None
    return leaf if isinstance(leaf, dict) else None


def _knob_values(run: RunRecord, knobs: list[str]) -> tuple[dict[str, Any], str | None]:
    leaf = read_leaf(run.config) if knobs else {}
    if leaf is None:
        return {}, "The config of this run cannot be read."
    return {name: _shortened(hide_secret_at(name, get_path(leaf, name))) for name in knobs}, None


def _shortened(value: Any) -> Any:
    """A value that fits into a table, whatever users put into their configs."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
    if isinstance(value, list | dict):
        text = json.dumps(value)
        return value if len(text) <= _LONGEST_VALUE else text[:_LONGEST_TEXT] + "…"
    return value


# Metrics


def most_telling(names: Iterable[str]) -> list[str]:
    """Metrics in the order in which they tell of a run: losses, then the validation's, then the rest."""

    def rank(name: str) -> int:
        if name == "learning_rate":
            return 3
        return 0 if name.endswith("_loss") else 1 if not name.startswith("train_") else 2

    return sorted(names, key=rank)


def key_metric(names: Sequence[str], wanted: str | None = None) -> str | None:
    """The metric that runs are compared by: the wanted one where there are points of it."""
    for name in (wanted, "val_loss", "train_loss"):
        if name in names:
            return name
    return names[0] if names else None


def _trends(
    journal: JournalReader, runs: Sequence[RunRecord], metric: str, last: dict[int, dict[str, tuple[int, float]]]
) -> dict[int, list[float | None]]:
    ends = {run.id: last[run.id][metric][0] for run in runs if metric in last.get(run.id, {})}
    by_epoch = [(run.id, step) for run in runs if run.id in ends for step in _epoch_ends(run, ends[run.id])]
    by_step = [
        (run.id, step)
        for run in runs
        if not last.get(run.id)
        for step in _spaced(_begin(run) + 1, max(run.step, run.live_step), TREND_VALUES)
    ]
    trends: dict[int, list[float | None]] = {}
    for name, per, places in ((metric, "epoch", by_epoch), (FALLBACK_METRIC, "step", by_step)):
        identifier = journal.metric_id(name, per) if places else None
        if identifier is not None:
            for run, value in journal.values_at(identifier, places):
                trends.setdefault(run, []).append(value)
    return trends


def _epoch_ends(run: RunRecord, last_step: int) -> list[int]:
    size = max(1, run.steps_per_epoch)
    # An epoch whose minibatches are all the parent's may have been left without its end.
    first = max(1, -(-_begin(run) // size))
    return [epoch * run.steps_per_epoch for epoch in _spaced(first, last_step // size, TREND_VALUES)]


def _begin(run: RunRecord) -> int:
    """The step after which the points of a run begin: what came before is its parent's."""
    return (run.parent_step or 0) if run.continue_position else 0


def _spaced(first: int, last: int, most: int) -> list[int]:
    """Up to ``most`` of the numbers from ``first`` to ``last``, evenly spaced, with both ends."""
    count = last - first + 1
    if count <= most:
        return list(range(first, last + 1))
    return [first + round(index * (count - 1) / (most - 1)) for index in range(most)]
