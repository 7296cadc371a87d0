"""Images by Pillow and numpy, which are loaded when the first image is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.errors import InvalidDatasetFormatError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from PIL import Image

    Array = np.ndarray[Any, Any]

_FLAT = 1e-9
"""Deviation of pixels that are all the same, which rounding seldom leaves at 0."""


def decode(content: bytes, name: str, mode: str) -> Image.Image:
    """Read an image from the content of its file, in a mode of Pillow such as "RGB" or "L".

    Raises
    ------
    InvalidDatasetFormatError
        When it is none; the message has ``name``.
    """
    image = _pillow()
    try:
        with image.open(io.BytesIO(content)) as opened:
            converted: Image.Image = opened.convert(mode)
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
        raise InvalidDatasetFormatError(f"{name} cannot be read as an image in mode {mode!r}: {error}") from error
    return converted


def square(image: Image.Image, size: int | None) -> Image.Image:
    """Resize an image to ``size`` pixels in width and height, unless it is so already or no size is given."""
    return image if size is None or image.size == (size, size) else image.resize((size, size))


def to_array(image: Image.Image) -> Array:
    """Give the pixels: height x width, and x channels where the mode has several."""
    import numpy as np

    return np.array(image)


def transform(images: Iterable[Any], size: int | None, mode: str | None) -> Array:
    """Resize images (arrays of height x width x channels) to a square, then convert them to a mode."""
    import numpy as np

    pillow = _pillow()
    resized = [square(pillow.fromarray(np.asarray(image, dtype=np.uint8)), size) for image in images]
    return stack([to_array(image.convert(mode) if mode else image) for image in resized])


def normalise(images: Any, mean: Any, std: Any) -> tuple[Any, Any, Any]:
    """Scale pixels to 0 ... 1 and then to a mean of 0 and a deviation of 1, by channel.

    Where ``mean`` and ``std`` are None they are those of the images. A channel without deviation is only shifted.
    """
    import numpy as np

    if len(images) == 0:
        return images, mean, std
    scaled = np.asarray(images) / 255
    mean = np.mean(scaled, axis=(0, 1, 2)).tolist() if mean is None else mean
    std = np.std(scaled, axis=(0, 1, 2)).tolist() if std is None else std
    spread = np.asarray(std)
    return (scaled - mean) / np.where(spread < _FLAT, 1, spread), mean, std


def stack(images: Sequence[Array]) -> Array:
    """Put images of one size into one array."""
    import numpy as np

    for place, image in enumerate(images):
        if image.shape != images[0].shape:
            raise InvalidDatasetFormatError(
                f"the images must be of one size: number {place} is {image.shape}, number 0 is {images[0].shape}; "
                "give image_size, or resize them"
            )
    return np.stack(images) if len(images) else np.empty((0,), np.uint8)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("Images need Pillow, which is not installed: pip install Pillow") from error
    return Image
