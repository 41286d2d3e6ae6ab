"""Any picture file as a small square of colours."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""What brings each orientation upright; a middle square is turned as well as the whole."""


class Unreadable(Exception):
    """A file cannot be used as a picture; the text says why, to go after "… is skipped: "."""


def read_square(path: Path, size: int) -> np.ndarray:
    """The middle square of a picture, whatever its size, aspect, colours and depth.

    Turned upright as the camera was held, on white where it is transparent; of an animation the first frame.

    Args:
        path: The file.
        size: Edge in pixels.

    Returns:
        (size, size, 3) uint8.

    Raises:
        Unreadable: It is no picture, is cut off, is too large, or may not be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of large pictures: those too large raise
            return _read(path, size)
    except Unreadable:
        raise
    except Exception as error:  # decoders of some thirty formats meet whatever a file holds
        raise Unreadable(_reason(error)) from error


def _read(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as picture:
        picture.draft(None, (2 * size, 2 * size))  # a JPEG is decoded smaller, which is many times as fast
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        square = ImageOps.fit(_eight_bits(picture), (size, size), Image.Resampling.LANCZOS)
    if square.mode == "RGBA":
        square = Image.alpha_composite(Image.new("RGBA", square.size, "white"), square).convert("RGB")
    return np.asarray(square if turn is None else square.transpose(turn))


def _orientation(picture: Image.Image) -> int:
    """How the camera was held, by the EXIF standard's number; 1 is upright, and so is what says nothing sensible."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged notes beside a picture that is whole
        return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The same in RGB, or RGBA if parts are transparent; Pillow itself clips what is deeper than eight bits."""
    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise Unreadable("it holds values that are no numbers")
    full = _full_scale(picture.mode, float(values.max()))
    return Image.fromarray((values / full * 255).clip(0, 255).round().astype(np.uint8)).convert("RGB")


def _full_scale(mode: str, highest: float) -> float:
    """The value that stands for white: of a 16-bit picture always the same, of a deeper one as its values suggest."""
    if mode.startswith("I;16"):
        return 65535.0
    for full in (1.0, 255.0, 65535.0):
        if highest <= full and (full > 1 or mode == "F"):
            return full
    return highest


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture of a known kind"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return "it may not be read"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text.splitlines()[0]
