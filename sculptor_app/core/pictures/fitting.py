"""A picture that is there already, brought to the size that a model works at."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sculptor_app.core.trajectory.step import Frame


def fit_square(picture: Frame, size_px: int) -> Frame:
    """The middle of a picture as a square of exactly this size.

    Args:
        picture: (3, H, W) float32 in [-1, 1].
        size_px: Edge of the square.

    Returns:
        (3, size_px, size_px) float32 in [-1, 1]; the picture itself where it has that size.
    """
    _, height, width = picture.shape
    if (height, width) == (size_px, size_px):
        return picture
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize((size_px, size_px), Image.Resampling.LANCZOS, box)
        for channel in picture
    ]
    return np.clip(np.stack([np.asarray(channel, np.float32) for channel in channels]), -1, 1)
