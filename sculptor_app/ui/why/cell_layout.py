"""The layout of a grid's cells: the largest equal squares that fit, beside a large one or not."""

import math
from dataclasses import dataclass

Rect = tuple[float, float, float, float]
"""Left, top, width, height, in logical pixels."""

LEAST_PX, ENLARGED_SHARE = 24.0, 0.62
"""The smallest picture; how much of the space an enlarged one gets at most."""


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
    enlarged: Rect | None = None  # of the picture that is shown large; None for none


def cell_layout(count: int, space: GridSpace, columns: int = 0) -> CellLayout:
    """The largest equal squares that fit, centred as a whole.

    Args:
        columns: In a row; 0 for the number that gives the largest squares, whole rows where they cost little.
    """
    chosen = columns or max(range(1, count + 1), key=lambda each: _merit(count, space, each))
    return CellLayout(_squares(count, space, chosen), chosen)


def enlarged_layout(count: int, space: GridSpace, columns: int = 0) -> CellLayout:
    """One picture large at the left, all cells in a grid beside it."""
    large = max(LEAST_PX, min(space.height - space.caption, space.width * ENLARGED_SHARE))
    shift = large + 2 * space.gap
    rest = GridSpace(
        space.width - shift, space.height, space.gap / 2, space.caption, space.head, space.left, space.spread
    )
    beside = cell_layout(count, rest, columns)
    top = max(0.0, (space.height - space.caption - large) / 2)
    moved = tuple((left + shift, upper, width, height) for left, upper, width, height in beside.pictures)
    return CellLayout(moved, beside.columns, (0.0, top, large, large))


def _edge(count: int, space: GridSpace, columns: int) -> float:
    """Edge of the squares when there are so many in a row."""
    rows = math.ceil(count / columns)
    wide = (space.width - space.left - (columns - 1) * space.gap) / columns
    high = (space.height - space.head - (rows - 1) * space.gap) / rows - space.caption
    return max(LEAST_PX, min(wide, high))


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
