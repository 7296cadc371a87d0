"""What is measured with an engine."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.common import tell
from benchmarks.gpu.loop import train_all
from benchmarks.gpu.work import Size, Trainer, trainer

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS: dict[str, dict[str, float]] = {
    "device": {},
    # So little that the last run alone stays.
    "host": {"memory_fraction": 1e-9},
    "disk": {"memory_fraction": 0.0, "host_memory_fraction": 0.0},
}
SLOTS = (1, 2, 4)


def medians(rounds: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(statistics.median(seconds), 4) for name, seconds in rounds.items()}


def in_turns(ways: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Median seconds of each way; each round begins with the next."""
    names = list(ways)
    rounds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            rounds[name].append(ways[name]())
            tell(f"{name}, round {number + 1}: {rounds[name][-1]:.3f} s")
    return medians(rounds)


# Hops


def hops(size: Size, device: str, repeats: int) -> dict[str, Any]:
    """Seconds with hops of each kind and without, and whether the results are the same."""
    levels = [name for name in LEVELS if device == "cuda" or name != "host"]
    rounds: dict[str, list[float]] = {}
    prints: dict[str, set[tuple[str, ...]]] = {}
    for level in levels:
        with trainer(size, {"device": device, **LEVELS[level]}) as made:
            for _ in range(repeats):
                # The configs alone each time: the machine may have become slower.
                for name, (took, found) in {"none": _alone(made, size), level: _hopping(made, size)}.items():
                    tell(f"{name}: {took:.3f} s")
                    rounds.setdefault(name, []).append(took)
                    prints.setdefault(name, set()).add(tuple(found))
    seconds = medians(rounds)
    leases = size.configs * size.epochs * size.chunks
    return {
        "seconds": seconds,
        "leases": leases,
        "hop_ms": {level: round((seconds[level] - seconds["none"]) / leases * 1e3, 3) for level in levels},
        "identical": {level: prints[level] == prints["none"] and len(prints[level]) == 1 for level in levels},
    }


def _alone(made: Trainer, size: Size) -> tuple[float, list[str]]:
    each = [made.fit([config], num_chunks=1) for config in size.group()]
    return sum(seconds for seconds, _ in each), [print_ for _, prints in each for print_ in prints]


def _hopping(made: Trainer, size: Size) -> tuple[float, list[str]]:
    return made.fit(size.group(), num_chunks=size.chunks)


# Several slots on one GPU


def sharing(size: Size, device: str, repeats: int) -> dict[str, Any]:
    """Seconds with so many slots."""
    rounds: dict[str, list[float]] = {}
    for slots in SLOTS[:2] if device == "cpu" else SLOTS:
        with trainer(size, {"device": device}, slots) as made:
            rounds[str(slots)] = [made.fit(size.group())[0] for _ in range(repeats)]
    seconds = medians(rounds)
    return {"seconds": seconds, "over_one_slot": _over(seconds, "1")}


# All of it


def total(size: Size, device: str, repeats: int) -> dict[str, Any]:
    """Seconds of a plain loop and of the engine."""
    with trainer(size, {"device": device}) as made:
        train_all(replace(size, configs=1, epochs=1), made.tables, device)
        ways = {
            "plain": lambda: train_all(size, made.tables, device),
            "engine": lambda: made.fit(size.group())[0],
        }
        seconds = in_turns(ways, repeats)
    return {"seconds": seconds, "over_plain": _over(seconds, "plain")}


def fused(size: Size, device: str, repeats: int) -> dict[str, Any]:
    """Seconds with and without ``fuse="auto"``, of more and smaller models, which draw no random numbers."""
    small = replace(size, configs=4 * size.configs, width=max(16, size.width // 32), dropout=0.0)
    with trainer(small, {"device": device}) as made:
        ways = {
            "unfused": lambda: made.fit(small.group())[0],
            "fused": lambda: made.fit(small.group(), fuse="auto")[0],
        }
        seconds = in_turns(ways, repeats)
        paths = made.paths()
    return {"size": vars(small), "seconds": seconds, "over_unfused": _over(seconds, "unfused"), "paths": paths}


def _over(seconds: dict[str, float], base: str) -> dict[str, float]:
    return {name: round(value / seconds[base], 3) for name, value in seconds.items() if name != base}
