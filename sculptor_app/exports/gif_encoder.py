"""Turning pictures into GIF frames that say only what changed.

Neighbouring states of a run differ little. A pixel is drawn again when what is on screen has drifted from it by more
than the eye finds in its surroundings: little in calm areas, more amid noise. The few pixels of a frame that are drawn
share up to 255 colours among them, so each is nearly exact, and the rest is one transparent index that packs to almost
nothing. The work is done on the run's own pixels; enlarging comes last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.exports.gif_container import TRANSPARENT, frame_block
from sculptor_app.exports.gif_palette import LIGHTNESS, LIGHTNESS_WEIGHT, distance, quantised

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

LEAST_DRIFT = 6.0
MOST_DRIFT = 16.0
DRIFT_PER_CONTRAST = 0.5
"""A pixel may drift by half the standard deviation of lightness around it, at least 6 and at most 16 of 255 levels."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture of the animation, before it is encoded.

    Attributes:
        native: (h, w, 3) uint8, the pictures at the run's own pixels, side by side.
        sheet: (H, W) uint8, the whole picture drawn in the sheet's own colours: paper, captions, plots.
        places: for each picture side by side its left edge and width in native pixels, and its left edge in the sheet;
            all have their top in row 0.
    """

    native: Bytes
    sheet: Bytes
    places: tuple[tuple[int, int, int], ...]


class SceneEncoder:
    """Encodes scenes one after the other; remembers what a player has on its screen.

    Args:
        sheet_colours: (S, 3) uint8, the colours of the scenes' sheets; S < 255.
        scale: sheet pixels per native pixel.
    """

    def __init__(self, sheet_colours: Bytes, scale: int) -> None:
        self._sheet_colours = sheet_colours
        self._scale = scale
        self._native: Bytes | None = None
        self._sheet: Bytes | None = None

    def encode(self, scene: Scene, delay_ms: int) -> bytes:
        """The GIF frame that takes a player from the scene before to this one.

        Args:
            scene: what is to be seen.
            delay_ms: time on screen, whole 10 ms.
        """
        indices, palette = self._pictures(scene.native)
        canvas = self._sheet_changes(scene.sheet)
        height = scene.native.shape[0]
        for start, width, left in scene.places:
            large = indices[:, start : start + width].repeat(self._scale, 0).repeat(self._scale, 1)
            canvas[: height * self._scale, left : left + width * self._scale] = large
        top, bottom, first, last = _bounds(canvas != TRANSPARENT)
        return frame_block(canvas[top:bottom, first:last], palette, first, top, delay_ms)

    def _pictures(self, native: Bytes) -> tuple[Bytes, Bytes]:
        """Indices (h, w) of the pixels that are drawn again, and the palette of the frame, sheet colours first."""
        changed = np.ones(native.shape[:2], bool) if self._native is None else _drifted(self._native, native)
        indices = np.full(native.shape[:2], TRANSPARENT, np.uint8)
        palette = self._sheet_colours
        on_screen = native.copy() if self._native is None else self._native.copy()
        if changed.any():
            own, colours = quantised(native[changed], TRANSPARENT - len(palette))
            indices[changed] = own + np.uint8(len(palette))
            on_screen[changed] = colours[own]
            palette = np.concatenate([palette, colours])
        self._native = on_screen
        return indices, palette

    def _sheet_changes(self, sheet: Bytes) -> Bytes:
        """The sheet with everything transparent that is on screen already."""
        before, self._sheet = self._sheet, sheet
        return sheet.copy() if before is None else np.where(before == sheet, np.uint8(TRANSPARENT), sheet)


def _drifted(on_screen: Bytes, wanted: Bytes) -> NDArray[np.bool_]:
    """Which pixels (h, w) have drifted too far from what is on screen."""
    allowed = np.clip(DRIFT_PER_CONTRAST * _contrast(wanted), LEAST_DRIFT, MOST_DRIFT)
    difference = wanted.astype(np.float32) - on_screen
    # Drift is a length in RGB. The factor makes a grey difference count as that length: d in every channel has the
    # squared length 3d², and the weighted distance 3d² + LIGHTNESS_WEIGHT · d².
    too_far: NDArray[np.bool_] = distance(difference) > allowed**2 * (1 + LIGHTNESS_WEIGHT / 3)
    return too_far


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
