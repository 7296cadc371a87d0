"""The recovery matrix: who dies x when x in which state of a run. Everything goes on as if nothing had happened.

Four homes go through their cells side by side, each over one experiment of many runs. ``FAULTS_SEED`` repeats the
choices of a run of this file: order of the faults, configs, operations, victims. What is where at the same time is
up to the machine.
"""

from __future__ import annotations

import functools
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import checks
from tests.faults.matrix import HOMES, IMPOSSIBLE, POINTS, STATES, VICTIMS, cells
from tests.faults.session import Session

DEADLINE = 1_500.0
"""Seconds that a home may take on a machine that has much else to do."""

pytestmark = pytest.mark.timeout(2 * DEADLINE)


@pytest.fixture(scope="module")
def seed():
    return os.environ.get("FAULTS_SEED") or str(random.SystemRandom().randrange(10**6))


@pytest.fixture(scope="module")
def under_fault(points, tmp_path_factory, seed):
    """A session for each home, with what becomes of it. Two at a time: a start of an engine keeps one core busy."""
    sessions = {
        home: Session(tmp_path_factory.mktemp(home) / "f", points.locators, f"{seed}-{home}", kernel=home == "parts")
        for home in HOMES
    }
    with ThreadPoolExecutor(2) as pool:
        runs = {
            home: pool.submit(session.run, DEADLINE, functools.partial(session.arm, cells(home)))
            for home, session in sessions.items()
        }
        try:
            yield {home: (session, runs[home]) for home, session in sessions.items()}
        finally:
            pool.shutdown(cancel_futures=True)
            for session in sessions.values():
                for process in checks.processes_of(session.folder):
                    process.kill()


def test_every_cell_is_gone_through_or_impossible():
    every = [cell for home in HOMES for cell in cells(home)]
    assert len(every) == len(set(every)) == len(VICTIMS) * (len(POINTS) * len(STATES) - len(IMPOSSIBLE))
    assert {cell.victim for cell in every} == set(VICTIMS)


@pytest.mark.parametrize("home", HOMES)
def test_nothing_is_lost_and_nothing_is_there_twice(home, under_fault, points, tmp_path, seed, capsys):
    with capsys.disabled():
        print(f"\nFAULTS_SEED={seed}")
    session, run = under_fault[home]
    run.result()
    assert session.fired() == set(map(tuple, cells(home))), session.story()
    checks.assert_all(session, points, tmp_path)
