"""Write scikit-learn's handwritten digits out as PNG files with Example Structure Files beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_ROWS = 1500


def write_digits(folder: Path) -> None:
    """Write 1,797 images of 8 x 8 pixels, ``train.csv`` (1,500 rows) and ``validation.csv`` (297 rows).

    Nothing is done where they are there already.
    """
    if (folder / "validation.csv").exists():
        return
    digits = load_digits()
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        name = f"{number:04d}.png"
        Image.fromarray((pixels * 15.9375).astype("uint8")).save(images / name)
        rows.append({"id": number, "image": name, "label": int(label)})
    table = pd.DataFrame(rows)
    table[:TRAIN_ROWS].to_csv(folder / "train.csv", index=False)
    table[TRAIN_ROWS:].to_csv(folder / "validation.csv", index=False)
