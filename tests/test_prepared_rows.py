"""Rows are prepared once for all runs, epochs, slots, calls of run_fit and engines, and the results are the same."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rapidfire_lab import DataHandle, Experiment
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.settings import EngineSettings, prepared_bytes
from tests import contract
from tests.conftest import SPECS, digits_handle, engine_home, kill, wait_until
from tests.contract import config, fingerprint

SPEC = SPECS / "counted.py"
TRAIN_ROWS, VALIDATION_ROWS = 300, 60
SEED = 123
CHUNKS = 3


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("reviews")
    words = [f"word{number}" for number in range(200)]
    for partition, rows in (("train", TRAIN_ROWS), ("validation", VALIDATION_ROWS)):
        texts = [" ".join(rng.choice(words, rng.integers(3, 40))) for _ in range(rows)]
        table = pd.DataFrame({"id": range(1000, 1000 + rows), "text": texts, "label": rng.integers(0, 3, rows)})
        table.to_csv(folder / f"{partition}.csv", index=False)
    return DataHandle({name: folder / f"{name}.csv" for name in ("train", "validation")})


@pytest.fixture
def notes(tmp_path):
    """A file of each test's own: row_prep reads its path, so tests share no rows."""
    return tmp_path / "notes.txt"


def configs(notes, *longest, widths=(4, 8)):
    sgd = {"name": "SGD", "args": {"lr": 0.05}}
    every = [(most, width) for most in longest or (20,) for width in widths]
    return [config("text", sgd, notes=str(notes), longest=most, width=width) for most, width in every]


def counted(notes):
    """How often row_prep was called for each row since the last question."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    notes.unlink(missing_ok=True)
    return Counter(lines)


NAMES = (f"fit-{number}" for number in itertools.count())


def comparisons(group):
    """Rows that runs prepare, at most, of those that are there: one of each partition whenever a run is made anew."""
    return 2 * len(group) * CHUNKS * contract.TRAIN["epochs"]


def samples(group):
    """Rows, at most, that are prepared twice: comparisons, as many first rows, and one in 64."""
    return 2 * comparisons(group) + 10


def fit(handle, group, spec=SPEC):
    experiment = Experiment(spec, next(NAMES))
    experiment.run_fit(handle, group, seed=SEED, num_chunks=CHUNKS)
    assert list(experiment.get_runs_info()["status"]) == ["completed"] * len(group), experiment.get_runs_info()["error"]
    found = fingerprint(experiment)
    experiment.end()
    return found


def test_a_row_is_prepared_once_for_runs_epochs_slots_fits_and_engines(home, reviews, notes, tmp_path):
    group = configs(notes, widths=(4, 6, 8, 10))
    found = fit(reviews, group)
    calls = counted(notes)
    assert len(calls) == TRAIN_ROWS + VALIDATION_ROWS
    assert sum(calls.values()) <= len(calls) + samples(group)
    assert fit(reviews, group) == found
    assert sum(counted(notes).values()) <= comparisons(group)
    EngineClient().stop()
    assert fit(reviews, group) == found
    assert sum(counted(notes).values()) <= comparisons(group)
    assert fit(reviews, group, SPECS / "counted_alone.py") == found
    assert sum(counted(notes).values()) >= 4 * 2 * (TRAIN_ROWS + VALIDATION_ROWS)


def test_text_equals_the_plain_loop(home, reviews, notes, tmp_path):
    group = configs(notes, 10, 20)
    experiment = Experiment(SPEC, "text-like-plain-loop")
    experiment.run_fit(reviews, group, seed=SEED, num_chunks=CHUNKS)
    calls = counted(notes)
    # Two configs differ in a knob that row_prep reads, two in one that it does not.
    assert sum(calls.values()) >= 2 * len(calls)
    assert sum(calls.values()) <= 2 * len(calls) + 2 * samples(group)
    expected = contract.plain_results(SPEC, group, contract.tables(reviews, tmp_path / "store"), SEED)
    for run_id, result in enumerate(expected, start=1):
        contract.assert_like_plain_loop(experiment, run_id, result)
    experiment.end()


def test_a_slot_that_is_killed_while_it_prepares_changes_nothing(home, reviews, notes):
    group = configs(notes)
    experiment = Experiment(SPEC, "killed-while-preparing")
    experiment.run_fit(reviews, group, seed=SEED, num_chunks=CHUNKS, wait=False)
    for lines in (40, 150):
        wait_until(lambda lines=lines: notes.exists() and notes.read_text().count("\n") > lines, f"{lines} rows")
        kill("slot-0")
    experiment.wait(timeout=180)
    assert list(experiment.get_runs_info()["status"]) == ["completed"] * len(group)
    found = fingerprint(experiment)
    experiment.end()
    counted(notes)
    assert fit(reviews, group) == found
    assert sum(counted(notes).values()) <= comparisons(group)
    assert fit(reviews, group, SPECS / "counted_alone.py") == found


def test_damaged_files_are_not_used(home, reviews, notes):
    group = configs(notes, widths=(4,))
    found = fit(reviews, group)
    EngineClient().stop()
    for path in home.prepared.glob("*/*/*.rows"):
        content = bytearray(path.read_bytes())
        for place in range(200, len(content), 5_000):
            content[place] ^= 0xFF
        path.write_bytes(content)
    counted(notes)
    assert fit(reviews, group) == found
    assert sum(counted(notes).values()) > 10


def test_an_image_that_was_changed_is_read_by_the_next_run_fit(home, digits, tmp_path):
    shutil.copytree(digits, tmp_path / "digits")
    handle = digits_handle(tmp_path / "digits", fraction=0.1)
    group = contract.SIX_CONFIGS[2:3]
    shelves = set(home.prepared.glob("*/*"))
    before = fit(handle, group, SPECS / "digits_augmented.py")
    assert len(set(home.prepared.glob("*/*")) - shelves) >= 2
    changed = contract.tables(handle, tmp_path / "store")["train"]["image"].iloc[3]
    with Image.open(changed) as image:
        inverted = Image.fromarray(255 - np.asarray(image))
    inverted.save(changed)
    experiment = Experiment(SPECS / "digits_augmented.py", "changed-image")
    experiment.run_fit(handle, group, seed=SEED)
    [expected] = contract.plain_results(
        SPECS / "digits_augmented.py", group, contract.tables(handle, tmp_path / "store"), SEED
    )
    contract.assert_like_plain_loop(experiment, 1, expected)
    assert fingerprint(experiment) != before
    experiment.end()


def test_nothing_is_kept_where_there_is_to_be_no_room(reviews, notes, tmp_path):
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu", prepared_gigabytes=0) as home:
        fit(reviews, configs(notes, widths=(4,)))
        assert not home.prepared.exists()
        assert sum(counted(notes).values()) == 2 * (TRAIN_ROWS + VALIDATION_ROWS)


def test_the_default_is_a_fifth_of_what_is_free_and_at_most_10_gb(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    assert 0 < prepared_bytes(EngineSettings(), tmp_path / "prepared") <= min(10**10, free)
    assert prepared_bytes(EngineSettings(prepared_gigabytes=2.5), tmp_path / "prepared") == 2_500_000_000
