"""Which rows and columns of a large grid are shown, and where: arithmetic without any painting."""

from __future__ import annotations

from dataclasses import dataclass

LIKED_COLUMNS = 12
LEAST_CELL_PX, MOST_CELL_PX, GAP_PX = 30, 84, 2


def spaced(count: int, slots: int, chosen: int) -> list[int]:
    """Indices 0..count-1 that are shown in so many slots: evenly spaced, the nearest of them giving way to the chosen.

    Args:
        count: How many there are, 0 or more.
        slots: How many can be shown, 2 or more.
        chosen: The one that must be among them.
    """
    if count <= slots:
        return list(range(count))
    shown = [round(slot * (count - 1) / (slots - 1)) for slot in range(slots)]
    shown[round(chosen * (slots - 1) / (count - 1))] = chosen
    return shown


@dataclass(frozen=True, slots=True)
class Places:
    """Where the cells of a grid lie.

    Attributes:
        left, top: of the first cell, in pixels.
        pitch: from one cell to the next; the cell itself is GAP_PX less.
        columns, rows: indices that are shown.
        column_count, row_count: how many there are in all.
    """

    left: float
    top: float
    pitch: float
    columns: list[int]
    rows: list[int]
    column_count: int
    row_count: int

    @property
    def side(self) -> float:
        """Edge of a cell."""
        return self.pitch - GAP_PX

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Left and top of a cell, by its place in `rows` and `columns`."""
        return self.left + column * self.pitch, self.top + row * self.pitch

    def shown_at(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the cell at a place, the nearest outside."""
        row = min(max(int((y - self.top) // self.pitch), 0), len(self.rows) - 1)
        column = min(max(int((x - self.left) // self.pitch), 0), len(self.columns) - 1)
        return self.rows[row], self.columns[column]

    def column_at(self, x: float) -> int:
        """The column meant by a place, shown or not: between two that are shown lie those that are not."""
        return _meant((x - self.left - self.side / 2) / self.pitch, len(self.columns), self.column_count)

    def row_at(self, y: float) -> int:
        """The row meant by a place, shown or not."""
        return _meant((y - self.top - self.side / 2) / self.pitch, len(self.rows), self.row_count)


def _meant(place: float, shown: int, count: int) -> int:
    if shown < 2:
        return 0
    return min(max(round(place * (count - 1) / (shown - 1)), 0), count - 1)


def places(
    width: float, height: float, left: float, top: float, counts: tuple[int, int], chosen: tuple[int, int]
) -> Places:
    """Fit a grid into a room.

    Args:
        width: of the widget.
        height: of the widget.
        left: kept free for numbers.
        top: kept free for numbers.
        counts: rows and columns in all.
        chosen: row and column that must be shown.
    """
    row_count, column_count = counts
    room = max(1.0, width - left)
    slots = max(2, min(LIKED_COLUMNS, int(room // LEAST_CELL_PX)))
    pitch = min(room / min(slots, max(column_count, 1)), MOST_CELL_PX)
    row_slots = max(2, int((height - top) // pitch))
    columns, rows = spaced(column_count, slots, chosen[1]), spaced(row_count, row_slots, chosen[0])
    return Places(left, top, float(int(pitch)), columns, rows, column_count, row_count)
