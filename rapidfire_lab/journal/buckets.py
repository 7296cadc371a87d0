"""Lowest and highest value of each 256 minibatches: what charts of long runs are drawn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from rapidfire_lab.journal.records import MetricPoint

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET_STEPS = 256

UPSERT = """
INSERT INTO metric_buckets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, name, bucket) DO UPDATE SET
    low_step = CASE WHEN excluded.low < low THEN excluded.low_step ELSE low_step END,
    low_time = CASE WHEN excluded.low < low THEN excluded.low_time ELSE low_time END,
    low = min(low, excluded.low),
    high_step = CASE WHEN excluded.high > high THEN excluded.high_step ELSE high_step END,
    high_time = CASE WHEN excluded.high > high THEN excluded.high_time ELSE high_time END,
    high = max(high, excluded.high)
"""


class Bucket(msgspec.Struct):
    """The points with the lowest and the highest value."""

    low: MetricPoint
    high: MetricPoint

    def take(self, point: MetricPoint) -> None:
        if point.value < self.low.value:
            self.low = point
        if point.value > self.high.value:
            self.high = point

    def columns(self) -> tuple[float, int, float, float, int, float]:
        low, high = self.low, self.high
        return (low.value, low.step, low.time, high.value, high.step, high.time)


def bucket_of(step: int) -> int:
    return (step - 1) // BUCKET_STEPS


def summarise(points: Iterable[MetricPoint]) -> dict[tuple[str, int], Bucket]:
    """Buckets of points by metric name and number; NaN and infinity count for nothing, nor do metrics of epochs."""
    buckets: dict[tuple[str, int], Bucket] = {}
    for point in points:
        if point.per != "step" or not math.isfinite(point.value):
            continue
        place = (point.name, bucket_of(point.step))
        known = buckets.get(place)
        if known is None:
            buckets[place] = Bucket(point, point)
        else:
            known.take(point)
    return buckets
