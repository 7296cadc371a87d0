"""Who dies, when, and in which state of a run: the cells of the recovery matrix (docs/architecture.md, section 9)."""

from __future__ import annotations

import itertools
from typing import NamedTuple

VICTIMS = {
    "slot": "the slot that trains the run",
    "controller": "the controller; slots and tracker die with it",
    "agent": "the torchrun agent; the whole engine dies with it",
    "tracker": "the tracker",
    "kernel": "the notebook kernel in which the user's program runs",
    "server": "the Jupyter server, which passes on what its page asks",
    "machine": "everything at once, engine and client: a machine that stops",
}

POINTS = {
    "before-checkpoint": "in the slot, before a lease's checkpoint is written",
    "after-checkpoint": "in the slot, with the checkpoint on the disk and nobody told",
    "before-commit": "in the controller, told of the end of a lease, before the transaction",
    "after-commit": "in the controller, after that transaction, before a slot hears of it",
    "restore": "in the slot, with the files read and the run not yet restored",
    "operation": "in the controller, in a clone or stop: inside the transaction, or before the answer",
    "validation": "in the slot, before a minibatch of a validation pass",
    "outbox": "in the tracker, when MLflow has taken something and nobody was told",
}

STATES = {
    "first": "a run that was not warm, before its first commit",
    "later": "a run with a commit",
    "warm": "a warm clone before its first commit",
}

IMPOSSIBLE = {("restore", "first"): "there is nothing to restore: the run is made from its config"}
"""Points that cannot be reached in a state, and why. Victims who are not at the point are killed all the same."""

HOMES = {
    "parts": ("slot", "tracker", "kernel", "server"),
    "controller": ("controller",),
    "agent": ("agent",),
    "machine": ("machine",),
}
"""Victims that die, one cell after another, while one experiment trains in an engine home of its own."""


class Cell(NamedTuple):
    victim: str
    point: str
    state: str


def cells(home: str) -> list[Cell]:
    """Cells that one home goes through."""
    every = itertools.product(HOMES[home], POINTS, STATES)
    return [Cell(*cell) for cell in every if cell[1:] not in IMPOSSIBLE]
