"""Learning curves made up with known truth: accuracies that rise towards an end of their own, and noise."""

from __future__ import annotations

import random

from rapidfire_lab import Range
from rapidfire_lab.search import make_conductor, settled
from rapidfire_lab.search.simulate import simulate

EPOCHS = 27
RUNS = 27
SPACE = {
    "epochs": EPOCHS,
    "batch_size": 32,
    "optimizer": {"name": "AdamW", "args": {"lr": Range(1e-4, 1e-1, log=True)}},
}


def accuracies(seed, per_epoch=1, *, same=False, noise=0.004, length=EPOCHS):
    """Curves by trial. The noise has a part that all trials have in common, as the data has its difficult places."""
    common = [random.Random(f"common {seed}/{part}").gauss(0, 0.02) for part in range(length * per_epoch)]

    def curve(trial, config):
        rng = random.Random(f"{seed}/{trial}")
        end, gain, power = rng.uniform(0.5, 0.97), rng.uniform(0.4, 0.5), rng.uniform(0.7, 0.9)
        if same:
            end, gain, power = 0.9, 0.4, 0.8
        true = [end - gain * (1 + (part + 1) / per_epoch) ** -power for part in range(length * per_epoch)]
        return [value + shared + rng.gauss(0, noise) for value, shared in zip(true, common, strict=True)]

    return curve


def play(search, curves, **options):
    return play_definition(settle(search), curves, **options)


def settle(search):
    return settled(search.definition(), slots=2, chunks=4, now=0.0)


def play_definition(definition, curves, *, constraint=None, **options):
    return simulate(lambda state: make_conductor(definition, state, constraint=constraint), curves, **options)
