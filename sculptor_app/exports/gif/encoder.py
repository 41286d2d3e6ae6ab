"""GIF frames that hold only what changed, and the blocks of the GIF file format.

Neighbouring states of a run differ little. A pixel is drawn again when what is on screen has drifted from it by more
than the eye finds in its surroundings: little in calm areas, more amid noise. The few pixels of a frame that are drawn
share up to 255 colours among them, so each is nearly exact, and the rest is one transparent index that packs to almost
nothing. The work is done on the run's own pixels; enlarging comes last.

The file's blocks are put together here too: Pillow's own writer decides for itself about palettes, transparency and
merging of frames, which costs size, quality and the number of frames. Each frame keeps its palette, its delay and its
place; the LZW data is Pillow's.

Source: CompuServe, "Graphics Interchange Format, version 89a", 1990.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.exports.animation.drawing import Scene
from sculptor_app.exports.gif.palette import (
    LIGHTNESS,
    LIGHTNESS_WEIGHT,
    Bytes,
    Floats,
    SheetPalette,
    distance,
    quantised,
)

TRANSPARENT = 255
"""Index of the pixels that stay as they are; palettes use 0 to 254."""

TRAILER = b";"
_GLOBAL_HEADER = 13
_LOCAL_TABLE = 0x80
_KEEP_AND_TRANSPARENT = 0b00000101  # disposal 1: the frame stays; a transparent index follows


DRIFT_PER_CONTRAST = 0.5
"""A pixel may drift by half the standard deviation of lightness around it, in levels of 255, within two bounds."""

LEAST_DRIFT = (0.05, 2.5, 6.0)
MOST_DRIFT = (0.1, 5.0, 16.0)
"""The bounds: a share of the picture's mean squared contrast, itself between two numbers. A calm picture has colours to
spare, and every pixel that is drawn again comes nearer; amid noise each takes a colour from the others."""

FINE_DRIFT = 1.5
"""What a picture that is looked at for long may drift, if there are colours enough."""


class SceneEncoder:
    """Encodes scenes one after the other; remembers what a player has on its screen."""

    def __init__(self, palette: SheetPalette) -> None:
        self._palette = palette
        self._native: Bytes | None = None
        self._sheet: Bytes | None = None

    def encode(self, scene: Scene, delay_ms: int, careful: bool = False) -> bytes:
        """The GIF frame that takes a player from the scene before to this one.

        Args:
            delay_ms: time on screen, whole 10 ms.
            careful: spend more bytes on it, as it is looked at for long.
        """
        indices, palette = self._pictures(scene.pictures, careful)
        canvas = scene.laid_over(indices, self._sheet_changes(self._palette.indexed(scene.sheet)))
        upper, lower, first, last = _bounds(canvas != TRANSPARENT)
        return frame_block(canvas[upper:lower, first:last], palette, first, upper, delay_ms)

    def _pictures(self, native: Bytes, careful: bool) -> tuple[Bytes, Bytes]:
        """Indices (h, w) of the pixels that are drawn again, and the palette of the frame, sheet colours first."""
        if self._native is None:
            ways = [np.ones(native.shape[:2], bool)]
        else:
            difference = distance(native.astype(np.float32) - self._native)
            ways = [difference > _allowed(native)]
            if careful:
                ways.append(difference > FINE_DRIFT**2)
        drawn = [self._redrawn(native, changed) for changed in ways]
        errors = [float(distance(native.astype(np.float32) - screen).sum()) for _, _, screen in drawn]
        indices, palette, self._native = drawn[int(np.argmin(errors))]
        return indices, palette

    def _redrawn(self, native: Bytes, changed: NDArray[np.bool_]) -> tuple[Bytes, Bytes, Bytes]:
        """Indices, palette, and what is on screen when the changed pixels (h, w) have been drawn again."""
        indices = np.full(native.shape[:2], TRANSPARENT, np.uint8)
        palette = self._palette.colours
        screen = native.copy() if self._native is None else self._native.copy()
        if changed.any():
            own, colours = quantised(native[changed], TRANSPARENT - len(palette))
            indices[changed] = own + np.uint8(len(palette))
            screen[changed] = colours[own]
            palette = np.concatenate([palette, colours])
        return indices, palette, screen

    def _sheet_changes(self, sheet: Bytes) -> Bytes:
        """The sheet with everything transparent that is on screen already."""
        before, self._sheet = self._sheet, sheet
        return sheet.copy() if before is None else np.where(before == sheet, np.uint8(TRANSPARENT), sheet)


def _allowed(wanted: Bytes) -> Floats:
    """The weighted squared distance (h, w) up to which what is on screen may stay."""
    contrast = _contrast(wanted)
    roughness = float((contrast * contrast).mean())
    least, most = (np.clip(share * roughness, low, high) for share, low, high in (LEAST_DRIFT, MOST_DRIFT))
    drift = np.clip(DRIFT_PER_CONTRAST * contrast, least, most)
    # Drift is a length in RGB. The factor makes a grey difference count as that length: d in every channel has the
    # squared length 3d², and the weighted distance 3d² + LIGHTNESS_WEIGHT · d².
    allowed: Floats = drift**2 * np.float32(1 + LIGHTNESS_WEIGHT / 3)
    return allowed


def _contrast(picture: Bytes) -> Floats:
    """Standard deviation of lightness in the 3×3 neighbourhood of each pixel, (h, w)."""
    lightness = picture.astype(np.float32) @ LIGHTNESS
    mean = _box(lightness)
    deviation: Floats = np.sqrt(np.maximum(_box(lightness * lightness) - mean * mean, 0))
    return deviation


def _box(plane: Floats) -> Floats:
    """Mean of the 3×3 neighbourhood; the border repeats."""
    padded = np.pad(plane, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total: Floats = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / np.float32(9)
    return total


def _bounds(drawn: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is drawn; one pixel where nothing is, so that the frame still counts."""
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not rows.size:
        return 0, 1, 0, 1
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def file_header(width: int, height: int, loop: bool, comment: bytes) -> bytes:
    """Everything before the first frame: for ever with `loop`, otherwise played once; the sides are 1..65535 pixels."""
    screen = b"GIF89a" + _short(width) + _short(height) + b"\x00\x00\x00"
    repeat = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" if loop else b""
    return screen + repeat + b"!\xfe" + _sub_blocks(comment)


def frame_block(indices: Bytes, palette: Bytes, left: int, top: int, delay_ms: int) -> bytes:
    """One frame that is laid over what is there.

    Args:
        indices: (H, W) uint8; TRANSPARENT leaves a pixel as it is.
        palette: (P, 3) uint8, P <= 255.
        delay_ms: time on screen; whole 10 ms.
    """
    height, width = indices.shape
    transparent = len(palette)  # the first index after the colours, so that few colours need a small table
    bits = max(1, transparent.bit_length())
    table = np.zeros((1 << bits, 3), np.uint8)
    table[: len(palette)] = palette
    control = b"!\xf9\x04" + bytes([_KEEP_AND_TRANSPARENT]) + _short(delay_ms // 10) + bytes([transparent, 0])
    place = b"," + _short(left) + _short(top) + _short(width) + _short(height) + bytes([_LOCAL_TABLE | (bits - 1)])
    return control + place + table.tobytes() + _lzw(np.where(indices == TRANSPARENT, np.uint8(transparent), indices))


def _lzw(indices: Bytes) -> bytes:
    """The code size and the LZW sub-blocks of a frame, taken out of a one-frame GIF that Pillow writes.

    An "L" picture's values go into the file unchanged, whatever its palette means.
    """
    stream = BytesIO()
    Image.fromarray(indices).save(stream, "GIF", optimize=False, interlace=0)
    content = stream.getvalue()
    at = _GLOBAL_HEADER + _table_bytes(content[10])
    while content[at] != ord(","):
        at = _after_sub_blocks(content, at + 2)
    return content[at + 10 + _table_bytes(content[at + 9]) : -1]


def _table_bytes(flags: int) -> int:
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _after_sub_blocks(content: bytes, at: int) -> int:
    while content[at]:
        at += content[at] + 1
    return at + 1


def _sub_blocks(content: bytes) -> bytes:
    pieces = [content[start : start + 255] for start in range(0, len(content), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\x00"


def _short(value: int) -> bytes:
    return value.to_bytes(2, "little")
