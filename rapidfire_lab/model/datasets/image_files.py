"""``IMAGE_FILES``: a zip file with ``images.csv`` (``path``, ``class``) and the images that it names."""

from __future__ import annotations

import random
from array import array
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.datasets import pillow
from rapidfire_lab.model.datasets.archive import Archive
from rapidfire_lab.model.datasets.dataset import ModelDataset
from rapidfire_lab.model.errors import InvalidDatasetFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

_INDEX = "images.csv"
_KEPT = 1 << 28
"""Bytes of pixels that are kept: small data sets are decoded once, of large ones the first images."""


class ImageFilesDataset(ModelDataset):
    """Images of the task ``IMAGE_CLASSIFICATION``; each example is ``(image, class)``.

    An image is a uint8 array of height x width x channels (height x width in mode ``L``), a class an int from 0. All
    are resized to one square: its side is that of the first image, the shorter one, within the bounds given. A slice
    gives an array of images and a list of classes.

    Parameters
    ----------
    dataset_path
        The zip file.
    min_image_size, max_image_size
        Bounds of the side, in pixels.
    mode
        Mode of Pillow.
    if_shuffle
        Put the examples in random order, by Python's `random`.

    Attributes
    ----------
    size, classes
        How many examples, and how many different classes, the file has.
    image_size
        Side of the images in pixels.

    Raises
    ------
    InvalidDatasetFormatError
        When the file is not of this format; the message names the place.
    """

    def __init__(
        self,
        dataset_path: str,
        min_image_size: int | None = None,
        max_image_size: int | None = None,
        mode: str = "RGB",
        if_shuffle: bool = False,  # noqa: FBT001, FBT002 - the reference's signature
    ) -> None:
        super().__init__(dataset_path)
        self._archive = Archive(dataset_path)
        self._mode = mode
        self._names: list[str] = []
        self._classes = array("q")
        for line, row in self._archive.rows(_INDEX, ("path", "class")):
            self._names.append(row["path"])
            self._classes.append(self._class(row["class"], line))
        self.size = len(self._names)
        self.classes = len(set(self._classes))
        self._order = list(range(self.size))
        if if_shuffle:
            random.shuffle(self._order)
        self.image_size = self._side(min_image_size, max_image_size)
        self._kept: dict[int, Any] = {}
        self._room = _KEPT

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_room": _KEPT}

    def _example(self, position: int) -> tuple[Any, int]:
        place = self._order[position]
        return self._image(place), self._classes[place]

    def _examples(self, positions: Sequence[int]) -> tuple[Any, list[int]]:
        places = [self._order[position] for position in positions]
        return pillow.stack([self._image(place) for place in places]), [self._classes[place] for place in places]

    def _image(self, place: int) -> Any:
        image = self._kept.get(place)
        if image is None:
            image = pillow.to_array(pillow.square(self._decoded(place), self.image_size))
            if image.nbytes <= self._room:
                self._room -= image.nbytes
                self._kept[place] = image
        return image.copy()  # who changes it does not change the data set

    def _decoded(self, place: int) -> Image.Image:
        name = self._names[place]
        return pillow.decode(self._archive.read(name), f"{name!r} in {self.path}", self._mode)

    def _side(self, least: int | None, most: int | None) -> int | None:
        if not self.size:
            return None
        side = min(self._decoded(0).size)
        return max(min(side, most or side), least or 0)

    def _class(self, text: str, line: int) -> int:
        if text.strip().isdecimal():
            return int(text)
        raise InvalidDatasetFormatError(
            f"{_INDEX!r} in {self.path}, line {line}: the class must be a whole number from 0, not {text!r}"
        )
