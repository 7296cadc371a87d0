"""``AUDIO_FILES``: a zip file with ``audios.csv`` and the WAV files that it names."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.datasets.archive import Archive, check_columns
from rapidfire_lab.model.datasets.dataset import ModelDataset
from rapidfire_lab.model.errors import InvalidDatasetFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]

_INDEX = "audios.csv"
_COLUMNS = ("wav_filename", "wav_filesize", "transcript")


class AudioFilesDataset(ModelDataset):
    """Recordings of the task ``SPEECH_RECOGNITION``; each example is ``(samples, transcript)``, see `load_wav`.

    The files are extracted and stay there; recordings are read when they are asked for.

    Parameters
    ----------
    dataset_path
        The zip file.
    dataset_dir
        Where to extract: an object with the folder as ``name``, such as a ``tempfile.TemporaryDirectory``.

    Attributes
    ----------
    size
        How many recordings there are.
    df
        DataFrame with ``wav_filename`` (relative to the folder), ``wav_filesize`` and ``transcript``.

    Raises
    ------
    InvalidDatasetFormatError
        When the file is not of this format.
    """

    def __init__(self, dataset_path: str, dataset_dir: Any) -> None:
        super().__init__(dataset_path)
        self._folder = Path(dataset_dir.name)
        Archive(dataset_path).extract(self._folder)
        self.df = self._table()
        self.size = len(self.df)

    def _table(self) -> Any:
        import pandas as pd

        where = f"{_INDEX!r} in {self.path}"
        try:
            # A transcript "null" is a word.
            table = pd.read_csv(self._folder / _INDEX, keep_default_na=False, dtype={"transcript": str})
        except (OSError, ValueError) as error:
            raise InvalidDatasetFormatError(f"{where} cannot be read: {error}") from error
        check_columns(where, list(table.columns), _COLUMNS)
        return table

    def _example(self, position: int) -> tuple[Array, str]:
        row = self.df.iloc[position]
        samples, _ = load_wav(self._folder / row["wav_filename"])
        return samples, row["transcript"]

    def _examples(self, positions: Sequence[int]) -> list[tuple[Array, str]]:
        return [self._example(position) for position in positions]


def load_wav(source: str | os.PathLike[str] | bytes) -> tuple[Array, int]:
    """Read a WAV file of whole numbers (PCM), from its path or its content.

    Returns
    -------
    samples, rate
        float32 between -1 and 1, of shape (samples,), or (samples, channels) of several; samples a second.

    Raises
    ------
    InvalidDatasetFormatError
        When it is none.
    """
    name = "the recording" if isinstance(source, bytes) else os.fspath(source)
    try:
        with wave.open(io.BytesIO(source) if isinstance(source, bytes) else name, "rb") as file:
            content = file.readframes(file.getnframes())
            samples = _scaled(content, file.getsampwidth())
            channels = file.getnchannels()
            return samples if channels == 1 else samples.reshape(-1, channels), file.getframerate()
    except (wave.Error, EOFError, OSError, ValueError) as error:
        raise InvalidDatasetFormatError(f"{name} cannot be read as a WAV file (PCM): {error}") from error


def _scaled(content: bytes, width: int) -> Array:
    import numpy as np

    if width == 1:  # the only one without a sign
        return (np.frombuffer(content, np.uint8).astype(np.float32) - 128) / 128
    # The bytes of a sample become the highest ones of four.
    whole = np.zeros((len(content) // width, 4), np.uint8)
    whole[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
    return (whole.view("<i4")[:, 0] / np.float64(1 << 31)).astype(np.float32)
