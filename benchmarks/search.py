"""Searches against those of Optuna and Ray Tune: what each has found for the same number of epochs.

``python -m benchmarks.search`` plays them on made-up learning curves over Branin and Hartmann, whose truth is known,
and prints the regret: how much worse than the best there is the config is that a search ends with. All sides have
eight trials side by side, or ``--workers``. With ``--ray`` it makes an environment with Ray first, which takes a
minute.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna

from benchmarks.common import ROOT, one_json_line
from benchmarks.compare.ray_environment import ray_python
from benchmarks.search_curves import EPOCHS, SURFACES, curve
from rapidfire_lab import ASHA, BayesianSearch, Hyperband, Range
from rapidfire_lab.search import make_conductor, settled
from rapidfire_lab.search.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rapidfire_lab.search import Search

    Play = Callable[[str, int, int], float]

_RUNS = 1_000
_SLOTS = 4


def _point(config: Mapping[str, Any]) -> list[float]:
    return [value for name, value in sorted(config["user_knobs"].items())]


def play_ours(make: Callable[..., Search], surface: str, seed: int, budget: int, **options: Any) -> float:
    evaluate, dimensions = SURFACES[surface]
    knobs = {f"x{number}": Range(0.0, 1.0) for number in range(dimensions)}
    space = {"epochs": EPOCHS, "batch_size": 32, "optimizer": "AdamW", **knobs}
    search = make(space, num_runs=_RUNS, seed=seed, budget={"epochs": budget}, **options)
    definition = settled(search.definition(), slots=_SLOTS, chunks=1, now=0.0)
    points: dict[int, list[float]] = {}

    def losses(trial: int, config: Mapping[str, Any]) -> list[float]:
        points[trial] = _point(config)
        return curve(surface, points[trial], seed)

    went = simulate(partial(make_conductor, definition), losses, slots=_SLOTS)
    best = went.best(EPOCHS)
    return evaluate(points[best]) if best >= 0 else 1.0


def play_optuna(
    workers: int,
    sampler: Callable[..., optuna.samplers.BaseSampler],
    pruner: Callable[[], optuna.pruners.BasePruner],
    surface: str,
    seed: int,
    budget: int,
) -> float:
    """As many trials side by side as on our side, each an epoch in turn: by ask and tell, as Optuna's manual has it."""
    evaluate, dimensions = SURFACES[surface]
    study = optuna.create_study(sampler=sampler(seed=seed), pruner=pruner())
    running: list[tuple[optuna.Trial, list[float], list[float]]] = []
    ends: list[tuple[float, float]] = []
    while budget > 0:
        while len(running) < workers:
            trial = study.ask()
            point = [trial.suggest_float(f"x{number}", 0.0, 1.0) for number in range(dimensions)]
            running.append((trial, point, curve(surface, point, seed)))
        trial, point, losses = running.pop(0)
        budget -= 1
        loss, epoch = losses.pop(0), EPOCHS - len(losses)
        trial.report(loss, epoch)
        if not losses:
            study.tell(trial, loss)
            ends.append((loss, evaluate(point)))
        elif trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            running.append((trial, point, losses))
    return min(ends)[1] if ends else 1.0


def _halving() -> optuna.pruners.BasePruner:
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband() -> optuna.pruners.BasePruner:
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3)


_random = optuna.samplers.RandomSampler
_tpe = partial(optuna.samplers.TPESampler, constant_liar=True)


def sides(workers: int) -> dict[str, Play]:
    """All that is played here, with so many trials side by side."""
    ours, theirs = partial(play_ours, concurrency=workers), partial(play_optuna, workers)
    return {
        "ours: ASHA": partial(ours, ASHA),
        "ours: Hyperband": partial(ours, Hyperband),
        "ours: TPE": partial(ours, BayesianSearch),
        "ours: ASHA with TPE": partial(ours, ASHA, sampler="tpe"),
        "Optuna: halving": partial(theirs, _random, _halving),
        "Optuna: Hyperband": partial(theirs, _random, _hyperband),
        "Optuna: TPE": partial(theirs, _tpe, optuna.pruners.NopPruner),
        "Optuna: halving with TPE": partial(theirs, _tpe, _halving),
    }


def _ray(surface: str, seeds: int, budget: int) -> list[float]:
    arguments = ["-m", "benchmarks.search_ray", surface, str(seeds), str(budget)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [ray_python(), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    regrets: list[float] = json.loads(done.stdout.splitlines()[-1])
    return regrets


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=540, help="budget of each search")
    parser.add_argument("--workers", type=int, default=8, help="trials side by side; Ray always has 8")
    parser.add_argument("--ray", action="store_true")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with one_json_line("search") as figures:
        for surface in SURFACES:
            found = {
                name: [play(surface, seed, options.epochs) for seed in range(options.seeds)]
                for name, play in sides(options.workers).items()
            }
            if options.ray:
                found["Ray Tune: ASHA"] = _ray(surface, options.seeds, options.epochs)
            for name, regrets in found.items():
                mean, error = statistics.mean(regrets), statistics.stdev(regrets) / len(regrets) ** 0.5
                print(f"{surface:10} {name:28} regret {mean:.4f} +- {error:.4f}")
                figures[f"{surface}, {name}"] = round(mean, 4)


if __name__ == "__main__":
    main()
