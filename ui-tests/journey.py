"""What the journeys' notebooks import: data, and configs whose minibatches take their time."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from rapidfire_lab import DataHandle, GridSearch, List

SPEC = os.environ["RAPIDFIRE_LAB_SPECS"] + "/paced.py"
DIGITS_SPEC = os.environ.get("RAPIDFIRE_LAB_DIGITS", "") + "/digits_spec.py"


def points():
    """Return 320 training and 64 validation rows of two numbers and a label."""
    folder, rng = Path(tempfile.mkdtemp()), np.random.default_rng(5)
    for partition, rows in (("train", 320), ("validation", 64)):
        values = rng.normal(size=(rows, 2))
        label = (values[:, 0] > 0).astype(int) + (values[:, 1] > 0.5)
        table = pd.DataFrame({"id": range(rows), "a": values[:, 0], "b": values[:, 1], "label": label})
        table.to_csv(folder / f"{partition}.csv", index=False)
    return DataHandle({name: folder / f"{name}.csv" for name in ("train", "validation")})


def group(epochs=1000, pause=0.03):
    """Two configs that train for much longer than a journey takes, unless told otherwise."""
    optimizer = {"name": "AdamW", "args": {"lr": List([0.003, 0.01])}}
    return GridSearch(
        {
            "train": {"epochs": epochs, "batch_size": 32, "optimizer": optimizer},
            "user_knobs": {"width": 8, "pause": pause},
            "named_metrics": ["top1_accuracy"],
        }
    )


def digits():
    """Images of handwritten digits."""
    sys.path.insert(0, os.environ["RAPIDFIRE_LAB_DIGITS"])
    from digits_data import write_digits

    folder = Path(tempfile.mkdtemp())
    write_digits(folder)
    locators = {}
    for partition in ("train", "validation"):
        locators[partition] = folder / f"{partition}.csv"
        locators[f"{partition}_objects"] = folder / "images"
    return DataHandle(locators)
