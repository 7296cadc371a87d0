"""Questions about metric points: few lookups for many runs, and stretches of them for charts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from rapidfire_lab.journal.connection import JournalConnection
from rapidfire_lab.journal.records import MetricPoint

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence


class LastValue(NamedTuple):
    """The last point of a metric of a run."""

    run: int
    name: str
    step: int
    value: float


class PlainPoint(NamedTuple):
    """A point of a metric that is known from where it stands; the value is None for NaN."""

    step: int
    value: float | None
    time: float


class MetricQueries(JournalConnection):
    """Runs are given by their keys in the home."""

    def points(self, run: int, *, per: str, after_step: int = 0, to_step: int | None = None) -> list[MetricPoint]:
        """Metric points of a run in step order, ``per`` step or epoch."""
        rows = self._all(
            "SELECT n.name, n.per, m.step, m.epoch, m.value, m.time"
            " FROM metric_names n CROSS JOIN metrics m ON m.name = n.id"
            " WHERE m.run = ? AND n.per = ? AND m.step > ? AND m.step <= ? ORDER BY m.step, m.name",
            (run, per, after_step, (1 << 62) if to_step is None else to_step),
        )
        return [
            MetricPoint(
                name=row["name"],
                per=row["per"],
                step=row["step"],
                epoch=row["epoch"],
                value=math.nan if row["value"] is None else row["value"],
                time=row["time"],
            )
            for row in rows
        ]

    def metrics_of(self, experiment_id: int) -> list[tuple[str, str]]:
        """Name and ``per`` of every metric that a run of the experiment has points of, in the order of appearance."""
        # Whether a run has points of it still: they may have been trimmed, and the run deleted. The first runs tell.
        rows = self._all(
            "SELECT n.name, n.per FROM experiment_metrics e JOIN metric_names n ON n.id = e.name"
            " WHERE e.experiment_id = ?1 AND EXISTS ("
            " SELECT 1 FROM runs r CROSS JOIN metrics m ON m.run = r.id AND m.name = n.id"
            " WHERE r.experiment_id = ?1 AND r.status != 'deleted') ORDER BY n.id",
            (experiment_id,),
        )
        return [(row["name"], row["per"]) for row in rows]

    def metric_id(self, name: str, per: str) -> int | None:
        rows = self._all("SELECT id FROM metric_names WHERE name = ? AND per = ?", (name, per))
        return rows[0]["id"] if rows else None

    def last_epoch_values(self, runs: Iterable[int]) -> list[LastValue]:
        """The last value of each metric of epochs, of many runs at once."""
        rows = self._all(
            "SELECT m.run, n.name, m.step, m.value"
            " FROM json_each(?) j CROSS JOIN metric_names n CROSS JOIN metrics m"
            " ON m.run = j.value AND m.name = n.id"
            " AND m.step = (SELECT max(step) FROM metrics WHERE run = j.value AND name = n.id)"
            " WHERE n.per = 'epoch' ORDER BY j.key, n.id",
            (json.dumps(list(runs)),),
        )
        return [
            LastValue(row["run"], row["name"], row["step"], math.nan if row["value"] is None else row["value"])
            for row in rows
        ]

    def values_at(self, metric: int, places: Sequence[tuple[int, int]]) -> list[tuple[int, float | None]]:
        """Run and value of one metric at given runs and steps, in their order; those without a point are left out."""
        rows = self._all(
            "SELECT m.run, m.value FROM json_each(?) j CROSS JOIN metrics m"
            " ON m.run = json_extract(j.value, '$[0]') AND m.name = ? AND m.step = json_extract(j.value, '$[1]')"
            " ORDER BY j.key",
            (json.dumps(places), metric),
        )
        return [(row["run"], row["value"]) for row in rows]

    def step_seconds(self, metric: int, runs: Iterable[int]) -> dict[int, float]:
        """Seconds from point to point of a metric, on the average of all of a run; for runs where that can be told."""
        rows = self._all(
            "SELECT j.value AS run, (b.time - a.time) / (b.step - a.step) AS seconds"
            " FROM json_each(?2) j"
            " CROSS JOIN metrics a ON a.run = j.value AND a.name = ?1"
            " AND a.step = (SELECT min(step) FROM metrics WHERE run = j.value AND name = ?1)"
            " CROSS JOIN metrics b ON b.run = j.value AND b.name = ?1"
            " AND b.step = (SELECT max(step) FROM metrics WHERE run = j.value AND name = ?1)"
            " WHERE b.step > a.step AND b.time > a.time",
            (metric, json.dumps(list(runs))),
        )
        return {row["run"]: row["seconds"] for row in rows}

    # Charts

    def metric_spans(self, metric: int, runs: Iterable[int]) -> dict[int, tuple[int, int]]:
        """First and last step at which each run has a point of a metric."""
        rows = self._all(
            "SELECT j.value AS run,"
            " (SELECT min(step) FROM metrics WHERE run = j.value AND name = ?1) AS first,"
            " (SELECT max(step) FROM metrics WHERE run = j.value AND name = ?1) AS last"
            " FROM json_each(?2) j",
            (metric, json.dumps(list(runs))),
        )
        return {row["run"]: (row["first"], row["last"]) for row in rows if row["first"] is not None}

    def plain_points(self, metric: int, run: int, *, from_step: int = 0) -> list[PlainPoint]:
        """Every point of a metric of a run, in step order."""
        rows = self._all(
            "SELECT step, value, time FROM metrics WHERE run = ? AND name = ? AND step >= ? ORDER BY step",
            (run, metric, from_step),
        )
        return [PlainPoint(*row) for row in rows]

    def extremes(self, metric: int, run: int, width: int) -> dict[int, list[PlainPoint]]:
        """The lowest and the highest point of each stretch of ``width`` buckets, by the stretch's number.

        Stretches without a finite value are left out.
        """
        stretches: dict[int, list[PlainPoint]] = {}
        for end in ("low", "high"):
            for row in self._stretches(metric, run, width, end):
                stretches.setdefault(row["stretch"], []).append(PlainPoint(row["step"], row["value"], row["time"]))
        return stretches

    def _stretches(self, metric: int, run: int, width: int, end: str) -> list[sqlite3.Row]:
        # With one min() or max(), SQLite takes the other columns from the row that it found.
        best = "min" if end == "low" else "max"
        query = (
            f"SELECT bucket / ? AS stretch, {best}({end}) AS value, {end}_step AS step, {end}_time AS time"  # noqa: S608 - words of this function
            " FROM metric_buckets WHERE run = ? AND name = ? GROUP BY stretch"
        )
        return self._all(query, (width, run, metric))
