"""Settings that scroll where they must, over what is always seen."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget


class ScrolledPanel(QWidget):
    """Two widgets above each other.

    Args:
        settings: Scrolls up and down where there is too little room.
        foot: Is always seen whole.
        parent: The owner.
    """

    def __init__(self, settings: QWidget, foot: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scroll = QScrollArea(self)
        self._scroll.setWidget(settings)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addWidget(foot)

    @property
    def room_px(self) -> int:
        """Height of what is seen of the settings at once."""
        return self._scroll.viewport().height()

    @property
    def bar_px(self) -> int:
        """Width that the scroll bar takes when it is there."""
        return self._scroll.verticalScrollBar().sizeHint().width()
