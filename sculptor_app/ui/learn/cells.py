"""The cells of the grid as one picture, of which only what has changed is painted again."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from sculptor_app.training.loop.growth_rows import GrowthFolder, GrowthRow

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


SPENT_S = 0.003
"""Most time that one painting takes for cells that were not painted before; the others come in the next one."""
MOST_CELLS = 2000

Source = Callable[[int, int], QImage | None]
"""The picture at a row and a state."""

_Key = tuple[int, int]


class Cells:
    """Painted cells, kept by the pictures seen at their row and their state.

    Every call of Qt takes the interpreter from the thread that learns; a grid painted cell by cell takes it a hundred
    times in a frame.
    """

    def __init__(self) -> None:
        self._source: Source | None = None
        self._kept: dict[_Key, QPixmap] = {}
        self._lost: set[_Key] = set()
        self._buffer: QPixmap | None = None
        self._look: tuple[QSize, float, float, str] | None = None  # size, screen scale, pitch, colour of a hole
        self._shown: dict[tuple[int, int], _Key | None] = {}  # what is painted at each place; None: a hole

    def set_source(self, source: Source | None) -> None:
        """Where pictures come from."""
        self._source = source
        self.forget()

    def forget(self) -> None:
        """Paint everything anew."""
        self._kept.clear()
        self._lost.clear()
        self._look = None

    def painted(
        self, at: Places, rows: tuple[int, ...], area: QSize, ratio: float, hole: str
    ) -> tuple[QPixmap, bool]:  # fmt: skip
        """All cells on a clear ground, and whether none of them is still to come.

        Args:
            at: Where they lie, and which.
            rows: Pictures seen at each row.
            area: In logical pixels.
            ratio: Device pixels per logical pixel.
            hole: Colour of a cell that has no picture.
        """
        look = (area, ratio, at.pitch, hole)
        if look != self._look:
            self._begin(look)
        assert self._buffer is not None
        wanted = {(y, x): (row, state) for y, row in enumerate(at.rows) for x, state in enumerate(at.columns)}
        painter = QPainter(self._buffer)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        self._clear(painter, at, set(self._shown) - set(wanted))
        end, is_whole = time.perf_counter() + SPENT_S, True
        for place, (row, state) in wanted.items():
            key = (rows[row], state)
            if place in self._shown and self._shown[place] == key:
                continue
            found = self._cell(key, row, state, at.side, ratio, time.perf_counter() < end)
            is_whole = is_whole and (found is not None or key in self._lost)
            self._paint(painter, at, place, found, hole)
            self._shown[place] = key if found is not None else None
        painter.end()
        return self._buffer, is_whole

    def _begin(self, look: tuple[QSize, float, float, str]) -> None:
        area, ratio, pitch, _ = look
        if self._look is None or self._look[1:3] != (ratio, pitch):
            self._kept.clear()
        self._look = look
        self._shown.clear()
        self._buffer = QPixmap(area * ratio)
        self._buffer.setDevicePixelRatio(ratio)
        self._buffer.fill(Qt.GlobalColor.transparent)

    def _clear(self, painter: QPainter, at: Places, gone: set[tuple[int, int]]) -> None:
        for y, x in gone:
            painter.fillRect(QRectF(*at.corner(y, x), at.side, at.side), Qt.GlobalColor.transparent)
            del self._shown[(y, x)]

    @staticmethod
    def _paint(painter: QPainter, at: Places, place: tuple[int, int], cell: QPixmap | None, hole: str) -> None:
        left, top = at.corner(*place)
        if cell is None:
            painter.fillRect(QRectF(left, top, at.side, at.side), QColor(hole))
        else:
            painter.drawPixmap(QPointF(left, top), cell)

    def _cell(self, key: _Key, row: int, state: int, side: float, ratio: float, is_time: bool) -> QPixmap | None:
        found = self._kept.get(key)
        if found is not None or not is_time or self._source is None or key in self._lost:
            return found
        image = self._source(row, state)
        if image is None:
            self._lost.add(key)
            return None
        if len(self._kept) >= MOST_CELLS:
            self._kept.clear()
        made = self._kept[key] = enlarged(image, max(1, round(side * ratio)))
        made.setDevicePixelRatio(ratio)
        return made


def enlarged(image: QImage, edge_px: int) -> QPixmap:
    """A picture in another size: sharp at whole multiples, then smoothly a little smaller."""
    whole = max(1, -(-edge_px // image.width()))
    sharp = image.scaled(image.width() * whole, image.height() * whole)
    smooth = Qt.TransformationMode.SmoothTransformation
    return QPixmap.fromImage(sharp.scaled(edge_px, edge_px, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))


GUESS, STATE = "guess", "state"
BUDGET_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


class Shelf:
    """The rows of one run.

    Args:
        folder: Of the run.
        rows: Pictures seen at each row that is there.
    """

    def __init__(self, folder: Path, rows: tuple[int, ...]) -> None:
        self._growth = GrowthFolder(folder)
        self.rows = rows
        self._kept: OrderedDict[int, GrowthRow] = OrderedDict()
        self._lost: set[int] = set()

    def add(self, row: GrowthRow, rows: tuple[int, ...]) -> None:
        """A row has been made, and these are there now."""
        self.rows = rows
        self._keep(row)

    def row(self, pictures: int) -> GrowthRow | None:
        """A row; None where it cannot be read any more."""
        found = self._kept.get(pictures)
        if found is not None:
            self._kept.move_to_end(pictures)
        elif pictures not in self._lost:
            try:
                found = self._growth.read(pictures)
                self._keep(found)
            except (OSError, ValueError) as error:
                self._lost.add(pictures)
                log.warning("a row of growth cannot be read: %s", error)
        return found

    def image(self, pictures: int, state: int, noise: int, kind: str) -> QImage | None:
        """One picture of a row, Format_RGB32; None where the row cannot be read."""
        row = self.row(pictures)
        if row is None:
            return None
        pixels = (row.guesses if kind == GUESS else row.states)[noise, state]
        height, width, _ = pixels.shape
        borrowed = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        return borrowed.convertToFormat(QImage.Format.Format_RGB32)  # a copy of its own

    def _keep(self, row: GrowthRow) -> None:
        self._kept[row.pictures] = row
        self._kept.move_to_end(row.pictures)
        while len(self._kept) > 1 and sum(each.guesses.nbytes * 2 for each in self._kept.values()) > BUDGET_BYTES:
            self._kept.popitem(last=False)
