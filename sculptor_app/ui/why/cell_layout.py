"""The layout of a grid's cells: the largest equal squares that fit, beside a large one or not."""

import math
from dataclasses import dataclass, replace

Rect = tuple[float, float, float, float]
"""Left, top, width, height, in logical pixels."""

LEAST_PX, TIGHT_GAP, ENLARGED_SHARE = 24.0, 2.0, 0.62
"""Picture below which captions go and gaps shrink; to what; how much of the space an enlarged one gets at most."""


@dataclass(frozen=True, slots=True)
class GridSpace:
    """The space that the cells have to fit into, in logical pixels."""

    width: float  # width, height: all of it
    height: float
    gap: float = 12.0  # between cells
    caption: float = 0.0  # height of the line under each cell; 0 for none
    head: float = 0.0  # height of the column titles; 0 for none
    left: float = 0.0  # width of the row titles; 0 for none
    spread: float = 0.0  # how much more than the gap may be between columns, where there is space


@dataclass(frozen=True, slots=True)
class CellLayout:
    """The rectangles of the cells."""

    pictures: tuple[Rect, ...]  # of each cell, square
    columns: int  # in a row
    caption: float = 0.0  # height of the line under each; 0 where there is none, or no room for it
    enlarged: Rect | None = None  # of the picture that is shown large; None for none


def cell_layout(count: int, space: GridSpace, columns: int = 0) -> CellLayout:
    """The largest equal squares that fit, all of them in the space, centred as a whole.

    Args:
        columns: In a row; 0 for the number that gives the largest squares, whole rows where they cost little.
    """
    chosen = columns or max(range(1, count + 1), key=lambda each: _merit(count, space, each))
    if _edge(count, space, chosen) < LEAST_PX and (space.caption or space.gap > TIGHT_GAP):
        return cell_layout(count, replace(space, caption=0.0, gap=min(space.gap, TIGHT_GAP)), columns)
    return CellLayout(_squares(count, space, chosen), chosen, space.caption)


def enlarged_layout(count: int, space: GridSpace, columns: int = 0) -> CellLayout:
    """One picture large at the left, all cells in a grid beside it; in a space that is taller than wide below it."""
    is_tall = space.height > space.width
    if is_tall:
        large = max(LEAST_PX, min(space.width, space.height * ENLARGED_SHARE))
        across, down = 0.0, large + 2 * space.gap
        corner = max(0.0, (space.width - large) / 2), 0.0
    else:
        large = max(LEAST_PX, min(space.height - space.caption, space.width * ENLARGED_SHARE))
        across, down = large + 2 * space.gap, 0.0
        corner = 0.0, max(0.0, (space.height - space.caption - large) / 2)
    rest = replace(space, width=space.width - across, height=space.height - down, gap=space.gap / 2)
    others = cell_layout(count, rest, columns)
    moved = tuple((left + across, top + down, width, height) for left, top, width, height in others.pictures)
    return replace(others, pictures=moved, enlarged=(*corner, large, large))


def _edge(count: int, space: GridSpace, columns: int) -> float:
    """Edge of the squares when there are so many in a row."""
    rows = math.ceil(count / columns)
    wide = (space.width - space.left - (columns - 1) * space.gap) / columns
    high = (space.height - space.head - (rows - 1) * space.gap) / rows - space.caption
    return max(1.0, min(wide, high))


def _merit(count: int, space: GridSpace, columns: int) -> float:
    """How good a number of columns is: the squares' edge, less up to a tenth for an empty place in the last row."""
    rows = math.ceil(count / columns)
    return _edge(count, space, columns) * (1 - 0.1 * (rows * columns - count) / columns)


def _squares(count: int, space: GridSpace, columns: int) -> tuple[Rect, ...]:
    edge = math.floor(_edge(count, space, columns))
    rows = math.ceil(count / columns)
    loose = (space.width - space.left - columns * edge) / max(1, columns - 1) - space.gap
    across = space.gap + max(0.0, min(space.spread, loose))
    wide = columns * edge + (columns - 1) * across
    high = rows * (edge + space.caption) + (rows - 1) * space.gap
    left = space.left + max(0.0, (space.width - space.left - wide) / 2)
    top = space.head + max(0.0, (space.height - space.head - high) / 2)
    return tuple(
        (
            float(round(left + (number % columns) * (edge + across))),
            float(round(top + (number // columns) * (edge + space.caption + space.gap))),
            float(edge),
            float(edge),
        )
        for number in range(count)
    )
