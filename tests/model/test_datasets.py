"""Data sets of the tasks: formats, attributes, and that they are read as they are used."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import tempfile
import tracemalloc
import wave
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rapidfire_lab import DataError
from rapidfire_lab.model import dataset as utils
from rapidfire_lab.model.datasets import image_files
from rapidfire_lab.model.datasets.audio import load_wav
from rapidfire_lab.model.errors import InvalidDatasetFormatError
from tests.model.conftest import csv_text, image_zip, text_zip

COLOURS = np.random.default_rng(1).integers(0, 256, (6, 12, 10, 3), dtype=np.uint8)
CLASSES = [0, 2, 1, 0, 2, 5]


@pytest.fixture
def colours(tmp_path):
    """Six images of 12 x 10 pixels."""
    return image_zip(tmp_path / "colours.zip", COLOURS, CLASSES)


# Images


def test_images_are_squares_with_classes(colours):
    images = utils.load_dataset_of_image_files(colours)
    assert (images.path, images.size, len(images), images.classes, images.image_size) == (colours, 6, 6, 4, 10)
    assert [label for _, label in images] == CLASSES
    image, _ = images[0]
    assert (image.shape, image.dtype) == ((10, 10, 3), np.uint8)
    expected = np.array(Image.fromarray(COLOURS[0]).resize((10, 10)))
    assert np.array_equal(image, expected)


@pytest.mark.parametrize(
    ("bounds", "side"), [((None, None), 10), ((16, None), 16), ((None, 8), 8), ((9, 20), 10), ((16, 8), 16)]
)
def test_the_side_keeps_within_bounds(colours, bounds, side):
    least, most = bounds
    images = utils.load_dataset_of_image_files(colours, min_image_size=least, max_image_size=most, mode="L")
    assert images.image_size == side
    assert images[0][0].shape == (side, side)


def test_images_of_the_right_size_stay_as_they_are(tmp_path):
    square = COLOURS[:, :10]
    images = utils.load_dataset_of_image_files(image_zip(tmp_path / "a.zip", square, CLASSES))
    assert all(np.array_equal(image, square[place]) for place, (image, _) in enumerate(images))


def test_positions_and_slices(colours):
    images = utils.load_dataset_of_image_files(colours)
    pixels, labels = images[1:3]
    assert pixels.shape == (2, 10, 10, 3)
    assert labels == [2, 1]
    assert np.array_equal(images[-1][0], images[5][0])
    with pytest.raises(IndexError):
        images[6]


def test_shuffling_keeps_pairs_together(colours):
    random.seed(3)
    order = list(range(6))
    random.shuffle(order)
    random.seed(3)
    shuffled = utils.load_dataset_of_image_files(colours, if_shuffle=True)
    plain = utils.load_dataset_of_image_files(colours)
    assert [label for _, label in shuffled] == [CLASSES[place] for place in order]
    assert all(np.array_equal(shuffled[at][0], plain[place][0]) for at, place in enumerate(order))
    again = pickle.loads(pickle.dumps(shuffled))
    assert [label for _, label in again] == [CLASSES[place] for place in order]


def test_who_changes_an_image_does_not_change_the_data_set(colours):
    images = utils.load_dataset_of_image_files(colours)
    before = images[0][0].copy()
    images[0][0][:] = 0
    assert np.array_equal(images[0][0], before)


def test_a_large_data_set_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_KEPT", 100_000)
    flat = [np.full((200, 200, 3), shade, np.uint8) for shade in range(60)]  # 7 MB of pixels
    path = image_zip(tmp_path / "large.zip", flat, range(60))
    images = utils.load_dataset_of_image_files(path)
    images[0]
    tracemalloc.start()
    for _ in range(2):
        assert [int(image[7, 7, 1]) for image, _ in images] == list(range(60))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("path,class\na.png,cat\n", "line 2: the class must be a whole number from 0, not 'cat'"),
        ("path,class\na.png,-1\n", "not '-1'"),
        ("path,label\na.png,1\n", "no column 'class', only 'path', 'label'"),
        ("path,class\nb.png,1\n", "no file 'b.png'"),
        ("path,class\na.png,1\n", "'a.png' in .* cannot be read as an image"),
    ],
)
def test_image_files_that_are_none_are_refused(tmp_path, index, message):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("images.csv", index)
        made.writestr("a.png", b"no image")
    with pytest.raises(InvalidDatasetFormatError, match=message) as raised:
        utils.load_dataset_of_image_files(str(tmp_path / "a.zip"))
    assert isinstance(raised.value, DataError)


def test_an_empty_image_set_is_empty(tmp_path):
    images = utils.load_dataset_of_image_files(text_zip(tmp_path / "a.zip", "images.csv", "path,class\n"))
    assert (images.size, images.classes, images.image_size, list(images)) == (0, 0, None, [])


def test_images_are_normalised_by_channel():
    scaled, mean, std = utils.normalize_images(COLOURS)
    assert np.allclose(mean, (COLOURS / 255).mean(axis=(0, 1, 2)))
    assert isinstance(mean, list)
    assert np.allclose(scaled.mean(axis=(0, 1, 2)), 0)
    assert np.allclose(scaled.std(axis=(0, 1, 2)), 1)
    again, mean_again, std_again = utils.normalize_images(COLOURS[:2], mean, std)
    assert np.allclose(again, scaled[:2])
    assert (mean_again, std_again) == (mean, std)


def test_grey_images_have_one_mean_and_flat_ones_do_not_divide_by_nothing():
    scaled, mean, std = utils.normalize_images(np.full((2, 3, 3), 51, np.uint8))
    assert (mean, std) == (pytest.approx(0.2), pytest.approx(0))
    assert np.allclose(scaled, 0)
    assert utils.normalize_images([]) == ([], None, None)


def test_images_are_transformed_to_size_then_mode():
    images = utils.transform_images(COLOURS.tolist(), image_size=4, mode="L")
    assert (images.shape, images.dtype) == ((6, 4, 4), np.uint8)
    assert np.array_equal(images[1], np.array(Image.fromarray(COLOURS[1]).resize((4, 4)).convert("L")))
    assert np.array_equal(utils.transform_images(COLOURS), COLOURS)
    with pytest.raises(InvalidDatasetFormatError, match="number 1 is"):
        utils.transform_images([COLOURS[0], COLOURS[1][:5]])


def test_image_files_are_loaded_in_order(tmp_path):
    paths = [str(tmp_path / f"{place}.png") for place in range(2)]
    for path, image in zip(paths, COLOURS, strict=False):
        Image.fromarray(image).save(path)
    assert np.array_equal(utils.load_images(paths), COLOURS[:2])
    assert utils.load_images(paths, mode="L").shape == (2, 12, 10)
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        utils.load_images([str(tmp_path / "missing.png")])


def test_a_missing_pillow_is_told_with_what_to_install(colours):
    program = f"""
import sys
sys.modules["PIL"] = None
from rapidfire_lab.model import dataset
try:
    dataset.load_dataset_of_image_files({colours!r})
except ImportError as error:
    print(type(error).__name__, error)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "MissingDependencyError Images need Pillow, which is not installed: pip install Pillow\n"


# Corpora

CORPUS = """token\ttag\tname
The\t0\t1
cat\t3\t0
\\n\t\t
"\t2\t1
"quoted ""cell""\"\t2\t1
it's\t1\t1
""\t1\t1
\\n\t\t
last\t4\t0
"""


@pytest.fixture
def corpus(tmp_path):
    """Three sentences, the last one without an end."""
    return text_zip(tmp_path / "corpus.zip", "corpus.tsv", CORPUS)


def test_sentences_have_tokens_and_tags(corpus):
    sents = utils.load_dataset_of_corpus(corpus)
    assert list(sents) == [
        [["The", 0], ["cat", 3]],
        [['"', 2], ['quoted "cell"', 2], ["it's", 1], ['""', 1]],
        [["last", 4]],
    ]
    assert (sents.path, sents.size, len(sents), sents.tags, sents.tag_num_classes) == (corpus, 3, 3, ["tag"], [5])
    assert (sents.max_token_len, sents.max_sent_len) == (13, 4)


def test_positions_and_slices_of_sentences(corpus):
    sents = utils.load_dataset_of_corpus(corpus)
    assert sents[-1] == [["last", 4]]
    assert sents[1:9] == [sents[1], sents[2]]
    with pytest.raises(IndexError):
        sents[3]
    assert list(pickle.loads(pickle.dumps(sents))) == list(sents)


def test_tags_come_in_the_order_asked_for(corpus):
    sents = utils.load_dataset_of_corpus(corpus, tags=["name", "tag"])
    assert sents[0] == [["The", 1, 0], ["cat", 0, 3]]
    assert sents.tag_num_classes == [2, 5]


def test_sentences_may_end_otherwise(tmp_path):
    text = "\ufefftag\ttoken\r\n1\ta\r\n\r\n0\t###\r\n2\t\u00fc\r\n"
    sents = utils.load_dataset_of_corpus(text_zip(tmp_path / "a.zip", "corpus.tsv", text), split_by="###")
    assert list(sents) == [[["a", 1]], [["\u00fc", 2]]]


def test_a_large_corpus_is_not_held_in_memory(tmp_path):
    text = "token\ttag\n" + "".join(f"token{number}\t{number % 9}\n" * 9 + "\\n\t\n" for number in range(2_000))
    path = text_zip(tmp_path / "a.zip", "corpus.tsv", text)
    del text
    tracemalloc.start()
    sents = utils.load_dataset_of_corpus(path)
    assert sum(len(sent) for sent in sents) == 18_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 700_000  # the lists would take 3 MB


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token\tpos\na\t1\n", "no column 'tag', only 'token', 'pos'"),
        ("", "no column 'token'"),
        ("token\ttag\na\tNN\n", "line 2: 'tag' must be a whole number from 0, not 'NN'"),
        ("token\ttag\na\t1\nb\n", "line 3: it has only 1 cells"),
    ],
)
def test_corpora_that_are_none_are_refused(tmp_path, text, message):
    with pytest.raises(InvalidDatasetFormatError, match=message):
        utils.load_dataset_of_corpus(text_zip(tmp_path / "a.zip", "corpus.tsv", text))
    with pytest.raises(InvalidDatasetFormatError, match=r"no file 'corpus\.tsv'"):
        utils.load_dataset_of_corpus(text_zip(tmp_path / "b.zip", "other.tsv", text))


# Recordings


def wav(path, samples, width=2, channels=1, rate=16_000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    return path.read_bytes()


TONE = (np.sin(np.arange(400) / 5) * 20_000).astype("<i2")


def audio_zip(path, rows, content):
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("audios.csv", csv_text([("wav_filename", "wav_filesize", "transcript"), *rows]))
        made.writestr("wavs/a.wav", content)
    return str(path)


def test_recordings_are_extracted_and_read(tmp_path):
    content = wav(tmp_path / "a.wav", TONE.tobytes())
    rows = [("wavs/a.wav", len(content), "hello"), ("wavs/a.wav", len(content), "null")]
    path = audio_zip(tmp_path / "audios.zip", rows, content)
    with tempfile.TemporaryDirectory() as folder:
        target = type("Folder", (), {"name": folder})
        audios = utils.load_dataset_of_audio_files(path, target)
        assert (Path(folder) / audios.df["wav_filename"][0]).read_bytes() == content
        assert isinstance(audios.df, pd.DataFrame)
        assert (audios.size, len(audios), list(audios.df["transcript"])) == (2, 2, ["hello", "null"])
        samples, transcript = audios[1]
        assert transcript == "null"
        assert samples.dtype == np.float32
        assert np.array_equal(samples, TONE.astype(np.float32) / 32768)
        assert [text for _, text in audios[:2]] == ["hello", "null"]


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_any_width_become_the_same_numbers(tmp_path, width):
    values = np.array([-128, -1, 0, 1, 127])
    whole = (values << (8 * (width - 1))) if width > 1 else values + 128
    content = b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in whole)
    samples, rate = load_wav(wav(tmp_path / "a.wav", content, width=width, rate=8000))
    assert samples.tolist() == (values / 128).tolist()
    assert rate == 8000


def test_channels_stand_side_by_side(tmp_path):
    wav(tmp_path / "a.wav", TONE.tobytes(), channels=2)
    samples, _ = load_wav(tmp_path / "a.wav")
    assert np.array_equal(samples[:, 1], TONE[1::2].astype(np.float32) / 32768)


def test_recordings_that_are_none_are_refused(tmp_path):
    folder = type("Folder", (), {"name": str(tmp_path)})
    with pytest.raises(InvalidDatasetFormatError, match="cannot be read as a WAV file"):
        load_wav(b"no recording")
    with pytest.raises(InvalidDatasetFormatError, match="has no column 'wav_filesize'"):
        utils.load_dataset_of_audio_files(
            text_zip(tmp_path / "a.zip", "audios.csv", "wav_filename,transcript\na,b\n"), folder
        )
    with pytest.raises(InvalidDatasetFormatError, match=r"'audios.csv' in .*b.zip cannot be read"):
        utils.load_dataset_of_audio_files(
            text_zip(tmp_path / "b.zip", "other.csv", ""), type("Folder", (), {"name": str(tmp_path / "new")})
        )
