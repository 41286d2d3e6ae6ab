"""Picture files, decoded to plain colours and brought to size, as a clean picture for a run.

Colours become sRGB, transparent parts lie on grey, greys of more than eight bits are brought to the range that their
values have, and the picture is turned upright. Which formats are read, and the memory that one picture may take, is in
`formats`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import IcnsImagePlugin, Image, ImageCms, Jpeg2KImagePlugin, JpegImagePlugin

from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures.formats import MOST_SCANNED_PIXELS, Unreadable, check_memory, one_at_a_time, opened
from sculptor_app.core.pictures.greys import (
    UPPER_EIGHT,
    GreyRange,
    StoredNumbers,
    bands,
    grey_range,
    has_equal_channels,
    is_deep,
    with_color_range,
)
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame

MOST_KEPT_PIXELS = 16_000_000
"""Pixels of a picture that is converted as it is; a larger one is first averaged to less, as far as its new size lets
it, band by band, so that its copies take a quarter of a gigabyte at most."""

ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""The transposition that brings each orientation upright."""
_LYING = (5, 6, 7, 8)  # orientations whose width is the upright picture's height
_TIFF_COMPRESSIONS = {
    "raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg", "tiff_jpeg", "tiff_adobe_deflate", "tiff_deflate",
    "packbits",
}  # fmt: skip
"""Those that every libtiff knows; where another fails, that is why."""
_PROFILE_MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}
_GAP = 3.0  # a picture is first averaged to three times its new size: as good to the eye, several times as fast
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Fit:
    """The size that a picture is brought to: every pixel as it is, or one of these.

    Attributes:
        longest_px: of the longer side; a smaller picture stays as it is.
        square_px: of the middle square.
        gap: see `Image.resize`; None averages nothing beforehand.
    """

    longest_px: int | None = None
    square_px: int | None = None
    gap: float | None = _GAP

    @property
    def least_px(self) -> int | None:
        """Pixels that will do on either side: a JPEG is then decoded smaller, many times as fast."""
        size = self.longest_px or self.square_px
        return None if size is None else 2 * size

    def region(self, width: int, height: int) -> tuple[int, int, int, int]:
        """What is needed of a picture, in whole pixels: left, top, right, bottom."""
        if self.square_px is None:
            return 0, 0, width, height
        left, top = max(0, (width - height) // 2), max(0, (height - width) // 2)
        return left, top, width - left, height - top

    def reduction(self, width: int, height: int) -> int:
        """How many pixels of a huge picture become one before it is converted, along each side; else 1."""
        scale = 1.0
        if self.longest_px is not None:
            scale = max(width, height) / self.longest_px
        elif self.square_px is not None:
            scale = min(width, height) / self.square_px
        factor = 1
        while width * height > MOST_KEPT_PIXELS * factor**2 and factor + 1 <= scale:
            factor += 1
        return factor

    def __call__(self, picture: Image.Image) -> Image.Image:
        """A picture of mode RGB, RGBA, L, CMYK or F, brought to size; it may lie on its side or be reduced."""
        if self.square_px is not None:
            width, height = picture.size
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            return picture.resize((self.square_px, self.square_px), Image.Resampling.LANCZOS, box, self.gap)
        size = picture.size if self.longest_px is None else _shrunk_size(*picture.size, self.longest_px)
        return (
            picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=self.gap)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A picture in plain colours.

    Attributes:
        pixels: (H, W, 3) float32, sRGB-encoded, 0 to 255; whole numbers unless the file holds finer greys.
    """

    pixels: NDArray[np.float32]
    original_size: tuple[int, int]  # width and height of the upright picture in the file, pixels
    notes: tuple[str, ...]  # what was done to it besides resizing, in plain words
    grey_note: str  # the one of them that says how greys of more than eight bits were scaled to their range, or empty


def decode(
    path: Path, fit: Fit, ground: tuple[int, int, int], check: Callable[[int, int], None] = lambda width, height: None
) -> Decoded:
    """Read a picture, whatever its colours and depth; of an animation the first frame.

    Args:
        ground: What transparent parts lie on, 0 to 255.
        check: Is given width and height before anything is unpacked, and may raise Unreadable.

    Raises:
        Unreadable: It is no picture, is cut off, is too large, or may not be read.
    """
    try:
        with one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            return _decode(path, fit, ground, check)
    except Unreadable:
        raise
    except Exception as error:  # decoders of some forty formats meet whatever a file holds
        raise _unreadable(error) from error


def _decode(path: Path, fit: Fit, ground: tuple[int, int, int], check: Callable[[int, int], None]) -> Decoded:
    _refuse_other_than_files(path)
    notes: list[str] = []
    with opened(path) as picture:
        size = picture.size
        check(*size)
        check_memory(picture, size, _draft(picture, fit.least_px))
        if picture.info.get("progressive"):
            _check_scans(picture, size)
        stored, picture = StoredNumbers.of(picture), _loaded(picture)
        orientation, profile = _orientation(picture), picture.info.get("icc_profile", b"")
        # A Photoshop document's layers are no frames: its first picture is the whole.
        if picture.format != "PSD" and getattr(picture, "is_animated", False):
            notes.append(translate("errors", "only the first of its pictures is used"))
        greys = grey_range(picture, stored) if is_deep(picture) else None
        plain = fit(_plain(picture, fit, bool(profile), greys))
        grey_note = greys.note if greys is not None else ""
        if stored.has_deep_colors:
            plain, grey_note = with_color_range(plain, picture)
            notes += [] if grey_note else [UPPER_EIGHT]
    plain = _in_srgb(plain, profile, notes)
    if plain.mode == "RGBA" and (np.asarray(plain.getchannel("A")) < 255).any():
        plain = Image.alpha_composite(Image.new("RGBA", plain.size, ground), plain)
        notes.append(translate("errors", "transparent parts lie on {0}").format(_ground_name(ground)))
    if orientation in _TURNS:
        plain = plain.transpose(_TURNS[orientation])
        notes.append(translate("errors", "turned upright as the camera was held"))
    notes += [grey_note] if grey_note else []
    return Decoded(_pixels(plain), size[::-1] if orientation in _LYING else size, tuple(notes), grey_note)


def _draft(picture: Image.Image, least_px: int | None) -> tuple[int, int]:
    """Have a JPEG or a large JPEG 2000 decoded smaller; returns width and height that it will have."""
    if least_px is None:
        return picture.size
    picture.draft(None, (least_px, least_px))
    width, height = picture.size
    if not isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile) or width * height <= MOST_KEPT_PIXELS:
        return picture.size
    halvings = max(0, min(_wavelet_levels(picture), (min(width, height) // least_px).bit_length() - 1))
    picture.reduce = halvings  # type: ignore[assignment]  # Pillow's name for both
    return width >> halvings, height >> halvings


def _check_scans(picture: Image.Image, size: tuple[int, int]) -> None:
    assert isinstance(picture, JpegImagePlugin.JpegImageFile) and picture.fp is not None  # noqa: PT018
    picture.fp.seek(0)
    scans, end = 0, b""
    while block := picture.fp.read(1 << 20):
        scans += (end + block).count(b"\xff\xda")
        end = block[-1:]
    if scans * size[0] * size[1] > MOST_SCANNED_PIXELS:
        raise Unreadable(
            translate("errors", "it is a JPEG in {0:,} scans, which would take too long").format(scans),
            translate("errors", "Save it anew in another program, or choose another picture."),
        )


def _wavelet_levels(picture: Jpeg2KImagePlugin.Jpeg2KImageFile) -> int:
    """How often a JPEG 2000 can be halved, by its coding style (COD: marker, 7 bytes, number of levels)."""
    assert picture.fp is not None
    picture.fp.seek(0)
    head = picture.fp.read(1 << 16)
    at = head.find(b"\xff\x52\0")
    return head[at + 9] if 0 <= at < len(head) - 9 else 0


def _loaded(picture: Image.Image) -> Image.Image:
    try:
        picture.load()
        if isinstance(picture, Jpeg2KImagePlugin.Jpeg2KImageFile):
            picture.reduce = 0  # type: ignore[assignment]  # else it stands in the way of the method
        if isinstance(picture, IcnsImagePlugin.IcnsImageFile) and picture.mode == "P":
            # WORKAROUND: Pillow 13 loses the palette of a picture in an icon of macOS.
            picture = picture.icns.getimage(picture.icns.bestsize())
            picture.load()
        return picture
    except OSError as error:
        compression = picture.info.get("compression")
        if picture.format == "TIFF" and compression not in _TIFF_COMPRESSIONS:
            raise NotImplementedError(f"TIFF with {compression}") from error
        raise


def _orientation(picture: Image.Image) -> int:
    """The camera's orientation, as EXIF numbers it; 1 is upright, and also stands for no sensible one."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged notes beside a picture that is whole
        return 1


def _plain(picture: Image.Image, fit: Fit, has_profile: bool, greys: GreyRange | None) -> Image.Image:
    """What is needed of it in a mode that can be resized; a huge picture is reduced on the way, band by band."""
    factor = fit.reduction(*picture.size)
    if factor == 1:
        return _plain_band(picture, has_profile, greys)
    made = None
    for top, band in bands(picture, fit.region(*picture.size), factor):
        part = _plain_band(band, has_profile, greys).reduce(factor)
        if made is None:
            left, upper, right, lower = fit.region(*picture.size)
            made = Image.new(part.mode, (-(-(right - left) // factor), -(-(lower - upper) // factor)))
        made.paste(part, (0, top // factor))
    assert made is not None
    return made


def _plain_band(picture: Image.Image, has_profile: bool, greys: GreyRange | None) -> Image.Image:
    """The same in RGB, RGBA if parts are transparent, F of 0 to 255 if it is deeper.

    Grey and printing colours stay for a profile to convert.
    """
    if greys is not None:  # Pillow itself clips what is above 255
        return Image.fromarray(greys.scaled(picture))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if has_profile and picture.mode in ("L", "CMYK") else picture.convert("RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The same in RGB, RGBA or F, with a note of its profile, which is empty without one, None where parts lack."""
    if profile and picture.mode == "F":
        notes.append(translate("errors", "its colour profile is not used for greys of more than 8 bits"))
    elif profile or profile is None:
        try:
            return _converted(picture, profile or b"", notes)
        except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile beside a picture that is whole
            notes.append(translate("errors", "its colour profile cannot be used and was left out"))
    return picture if picture.mode in ("RGBA", "F") else picture.convert("RGB")


def _converted(picture: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = ImageCms.getProfileDescription(source).strip()
    space = source.profile.xcolor_space.strip()
    # It was grey with transparent parts.
    is_grey = space == "GRAY" and picture.mode == "RGBA" and has_equal_channels(picture)
    if picture.mode not in _PROFILE_MODES.get(space, ()) and not is_grey:
        raise ValueError(f"a profile of {space} in a picture of {picture.mode}")
    if picture.mode in ("RGB", "RGBA") and "srgb" in name.lower():
        return picture  # converting would only round
    colours = picture.convert("L" if is_grey else "RGB") if picture.mode == "RGBA" else picture
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


_RARE = re.compile(
    r"unsupported|not supported|unimplemented|unknown|not available|cannot (handle|decode)", re.IGNORECASE
)


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, NotImplementedError) or _RARE.search(str(error)):
        return Unreadable(
            translate("errors", "it is of a rare kind that is not read here"),
            translate("errors", "Save it as a PNG or JPEG first, in a program that shows it."),
        )
    if isinstance(error, Image.DecompressionBombError):
        return Unreadable(translate("errors", "there is more in it than its header says"))
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
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:  # that is a damaged file's offset
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


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPicture:
    """A picture as it is worked with."""

    frame: Frame  # (3, H, W) float32 in [-1, 1], sRGB values as they are
    name: str
    original_size: tuple[int, int]  # width and height of the upright picture in the file, pixels
    notes: tuple[str, ...]  # what was done to it, in plain words: "shrunk from 4000 x 3000 pixels", "turned upright …"
    changes: tuple[str, ...] = ()  # those of the notes that are not about its size


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
    name = os.fsencode(path.name or path).decode("utf-8", "replace")  # a name may hold bytes that are no letters
    try:
        found = decode(path, Fit(longest_px, square_px), GROUND, _size_check(longest_px))
    except Unreadable as error:
        raise PictureError(
            translate("errors", "{0} cannot be opened: {1}.").format(name, error), error.advice
        ) from error
    frame = np.ascontiguousarray(found.pixels.transpose(2, 0, 1)) / np.float32(127.5)
    frame -= np.float32(1)
    notes = (*_resized(found.original_size, frame.shape, square_px is not None), *found.notes)
    return OpenedPicture(frame, name, found.original_size, notes, found.notes)


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
