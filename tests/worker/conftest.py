from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from rapidfire_lab.worker import rng
from rapidfire_lab.worker.rng import RngState, seed_everything


class Generators:
    """The process's generators, put back after the test."""

    def draw(self):
        """Numbers from each generator, also from those that make two at a time."""
        return (
            torch.rand(3).tolist(),
            torch.randn(1).item(),
            np.random.rand(3).tolist(),
            np.random.randn(),
            [random.random(), random.randint(0, 10**9), random.gauss(0, 1)],
            self.draw_cuda(),
        )

    def draw_cuda(self):
        return None


@pytest.fixture
def generators():
    before = RngState.capture()
    seed_everything(123)
    yield Generators()
    before.restore()


@pytest.fixture
def fake_cuda(monkeypatch, generators):
    """A generator that stands in for the GPU's, where there is none."""
    generator = torch.Generator().manual_seed(5)
    monkeypatch.setattr(torch.cuda, "get_rng_state", generator.get_state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", generator.set_state)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", generator.manual_seed)
    monkeypatch.setattr(rng, "_seed_torch", torch.manual_seed)  # as where torch knows GPUs
    generators.draw_cuda = lambda: torch.rand(2, generator=generator).tolist()
    return generator
