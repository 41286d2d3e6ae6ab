"""Cells of the grid of samples: their geometry, a pixmap cache that paints them, and a cache of rows on disk."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from sculptor_app.training.records.events import SampleRow
from sculptor_app.training.records.run_folder import SampleHistory

LIKED_COLUMNS = 12
LEAST_CELL_PX, MOST_CELL_PX, GAP_PX = 30, 84, 2

SPENT_S = 0.003
"""Most time that one painting takes for cells that were not painted before; the others come in the next one."""

MOST_CELLS = 2000

ImageSource = Callable[[int, int], QImage | None]
"""The picture at a row and a state."""

_Key = tuple[int, int]

GUESS, STATE = "guess", "state"

BUDGET_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


def spaced(count: int, slots: int, chosen: int) -> list[int]:
    """Indices 0..count-1 to show in so many slots (2 or more): evenly spaced, the nearest giving way to the chosen."""
    if count <= slots:
        return list(range(count))
    shown = [round(slot * (count - 1) / (slots - 1)) for slot in range(slots)]
    shown[round(chosen * (slots - 1) / (count - 1))] = chosen
    return shown


@dataclass(frozen=True, slots=True)
class GridGeometry:
    """Which cells of a large grid are shown, and where."""

    left: float  # left, top: of the first cell, in pixels
    top: float
    pitch: float  # from one cell to the next; the cell itself is GAP_PX less
    columns: list[int]  # columns, rows: indices that are shown
    rows: list[int]
    column_count: int  # column_count, row_count: how many there are in all
    row_count: int

    @property
    def cell_px(self) -> float:
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
        return _meant((x - self.left - self.cell_px / 2) / self.pitch, len(self.columns), self.column_count)

    def row_at(self, y: float) -> int:
        """The row meant by a place, shown or not."""
        return _meant((y - self.top - self.cell_px / 2) / self.pitch, len(self.rows), self.row_count)


def _meant(place: float, shown: int, count: int) -> int:
    if shown < 2:
        return 0
    return min(max(round(place * (count - 1) / (shown - 1)), 0), count - 1)


def grid_geometry(
    width: float, height: float, left: float, top: float, counts: tuple[int, int], chosen: tuple[int, int]
) -> GridGeometry:
    """The geometry that fits a grid into a widget.

    Args:
        left, top: kept free for numbers.
        counts: rows and columns in all.
        chosen: row and column that must be shown.
    """
    row_count, column_count = counts
    room = max(1.0, width - left)
    slots = max(2, min(LIKED_COLUMNS, int(room // LEAST_CELL_PX)))
    pitch = min(room / min(slots, max(column_count, 1)), MOST_CELL_PX)
    row_slots = max(2, int((height - top) // pitch))
    columns, rows = spaced(column_count, slots, chosen[1]), spaced(row_count, row_slots, chosen[0])
    return GridGeometry(left, top, float(int(pitch)), columns, rows, column_count, row_count)


class CellPainter:
    """A cache of painted cells, in one pixmap of which only changed cells are painted again.

    Every call of Qt takes the interpreter from the thread that learns; a grid painted cell by cell takes it a hundred
    times in a frame.
    """

    def __init__(self) -> None:
        self._source: ImageSource | None = None
        self._kept: dict[_Key, QPixmap] = {}
        self._unreadable: set[_Key] = set()
        self._buffer: QPixmap | None = None
        self._buffer_key: tuple[QSize, float, float, str] | None = None  # size, screen scale, pitch, colour of a hole
        self._shown: dict[tuple[int, int], _Key | None] = {}  # what is painted at each place; None: a hole

    def set_source(self, source: ImageSource | None) -> None:
        self._source = source
        self.forget()

    def forget(self) -> None:
        """Drop everything that is painted."""
        self._kept.clear()
        self._unreadable.clear()
        self._buffer_key = None

    def painted(
        self, at: GridGeometry, rows: tuple[int, ...], area: QSize, ratio: float, hole: str
    ) -> tuple[QPixmap, bool]:  # fmt: skip
        """All cells on a transparent ground, and whether none of them is missing; `area` is in logical pixels."""
        buffer_key = (area, ratio, at.pitch, hole)
        if buffer_key != self._buffer_key:
            self._begin(buffer_key)
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
            found = self._cell(key, row, state, at.cell_px, ratio, time.perf_counter() < end)
            is_whole = is_whole and (found is not None or key in self._unreadable)
            self._paint(painter, at, place, found, hole)
            self._shown[place] = key if found is not None else None
        painter.end()
        return self._buffer, is_whole

    def _begin(self, buffer_key: tuple[QSize, float, float, str]) -> None:
        area, ratio, pitch, _ = buffer_key
        if self._buffer_key is None or self._buffer_key[1:3] != (ratio, pitch):
            self._kept.clear()
        self._buffer_key = buffer_key
        self._shown.clear()
        self._buffer = QPixmap(area * ratio)
        self._buffer.setDevicePixelRatio(ratio)
        self._buffer.fill(Qt.GlobalColor.transparent)

    def _clear(self, painter: QPainter, at: GridGeometry, gone: set[tuple[int, int]]) -> None:
        for y, x in gone:
            painter.fillRect(QRectF(*at.corner(y, x), at.cell_px, at.cell_px), Qt.GlobalColor.transparent)
            del self._shown[(y, x)]

    @staticmethod
    def _paint(painter: QPainter, at: GridGeometry, place: tuple[int, int], cell: QPixmap | None, hole: str) -> None:
        left, top = at.corner(*place)
        if cell is None:
            painter.fillRect(QRectF(left, top, at.cell_px, at.cell_px), QColor(hole))
        else:
            painter.drawPixmap(QPointF(left, top), cell)

    def _cell(self, key: _Key, row: int, state: int, cell_px: float, ratio: float, is_time: bool) -> QPixmap | None:
        found = self._kept.get(key)
        if found is not None or not is_time or self._source is None or key in self._unreadable:
            return found
        image = self._source(row, state)
        if image is None:
            self._unreadable.add(key)
            return None
        if len(self._kept) >= MOST_CELLS:
            self._kept.clear()
        made = self._kept[key] = scaled_pixmap(image, max(1, round(cell_px * ratio)))
        made.setDevicePixelRatio(ratio)
        return made


def scaled_pixmap(image: QImage, edge_px: int) -> QPixmap:
    """A picture in another size: sharp at whole multiples, then smoothly a little smaller."""
    whole = max(1, -(-edge_px // image.width()))
    sharp = image.scaled(image.width() * whole, image.height() * whole)
    smooth = Qt.TransformationMode.SmoothTransformation
    return QPixmap.fromImage(sharp.scaled(edge_px, edge_px, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))


class RowCache:
    """A cache of the rows of one run, read from its folder when they are shown."""

    def __init__(self, folder: Path, rows: tuple[int, ...]) -> None:
        self._history = SampleHistory(folder)
        self.rows = rows
        self._kept: OrderedDict[int, SampleRow] = OrderedDict()
        self._unreadable: set[int] = set()

    def add(self, row: SampleRow, rows: tuple[int, ...]) -> None:
        """Add a new row; `rows` are all that there are now."""
        self.rows = rows
        self._keep(row)

    def row(self, pictures: int) -> SampleRow | None:
        """A row, by the pictures seen at it; None where it cannot be read any more."""
        found = self._kept.get(pictures)
        if found is not None:
            self._kept.move_to_end(pictures)
        elif pictures not in self._unreadable:
            try:
                found = self._history.read(pictures)
                self._keep(found)
            except (OSError, ValueError) as error:
                self._unreadable.add(pictures)
                log.warning("a row of samples cannot be read: %s", error)
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

    def _keep(self, row: SampleRow) -> None:
        self._kept[row.pictures] = row
        self._kept.move_to_end(row.pictures)
        while len(self._kept) > 1 and sum(each.guesses.nbytes * 2 for each in self._kept.values()) > BUDGET_BYTES:
            self._kept.popitem(last=False)
