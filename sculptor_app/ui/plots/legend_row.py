"""A quiet legend: samples of lines with their names, in as many rows as it needs."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme

_SAMPLE = 20
_GAP = 5
_BETWEEN = 12


class LegendRow(QWidget):
    """Which pen belongs to which curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[tuple[str, QPen | None], ...] = ()
        self.setFont(fonts.small())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_entries(self, entries: Sequence[tuple[str, QPen | None]]) -> None:
        """Pairs of a name and the pen of its curve; without a pen, the name of a curve that is still to come."""
        self._entries = tuple(entries)
        self.setAccessibleDescription(", ".join(name for name, pen in entries if pen is not None))
        self._take_rows()
        self.update()

    def _line(self) -> int:
        return self.fontMetrics().height() + 3

    def places(self, width: int) -> list[QRectF]:
        """Where each entry goes in a row this wide; a new row where one does not fit."""
        found: list[QRectF] = []
        x = y = 0
        for name, _ in self._entries:
            needed = _SAMPLE + _GAP + self.fontMetrics().horizontalAdvance(name)
            if x and x + needed > width:
                x, y = 0, y + self._line()
            found.append(QRectF(x, y, needed, self._line()))
            x += needed + _BETWEEN
        return found

    def _take_rows(self) -> None:
        # Not by Qt's height-for-width: a layout would then share its whole height by the hints alone.
        self.setFixedHeight(int(max((place.bottom() for place in self.places(self.width())), default=self._line())))

    def sizeHint(self) -> QSize:
        return QSize(200, self._line())

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self._line())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._take_rows()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (name, pen), place in zip(self._entries, self.places(self.width()), strict=True):
            middle = place.center().y()
            painter.setPen(pen or QPen(QColor(theme().tokens.hairline), 1))  # of a curve: in device pixels, as it
            painter.drawLine(QPointF(place.left(), middle), QPointF(place.left() + _SAMPLE, middle))
            painter.setPen(QColor(theme().tokens.muted if pen is not None else theme().tokens.disabled))
            painter.drawText(place.adjusted(_SAMPLE + _GAP, 0, 2, 0), Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()
