"""``python -m benchmarks.compare WORKLOAD``: all sides in one run, in turns; see ``benchmarks/compare/__init__.py``."""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from benchmarks.common import one_json_line, tell
from benchmarks.compare.measure import adopt_orphans
from benchmarks.compare.ray_environment import NoRayError, ray_python
from benchmarks.compare.sides import ALIASES, SIDES, SideError, Sides
from benchmarks.compare.workloads import WORKLOADS

Measured = tuple[dict[str, list[dict[str, Any]]], dict[str, str]]


def chosen_sides(text: str) -> list[str]:
    """Sides by name, in the order given."""
    names = [name for word in text.split(",") for name in ALIASES.get(word, (word,))]
    unknown = [name for name in names if name not in SIDES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown side {unknown[0]!r}; there are {', '.join((*SIDES, *ALIASES))}")
    return names


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", type=chosen_sides, default="plain,processes,ray,rapidfire")
    parser.add_argument("--rows", choices=("series", "lean"), default="series", help="what the loops give row_prep")
    parser.add_argument("--no-tracking", action="store_true", help="without MLflow, which is on by default")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows, to try something quickly")
    parser.add_argument("--configs", type=int)
    parser.add_argument("--epochs", type=int)
    return parser.parse_args(arguments)


def measure(sides: Sides, names: list[str], repeats: int) -> Measured:
    """Figures of each side and round, and why sides failed; each round begins with the next side."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    failures: dict[str, str] = {}
    for number in range(repeats):
        first = number % len(names)
        for side in names[first:] + names[:first]:
            try:
                figures = sides.measure(side)
            except SideError as error:
                failures[side] = str(error)
                continue
            tell(f"{side}, round {number + 1}: {figures}")
            rounds[side].append(figures)
    return rounds, failures


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of every number; what is no number is that of the first round. None without a round."""
    if not rounds:
        return None
    first = rounds[0]
    numbers = [name for name, value in first.items() if isinstance(value, float)]
    return first | {name: round(statistics.median(one[name] for one in rounds), 4) for name in numbers}


def without_ray(names: list[str]) -> str | None:
    """Have Ray's environment made; why it cannot be, where it cannot."""
    if "ray" not in names:
        return None
    try:
        ray_python()
    except NoRayError as error:
        tell(str(error))
        return str(error)
    return None


def main() -> None:
    options = parse()
    workload = WORKLOADS[options.workload].resized(options.share, options.configs, options.epochs)
    adopt_orphans()
    reason = without_ray(options.sides)
    names = [name for name in options.sides if name != "ray" or reason is None]
    settings: dict[str, object] = {"tracking": not options.no_tracking}
    with one_json_line("compare") as figures:
        tell(f"data in {workload.data()}")
        figures.update(
            workload=workload.name,
            bound=workload.bound,
            configs=workload.configs,
            epochs=workload.epochs,
            train_rows=workload.train_rows,
            validation_rows=workload.validation_rows,
            repeats=options.repeats,
            small=options.repeats < 3 or workload != WORKLOADS[options.workload],
            rows=options.rows,
            tracking=not options.no_tracking,
        )
        rounds, failures = measure(Sides(workload, options.rows, settings), names, options.repeats)
        if reason:
            rounds["ray"], failures["ray"] = [], reason
        figures.update(sides={name: medians(found) for name, found in rounds.items()}, rounds=rounds, failures=failures)


if __name__ == "__main__":
    main()
