"""``make soak``: faults and operations at random until the time is up, and then the same checks as ever.

``SOAK_MINUTES`` says how long (15), ``FAULTS_SEED`` repeats the choices of an earlier one.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time

import pytest

from tests.faults.checks import assert_all, processes_of
from tests.faults.matrix import IMPOSSIBLE, POINTS, STATES, VICTIMS, Cell
from tests.faults.session import INJECTION, Session

MINUTES = float(os.environ.get("SOAK_MINUTES") or 15)
WIND_UP_SECONDS = 900.0
ARMED = 3
"""Faults that wait for their place at any time."""

STRIKE_SECONDS = (3.0, 20.0)
"""Between two deaths at no place in particular."""

pytestmark = pytest.mark.timeout(60 * MINUTES + 2 * WIND_UP_SECONDS)


class Chaos:
    """Arms random faults, and kills at random times besides, until the time is up."""

    def __init__(self, session: Session, seed: str, until: float) -> None:
        self._session = session
        self._random = random.Random(seed)
        self._until = until
        self._next = 0.0
        self.deaths = 0

    def go_on(self) -> None:
        if time.time() > self._until:
            self._session.disarm()
            return
        if self._session.armed() < ARMED:
            self._session.arm([self._cell()])
        if time.monotonic() > self._next:
            self._next = time.monotonic() + self._random.uniform(*STRIKE_SECONDS)
            self._strike()

    def _cell(self) -> Cell:
        places = [place for place in itertools.product(POINTS, STATES) if place not in IMPOSSIBLE]
        return Cell(self._random.choice(list(VICTIMS)), *self._random.choice(places))

    def _strike(self) -> None:
        victim = self._random.choice(list(VICTIMS))
        subprocess.run(
            [sys.executable, str(INJECTION / "fault_strikes.py"), victim],
            env=self._session.environment(),
            check=False,  # it goes with a machine that stops
        )


def test_soak(points, tmp_path, capsys):
    seed = os.environ.get("FAULTS_SEED") or str(random.SystemRandom().randrange(10**6))
    until = time.time() + 60 * MINUTES
    session = Session(tmp_path / "f", points.locators, seed, kernel=True, until=until)
    with capsys.disabled():
        print(f"\n{MINUTES:g} minutes, FAULTS_SEED={seed}, in {session.folder}")
    chaos = Chaos(session, seed, until)
    try:
        session.run(60 * MINUTES + WIND_UP_SECONDS, chaos.go_on, chaos.go_on)
        with capsys.disabled():
            print(f"{session.deaths()} deaths; {assert_all(session, points, tmp_path)} runs as if undisturbed")
    finally:
        for process in processes_of(session.folder):
            process.kill()
