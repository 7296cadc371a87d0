"""Learning curves over known surfaces. Imports nothing of ours: Ray's side uses it, too."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCHS = 27
_NOISE = 0.01
_HARTMANN_SHARES = (1.0, 1.2, 3.0, 3.2)
_HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def branin(point: Sequence[float]) -> float:
    """Branin over the unit square, from 0 at its three best places to 1."""
    x, y = 15 * point[0] - 5, 15 * point[1]
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return (bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887) / 308.0


def hartmann(point: Sequence[float]) -> float:
    """Hartmann over the unit cube of six dimensions, from 0 at its best place to 1."""
    parts = [
        share * math.exp(-sum(a * (x - p) ** 2 for a, x, p in zip(scales, point, places, strict=True)))
        for share, scales, places in zip(_HARTMANN_SHARES, _HARTMANN_A, _HARTMANN_P, strict=True)
    ]
    return 1 - sum(parts) / 3.32237


SURFACES = {"branin": (branin, 2), "hartmann": (hartmann, 6)}


def curve(surface: str, point: Sequence[float], seed: int) -> list[float]:
    """Losses after each epoch of a config: they fall towards the surface at a pace of the config's own, with noise."""
    end = SURFACES[surface][0](point)
    rng = random.Random(f"{surface}/{seed}/{list(point)}")
    pace = 0.6 + 0.4 * point[0]
    return [end + (1 + epoch) ** -pace + rng.gauss(0, _NOISE) for epoch in range(1, EPOCHS + 1)]
