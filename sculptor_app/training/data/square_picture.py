"""Any picture file as a small square of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sculptor_app.core.pictures.file import Unreadable as Unreadable  # also read from here
from sculptor_app.core.pictures.file import decode

WHITE = (255, 255, 255)


def read_square(path: Path, size: int) -> np.ndarray:
    """The middle square of a picture, whatever its size, aspect, colours and depth.

    Turned upright as the camera was held, on white where it is transparent; of an animation the first frame.

    Args:
        path: The file.
        size: Edge in pixels.

    Returns:
        (size, size, 3) uint8, sRGB.

    Raises:
        Unreadable: It is no picture, is cut off, is too large, or may not be read.
    """

    def fit(picture: Image.Image) -> Image.Image:
        return ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)

    return decode(path, fit, 2 * size, WHITE).pixels.round().astype(np.uint8)
