"""From numbers to 8-bit colours: plain pictures, and a diverging scale centred on zero."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Rgb32 = NDArray[np.uint32]
"""Colours as Qt paints them quickest (QImage.Format_RGB32): one number 0xffRRGGBB per pixel."""

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
_OPAQUE = np.uint32(0xFF000000)
_LEVELS = 201  # odd: zero has a colour of its own; few enough for a GIF's palette, beside those of its caption


def _table() -> Bytes:
    at = np.linspace(-1, 1, len(STOPS))
    values = np.linspace(-1, 1, _LEVELS)
    channels = [np.interp(values, at, [stop[channel] for stop in STOPS]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


TABLE = _table()
"""(201, 3) uint8: the diverging colours from −limit to +limit; the middle one is zero."""


def rgb32_of(rgb: Bytes) -> Rgb32:
    """8-bit colours (..., 3) as one number per pixel (...)."""
    rgb32: Rgb32 = np.full(rgb.shape[:-1], _OPAQUE, np.uint32)
    for channel, shift in enumerate((16, 8, 0)):
        rgb32 |= rgb[..., channel].astype(np.uint32) << np.uint32(shift)
    return rgb32


def rgb_of(rgb32: Rgb32) -> Bytes:
    """Colours of one number per pixel (...) as 8-bit RGB (..., 3), C-contiguous: what files are made of."""
    rgb: Bytes = np.empty((*rgb32.shape, 3), np.uint8)
    for channel, shift in enumerate((16, 8, 0)):
        rgb[..., channel] = rgb32 >> np.uint32(shift)
    return rgb


_TABLE32 = rgb32_of(TABLE)


def bands_of(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis that cover an array of this shape, BAND_NUMBERS or one row at a time."""
    each = max(1, BAND_NUMBERS // max(1, int(np.prod(shape[1:]))))
    for first in range(0, shape[0], each):
        yield slice(first, first + each)


def diverging_rgb32(plane: NDArray[np.floating], limit: float) -> Rgb32:
    """Signed numbers as colours, blue below zero, orange above; beyond the limit the end colours.

    Args:
        plane: any shape; NaN is shown as zero.
        limit: value at the ends of the scale, > 0.

    Returns:
        0xffRRGGBB each, in the plane's shape.

    Raises:
        ValueError: for a limit that is not above 0.
    """
    if not limit > 0:
        raise ValueError(f"the limit of a colour scale is {limit}; it must be above 0")
    middle = _LEVELS // 2
    colours: Rgb32 = np.empty(plane.shape, np.uint32)
    for rows in bands_of(plane.shape):
        scaled = np.multiply(plane[rows], middle / limit, dtype=np.float32)
        np.clip(scaled, -middle, middle, out=scaled)
        scaled += np.float32(middle + 0.5)  # the half rounds with the cast
        if np.isnan(scaled).any():
            scaled = np.nan_to_num(scaled, nan=middle)
        np.take(_TABLE32, scaled.astype(np.intp), out=colours[rows], mode="clip")
    return colours


def diverging_colours(plane: NDArray[np.floating], limit: float) -> Bytes:
    """The colours of `diverging_rgb32` as 8-bit RGB, (..., 3), C-contiguous."""
    return rgb_of(diverging_rgb32(plane, limit))


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


def rgb32_picture(chw: NDArray[np.floating], reach: float = 1.0) -> Rgb32:
    """A frame as colours: −reach is black, +reach is full, what lies beyond is clipped.

    Args:
        chw: (C, H, W); one channel becomes grey, of more than three the first three are shown.
        reach: > 0.

    Returns:
        (H, W), 0xffRRGGBB each; NaN becomes black.
    """
    shown = chw[:3] if chw.shape[0] >= 3 else chw[:1]
    factor = np.float32(127.5 / reach)
    colours: Rgb32 = np.empty(chw.shape[1:], np.uint32)
    with np.errstate(invalid="ignore"):  # NaN: its cast is −2³¹, of which the eight bits kept are 0
        for rows in bands_of(chw.shape[1:]):
            # Signed, as processors turn floats into those four or eight at a time.
            mixed = colours[rows].view(np.int32)
            for channel, plane in enumerate(shown):
                scaled = np.multiply(plane[rows], factor, dtype=np.float32)
                scaled += np.float32(128)  # 127.5, and a half to round with the cast
                np.clip(scaled, 0, 255, out=scaled)
                if channel:
                    np.left_shift(mixed, 8, out=mixed)
                    mixed |= scaled.astype(np.int32)
                else:
                    np.copyto(mixed, scaled, casting="unsafe")
            if len(shown) == 1:
                mixed &= 0xFF
                mixed *= 0x010101
            mixed |= _OPAQUE.astype(np.int32)
    return colours


def byte_picture(chw: NDArray[np.floating], reach: float = 1.0) -> Bytes:
    """The colours of `rgb32_picture` as 8-bit RGB, (H, W, 3), C-contiguous."""
    return rgb_of(rgb32_picture(chw, reach))
