"""A person's own picture as a clean picture to drown, or to start from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures.file import Fit, Unreadable, decode
from sculptor_app.core.trajectory.step import Frame

GROUND = (128, 128, 128)
"""What transparent parts are laid on: the middle of the scale, which is nearest to no picture at all."""
LEAST_SIDE_PX = 2
_GAP = 3.0  # a picture is first averaged to three times its new size: as good to the eye, several times as fast
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPicture:
    """A picture as it is worked with.

    Attributes:
        frame: (3, H, W) float32 in [-1, 1], sRGB values as they are.
        name: The file's name.
        original_size: Width and height of the upright picture in the file, pixels.
        notes: What was done to it, in plain words: "shrunk from 4000 x 3000 pixels", "turned upright …".
    """

    frame: Frame
    name: str
    original_size: tuple[int, int]
    notes: tuple[str, ...]


def open_picture(path: Path, *, longest_px: int | None = None, square_px: int | None = None) -> OpenedPicture:
    """Open any picture that Pillow reads: upright, in sRGB, on mid grey where it is transparent.

    Args:
        path: The file.
        longest_px: Shrink it until its longer side is this; a smaller one stays as it is.
        square_px: Crop its middle and bring it to exactly this square, for a model. None of both keeps every pixel.

    Raises:
        PictureError: It is no picture, is cut off, too large or too small, or may not be read.
        ValueError: Both sizes are given, or one is below 2.
    """
    chosen = [size for size in (longest_px, square_px) if size is not None]
    if len(chosen) > 1 or any(size < LEAST_SIDE_PX for size in chosen):
        raise ValueError(f"longest_px is {longest_px} and square_px {square_px}; give one of them, {LEAST_SIDE_PX} up")
    fit: Fit = _as_it_is
    if square_px is not None:
        fit = _to_square(square_px)
    elif longest_px is not None:
        fit = _to_longest(longest_px)
    name = os.fsencode(path.name or path).decode("utf-8", "replace")  # a name may hold bytes that are no letters
    try:
        found = decode(path, fit, 2 * chosen[0] if chosen else None, GROUND, _size_check(longest_px))
    except Unreadable as error:
        raise PictureError(f"{name} cannot be opened: {error}.", error.what_to_do) from error
    frame = np.ascontiguousarray(found.pixels.transpose(2, 0, 1)) / np.float32(127.5) - np.float32(1)
    notes = (*_resized(found.original_size, frame.shape, square_px is not None), *found.notes)
    return OpenedPicture(frame, name, found.original_size, notes)


def _as_it_is(picture: Image.Image) -> Image.Image:
    return picture


def _to_longest(longest_px: int) -> Fit:
    def fit(picture: Image.Image) -> Image.Image:
        width, height = _shrunk_size(*picture.size, longest_px)
        if (width, height) == picture.size:
            return picture
        return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=_GAP)

    return fit


def _to_square(square_px: int) -> Fit:
    def fit(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        return picture.resize((square_px, square_px), Image.Resampling.LANCZOS, box, _GAP)

    return fit


def _shrunk_size(width: int, height: int, longest_px: int) -> tuple[int, int]:
    scale = min(1.0, longest_px / max(width, height))
    return round(width * scale), round(height * scale)


def _size_check(longest_px: int | None) -> Callable[[int, int], None]:
    """What refuses a picture by the size that its header tells."""

    def check(width: int, height: int) -> None:
        size = f"{width} {_TIMES} {height} pixels"
        if min(width, height) < LEAST_SIDE_PX:
            raise Unreadable(f"it has {size}", f"Choose a picture of at least {LEAST_SIDE_PX} pixels on each side.")
        if longest_px is not None and min(_shrunk_size(width, height, longest_px)) < LEAST_SIDE_PX:
            raise Unreadable(f"it has {size}, and shrunk to {longest_px} nothing of it is left", "Crop it first.")

    return check


def _resized(original: tuple[int, int], shape: tuple[int, ...], cropped: bool) -> list[str]:
    """Notes about what became of the size."""
    width, height = original
    notes = ["cropped to its middle square"] if cropped and width != height else []
    before, now = (min(original), shape[1]) if cropped else (max(original), max(shape[1:]))
    if now != before:
        notes.append(f"{'shrunk' if now < before else 'enlarged'} from {width} {_TIMES} {height} pixels")
    return notes
