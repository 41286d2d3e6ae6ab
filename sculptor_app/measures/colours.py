"""From numbers to 8-bit colours: plain pictures, and a diverging scale centred on zero."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

STOPS = (
    (0x12, 0x3B, 0x6D), (0x2F, 0x75, 0xB5), (0x9C, 0xC3, 0xE4),
    (0xF7, 0xF6, 0xF3),
    (0xF9, 0xB8, 0x7C), (0xE0, 0x6C, 0x17), (0x8A, 0x37, 0x04),
)  # fmt: skip
"""Blue over white to orange, evenly spaced from −limit to +limit. Blue against orange stays apart for every common
kind of colour blindness, and both ends are darker than the middle, so that the size of a change can be read in
grey, too."""

LUMINANCE_LIMIT_SHARE = 99.5
MOST_RANKED = 2**15
"""Numbers that a percentile is taken of; more would not change a colour scale, and finding it takes longest of all."""
BAND_NUMBERS = 2**15
"""Numbers worked on at once. So few stay in the processor's cache, and need no memory from the system each time, whose
pages would have to be found and cleared at every picture: a third of the time."""
_LEVELS = 201  # odd: zero has a colour of its own; few enough for a GIF's palette, beside those of its caption


def _table() -> Bytes:
    at = np.linspace(-1, 1, len(STOPS))
    values = np.linspace(-1, 1, _LEVELS)
    channels = [np.interp(values, at, [stop[channel] for stop in STOPS]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


TABLE = _table()
"""(201, 3) uint8: the diverging colours from −limit to +limit; the middle one is zero."""


def bands_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis that cover an array of this shape, BAND_NUMBERS or one row at a time."""
    each = max(1, BAND_NUMBERS // max(1, int(np.prod(shape[1:]))))
    for first in range(0, shape[0], each):
        yield slice(first, first + each)


def diverging_colours(plane: NDArray[np.floating], limit: float) -> Bytes:
    """Signed numbers as colours, blue below zero, orange above; beyond the limit the end colours.

    Args:
        limit: value at the ends of the scale, > 0.

    Returns:
        (..., 3) uint8, C-contiguous.

    Raises:
        ValueError: for a limit that is not above 0.
    """
    if not limit > 0:
        raise ValueError(f"the limit of a colour scale is {limit}; it must be above 0")
    middle = _LEVELS // 2
    colours: Bytes = np.empty((*plane.shape, 3), np.uint8)
    for rows in bands_of(plane.shape):
        scaled = np.multiply(plane[rows], middle / limit, dtype=np.float32)
        np.clip(scaled, -middle, middle, out=scaled)
        scaled += np.float32(middle + 0.5)  # the half rounds with the cast
        if np.isnan(scaled).any():
            scaled = np.nan_to_num(scaled, nan=middle)
        np.take(TABLE, scaled.astype(np.uint8), axis=0, out=colours[rows], mode="clip")
    return colours


def robust_limit(plane: NDArray[np.floating], share: float = LUMINANCE_LIMIT_SHARE) -> float:
    """A limit for `diverging_colours` that a few extreme pixels do not stretch.

    Args:
        plane: signed numbers, any shape; of more than MOST_RANKED, every n-th is looked at.
        share: percentile of the absolute values, 0..100.

    Returns:
        The limit, > 0; 1.0 where everything is zero or NaN.
    """
    sizes: NDArray[np.floating] = np.abs(plane.ravel()[:: _stride(plane.size)])
    if not np.isfinite(sizes).all():
        sizes = sizes[np.isfinite(sizes)]
    if not sizes.size:
        return 1.0
    rank = min(sizes.size - 1, int(np.ceil(sizes.size * share / 100)) - 1)
    limit = float(np.partition(sizes, rank)[rank]) or float(np.nanmax(np.abs(plane)))
    return limit if 0 < limit < np.inf else 1.0


def _stride(count: int) -> int:
    """Every how many-th of so many numbers to take: odd, so that no column of a picture is taken again and again."""
    return -(-count // MOST_RANKED) | 1 if count > MOST_RANKED else 1


def byte_picture(chw: NDArray[np.floating], reach: float = 1.0) -> Bytes:
    """A frame as 8-bit RGB: −reach is black, +reach is full, what lies beyond is clipped.

    Args:
        chw: (C, H, W); one channel becomes grey, of more than three the first three are shown.
        reach: > 0.

    Returns:
        (H, W, 3) uint8, C-contiguous; NaN becomes black.
    """
    shown = chw[:3] if chw.shape[0] >= 3 else chw[:1]
    rgb: Bytes = np.empty((*chw.shape[1:], 3), np.uint8)
    for rows in bands_of(chw.shape[1:]):
        for channel in range(3):
            if channel < len(shown):
                scaled = np.multiply(shown[channel, rows], np.float32(127.5 / reach), dtype=np.float32)
                scaled += np.float32(128)  # 127.5, and a half to round with the cast
                np.clip(scaled, 0, 255, out=scaled)
                if np.isnan(scaled).any():
                    scaled = np.nan_to_num(scaled, nan=0.0)
            np.copyto(rgb[rows, :, channel], scaled, casting="unsafe")
    return rgb
