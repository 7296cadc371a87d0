"""The training contract: the engine's results equal those of a plain PyTorch loop, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rapidfire_lab import DataHandle, Experiment
from tests import contract
from tests.conftest import SPECS, engine_home
from tests.contract import ADAMW, SGD, SIX_CONFIGS, config

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome

SPEC = SPECS / "digits_augmented.py"
AUGMENTED = [
    {**leaf, "user_knobs": {**leaf["user_knobs"], "augment": True}} for leaf in (SIX_CONFIGS[0], SIX_CONFIGS[3])
]
EXTRAS = [
    config("mlp", SGD, gradient_accumulation_steps=4, gradient_clip_norm=0.5, dropout=0.2),
    config("cnn", ADAMW, precision="bf16"),
]


@pytest.fixture(scope="module")
def two_slots(home: EngineHome) -> EngineHome:
    return home


def _fit_and_compare(configs: list, handle: DataHandle, name: str, store: Path, **fit: int) -> None:
    experiment = Experiment(SPEC, name)
    experiment.run_fit(handle, configs, seed=123, **fit)
    assert list(experiment.get_runs_info()["status"]) == ["completed"] * len(configs)
    expected = contract.plain_results(SPEC, configs, contract.tables(handle, store), 123)
    for run_id, result in enumerate(expected, start=1):
        contract.assert_like_plain_loop(experiment, run_id, result)
    experiment.end()


@pytest.mark.usefixtures("two_slots")
@pytest.mark.parametrize(
    ("name", "configs", "chunks"),
    [
        ("six", SIX_CONFIGS, 7),
        ("augmented", AUGMENTED, 5),
        ("extras", EXTRAS, 5),
        ("adaptive", SIX_CONFIGS[:3], None),
    ],
)
def test_two_slots_equal_the_plain_loop(
    name: str, configs: list, chunks: int | None, handle: DataHandle, tmp_path: Path
) -> None:
    _fit_and_compare(configs, handle, name, tmp_path, num_chunks=chunks)


def test_one_slot_equals_the_plain_loop(handle: DataHandle, tmp_path: Path) -> None:
    with engine_home(tmp_path / "home", slots=1, threads_per_slot=1, tracking=False, device="cpu"):
        _fit_and_compare(SIX_CONFIGS + AUGMENTED, handle, "one-slot", tmp_path / "store", num_chunks=3)


def test_without_residency_every_hop_goes_over_the_disk(handle: DataHandle, tmp_path: Path) -> None:
    with engine_home(tmp_path / "home", slots=2, memory_fraction=0.0, tracking=False, device="cpu"):
        _fit_and_compare(SIX_CONFIGS + AUGMENTED + EXTRAS, handle, "disk", tmp_path / "store", num_chunks=7)
