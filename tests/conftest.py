"""Fixtures: engines of their own homes, and the digits images as an example data set."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pandas as pd
import psutil
import pytest

from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.launcher import MARKER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A loaded machine is slow, and no test is about that.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
SPECS = Path(__file__).resolve().parent / "specs"
DEADLINE = 180.0
"""Seconds that a condition may take on a loaded machine before a test gives up."""


def wait_until(condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Wait for a condition, with a message that says what did not happen."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline:.0f} s for: {what}")
        time.sleep(0.02)


def kill(role: str) -> None:
    """Kill a process of the engine; when it is being started again, the next one."""

    def killed() -> bool:
        pid = EngineClient().status()["processes"].get(role)
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    wait_until(killed, f"a living {role}")


def engine_processes(home: EngineHome) -> list[psutil.Process]:
    """Every live process that carries the mark of this home's engine."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            marked = process.environ().get(MARKER_VARIABLE) == str(home.root)
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextlib.contextmanager
def engine_home(root: Path, **settings: object) -> Iterator[EngineHome]:
    """A home of its own; its engine is stopped in the end, and must leave no process behind."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("RAPIDFIRE_LAB_")]:
        del os.environ[name]
    os.environ["RAPIDFIRE_LAB_HOME"] = str(root)
    os.environ.update({f"RAPIDFIRE_LAB_{name.upper()}": str(value) for name, value in settings.items()})
    home = EngineHome.default()
    try:
        yield home
        EngineClient(home).stop()
        wait_until(lambda: not engine_processes(home), "the engine's processes to be gone", 30)
    finally:
        for process in engine_processes(home):
            with contextlib.suppress(psutil.Error):
                process.kill()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHome]:
    """An engine home with two slots, without tracking, shared by a module's tests."""
    with engine_home(tmp_path_factory.mktemp("home"), slots=2, tracking=False, device="cpu") as made:
        yield made


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits images as PNG files and CSV, in a folder."""
    sys.path.insert(0, str(ROOT / "examples" / "digits"))
    try:
        from digits_data import write_digits
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder)
    return folder


@pytest.fixture
def handle(digits: Path) -> DataHandle:
    """A third of the digits, for training and validation."""
    return digits_handle(digits)


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> DataHandle:
    """320 training and 64 validation rows of two numbers and a label."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("points")
    for partition, rows in (("train", 320), ("validation", 64)):
        values = rng.normal(size=(rows, 2))
        label = (values[:, 0] > 0).astype(int) + (values[:, 1] > 0.5)
        table = pd.DataFrame({"id": range(rows), "a": values[:, 0], "b": values[:, 1], "label": label})
        table.to_csv(folder / f"{partition}.csv", index=False)
    return DataHandle({name: folder / f"{name}.csv" for name in ("train", "validation")})


@pytest.fixture
def experiment(home: EngineHome, request: pytest.FixtureRequest) -> Iterator[Experiment]:
    """An experiment on specs/paced.py, named after the test."""
    made = Experiment(SPECS / "paced.py", re.sub(r"[^a-z0-9]+", "-", request.node.name))
    yield made
    made.cancel_current()
    made.end()


def paced_config(width: int = 8, pause: float = 0.0, **knobs: Any) -> dict[str, Any]:
    """Return a config for specs/paced.py: 10 minibatches an epoch."""
    train = {"epochs": knobs.pop("epochs", 2), "batch_size": 32}
    optimizer = {"name": "AdamW", "args": {"lr": 0.01}}
    return {
        "train": {**train, "optimizer": optimizer},
        "user_knobs": {"width": width, "pause": pause, **knobs},
        "named_metrics": ["top1_accuracy"],
    }


def digits_handle(folder: Path, fraction: float = 0.3) -> DataHandle:
    locators = {}
    for partition in ("train", "validation"):
        locators[partition] = folder / f"{partition}.csv"
        locators[f"{partition}_objects"] = folder / "images"
    return DataHandle(locators, fraction=fraction, seed=7)
