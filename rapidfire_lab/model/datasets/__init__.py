"""Data sets of the tasks, read as they are used: none is held in memory whole."""

from rapidfire_lab.model.datasets.audio import AudioFilesDataset
from rapidfire_lab.model.datasets.corpus import CorpusDataset
from rapidfire_lab.model.datasets.dataset import ModelDataset
from rapidfire_lab.model.datasets.image_files import ImageFilesDataset
from rapidfire_lab.model.datasets.loading import DatasetUtils
from rapidfire_lab.model.errors import InvalidDatasetFormatError, InvalidDatasetFormatException

__all__ = [
    "AudioFilesDataset",
    "CorpusDataset",
    "DatasetUtils",
    "ImageFilesDataset",
    "InvalidDatasetFormatError",
    "InvalidDatasetFormatException",
    "ModelDataset",
]
