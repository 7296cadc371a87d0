"""Data of the workloads: made once, the same everywhere, and kept in a cache folder. Nothing is downloaded.

All but the digits are synthetic. The text has the size and shape of SST-2 (6,919 and 871 reviews of 18.5 words on
average, 51 at most; words by Zipf's law, half of which occur once); the images have that of small photographs.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.common import write_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Write = Callable[[Path, int, int], None]

VERSION = 1
"""Of the generators: other data get another folder."""

_WORDS = 14_000
_KNOWN = 8_000
_SYLLABLES = [first + second for first in "bcdfghklmnprstvw" for second in ("a", "e", "i", "o", "u", "an", "er", "in")]
_MARKS = [",", ".", "!", "'s", "-"]
_PHOTO = (256, 192)


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/rapidfire_lab-benchmarks``, else in ``~/.cache``."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rapidfire_lab-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepared(name: str, write: Write, train: int, validation: int) -> Path:
    """Folder with data of this many rows, written where it is not there yet: it appears whole or not at all."""
    folder = cache_folder() / f"{name}-{VERSION}-{train}-{validation}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            data = Path(temporary) / "data"
            data.mkdir()
            write(data, train, validation)
            data.rename(folder)
    return folder


def digits(folder: Path, train: int, validation: int) -> None:
    """scikit-learn's digits as in ``examples/digits``; there are no more than 1,500 and 297."""
    write_digits(folder)
    for mode, rows in (("train", train), ("validation", validation)):
        pd.read_csv(folder / f"{mode}.csv").head(rows).to_csv(folder / f"{mode}.csv", index=False)


def text(folder: Path, train: int, validation: int) -> None:
    """Reviews of made-up words, each of which speaks for or against; the vocabulary knows the more frequent ones."""
    rng = np.random.default_rng(1)
    words = _vocabulary(rng)
    feeling = rng.normal(size=_WORDS)
    frequency = 1 / (np.arange(_WORDS) + 2.7)
    frequency /= frequency.sum()
    reviews = []
    for number in range(train + validation):
        length = int(np.clip(rng.normal(18.5, 9), 1, 51))
        chosen = rng.choice(_WORDS, length, p=frequency)
        marks = rng.choice(_MARKS, length)
        parts = [words[word] + (f" {mark}" if word % 5 == 0 else "") for word, mark in zip(chosen, marks, strict=True)]
        reviews.append({"id": number, "text": " ".join(parts), "label": int(feeling[chosen].sum() > 0)})
    _write_tables(folder, reviews, train)
    (folder / "misc").mkdir()
    pieces = ["##" + syllable for syllable in _SYLLABLES]
    known = [*words[:_KNOWN], *_SYLLABLES, *pieces, *_MARKS]
    (folder / "misc" / "vocabulary.json").write_text(json.dumps(list(dict.fromkeys(known))))


def _vocabulary(rng: np.random.Generator) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < _WORDS:
        words["".join(rng.choice(_SYLLABLES, int(rng.integers(1, 5))))] = None
    return list(words)


def images(folder: Path, train: int, validation: int) -> None:
    """Photographs of one of four patterns, under noise: JPEG and PNG in turn."""
    rng = np.random.default_rng(2)
    (folder / "images").mkdir()
    rows = []
    for number in range(train + validation):
        label = int(rng.integers(4))
        name = f"{number:05d}.{'png' if number % 2 else 'jpg'}"
        Image.fromarray(_photo(rng, label)).save(folder / "images" / name)
        rows.append({"id": number, "image": name, "label": label})
    _write_tables(folder, rows, train)


def _photo(rng: np.random.Generator, label: int) -> npt.NDArray[np.uint8]:
    width, height = _PHOTO
    down, across = np.mgrid[0:height, 0:width] / height
    angle = np.pi * label / 4
    waves = np.sin(12 * (np.cos(angle) * across + np.sin(angle) * down) + rng.uniform(0, 6))
    light = 128 + 60 * waves[..., None] * rng.uniform(0.5, 1, 3) + rng.normal(0, 12, (height, width, 3))
    pixels: npt.NDArray[np.uint8] = np.clip(light, 0, 255).astype(np.uint8)
    return pixels


def table(folder: Path, train: int, validation: int) -> None:
    """Eight normal numbers, and which of three linear functions of them is the greatest."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(train + validation, 8))
    labels = (features @ rng.normal(size=(8, 3))).argmax(axis=1)
    numbered = enumerate(zip(features.round(6).tolist(), labels.tolist(), strict=True))
    rows = [
        {"id": number, **{f"x{place}": value for place, value in enumerate(values)}, "label": label}
        for number, (values, label) in numbered
    ]
    _write_tables(folder, rows, train)


def _write_tables(folder: Path, rows: list[dict[str, Any]], train: int) -> None:
    frame = pd.DataFrame(rows)
    frame[:train].to_csv(folder / "train.csv", index=False)
    frame[train:].to_csv(folder / "validation.csv", index=False)
