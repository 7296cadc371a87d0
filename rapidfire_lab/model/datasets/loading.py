"""`DatasetUtils`: what model files load data sets with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.datasets import pillow
from rapidfire_lab.model.datasets.audio import AudioFilesDataset
from rapidfire_lab.model.datasets.corpus import CorpusDataset
from rapidfire_lab.model.datasets.image_files import ImageFilesDataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]


class DatasetUtils:
    """Loads data sets in the formats of the tasks: ``from rapidfire_lab.model import dataset``.

    All libraries are loaded when they are first needed.
    """

    def load_dataset_of_corpus(
        self, dataset_path: str, tags: list[str] | None = None, split_by: str = "\\n"
    ) -> CorpusDataset:
        """Load sentences with tags, by default those of one column ``tag``; see `CorpusDataset`."""
        return CorpusDataset(dataset_path, tags or ["tag"], split_by)

    def load_dataset_of_image_files(
        self,
        dataset_path: str,
        min_image_size: int | None = None,
        max_image_size: int | None = None,
        mode: str = "RGB",
        if_shuffle: bool = False,  # noqa: FBT001, FBT002 - the reference's signature
    ) -> ImageFilesDataset:
        """Load images with classes, resized to one square; see `ImageFilesDataset`."""
        return ImageFilesDataset(dataset_path, min_image_size, max_image_size, mode, if_shuffle)

    def load_dataset_of_audio_files(self, dataset_path: str, dataset_dir: Any) -> AudioFilesDataset:
        """Extract recordings with transcripts into the folder ``dataset_dir.name``; see `AudioFilesDataset`."""
        return AudioFilesDataset(dataset_path, dataset_dir)

    def normalize_images(
        self, images: Any, mean: Sequence[float] | float | None = None, std: Sequence[float] | float | None = None
    ) -> tuple[Any, Any, Any]:
        """Scale images (N x height x width x channels, 0 ... 255) to a mean of 0 and a deviation of 1, by channel.

        Returns
        -------
        images, mean, std
            The images, and what they were shifted and divided by after a division by 255: a list with a value per
            channel, or one number for images without channels. Where these are given they are used as they are.
        """
        return pillow.normalise(images, mean, std)

    def transform_images(self, images: Any, image_size: int | None = None, mode: str | None = None) -> Array:
        """Resize images (N x height x width x channels) to squares of ``image_size``, then convert them to ``mode``."""
        return pillow.transform(images, image_size, mode)

    def load_images(self, image_paths: list[str], mode: str = "RGB") -> Array:
        """Read image files of one size into one array (N x height x width x channels)."""
        files = [(path, Path(path).read_bytes()) for path in image_paths]
        return pillow.stack([pillow.to_array(pillow.decode(content, path, mode)) for path, content in files])
