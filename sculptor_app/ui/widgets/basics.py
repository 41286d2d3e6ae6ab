"""A label that gives way: what does not fit ends in an ellipsis and is told in full by its tooltip."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QStyle, QWidget

_BETWEEN = " · "
_LEAST_LETTERS = 5


class ElidedLabel(QLabel):
    """One line of plain text; screen readers get it whole.

    Parts between middle dots go one by one before the text is cut, and what is left of it is more than a few letters or
    nothing.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        if text == self.text():
            return
        super().setText(text)
        self.updateGeometry()
        self._update_tip()

    @property
    def shown_text(self) -> str:
        """What is painted: the text, or its first parts, or its beginning and an ellipsis, or nothing."""
        metrics, width = self.fontMetrics(), self.contentsRect().width()
        parts = self.text().split(_BETWEEN)
        for count in range(len(parts), 0, -1):
            text = _BETWEEN.join(parts[:count])
            if metrics.horizontalAdvance(text) <= width:
                return text
        elided = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, width)
        return elided if len(elided) > _LEAST_LETTERS else ""

    def _update_tip(self) -> None:
        self.setToolTip(self.text() if self.shown_text != self.text() else "")

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 2, self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height() + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        flags = QStyle.visualAlignment(self.layoutDirection(), self.alignment())
        palette = self.palette()
        self.style().drawItemText(
            painter, self.contentsRect(), int(flags), palette, self.isEnabled(), self.shown_text, self.foregroundRole()
        )
        painter.end()
