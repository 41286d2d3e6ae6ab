"""Where everything on a sheet of many runs goes: arithmetic, nothing is drawn."""

from dataclasses import dataclass

from sculptor_app.exports.animation.caption import caption_height
from sculptor_app.exports.animation.drawing import typeface
from sculptor_app.exports.animation.options import GRID_FRAMES, MAX_SIZE_PX, AnimationOptions
from sculptor_app.exports.animation.plan import Geometry, geometry
from sculptor_app.exports.animation.run_grid import RunGrid
from sculptor_app.exports.errors import OptionError

MOST_SHEET_PX = 8192
"""Longer side of the largest sheet."""

LIKED_SHEET_PX = {"png": 2000, "gif": 900}
"""Longer side up to which pictures are made larger unless a person says otherwise: to print, to send."""

MARGIN = 14
_GAP, _MOST_GAP = 10, 36


@dataclass(frozen=True, slots=True)
class GridPlaces:
    """The parts of a sheet in pixels.

    Attributes:
        size: of each picture.
        pictures: left edge and top of each.
        type_px: size of the letters beside the pictures.
        foot: where the strip with step and phase begins; as high as the sheet where there is none.
        width, height: of the whole sheet.
    """

    size: Geometry
    pictures: tuple[tuple[int, int], ...]
    type_px: int
    foot: int
    width: int
    height: int


def places_of(grid: RunGrid, options: AnimationOptions) -> GridPlaces:
    """Lay a sheet out.

    Raises:
        OptionError: when a grid cannot be shown so.
    """
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
    height = foot + (caption_height(width) if has_words else 0)
    if max(width, height) > MOST_SHEET_PX:
        what = f"The sheet would have {width} × {height} pixels, and {MOST_SHEET_PX} are the most on a side."
        raise OptionError(what, "Choose a smaller size.")
    return GridPlaces(size, pictures, letters, foot, width, height)


def liked_size(grid: RunGrid, ending: str) -> int:
    """Longer side of each picture, a whole multiple of the run's, with which a sheet is well sized.

    Args:
        grid: what is shown.
        ending: "png" or "gif".
    """
    longer, most = max(grid.lead_run.shape[1:]), LIKED_SHEET_PX[ending]
    fitting = most // max(grid.shape_in_cells) // longer
    return min(MAX_SIZE_PX, longer * max(1, fitting))


def _check(options: AnimationOptions) -> None:
    if options.frames not in GRID_FRAMES:
        what = f"A grid of runs does not show {options.frames!r}."
        raise OptionError(what, f"Choose one of {', '.join(GRID_FRAMES)}.")
    if options.plot or options.into_noise:
        raise OptionError("A grid of runs has no plot and one direction.", "Leave out the plot, and play it forward.")


def _type_size(width: int) -> int:
    """Letters that are read at the size of the pictures."""
    return 11 if width < 110 else 13 if width < 220 else 16 if width < 400 else 20


def _gap_beside(grid: RunGrid, width: int, type_px: int) -> int:
    """Between columns: more where the words over or under the pictures are a little wider than these."""
    words = grid.captions + grid.column_titles
    return max(_GAP, min(_MOST_GAP, _widest(words, type_px) + 8 - width)) if words else _GAP


def _widest(texts: tuple[str, ...], type_px: int) -> int:
    return round(max(typeface(type_px).getlength(text) for text in texts))
