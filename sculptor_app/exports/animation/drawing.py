"""Scenes of an animation in RGB, and the inks, type and lines that they are drawn with.

The typeface is the one inside Pillow (Aileron Regular), so that a picture looks the same on every machine. It lacks
superscripts, Greek and the true minus sign: texts here do without.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sculptor_app.core.colours import DARK_PAPER, LIGHT_PAPER, Paper

Bytes = NDArray[np.uint8]

SheetDetail = Literal["paper", "caption", "chart"]
"""What is drawn on a sheet at most: nothing, text and a bar of the phases, or a chart as well."""

DOT = "  ·  "
"""Between the parts of a text; the typeface's own spaces are narrow."""

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Inks:
    """The colours of `core.colours.Paper` as Pillow takes them; `phases` and `bands` by their keys."""

    paper: Colour
    text: Colour
    muted: Colour
    phases: dict[str, Colour] = field(hash=False)
    bands: dict[str, Colour] = field(hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image of an animation in RGB, its pictures apart from the sheet around them.

    A format of few colours treats the two differently: pictures are noise and have many colours, a sheet is drawn in a
    few inks.

    Attributes:
        places: for each picture side by side its left edge and width in native pixels, and its left edge and its top
            in the sheet.
    """

    pictures: Bytes  # (h, w, 3) uint8, side by side at the run's own pixels
    sheet: Bytes  # (H, W, 3) uint8, the whole image without pictures: paper, captions, chart
    places: tuple[tuple[int, int, int, int], ...]
    scale: int  # sheet pixels per native pixel

    def rgb(self) -> Bytes:
        """The whole image (H, W, 3), its pixels crisp."""
        return self.laid_over(self.pictures, self.sheet.copy())

    def laid_over(self, pictures: Bytes, sheet: Bytes) -> Bytes:
        """The sheet with the pictures enlarged into their places; both (height, width, ...), the sheet is changed."""
        height = pictures.shape[0] * self.scale
        for start, width, left, top in self.places:
            large = pictures[:, start : start + width].repeat(self.scale, 0).repeat(self.scale, 1)
            sheet[top : top + height, left : left + width * self.scale] = large
        return sheet


class Scenes(ABC):
    """Draws the scenes of an animation, all of one size and in the same few inks beside the pictures.

    Attributes:
        width, height: of the whole image, pixels.
        detail: what is drawn on its sheets.
    """

    def __init__(self, states: tuple[int, ...], width: int, height: int, detail: SheetDetail) -> None:
        self._states, self.width, self.height, self.detail = states, width, height, detail

    @abstractmethod
    def scene(self, k: int) -> Scene:
        """The scene of state k."""

    @abstractmethod
    def _sample_sheet(self, k: int) -> Image.Image:
        """The sheet of state k, for its inks."""

    def sample_sheets(self) -> list[Bytes]:
        """Sheets (H, W, 3) of the first, the middle and the last state: all inks are in them."""
        states = self._states
        chosen = sorted({states[0], states[len(states) // 2], states[-1]})
        return [np.asarray(self._sample_sheet(k)) for k in chosen]


def _rgb(value: str) -> Colour:
    red, green, blue = bytes.fromhex(value.removeprefix("#"))
    return red, green, blue


def _inks(paper: Paper) -> Inks:
    phases, bands = ({key: _rgb(ink) for key, ink in inks.items()} for inks in (paper.phases, paper.bands))
    return Inks(_rgb(paper.paper), _rgb(paper.text), _rgb(paper.muted), phases, bands)


LIGHT, DARK = _inks(LIGHT_PAPER), _inks(DARK_PAPER)


@lru_cache(maxsize=32)
def typeface(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own scalable typeface."""
    font = ImageFont.load_default(size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("This build of Pillow has no FreeType; install Pillow's own wheel.")
    return font


def blend(ink: Colour, paper: Colour, share: float) -> Colour:
    """So much of the ink on the paper, 0..1."""
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in zip(ink, paper, strict=True))
    return red, green, blue


def first_that_fits(candidates: Sequence[str], font: ImageFont.FreeTypeFont, width: float) -> str:
    """The first of the texts, longest first, that is not wider than `width` pixels; empty if none is."""
    return next((text for text in candidates if font.getlength(text) <= width), "")


def polyline(
    draw: ImageDraw.ImageDraw, points: Sequence[Point], ink: Colour, width: int, dash: Sequence[float]
) -> None:
    """A line through points, solid where `dash` is empty, otherwise of strokes and gaps of those lengths."""
    for stroke in _strokes(points, dash) if dash else [list(points)]:
        if len(stroke) > 1:
            draw.line(stroke, fill=ink, width=width, joint="curve")


def _strokes(points: Sequence[Point], dash: Sequence[float]) -> Iterator[list[Point]]:
    """The inked pieces of a dashed line, walked along from end to end."""
    part, left = 0, dash[0]
    stroke = [points[0]]
    for start, end in pairwise(points):
        length, done = math.dist(start, end), 0.0
        while length - done > left:
            done += left
            share = done / length
            at = (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
            if part % 2 == 0:
                yield [*stroke, at]
            part = (part + 1) % len(dash)
            left, stroke = dash[part], [at]
        left -= length - done
        stroke.append(end)
    if part % 2 == 0:
        yield stroke


def new_paper(width: int, height: int, inks: Inks) -> Image.Image:
    """An empty RGB picture."""
    return Image.new("RGB", (width, height), inks.paper)
