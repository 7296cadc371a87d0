"""``python -m benchmarks.compare.report FILE ...``: tables in Markdown from lines of JSON, with the targets.

Reads what ``benchmarks.compare``, ``one_config``, ``metrics_path`` and ``scale`` print (stdin without a file; several
lines in a file are fine). Of lines of one benchmark and workload, the last counts. No figure is written here by hand
but the targets.
"""

from __future__ import annotations

import argparse
import fileinput
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Line = dict[str, Any]

COLUMNS = {
    "total_s": "total, s",
    "whole_s": "with imports, s",
    "first_step_s": "first step, s",
    "first_chunk_s": "all: first chunk, s",
    "first_validation_s": "all: validated, s",
    "cpu_s": "CPU, s",
    "peak_pss_mb": "peak PSS, MB",
    "written_mb": "written, MB",
    "others_cores": "others, cores",
}
TITLES = {
    "plain": "plain loop",
    "processes": "one process per core",
    "ray": "Ray Tune",
    "cold": "rapidfire-lab, cold",
    "warm": "rapidfire-lab, warm",
    "again": "rapidfire-lab, same data again",
}
DISTURBED = 0.2
"""Cores that others may use before a line is worth little."""

TIMES = {
    "digits": ("warm", {"plain": 0.60, "processes": 1.0, "ray": 0.9}),
    "text": ("warm", {"plain": 0.25, "processes": 0.45, "ray": 0.20}),
    "images": ("warm", {"plain": 0.25, "processes": 0.45, "ray": 0.20}),
    "tiny": ("cold", {"plain": 0.8, "processes": 1.0, "ray": 0.2}),
}
"""By workload: the way rapidfire-lab is called, and the most time it may take as a share of each other side's."""

GAIN = 0.95
"""Share of the ideal gain in time until all configs can be compared."""

GAIN_WORKLOADS = ("digits", "text", "images")


@dataclass(frozen=True)
class Verdict:
    """A target, what was measured (None where it was not), and why that decides nothing, where it does not."""

    what: str
    limit: str
    measured: float | None
    met: bool
    doubt: str | None

    @classmethod
    def at_most(cls, what: str, limit: float, measured: float | None, line: Line | None) -> Verdict:
        return cls(what, f"<= {limit:g}", measured, measured is not None and measured <= limit, doubt(line))

    @classmethod
    def at_least(cls, what: str, limit: float, measured: float | None, line: Line | None) -> Verdict:
        return cls(what, f">= {limit:g}", measured, measured is not None and measured >= limit, doubt(line))

    def cells(self) -> list[str]:
        if self.measured is None:
            return [self.what, self.limit, "", "not measured"]
        word = self.doubt or ("yes" if self.met else "**no**")
        return [self.what, self.limit, f"{self.measured:.3g}", word]


def doubt(line: Line | None) -> str | None:
    """Why a line says nothing about targets: it was made smaller than they are meant for, or was disturbed."""
    if line is None:
        return None
    if line["small"]:
        return "undecided: too small"
    return "undecided: disturbed" if others(line) > DISTURBED else None


def others(line: Line) -> float:
    """The most cores that others used while any part of a line was measured."""
    shares = [figures["others_cores"] for figures in line.get("sides", {}).values() if figures]
    return float(max([*shares, line.get("busy_cores_of_others", 0.0)]))


def read(lines: Iterable[str]) -> dict[str, Line]:
    """The last line of each benchmark and workload."""
    found: dict[str, Line] = {}
    for text in lines:
        if text.startswith("{"):
            line = json.loads(text)
            found[line.get("workload", line["benchmark"])] = line
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# Times


def comparison(line: Line) -> str:
    """The sides of a workload: medians."""
    rows = []
    for side, figures in line["sides"].items():
        title = TITLES[side] + (f" {figures['version']}" if figures and "version" in figures else "")
        rows.append([title, *(f"{figures[name]:.3g}" if figures else "" for name in COLUMNS)])
    return table(["side", *COLUMNS.values()], rows)


def ratio(line: Line, way: str, other: str) -> float | None:
    """Time of rapidfire-lab over that of another side: see ``benchmarks/compare/__init__.py``."""
    ours, theirs = line["sides"].get(way), line["sides"].get(other)
    if not ours or not theirs:
        return None
    if way == "cold":
        return float(ours["whole_s"] / theirs["whole_s"])
    return float(ours["total_s"] / (theirs["total_s"] - theirs.get("init_s", 0.0)))


def gain(line: Line, measure: str, chunks: int) -> float | None:
    """How much sooner than by the plain loop all configs can be compared, as a share of ((k - 1) c + 1) / k."""
    plain, warm = line["sides"].get("plain"), line["sides"].get("warm")
    if not plain or not warm:
        return None
    configs = line["configs"]
    ideal = ((configs - 1) * chunks + 1) / configs
    return float(plain[measure] / warm[measure] / ideal)


def time_verdicts(lines: dict[str, Line]) -> Iterator[Verdict]:
    for workload, (way, limits) in TIMES.items():
        line = lines.get(workload)
        for other, limit in limits.items():
            measured = ratio(line, way, other) if line else None
            yield Verdict.at_most(f"{workload}: {TITLES[way]} / {TITLES[other]}", limit, measured, line)


def gain_verdicts(lines: dict[str, Line]) -> Iterator[Verdict]:
    for workload in GAIN_WORKLOADS:
        line = lines.get(workload)
        by_chunk = gain(line, "first_chunk_s", 4 * line["epochs"]) if line else None
        by_epoch = gain(line, "first_validation_s", line["epochs"]) if line else None
        what = f"{workload}: share of the ideal gain until all configs have"
        yield Verdict.at_least(f"{what} the first chunk's loss", GAIN, by_chunk, line)
        yield Verdict.at_least(f"{what} been validated once", GAIN, by_epoch, line)


# Other benchmarks


def at(line: Line | None, *path: str) -> float | None:
    """A figure of a line, where there is one."""
    value: Any = line
    for name in path:
        value = value.get(name) if value else None
    return None if value is None else float(value)


def other_verdicts(lines: dict[str, Line]) -> Iterator[Verdict]:
    one, points, scale = (lines.get(name) for name in ("one_config", "metrics_path", "scale"))
    alone = "one config alone / plain loop on the same threads"
    yield Verdict.at_most(f"{alone}, whole call", 1.03, at(one, "engine_over_series", "wall"), one)
    yield Verdict.at_most(f"{alone}, on the slot", 1.03, at(one, "engine_over_series", "leases"), one)
    ways = points["ways"].values() if points else []
    rate = min((way["points_per_s"] for way in ways), default=None)
    slowest = max((way["slow_down"] for way in ways), default=None)
    yield Verdict.at_least("metric points per second from slot to journal, slowest MLflow", 5_000, rate, points)
    yield Verdict.at_most("step with 5,000 points per second / without, slowest MLflow", 1.03, slowest, points)
    memory = at(scale, "runs", "controller_mb", "after")
    yield Verdict.at_most("controller's memory after 1,000 runs, MB", 500, memory, scale)
    yield Verdict.at_most("decision time, last / first of 1,000 runs", 1.5, at(scale, "runs", "decision_growth"), scale)
    yield Verdict.at_most("attaching to 10 million points, s", 2, at(scale, "journal", "attach_s"), scale)
    yield Verdict.at_most("first table of 10 million points, s", 2, at(scale, "journal", "first_table_s"), scale)


def disturbances(lines: dict[str, Line]) -> Iterator[str]:
    for name, line in lines.items():
        if others(line) > DISTURBED:
            yield f"- `{name}` was disturbed: others used up to {others(line):.2g} cores. Measure it again."
        for side, reason in line.get("failures", {}).items():
            yield f"- `{name}`: {TITLES[side]} failed in a round: {reason}"


def report(lines: dict[str, Line]) -> str:
    machines = {json.dumps(line["environment"] | {"busy_cores_before": None}) for line in lines.values()}
    parts = [machine(json.loads(text)) for text in sorted(machines)]
    for name, line in lines.items():
        if line["benchmark"] == "compare":
            parts += [f"### {name} ({line['bound']}-bound)", description(line), comparison(line)]
    verdicts = [*time_verdicts(lines), *gain_verdicts(lines), *other_verdicts(lines)]
    parts += ["### Targets", table(["target", "limit", "measured", "met"], [verdict.cells() for verdict in verdicts])]
    parts += ["\n".join(disturbances(lines))]
    return "\n\n".join(part for part in parts if part)


def machine(environment: dict[str, Any]) -> str:
    return (
        f"{environment['cores']} cores, {environment['cpu']}, {environment['memory_gb']} GB; "
        f"Python {environment['python']}, torch {environment['torch']}, rapidfire-lab {environment['rapidfire_lab']}."
    )


def description(line: Line) -> str:
    return (
        f"{line['configs']} configs, {line['epochs']} epochs of {line['train_rows']:,} rows and "
        f"{line['validation_rows']:,} to validate; medians of {line['repeats']}; rows: {line['rows']}; "
        f"MLflow {'on' if line['tracking'] else 'off'}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.compare.report", description=__doc__)
    parser.add_argument("files", nargs="*")
    with fileinput.input(parser.parse_args().files) as lines:
        print(report(read(lines)))


if __name__ == "__main__":
    main()
