"""Thinning out: few points that still show every peak of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfire_lab.journal.buckets import BUCKET_STEPS, bucket_of
from rapidfire_lab.journal.metric_queries import PlainPoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rapidfire_lab.journal import JournalReader

_FEWEST_BUCKET_POINTS = 8
"""A chart is drawn from buckets only where they give at least an eighth of the points that may be shown."""


def thinned(
    journal: JournalReader, metric: int, run: int, span: tuple[int, int], *, per: str, most: int
) -> tuple[list[PlainPoint], int]:
    """At most ``most`` points of a metric of a run between two steps, and how many there are.

    Each stretch is shown by its lowest and its highest point, in the order of their steps, and the last point is
    always there. A value of None is a gap: a stretch that has only NaN.
    """
    first, last = span
    buckets = bucket_of(last) - bucket_of(first) + 1
    if per == "epoch" or last - first < most or buckets < most // _FEWEST_BUCKET_POINTS:
        points = [finite(point) for point in journal.plain_points(metric, run)]
        return _thin_points(points, most), len(points)
    shown = list(_from_buckets(journal, metric, run, span, most))
    [end] = journal.plain_points(metric, run, from_step=last)
    # A metric of minibatches has a value for each: they need not be counted.
    return _with_end(shown, finite(end)), last - first + 1


def thinned_against(
    journal: JournalReader, metric: int, by: int, run: int, *, most: int
) -> tuple[list[PlainPoint], list[float], int]:
    """The same of a metric by another one that has a value at the same steps: points, their places, and the number."""
    others = map(finite, journal.plain_points(by, run))
    places = {point.step: point.value for point in others if point.value is not None}
    points = [finite(point) for point in journal.plain_points(metric, run) if point.step in places]
    shown = _thin_points(points, most)
    return shown, [places[point.step] for point in shown], len(points)


def _groups(most: int) -> int:
    return max(1, (most - 1) // 2)


def _from_buckets(
    journal: JournalReader, metric: int, run: int, span: tuple[int, int], most: int
) -> Iterator[PlainPoint]:
    begin, end = bucket_of(span[0]), bucket_of(span[1])
    # Stretches are counted from bucket 0, so that they stay where they are while the run goes on.
    width = max(1, -(-(end + 1 - begin) // max(1, _groups(most) - 1)))
    stretches = journal.extremes(metric, run, width)
    steps = width * BUCKET_STEPS
    yield from _with_gaps(stretches, range(begin // width, end // width + 1), steps)


def _with_gaps(stretches: Mapping[int, list[PlainPoint]], numbers: range, steps: int) -> Iterator[PlainPoint]:
    seen: PlainPoint | None = None
    for number in numbers:
        pair = stretches.get(number)
        if pair is not None:
            yield from _in_order(pair)
            seen = pair[-1]
        elif seen is not None:
            yield PlainPoint(number * steps + steps // 2, None, seen.time)
            seen = None  # one null makes a gap


def _thin_points(points: Sequence[PlainPoint], most: int) -> list[PlainPoint]:
    if len(points) <= most:
        return list(points)
    size = -(-len(points) // _groups(most))
    shown: list[PlainPoint] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        known = [point for point in stretch if point.value is not None]
        shown += _in_order([min(known, key=_value), max(known, key=_value)]) if known else [stretch[0]]
    return _with_end(shown, points[-1])


def _with_end(shown: list[PlainPoint], last: PlainPoint) -> list[PlainPoint]:
    """The last point as it is; a gap is put where its stretch has its middle, which may not be reached yet."""
    return [*(point for point in shown if point.step < last.step), last]


def _in_order(pair: list[PlainPoint]) -> list[PlainPoint]:
    return sorted({point.step: point for point in pair}.values())


def _value(point: PlainPoint) -> float:
    return point.value or 0.0


def finite(point: PlainPoint) -> PlainPoint:
    """The point, with None for infinity."""
    infinite = point.value is not None and abs(point.value) == float("inf")
    return point._replace(value=None) if infinite else point
