"""A frame that keeps what changes inside it from laying out the whole window again."""

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget


class Still(QWidget):
    """Holds one widget as large as itself.

    Every changed text makes Qt lay out all that is around it, up to the window, again, at every step. Here that stops,
    unless the least size or the height that the widget asks for has changed.
    """

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        content.setParent(self)
        self.setSizePolicy(content.sizePolicy())
        self._asked = self._asks()

    def _asks(self) -> tuple[QSize, int]:
        return self._content.minimumSizeHint(), self._content.sizeHint().height()

    def sizeHint(self) -> QSize:
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._content.minimumSizeHint()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            asks = self._asks()
            if asks != self._asked:
                self._asked = asks
                self.updateGeometry()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._content.setGeometry(self.rect())
