"""Bars over the frames: a message with what to do about it, and the progress of work with a way to end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from sculptor_app.ui.theme import fonts


class MessageBar(QFrame):
    """Shows one message at a time until it is closed or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self._mark = QLabel("!", self)
        self._mark.setObjectName("message_mark")
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._mark.setFixedSize(20, 20)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton(self)
        self._action.clicked.connect(self._act)
        self._deed: Callable[[], object] | None = None
        self._close = QToolButton(self)
        self._close.setText("×")
        self._close.setAutoRaise(True)
        self._close.setToolTip(self.tr("Close this message"))
        self._close.setAccessibleName(self.tr("Close this message"))
        self._close.clicked.connect(self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        row.addWidget(self._action)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def message(self) -> str:
        """What it says; empty when it is closed."""
        return self._text.text() if not self.isHidden() else ""

    def tell(
        self,
        what: str,
        what_to_do: str = "",
        *,
        action: str = "",
        deed: Callable[[], object] | None = None,
        is_fault: bool = True,
    ) -> None:
        """Show a message.

        Args:
            what: what happened, a sentence.
            what_to_do: the next sentence, if there is one.
            action: label of a button, none if empty.
            deed: what that button does, after the message is closed.
            is_fault: whether it warns, or only tells.
        """
        self._text.setText(f"{what} {what_to_do}".strip())
        self.setAccessibleName(self._text.text())
        self._deed = deed
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._mark.setText("!" if is_fault else "✓")
        self.setProperty("fault", is_fault)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()

    @Slot()
    def _act(self) -> None:
        deed = self._deed
        self.clear()
        if deed is not None:
            deed()

    @Slot()
    def clear(self) -> None:
        """Close the message."""
        self.hide()


STEPS = 1000
"""Of a determinate bar: bytes would not fit into it."""

BarAction = tuple[str, Callable[[], object]]
"""Label of a button, and what it does."""


class WorkBar(QFrame):
    """Shows one piece of work at a time; hidden while there is none.

    Args:
        name: what the work is, for who does not see it.
        parent: the window.
    """

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
        self._actions: list[Callable[[], object]] = []
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

    def tell(self, text: str, actions: Sequence[BarAction] = (), *, is_busy: bool = True) -> None:
        """Show what is done.

        Args:
            text: a sentence, or the beginning of one.
            actions: buttons.
            is_busy: whether something is being done, which moves the bar, or the buttons are waited for.
        """
        self.text.setText(text)
        self.setAccessibleName(text)
        self.detail.setText("")
        self._set_buttons(actions)
        self.progress.setVisible(is_busy)
        self.progress.setRange(0, 0)
        self.show()

    def _set_buttons(self, actions: Sequence[BarAction]) -> None:
        while len(self.buttons) < len(actions):
            button = QPushButton(self)
            button.clicked.connect(self._act)
            self.buttons.append(button)
            self._row.addWidget(button)
        self._actions = [action for _, action in actions]
        for place, button in enumerate(self.buttons):
            button.setVisible(place < len(actions))
            button.setEnabled(True)
            button.setText(actions[place][0] if place < len(actions) else "")

    def say(self, text: str) -> None:
        """Another text; buttons and progress stay."""
        self.text.setText(text)
        self.setAccessibleName(text)

    def set_progress(self, share: float, detail: str) -> None:
        """Show how far the work is.

        Args:
            share: 0 to 1.
            detail: the same in numbers.
        """
        self.progress.setRange(0, STEPS)
        self.progress.setValue(round(share * STEPS))
        self.detail.setText(detail)

    def end_soon(self, text: str) -> None:
        """The work has been stopped, and takes a moment to end."""
        self.say(text)
        for button in self.buttons:
            button.setEnabled(False)

    @Slot()
    def _act(self) -> None:
        pressed = self.sender()
        self._actions[next(place for place, button in enumerate(self.buttons) if button is pressed)]()
