"""Where the cells of a grid go: arithmetic on rectangles, no widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass

Rect = tuple[float, float, float, float]
"""Left, top, width, height, in logical pixels."""

LEAST_PX, ENLARGED_SHARE = 24.0, 0.62
"""The smallest picture; how much of the room an enlarged one gets at most."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the cells have to fit into, in logical pixels.

    Attributes:
        width, height: all of it.
        gap: between cells.
        caption: height of the line under each cell; 0 for none.
        head: height of the column titles; 0 for none.
        side: width of the row titles; 0 for none.
        spread: how much more than the gap may be between columns, where there is room.
    """

    width: float
    height: float
    gap: float = 12.0
    caption: float = 0.0
    head: float = 0.0
    side: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything goes.

    Attributes:
        pictures: of each cell, square.
        columns: in a row.
        enlarged: of the picture that is shown large; None for none.
    """

    pictures: tuple[Rect, ...]
    columns: int
    enlarged: Rect | None = None


def place(count: int, room: Room, columns: int = 0) -> Places:
    """The largest equal squares that fit, centred as a whole.

    Args:
        count: Cells, 1 or more.
        room: What there is.
        columns: In a row; 0 for the number that gives the largest squares, whole rows where they cost little.
    """
    chosen = columns or max(range(1, count + 1), key=lambda each: _merit(count, room, each))
    return Places(_squares(count, room, chosen), chosen)


def place_enlarged(count: int, room: Room, columns: int = 0) -> Places:
    """One picture large at the left, all cells in a grid beside it."""
    large = max(LEAST_PX, min(room.height - room.caption, room.width * ENLARGED_SHARE))
    shift = large + 2 * room.gap
    rest = Room(room.width - shift, room.height, room.gap / 2, room.caption, room.head, room.side, room.spread)
    beside = place(count, rest, columns)
    top = max(0.0, (room.height - room.caption - large) / 2)
    moved = tuple((left + shift, upper, width, height) for left, upper, width, height in beside.pictures)
    return Places(moved, beside.columns, (0.0, top, large, large))


def _side(count: int, room: Room, columns: int) -> float:
    """Edge of the squares when there are so many in a row."""
    rows = math.ceil(count / columns)
    wide = (room.width - room.side - (columns - 1) * room.gap) / columns
    high = (room.height - room.head - (rows - 1) * room.gap) / rows - room.caption
    return max(LEAST_PX, min(wide, high))


def _merit(count: int, room: Room, columns: int) -> float:
    """How good a number of columns is: the squares' edge, less up to a tenth for an empty place in the last row."""
    rows = math.ceil(count / columns)
    return _side(count, room, columns) * (1 - 0.1 * (rows * columns - count) / columns)


def _squares(count: int, room: Room, columns: int) -> tuple[Rect, ...]:
    side = math.floor(_side(count, room, columns))
    rows = math.ceil(count / columns)
    loose = (room.width - room.side - columns * side) / max(1, columns - 1) - room.gap
    across = room.gap + max(0.0, min(room.spread, loose))
    wide = columns * side + (columns - 1) * across
    high = rows * (side + room.caption) + (rows - 1) * room.gap
    left = room.side + max(0.0, (room.width - room.side - wide) / 2)
    top = room.head + max(0.0, (room.height - room.head - high) / 2)
    return tuple(
        (
            float(round(left + (number % columns) * (side + across))),
            float(round(top + (number // columns) * (side + room.caption + room.gap))),
            float(side),
            float(side),
        )
        for number in range(count)
    )
