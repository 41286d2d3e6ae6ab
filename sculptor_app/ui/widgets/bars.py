"""Bars over the frames: a message with what to do about it, and the progress of work with a way to end it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QSize, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import without_secrets
from sculptor_app.ui.theme import fonts, icon
from sculptor_app.ui.widgets.names import display

log = logging.getLogger(__name__)


def error_texts(error: BaseException, unforeseen: str, advice: str = "") -> tuple[str, str]:
    """What happened and what to do, of any error; one that nobody foresaw goes to the log.

    Args:
        unforeseen: The sentence for an error that is no `SculptorError`, translated; {0} is its type and {1} its text.
        advice: The sentence after that; empty points to the log.
    """
    if isinstance(error, SculptorError):
        return display(error.message), display(error.advice)
    message = unforeseen.format(type(error).__name__, error)
    log.error("%s", message, exc_info=error)
    return message, advice or QCoreApplication.translate("Errors", "Help > Show log has the details.")


MARK_PX = 20
"""Edge of the mark at a message's beginning."""


class MessageBar(QFrame):
    """Shows one message at a time until it is closed or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self._mark = QLabel("!", self)
        self._mark.setObjectName("message_mark")
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._mark.setFixedSize(MARK_PX, MARK_PX)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton(self)
        self._action.clicked.connect(self._act)
        self._on_action: Callable[[], object] | None = None
        self._close = QToolButton(self)
        self._close.setIcon(icon("close", "muted"))
        self._close.setIconSize(QSize(14, 14))
        self._close.setFixedSize(MARK_PX + 4, MARK_PX + 4)
        self._close.setAutoRaise(True)
        self._close.setToolTip(self.tr("Close this message"))
        self._close.setAccessibleName(self.tr("Close this message"))
        self._close.clicked.connect(self.clear)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        for widget in (self._mark, self._text, self._action, self._close):
            row.addWidget(widget)
        row.setStretchFactor(self._text, 1)
        self.hide()

    @property
    def message(self) -> str:
        """What it says; empty when it is closed."""
        return self._text.text() if not self.isHidden() else ""

    def show_message(
        self,
        message: str,
        advice: str = "",
        *,
        action: str = "",
        on_action: Callable[[], object] | None = None,
        is_fault: bool = True,
    ) -> None:
        """Show what happened and, in the next sentence, what to do about it.

        Args:
            action: Label of a button, none if empty.
            on_action: Called when that button is pressed, after the message is closed.
            is_fault: Whether it warns, or only informs.
        """
        self._text.setText(without_secrets(f"{display(message)} {display(advice)}".strip()))
        self.setAccessibleName(self._text.text())
        self._on_action = on_action
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._mark.setText("!" if is_fault else "✓")
        self.setProperty("fault", is_fault)
        for widget in (self, self._mark):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        self.show()
        self._align()

    def _align(self) -> None:
        """Put mark and cross on the line of the text: of its first, where there are several."""
        line_px = self._text.fontMetrics().lineSpacing()
        is_one_line = self._text.heightForWidth(self._text.width()) < 2 * line_px
        up = Qt.AlignmentFlag.AlignVCenter if is_one_line else Qt.AlignmentFlag.AlignTop
        for widget, height in ((self._mark, MARK_PX), (self._close, self._close.height())):
            self._row.setAlignment(widget, up)
            over = 0 if is_one_line else max(0, (height - line_px) // 2)
            if widget is self._mark:
                self._text.setContentsMargins(0, over, 0, 0)
        self._text.setAlignment(Qt.AlignmentFlag.AlignLeft | up)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._align()

    def show_error(
        self,
        error: BaseException,
        unforeseen: str,
        *,
        advice: str = "",
        action: str = "",
        on_action: Callable[[], object] | None = None,
    ) -> None:
        """Show an error in the words of `error_texts`; `action` and `on_action` as for `show_message`."""
        self.show_message(*error_texts(error, unforeseen, advice), action=action, on_action=on_action)

    @Slot()
    def _act(self) -> None:
        on_action = self._on_action
        self.clear()
        if on_action is not None:
            on_action()

    @Slot()
    def clear(self) -> None:
        self.hide()


STEPS = 1000
"""Of a determinate bar: bytes would not fit into it."""

BarAction = tuple[str, Callable[[], object]]
"""Label of a button, and what is called when it is pressed."""


class WorkBar(QFrame):
    """Shows one piece of work at a time; hidden while there is none."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("work_bar")
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.detail = QLabel(self)
        self.detail.setProperty("tone", "muted")
        self.detail.setFont(fonts.tabular(fonts.body()))
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(name)
        self.buttons: list[QPushButton] = []
        self._callbacks: list[Callable[[], object]] = []
        self._row = QHBoxLayout()
        self._row.setContentsMargins(12, 8, 12, 7)
        self._row.setSpacing(10)
        self._row.addWidget(self.text, 1)
        self._row.addWidget(self.detail)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row)
        column.addWidget(self.progress)
        self.hide()

    def show_work(self, text: str, buttons: Sequence[BarAction] = (), *, is_busy: bool = True) -> None:
        """Show what is being done; `is_busy` moves the bar, else the buttons are waited for."""
        self.text.setText(text)
        self.setAccessibleName(text)
        self.detail.setText("")
        self._set_buttons(buttons)
        self.progress.setVisible(is_busy)
        self.progress.setRange(0, 0)
        self.show()

    def _set_buttons(self, buttons: Sequence[BarAction]) -> None:
        while len(self.buttons) < len(buttons):
            button = QPushButton(self)
            button.clicked.connect(self._act)
            self.buttons.append(button)
            self._row.addWidget(button)
        self._callbacks = [callback for _, callback in buttons]
        for place, button in enumerate(self.buttons):
            button.setVisible(place < len(buttons))
            button.setEnabled(True)
            button.setText(buttons[place][0] if place < len(buttons) else "")

    def set_text(self, text: str) -> None:
        """Another text; buttons and progress stay."""
        self.text.setText(text)
        self.setAccessibleName(text)

    def set_progress(self, share: float, detail: str) -> None:
        """Show how far the work is: a share of 0 to 1, and the same in numbers."""
        self.progress.setRange(0, STEPS)
        self.progress.setValue(round(share * STEPS))
        self.detail.setText(detail)

    def show_stopping(self, text: str) -> None:
        """The work has been stopped, and takes a moment to end."""
        self.set_text(text)
        for button in self.buttons:
            button.setEnabled(False)

    @Slot()
    def _act(self) -> None:
        pressed = self.sender()
        assert isinstance(pressed, QPushButton)  # they alone are connected
        self._callbacks[self.buttons.index(pressed)]()
