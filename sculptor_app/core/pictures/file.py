"""Picture files: any that Pillow reads, decoded to plain colours and brought to size, as a clean picture for a run.

Colours become sRGB, transparent parts lie on grey, and the picture is turned upright.
"""

from __future__ import annotations

import errno
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from sculptor_app.core.errors import PictureError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame

MOST_PIXELS = 400_000_000
"""Pixels of the largest picture that is unpacked: twice what telephones' cameras take; it needs 1.6 GB for a moment."""

ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""The transposition that brings each orientation upright."""
_LYING = (5, 6, 7, 8)  # orientations whose width is the upright picture's height
_PROFILE_MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}
_open_lock = threading.Lock()

Fit = Callable[[Image.Image], Image.Image]
"""Resizes or crops a picture of mode RGB, RGBA, L, CMYK or F; it may lie on its side or be smaller than in the file."""


class Unreadable(Exception):
    """A file cannot be used as a picture.

    Args:
        reason: why, to go after "… is skipped: ", without a full stop.
        advice: one sentence.
    """

    def __init__(self, reason: str, advice: str = translate("errors", "Choose another picture.")) -> None:
        super().__init__(reason)
        self.advice = advice


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture in plain colours.

    Attributes:
        pixels: (H, W, 3) float32, sRGB-encoded, 0 to 255; whole numbers unless the file holds finer greys.
    """

    pixels: NDArray[np.float32]
    original_size: tuple[int, int]  # width and height of the upright picture in the file, pixels
    notes: tuple[str, ...]  # what was done to it besides resizing, in plain words


def decode(
    path: Path,
    fit: Fit,
    least_px: int | None,
    ground: tuple[int, int, int],
    check: Callable[[int, int], None] = lambda width, height: None,
) -> Decoded:
    """Read a picture, whatever its colours and depth; of an animation the first frame.

    Args:
        fit: Brings it to size before its colours are converted, which is quicker than after.
        least_px: Pixels that `fit` can do with on either side: a JPEG is then decoded smaller, many times as fast.
            None decodes every pixel.
        ground: What transparent parts lie on, 0 to 255.
        check: Is given width and height before anything is unpacked, and may raise Unreadable.

    Raises:
        Unreadable: It is no picture, is cut off, is too large, or may not be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            return _decode(path, fit, least_px, ground, check)
    except Unreadable:
        raise
    except Exception as error:  # decoders of some thirty formats meet whatever a file holds
        raise _unreadable(error) from error


def _decode(
    path: Path, fit: Fit, least_px: int | None, ground: tuple[int, int, int], check: Callable[[int, int], None]
) -> Decoded:
    _refuse_other_than_files(path)
    with _opened(path) as picture:
        size = picture.size
        if size[0] * size[1] > MOST_PIXELS:
            raise Unreadable(
                translate("errors", "it has more than {0:,} pixels").format(MOST_PIXELS),
                translate("errors", "Shrink it first, or choose another picture."),
            )
        check(*size)
        if least_px is not None:
            picture.draft(None, (least_px, least_px))
        picture.load()
        orientation, profile = _orientation(picture), picture.info.get("icc_profile")
        notes: list[str] = (
            [translate("errors", "only the first of its pictures is used")]
            if getattr(picture, "is_animated", False)
            else []
        )
        plain = fit(_plain(picture, bool(profile)))
    plain = _in_srgb(plain, profile, notes)
    if plain.mode == "RGBA":
        plain = Image.alpha_composite(Image.new("RGBA", plain.size, ground), plain)
        notes.append(translate("errors", "transparent parts lie on {0}").format(_ground_name(ground)))
    if orientation in _TURNS:
        plain = plain.transpose(_TURNS[orientation])
        notes.append(translate("errors", "turned upright as the camera was held"))
    return Decoded(_pixels(plain), size[::-1] if orientation in _LYING else size, tuple(notes))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file's header, read whatever size it names: our limit is not Pillow's, which is one for the whole program."""
    with _open_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            picture = Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = before
    with picture:
        yield picture


def _orientation(picture: Image.Image) -> int:
    """The camera's orientation, as EXIF numbers it; 1 is upright, and also stands for no sensible one."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged notes beside a picture that is whole
        return 1


def _plain(picture: Image.Image, has_profile: bool) -> Image.Image:
    """The same in a mode that can be resized: RGB, RGBA if parts are transparent, F of 0 to 255 if it is deeper.

    Grey and printing colours stay for a profile to convert.
    """
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):  # Pillow itself clips what is above 255
        return _scaled_greys(picture)
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if has_profile and picture.mode in ("L", "CMYK") else picture.convert("RGB")


def _scaled_greys(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.float32)
    if not np.isfinite(values).all():
        raise Unreadable(translate("errors", "it holds NaN or infinity"))
    full = _full_scale(picture.mode, float(values.max()))
    return Image.fromarray(np.clip(values / np.float32(full) * 255, 0, 255))


def _full_scale(mode: str, highest: float) -> float:
    """The value that stands for white: of a 16-bit picture always the same, of a deeper one as its values suggest."""
    if mode.startswith("I;16"):
        return 65535.0
    for full in (1.0, 255.0, 65535.0):
        if highest <= full and (full > 1 or mode == "F"):
            return full
    return highest


def _in_srgb(picture: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The same in RGB, RGBA or F; where there is a colour profile, its colours are converted, and a note says so."""
    if profile and picture.mode != "F":
        try:
            return _converted(picture, profile, notes)
        except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile beside a picture that is whole
            notes.append(translate("errors", "its colour profile cannot be used and was left out"))
    return picture if picture.mode in ("RGBA", "F") else picture.convert("RGB")


def _converted(picture: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = ImageCms.getProfileDescription(source).strip()
    if picture.mode not in _PROFILE_MODES.get(source.profile.xcolor_space.strip(), ()):
        raise ValueError(f"a profile of {source.profile.xcolor_space} in a picture of {picture.mode}")
    if picture.mode in ("RGB", "RGBA") and "srgb" in name.lower():
        return picture  # converting would only round
    colours = picture.convert("RGB") if picture.mode == "RGBA" else picture
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), colours.mode, "RGB")
    converted = ImageCms.applyTransform(colours, transform)
    assert converted is not None  # only a conversion in place returns none
    notes.append(translate("errors", "colours converted from the profile {0}").format(name or "in the file"))
    if picture.mode == "RGBA":
        converted.putalpha(picture.getchannel("A"))
    return converted


def _pixels(picture: Image.Image) -> NDArray[np.float32]:
    """(H, W, 3) float32 of a picture in RGB, RGBA without transparent parts, or F; a filter's overshoot is cut."""
    values = np.asarray(picture, np.float32)
    if values.ndim == 2:
        values = np.repeat(np.clip(values, 0, 255)[..., None], 3, axis=2)
    return np.ascontiguousarray(values[..., :3])


def _ground_name(ground: tuple[int, int, int]) -> str:
    return "white" if ground == (255, 255, 255) else "mid grey"


def _refuse_other_than_files(path: Path) -> None:
    """Refuse folders, pipes and devices in words; a pipe would be waited for, a device read without end."""
    if path.is_dir():
        raise Unreadable(translate("errors", "it is a folder"), translate("errors", "Choose a picture in it."))
    if not path.is_file() and path.exists():
        raise Unreadable(translate("errors", "it is no file"))


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, UnidentifiedImageError):
        return Unreadable(
            translate("errors", "it is no picture of a known kind"),
            translate("errors", "Choose a JPEG, PNG, WebP, TIFF, GIF or BMP."),
        )
    if isinstance(error, MemoryError):
        return Unreadable(
            translate("errors", "there is not enough memory for it"),
            translate("errors", "Shrink it first, or close other programs."),
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return Unreadable(
            translate("errors", "it may not be read"),
            translate("errors", "Change its permissions, or choose another picture."),
        )
    if isinstance(error, FileNotFoundError):
        return Unreadable(
            translate("errors", "there is no such file"),
            translate("errors", "Look at its name, or choose another picture."),
        )
    if isinstance(error, OSError) and error.strerror:
        return Unreadable(
            translate("errors", "reading it failed ({0})").format(error.strerror),
            translate("errors", "Try again, or choose another picture."),
        )
    return Unreadable(
        translate("errors", "it is broken or truncated"),
        translate("errors", "Get a whole copy of it, or choose another picture."),
    )


GROUND = (128, 128, 128)
"""Ground of transparent parts: the middle of the scale, which is nearest to no picture at all."""
LEAST_SIDE_PX = 2
_GAP = 3.0  # a picture is first averaged to three times its new size: as good to the eye, several times as fast
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPicture:
    """A picture as it is worked with."""

    frame: Frame  # (3, H, W) float32 in [-1, 1], sRGB values as they are
    name: str
    original_size: tuple[int, int]  # width and height of the upright picture in the file, pixels
    notes: tuple[str, ...]  # what was done to it, in plain words: "shrunk from 4000 x 3000 pixels", "turned upright …"


def open_picture(path: Path, *, longest_px: int | None = None, square_px: int | None = None) -> OpenedPicture:
    """Open any picture that Pillow reads: upright, in sRGB, on mid grey where it is transparent.

    Args:
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
        raise PictureError(
            translate("errors", "{0} cannot be opened: {1}.").format(name, error), error.advice
        ) from error
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
    def check(width: int, height: int) -> None:
        size = f"{width} {_TIMES} {height} pixels"
        if min(width, height) < LEAST_SIDE_PX:
            raise Unreadable(
                translate("errors", "it has {0}").format(size),
                translate("errors", "Choose a picture of at least {0} pixels on each side.").format(LEAST_SIDE_PX),
            )
        if longest_px is not None and min(_shrunk_size(width, height, longest_px)) < LEAST_SIDE_PX:
            raise Unreadable(
                translate("errors", "it has {0}, and shrunk to {1} nothing of it is left").format(size, longest_px),
                translate("errors", "Crop it first."),
            )

    return check


def _resized(original: tuple[int, int], shape: tuple[int, ...], cropped: bool) -> list[str]:
    """Notes about what became of the size."""
    width, height = original
    notes: list[str] = [translate("errors", "cropped to its middle square")] if cropped and width != height else []
    before, now = (min(original), shape[1]) if cropped else (max(original), max(shape[1:]))
    if now != before:
        shrunk, enlarged = (
            translate("errors", "shrunk from {0} × {1} pixels"),
            translate("errors", "enlarged from {0} × {1} pixels"),
        )
        notes.append((shrunk if now < before else enlarged).format(width, height))
    return notes


def fit_square(picture: Frame, size_px: int) -> Frame:
    """The middle of an opened picture as a square of exactly this size, that a model works at.

    Args:
        picture: (3, H, W) float32 in [-1, 1].

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
