"""What a report tells, from the journal: runs from best to worst, and what they cost."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.spelling import did_you_mean
from rapidfire_lab.errors import ConfigError, NotFoundError
from rapidfire_lab.races import races_of
from rapidfire_lab.report.importance import Importance, weigh
from rapidfire_lab.report.trade_offs import TradeOff, trade_offs
from rapidfire_lab.rows import experiment_knobs, key_metric, make_rows, most_telling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rapidfire_lab.journal import ExperimentRecord, JournalReader, RunRecord
    from rapidfire_lab.races import Race
    from rapidfire_lab.rows import RunRow

_LOWER = re.compile("loss|err|perplexity|ppl|mae|mse|rmse|nll|wer|cer|time|seconds|latency", re.IGNORECASE)
"""Words in the names of metrics that are better when smaller; the charts go by the same."""

_PRUNERS = ("search", "policy")
WITHOUT_SEARCH = "without a search"


@dataclass(frozen=True)
class Cost:
    """What a group of runs has cost, and what all of its configs would have, each trained to its end.

    Attributes
    ----------
    name
        Search, or `WITHOUT_SEARCH`.
    trained, whole
        Epochs.
    saved
        Epochs that runs which a search or a policy stopped have not trained.
    seconds, seconds_saved
        On a slot. Those saved are estimated from each run's own pace.
    """

    name: str
    runs: int
    trained: float
    whole: float
    saved: float
    seconds: float
    seconds_saved: float

    @property
    def share(self) -> float:
        """Part of all epochs that was saved."""
        return self.saved / self.whole if self.whole else 0.0


@dataclass(frozen=True)
class Findings:
    """Everything that a report shows.

    Attributes
    ----------
    ranked
        Runs with a finite value of ``metric`` after their last epoch, the best first.
    others
        How many runs have none.
    knobs
        Paths of the knobs that differ between runs, the most important first.
    metrics
        Metrics of epochs, ``metric`` first.
    """

    experiment: str
    metric: str
    mode: str
    ranked: list[RunRow]
    others: int
    knobs: list[str]
    metrics: list[str]
    importance: Importance
    costs: list[Cost]
    races: list[Race]
    trade_offs: list[TradeOff]


def find(
    journal: JournalReader, experiment: ExperimentRecord, metric: str | None = None, mode: str | None = None
) -> Findings:
    """Look through the runs of an experiment that are not deleted.

    Raises
    ------
    NotFoundError
        When there are no runs, or none has completed an epoch.
    ConfigError
        When there is no such metric, with the names that there are, or ``mode`` is none.
    """
    runs = [run for run in journal.runs(experiment.id) if run.status != "deleted"]
    if not runs:
        raise NotFoundError(f"Experiment {experiment.name!r} has no runs to report on: train some with run_fit().")
    names = most_telling(name for name, per in journal.metrics_of(experiment.id) if per == "epoch")
    if not names:
        raise NotFoundError(
            f"No run of experiment {experiment.name!r} has completed an epoch yet: report() compares runs after epochs."
        )
    objectives = _objectives(journal, experiment)
    chosen = _chosen(metric, names, objectives)
    direction = _direction(mode, chosen, objectives)
    knobs = experiment_knobs(journal, experiment)
    rows = make_rows(journal, runs, knobs)
    ranked = _ranked(rows, chosen, direction)
    importance = weigh(journal, runs, knobs, chosen, direction)
    return Findings(
        experiment=experiment.name,
        metric=chosen,
        mode=direction,
        ranked=ranked,
        others=len(rows) - len(ranked),
        knobs=sorted(knobs, key=lambda knob: -importance.shares.get(knob, 0.0)),
        metrics=[chosen, *(name for name in names if name not in (chosen, "learning_rate"))],
        importance=importance,
        costs=_costs(runs),
        races=[race for race in races_of(journal, experiment) if race.intervals],
        trade_offs=trade_offs(journal.policies(experiment.id), rows),
    )


def _objectives(journal: JournalReader, experiment: ExperimentRecord) -> dict[str, str]:
    """What the experiment's searches compare, and whether it is to be ``"min"`` or ``"max"``."""
    found: dict[str, str] = {}
    for policy in journal.policies(experiment.id):
        if policy.definition is not None:
            for name, mode in json.loads(policy.definition)["metrics"]:
                found.setdefault(name, mode)
    return found


def _chosen(metric: str | None, names: Sequence[str], objectives: Iterable[str]) -> str:
    if metric is None:
        return next((name for name in objectives if name in names), None) or key_metric(names) or names[0]
    wanted = str(metric).replace("-", "_")
    found = next((name for name in names if name in (metric, wanted)), None)
    if found is None:
        hint = did_you_mean(str(metric), names)
        known = "" if hint.startswith("known") else f" Known: {', '.join(names)}"
        raise ConfigError(f"report() has no metric {metric!r} of epochs; {hint}{known}")
    return found


def _direction(mode: str | None, metric: str, objectives: dict[str, str]) -> str:
    if mode not in (None, "min", "max"):
        raise ConfigError(f'report() mode must be "min" or "max", not {mode!r}')
    return mode or objectives.get(metric) or ("min" if _LOWER.search(metric) else "max")


def _ranked(rows: Iterable[RunRow], metric: str, mode: str) -> list[RunRow]:
    sign = 1 if mode == "min" else -1
    there = [row for row in rows if math.isfinite(row.metrics.get(metric, math.nan))]
    return sorted(there, key=lambda row: (sign * row.metrics[metric], row.run_id))


def _costs(runs: Sequence[RunRecord]) -> list[Cost]:
    """One for each search and for the other runs, and where there are several the sum of them."""
    groups: dict[str, list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(run.search or WITHOUT_SEARCH, []).append(run)
    found = [_cost(name, group) for name, group in groups.items()]
    return found if len(found) == 1 else [*found, _cost("all runs", runs)]


def _cost(name: str, runs: Sequence[RunRecord]) -> Cost:
    dropped = [run for run in runs if run.status == "stopped" and run.ended_by in _PRUNERS]
    left = {run.id: run.epochs - run.step / _steps(run) for run in dropped}
    return Cost(
        name=name,
        runs=len(runs),
        trained=sum(map(_trained, runs)),
        whole=sum(run.epochs - _inherited(run) for run in runs),
        saved=sum(left.values()),
        seconds=sum(run.seconds for run in runs),
        seconds_saved=sum(left[run.id] * run.seconds / _trained(run) for run in dropped if _trained(run)),
    )


def _trained(run: RunRecord) -> float:
    """Epochs that a run has trained itself."""
    return max(run.step, run.live_step) / _steps(run) - _inherited(run)


def _inherited(run: RunRecord) -> float:
    """Epochs that its parent has trained for it."""
    return (run.parent_step or 0) / _steps(run) if run.continue_position else 0.0


def _steps(run: RunRecord) -> int:
    return max(1, run.steps_per_epoch)


def knob_values(row: RunRow) -> dict[str, Any]:
    """Knobs that a run has."""
    return {name: value for name, value in row.knobs.items() if value is not None}
