"""Ray Tune's ASHA on the same curves, in Ray's own environment: its scheduler is asked after each epoch of a config."""

from __future__ import annotations

import json
import random
import sys
from types import SimpleNamespace

from ray.tune.schedulers import AsyncHyperBandScheduler

from benchmarks.search_curves import EPOCHS, SURFACES, curve

_WORKERS = 8


def play(surface: str, seed: int, budget: int) -> float:
    """Train random configs, eight side by side, until the budget of epochs is spent; gives the best true end."""
    scheduler = AsyncHyperBandScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=3)
    scheduler.set_search_properties("loss", "min")
    evaluate, dimensions = SURFACES[surface]
    rng = random.Random(seed)
    running: list[tuple[SimpleNamespace, list[float], list[float]]] = []
    ends: list[tuple[float, float]] = []
    number = 0
    while budget > 0:
        while len(running) < _WORKERS:
            point = [rng.random() for _ in range(dimensions)]
            trial = SimpleNamespace(trial_id=str(number), config={})
            scheduler.on_trial_add(None, trial)
            running.append((trial, point, curve(surface, point, seed)))
            number += 1
        trial, point, losses = running.pop(0)
        budget -= 1
        epoch = EPOCHS - len(losses) + 1
        loss = losses.pop(0)
        decision = scheduler.on_trial_result(None, trial, {"training_iteration": epoch, "loss": loss})
        if decision == "CONTINUE" and losses:
            running.append((trial, point, losses))
        elif not losses:
            ends.append((loss, evaluate(point)))
    return min(ends)[1] if ends else 1.0


if __name__ == "__main__":
    surface_name, seeds, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps([play(surface_name, seed, epochs) for seed in range(seeds)]))
