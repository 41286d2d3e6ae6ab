"""The cells of the grid as one picture, of which only what has changed is painted again."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from sculptor_app.ui.learn.grid_layout import Places

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
