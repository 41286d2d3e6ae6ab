"""Sheets of many runs: their layout, and one drawn to look at or as the scene of an animation."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.caption import CaptionCell, caption_height, draw_caption
from sculptor_app.exports.animation.drawing import (
    DARK,
    LIGHT,
    Bytes,
    Scene,
    Scenes,
    first_that_fits,
    new_paper,
    typeface,
)
from sculptor_app.exports.animation.options import GRID_FRAMES, MAX_SIZE_PX, AnimationOptions
from sculptor_app.exports.animation.plan import DecodedFrames, Geometry, RunGrid, geometry, kinds_of, shown_picture
from sculptor_app.exports.files import ExportError, OptionError
from sculptor_app.measures.frame_kinds import FrameKind

MOST_SHEET_PX = 8192
"""Longer side of the largest sheet."""

MARGIN = 14
_GAP, _MOST_GAP = 10, 36


@dataclass(frozen=True, slots=True)
class GridPlaces:
    """The parts of a sheet in pixels.

    Attributes:
        width, height: of the whole sheet.
    """

    size: Geometry  # of each picture
    pictures: tuple[tuple[int, int], ...]  # left edge and top of each
    type_px: int  # size of the letters beside the pictures
    foot: int  # where the strip with step and phase begins; as high as the sheet where there is none
    width: int
    height: int


def places_of(grid: RunGrid, options: AnimationOptions) -> GridPlaces:
    """Layout of a sheet; `OptionError` when a grid cannot be shown so."""
    _check(options)
    size = geometry(grid.lead_run, options)
    columns = grid.shape_in_cells[0]
    letters = _type_size(size.width)
    has_words = options.caption
    caption = letters + 11 if has_words and grid.captions else 0
    head = letters + 10 if has_words and grid.column_titles else 0
    side = _widest(grid.row_titles, letters) + 12 if has_words and grid.row_titles else 0
    across = size.width + (_gap_beside(grid, size.width, letters) if has_words else _GAP)
    down = size.height + caption + (_GAP if not caption else _GAP // 2)
    left, top = MARGIN + side, MARGIN + head
    pictures = tuple((left + n % columns * across, top + n // columns * down) for n in range(len(grid.runs)))
    width = left + (columns - 1) * across + size.width + MARGIN
    foot = pictures[-1][1] + size.height + (caption + _GAP // 2 if caption else MARGIN)
    height = foot + (caption_height(width, titled=True) if has_words else 0)
    if max(width, height) > MOST_SHEET_PX:
        what = translate("errors", "The sheet would have {0} × {1} pixels, and {2} are the most on a side.").format(
            width, height, MOST_SHEET_PX
        )
        raise OptionError(what, translate("errors", "Choose a smaller size."))
    return GridPlaces(size, pictures, letters, foot, width, height)


def fitting_size(grid: RunGrid, sheet_px: int) -> int:
    """Longer side of each picture, a whole multiple of the run's, with which a sheet is well sized.

    Args:
        sheet_px: longer side up to which the sheet may grow.
    """
    longer = max(grid.lead_run.shape[1:])
    fitting = sheet_px // max(grid.shape_in_cells) // longer
    return min(MAX_SIZE_PX, longer * max(1, fitting))


def _check(options: AnimationOptions) -> None:
    if options.frames not in GRID_FRAMES:
        what = translate("errors", "A grid of runs does not show {0!r}.").format(options.frames)
        raise OptionError(what, translate("errors", "Choose one of {0}.").format(", ".join(GRID_FRAMES)))
    if options.plot or options.into_noise:
        raise OptionError(
            translate("errors", "A grid of runs has no plot and one direction."),
            translate("errors", "Leave out the plot, and play it forward."),
        )


def _type_size(width: int) -> int:
    return 11 if width < 110 else 13 if width < 220 else 16 if width < 400 else 20


def _gap_beside(grid: RunGrid, width: int, type_px: int) -> int:
    """Between columns: more where the words over or under the pictures are a little wider than these."""
    words = grid.captions + grid.column_titles
    return max(_GAP, min(_MOST_GAP, _widest(words, type_px) + 8 - width)) if words else _GAP


def _widest(texts: tuple[str, ...], type_px: int) -> int:
    return round(max(typeface(type_px).getlength(text) for text in texts))


class GridScenes(Scenes):
    """Draws the sheet of any state of many runs.

    Raises:
        OptionError: when a grid cannot be shown so.
    """

    def __init__(
        self, grid: RunGrid, options: AnimationOptions, states: tuple[int, ...], decoded: DecodedFrames | None = None
    ) -> None:
        self._places = places_of(grid, options)
        super().__init__(states, self._places.width, self._places.height, "caption" if options.caption else "paper")
        self._grid, self._options, self._decoded = grid, options, decoded
        self._kind = kinds_of(options)[0]
        self._inks = DARK if options.dark else LIGHT
        self._ground = self._drawn_ground()

    def scene(self, k: int) -> Scene:
        """The scene of state k; a run that has not come so far shows its newest."""
        pictures = [self._places.size.reduced(self._rgb(run, k)) for run in self._grid.runs]
        width = pictures[0].shape[1]
        places = tuple((n * width, width, left, top) for n, (left, top) in enumerate(self._places.pictures))
        sheet = np.asarray(self._sample_sheet(k))
        return Scene(np.concatenate(pictures, axis=1), sheet, places, self._places.size.scale)

    def _rgb(self, run: AnyTrajectory, k: int) -> Bytes:
        """What a run shows at state k: of pure noise there is no guess, so the noise itself."""
        step = self._grid.state_of(run, k)
        kind = self._kind if step else FrameKind.NOISY_STATE
        shown = shown_picture(run, step, kind, self._options, self._decoded)
        rgb = shown.rgb
        if rgb is None:
            raise ExportError(shown.note, translate("errors", "Export the noisy state instead."))
        return rgb

    def _sample_sheet(self, k: int) -> Image.Image:
        sheet = self._ground.copy()
        if self._options.caption:
            kind = self._kind if k else FrameKind.NOISY_STATE
            cell, foot = CaptionCell(0, self.width, kind.label, ""), self._places.foot
            run, title = self._grid.lead_run, self._grid.title
            draw_caption(sheet, run, k, foot, (cell,), self._inks, margin=MARGIN, title=title)
        return sheet

    def _drawn_ground(self) -> Image.Image:
        sheet = new_paper(self.width, self.height, self._inks)
        if not self._options.caption:
            return sheet
        draw, places, grid = ImageDraw.Draw(sheet), self._places, self._grid
        width, height, columns = places.size.width, places.size.height, grid.shape_in_cells[0]
        room = places.pictures[1][0] - places.pictures[0][0] - 4 if columns > 1 else width
        for (left, top), caption in zip(places.pictures, grid.captions, strict=False):
            text = self._fitted(caption, room)
            draw.text((left, top + height + places.type_px + 2), text, self._inks.text, self._font, anchor="ls")
        for (left, top), title in zip(places.pictures, grid.column_titles, strict=False):
            text = self._fitted(title, room)
            draw.text((left + width / 2, top - 6), text, self._inks.muted, self._font, anchor="ms")
        for (left, top), title in zip(places.pictures[::columns], grid.row_titles, strict=False):
            draw.text((left - 10, top + height / 2), title, self._inks.muted, self._font, anchor="rm")
        return sheet

    @property
    def _font(self) -> ImageFont.FreeTypeFont:
        return typeface(self._places.type_px)

    def _fitted(self, text: str, width: float) -> str:
        shorter = (f"{text[:count].rstrip()}…" for count in range(len(text) - 1, 0, -1))
        return first_that_fits((text, *shorter), self._font, width)
