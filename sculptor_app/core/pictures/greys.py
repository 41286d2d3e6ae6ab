"""Greys of more than eight bits: which of their values are black and white, by one rule for all formats.

Sixteen bits hold what cameras, scanners and microscopes measured in 10, 12 or 14, and FITS and float files whatever a
telescope counted: taken as 16 bits or as 0 to 1, most of them are nearly black.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.core.pictures.formats import Unreadable
from sculptor_app.core.texts import translate

SIXTEEN_BITS = 65535.0
NARROW = 1 / 8
NARROW_NUMBERS = 1 / 4
"""Part of the full range below which floats, and whole numbers, plainly have a range of their own: 14 bits in 16 are a
quarter, 12 bits a sixteenth."""
CROWDED = 1 / 2
"""Part of the range between lowest and highest that the middle 98 % of values fill where a few others stretch it."""
_MOST_HEADER_BYTES = 1 << 20
_BAND_PIXELS = 4_000_000
_SAMPLE = 1_000_000  # values of which percentiles are taken


@dataclass(frozen=True, slots=True)
class StoredNumbers:
    """How a picture's numbers stand in its file; Pillow says nothing of it once the picture is loaded."""

    has_deep_colors: bool = False  # colours of sixteen bits, of which Pillow keeps the upper eight
    is_signed: bool = False  # FITS numbers of 16 bits, which Pillow takes for unsigned
    is_unsigned: bool = False  # TIFF numbers of 32 bits, which Pillow takes for signed
    slope: float = 1.0  # of FITS files: a value is slope · number + zero
    zero: float = 0.0

    @classmethod
    def of(cls, picture: Image.Image) -> StoredNumbers:
        """Those of a picture that is not loaded yet."""
        is_fits = picture.format == "FITS"
        slope, zero = _fits_scaling(picture) if is_fits else (1.0, 0.0)
        return cls(
            picture.mode in ("RGB", "RGBA") and any(";16" in str(tile.args) for tile in getattr(picture, "tile", ())),
            is_fits and picture.mode.startswith("I;16"),
            picture.format == "TIFF" and picture.mode == "I" and _sample_format(picture) == 1,
            slope,
            zero,
        )

    def values(self, picture: Image.Image) -> NDArray[np.float64]:
        """The values of the picture, or of a part of it."""
        numbers = np.asarray(picture)
        if self.is_signed:
            numbers = numbers.astype(np.uint16).view(np.int16)
        elif self.is_unsigned:
            numbers = numbers.astype(np.int32).view(np.uint32)
        return numbers.astype(np.float64) * self.slope + self.zero


def _fits_scaling(picture: Image.Image) -> tuple[float, float]:
    """BSCALE and BZERO of a FITS file's picture: 1 and 0 where it has none, or none that are numbers."""
    file, found = getattr(picture, "fp", None), {"BSCALE": 1.0, "BZERO": 0.0}
    if file is None:
        return 1.0, 0.0
    at = file.tell()
    file.seek(0)
    header = file.read(min(picture.tile[0].offset, _MOST_HEADER_BYTES)) if picture.tile else b""  # type: ignore[attr-defined]
    file.seek(at)
    for place in range(0, len(header), 80):
        name, is_set, text = header[place : place + 80].decode("latin-1").partition("=")
        if name.strip() in found and is_set:
            try:
                found[name.strip()] = float(text.partition("/")[0].replace("D", "E"))
            except ValueError:
                continue
    slope, zero = found.values()
    return (slope, zero) if np.isfinite([slope, zero]).all() and slope else (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class GreyRange:
    """The values that become black and white.

    Attributes:
        note: says so, where a person would not expect it.
    """

    black: float
    white: float
    stored: StoredNumbers
    note: str = ""

    def scaled(self, picture: Image.Image) -> NDArray[np.float32]:
        """Values of 0 to 255, (H, W); what is not a number is black."""
        values = self.stored.values(picture)
        with np.errstate(all="ignore"):
            scaled = (values - self.black) * (255 / (self.white - self.black))
        return np.nan_to_num(np.clip(scaled, 0, 255), nan=0).astype(np.float32)


UPPER_EIGHT = translate("errors", "of the 16 bits of its colours the upper 8 are used")
"""Note on colours of sixteen bits that were not scaled."""


def has_equal_channels(picture: Image.Image) -> bool:
    """Whether the three colours of a picture in RGB or RGBA are the same everywhere."""
    red, green, blue = (np.asarray(picture.getchannel(name)) for name in "RGB")
    return bool((red == green).all() and (green == blue).all())


def is_deep(picture: Image.Image) -> bool:
    """Whether it is grey, of more than eight bits."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def grey_range(picture: Image.Image, stored: StoredNumbers) -> GreyRange:
    """The range of a deep picture's values, by one rule for all formats.

    - Floats from 0 to 1 are taken as they are, and so are whole numbers of 16 bits (0 to 65535), or 8 (0 to 255) where
      the file holds 32.
    - Where the highest is below a quarter of that, white is the largest number of as many bits (16383 for 14 bits); of
      floats below an eighth, white is the highest value.
    - All other values, and those of FITS files, whose white is not fixed, have the range from their lowest to their
      highest; if the middle 98 % of them lie within half of it, only those count, as a few stars would else leave the
      sky black, and the rest is black or white.
    """
    low, high = np.inf, -np.inf
    sample, missing = [], False
    every = max(1, picture.width * picture.height // _SAMPLE)
    for _, band in bands(picture, (0, 0, *picture.size)):
        values = stored.values(band).ravel()
        finite = values[np.isfinite(values)]
        missing = missing or finite.size < values.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            sample.append(finite[::every].copy())  # a view would keep all of them
    if not sample:
        raise Unreadable(translate("errors", "it holds nothing but NaN or infinity"))
    full = _full_range(picture, low, high)
    black, white = _black_and_white(picture.mode, full, low, high, np.concatenate(sample))
    note = "" if (black, white, missing) == (0, full, False) else _note(black, white, missing)
    return GreyRange(black, white, stored, note)


def _sample_format(picture: Image.Image) -> int:
    tags = getattr(picture, "tag_v2", {})
    found = tags.get(339, 1)
    return int(found[0] if isinstance(found, tuple) else found)


def _black_and_white(
    mode: str, full: float | None, low: float, high: float, sample: NDArray[np.float64]
) -> tuple[float, float]:
    narrow = NARROW if mode == "F" else NARROW_NUMBERS
    if full is not None and (high >= narrow * full or high <= 0):
        return 0.0, full
    if full is not None and mode != "F":
        return 0.0, float(2 ** int(high).bit_length() - 1)
    first, last = np.percentile(sample, (1, 99))
    if 0 < last - first < CROWDED * (high - low):
        low, high = float(first), float(last)
    return (low, high) if low < high else (min(low, 0.0), high if high > 0 else 1.0)


def _full_range(picture: Image.Image, low: float, high: float) -> float | None:
    """The value that usually stands for white; None where none does."""
    if low < 0 or (picture.format == "FITS" and picture.mode != "F"):
        return None
    if picture.mode == "F":
        return 1.0 if high <= 1 else None
    if picture.mode.startswith("I;16"):
        return SIXTEEN_BITS
    return next((full for full in (255.0, SIXTEEN_BITS) if high <= full), None)


def _note(black: float, white: float, missing: bool) -> str:
    text = translate("errors", "its greys are scaled to their own range: {0:g} is black, {1:g} is white")
    if missing:
        text = translate("errors", "its greys are scaled: {0:g} and what is no number is black, {1:g} is white")
    return text.format(black, white)


def with_color_range(plain: Image.Image, picture: Image.Image) -> tuple[Image.Image, str]:
    """Colours of 10 to 14 bits in sixteen, brightened by the rule of greys, and a note; others as they are, and none.

    Args:
        plain: the picture, RGB or RGBA, at any size.
        picture: as it was loaded.
    """
    highest = max(high for _, high in picture.getextrema()[:3])  # type: ignore[misc]  # of several channels
    if highest == 0 or highest >= NARROW_NUMBERS * 256:
        return plain, ""
    white = 2 ** int(highest).bit_length() - 1
    scale = [min(255, round(value * 255 / white)) for value in range(256)]
    note = translate("errors", "its colours are scaled to their own range, of {0} steps: 0 is black, {1} is white")
    alpha = list(range(256)) if plain.mode == "RGBA" else []
    return plain.point(scale * 3 + alpha), note.format(white + 1, (white + 1) * 256 - 1)


def bands(
    picture: Image.Image, region: tuple[int, int, int, int], rows_of: int = 1
) -> Iterator[tuple[int, Image.Image]]:
    """A region's bands of rows, each a multiple of `rows_of` high, and how far below its top they begin."""
    left, upper, right, lower = region
    rows = max(1, _BAND_PIXELS // (right - left) // rows_of) * rows_of
    for top in range(upper, lower, rows):
        yield top - upper, picture.crop((left, top, right, min(top + rows, lower)))
