"""Runs of a search with several metrics: those that none of the others beats."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.journal import PolicyRecord
    from rapidfire_lab.rows import RunRow


@dataclass(frozen=True)
class TradeOff:
    """What a search with several metrics has come to.

    Attributes
    ----------
    objectives
        Metrics, and whether each is to be ``"min"`` or ``"max"``.
    unbeaten
        Runs than which no other one is better in one metric without being worse in another, by the first metric.
    """

    search: str
    objectives: list[tuple[str, str]]
    unbeaten: list[RunRow]


def trade_offs(policies: Sequence[PolicyRecord], rows: Sequence[RunRow]) -> list[TradeOff]:
    """Look at each search with several metrics; one that no run has finite values of yet is left out."""
    found = []
    for policy in policies:
        objectives = [(name, mode) for name, mode in json.loads(policy.definition or '{"metrics": []}')["metrics"]]
        own = [row for row in rows if row.search == policy.name and _costs(row, objectives) is not None]
        if len(objectives) > 1 and own:
            found.append(TradeOff(policy.name, objectives, _unbeaten(own, objectives)))
    return found


def _costs(row: RunRow, objectives: Sequence[tuple[str, str]]) -> list[float] | None:
    signed = [(1 if mode == "min" else -1) * row.metrics.get(name, math.nan) for name, mode in objectives]
    return signed if all(map(math.isfinite, signed)) else None


def _unbeaten(rows: Sequence[RunRow], objectives: Sequence[tuple[str, str]]) -> list[RunRow]:
    costs = np.array([_costs(row, objectives) for row in rows])
    is_beaten = [bool(((costs <= own).all(axis=1) & (costs < own).any(axis=1)).any()) for own in costs]
    kept = [(own[0], row.run_id, row) for own, row, beaten in zip(costs, rows, is_beaten, strict=True) if not beaten]
    return [row for *_, row in sorted(kept, key=lambda one: one[:2])]
