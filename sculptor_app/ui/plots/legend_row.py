"""A quiet legend: samples of lines with their names, in as many rows as it needs."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme

_SAMPLE = 20
_GAP = 5
_BETWEEN = 12


class LegendRow(QWidget):
    """Which pen belongs to which curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[tuple[str, QPen], ...] = ()
        self.setFont(fonts.small())
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_entries(self, entries: Sequence[tuple[str, QPen]]) -> None:
        """Pairs of a name and the pen of its curve."""
        self._entries = tuple(entries)
        self.setAccessibleDescription(", ".join(name for name, _ in entries))
        self.updateGeometry()
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

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        return int(max((place.bottom() for place in self.places(width)), default=self._line()))

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(200, self.heightForWidth(max(self.width(), 200)))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(80, self._line())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (name, pen), place in zip(self._entries, self.places(self.width()), strict=True):
            middle = place.center().y()
            painter.setPen(pen)
            painter.drawLine(QPointF(place.left(), middle), QPointF(place.left() + _SAMPLE, middle))
            painter.setPen(QColor(theme().tokens.muted))
            painter.drawText(place.adjusted(_SAMPLE + _GAP, 0, 2, 0), Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()
