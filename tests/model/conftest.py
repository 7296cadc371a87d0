"""Data sets in the formats of the tasks, and the model files of the tests."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TEMPLATES = Path(__file__).parent / "templates"


def image_zip(path, images, classes):
    """Write an IMAGE_FILES archive."""
    with zipfile.ZipFile(path, "w") as archive:
        rows = [("path", "class")]
        for place, (image, label) in enumerate(zip(images, classes, strict=True)):
            content = io.BytesIO()
            Image.fromarray(image).save(content, "PNG")
            archive.writestr(f"images/{place}.png", content.getvalue())
            rows.append((f"images/{place}.png", label))
        archive.writestr("images.csv", csv_text(rows))
    return str(path)


def csv_text(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def text_zip(path, name, text):
    """Write an archive of one text."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return str(path)


@pytest.fixture(scope="session")
def digit_zips(tmp_path_factory):
    """300 training, 100 validation and 50 test images of digits, 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)
    folder = tmp_path_factory.mktemp("digits-zips")
    parts = {"train": slice(0, 300), "validation": slice(300, 400), "test": slice(400, 450)}
    return {name: image_zip(folder / f"{name}.zip", images[part], digits.target[part]) for name, part in parts.items()}


@pytest.fixture(scope="session")
def corpus_zips(tmp_path_factory):
    """Sentences of words whose tags follow from the word."""
    rng = random.Random(3)
    folder = tmp_path_factory.mktemp("corpora")
    words = [*(f"word{number}" for number in range(20)), "a//b", '"', "don't"]
    found = {}
    for name, count in (("train", 80), ("validation", 20)):
        lines = ["token\ttag"]
        for _ in range(count):
            sentence = rng.choices(words, k=rng.randint(2, 8))
            lines += [f"{word}\t{words.index(word) % 3}" for word in sentence]
            lines.append("\\n\t")
        found[name] = text_zip(folder / f"{name}.zip", "corpus.tsv", "\n".join(lines) + "\n")
    return found


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Tables whose last column follows from two others, one of them text."""
    rng = np.random.default_rng(4)
    folder = tmp_path_factory.mktemp("tables")
    found = {}
    for name, count in (("train", 200), ("validation", 60)):
        size = rng.uniform(0, 10, count)
        kind = rng.choice(["new", "old"], count)
        price = 3 * size + np.where(kind == "new", 20, 0) + rng.normal(0, 2, count)
        rows = [("size", "kind", "noise", "price"), *zip(size, kind, rng.normal(size=count), price, strict=True)]
        (folder / f"{name}.csv").write_text(csv_text(rows))
        found[name] = str(folder / f"{name}.csv")
    return found
