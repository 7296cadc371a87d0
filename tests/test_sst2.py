"""Text classification on real film reviews (SST-2), through the same API with a custom collate_fn."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from rapidfire_lab import DataHandle, Experiment, GridSearch, List
from tests.conftest import ROOT, SPECS

SST2 = ROOT.parent / "shared" / "data" / "sst2"

pytestmark = pytest.mark.skipif(not SST2.is_dir(), reason="the SST-2 files are not here")


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sst2")
    for partition, name in (("train", "train"), ("validation", "dev")):
        table = pd.read_csv(SST2 / f"{name}.tsv", sep="\t", names=["text", "label"], quoting=3, keep_default_na=False)
        table.insert(0, "id", range(len(table)))
        table.to_parquet(folder / f"{partition}.parquet")
    misc = folder / "misc"
    misc.mkdir()
    (misc / "stop_words.json").write_text(json.dumps(["the", "a", "an", "of", "and", ",", "."]))
    return DataHandle({"train": folder / "train.parquet", "validation": folder / "validation.parquet", "misc": misc})


def test_reviews_are_classified(home, reviews):
    group = GridSearch(
        {
            "epochs": 3,
            "batch_size": 64,
            "optimizer": {"name": "AdamW", "args": {"lr": List([0.003, 0.01])}},
            "named_metrics": ["top1_accuracy"],
            "width": List([16, 32]),
            "longest": 40,
        }
    )
    experiment = Experiment(SPECS / "sst2.py", "sst2")
    experiment.run_fit(reviews, group)
    info = experiment.get_runs_info()
    assert list(info["status"]) == ["completed"] * 4, list(info["error"])
    last = experiment.get_results().groupby("run_id").last()
    assert last["top1_accuracy"].max() > 0.7
    experiment.end()
