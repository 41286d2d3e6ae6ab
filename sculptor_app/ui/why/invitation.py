"""What lies over the untouched blocks before the first run: what is going to happen, and how to begin."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from sculptor_app.ui.theme import fonts, theme


class Invitation(QFrame):
    """A card in the middle of a widget, with one button.

    Args:
        over: The widget that it lies on.

    Signals:
        start_requested: its button was pressed.
    """

    start_requested = Signal()

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.heading = QLabel(self)
        self.heading.setFont(fonts.title())
        self.heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton(self.tr("Start"), self)
        self.button.setProperty("kind", "primary")
        self.button.setMinimumWidth(150)
        self.button.clicked.connect(self.start_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(26, 18, 26, 20)
        column.setSpacing(14)
        column.addWidget(self.heading)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignCenter)
        over.installEventFilter(self)
        theme().changed.connect(self._dress)
        self._dress()

    def set_heading(self, text: str) -> None:
        """What is going to happen."""
        self.heading.setText(text)
        self._centre()

    def _dress(self) -> None:
        tokens = theme().tokens
        self.setObjectName("invitation")
        self.setStyleSheet(
            f"QFrame#invitation {{ background: {tokens.window}; border: 1px solid {tokens.hairline_strong};"
            " border-radius: 12px; }"
        )

    def _centre(self) -> None:
        self.adjustSize()
        self.move((self._over.width() - self.width()) // 2, (self._over.height() - self.height()) // 2)

    # Qt overrides

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._centre()
        return False

    def showEvent(self, event: object) -> None:
        self._centre()
