"""A quiet bar over the frames that says what happened and what to do; it never stands in the way."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget


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
