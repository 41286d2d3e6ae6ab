"""Bars that lie over the frames: a message with what to do about it, and the progress of work with a way to end it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShowEvent, QTextDocument, QTextOption
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

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

MOST_LINES = 6
"""Of a text in a bar; it scrolls beyond them."""


class BarText(QTextEdit):
    """Plain text as high as it needs, up to `MOST_LINES`, then it scrolls; it can be selected and copied whole.

    A word that is longer than a line, as a path may be, is broken.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar_text")
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._measured = QTextDocument(self)  # the text once more: asking for its height must not lay it out anew
        wrapping = QTextOption()
        wrapping.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        for document in (self.document(), self._measured):
            document.setDocumentMargin(0)
            document.setDefaultTextOption(wrapping)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        policy.setVerticalPolicy(policy.Policy.Fixed)
        self.setSizePolicy(policy)
        self._text = ""
        self._top_px = 0

    def set_top(self, top_px: int) -> None:
        """Leave so much room over the first line."""
        if top_px != self._top_px:
            self._top_px = top_px
            self.setViewportMargins(0, top_px, 0, 0)
            self.updateGeometry()

    def text(self) -> str:
        """The whole text."""
        return self._text

    def setText(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.setPlainText(text)
            self._measured.setPlainText(text)
            self.updateGeometry()

    def lines(self, width_px: int) -> int:
        """How many lines it needs in a width."""
        self._measured.setDefaultFont(self.font())
        self._measured.setTextWidth(max(1, width_px))
        return max(1, round(self._measured.size().height() / self.fontMetrics().lineSpacing()))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        lines = self.lines(width)
        if lines > MOST_LINES:
            return MOST_LINES * self.fontMetrics().lineSpacing() + self._top_px
        return round(self._measured.size().height() + 0.5) + self._top_px

    def sizeHint(self) -> QSize:
        return QSize(min(600, self.fontMetrics().horizontalAdvance(self._text[:200])), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.fontMetrics().lineSpacing())

    def event(self, event: QEvent) -> bool:
        is_key = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if not is_key or not self._copies(event):
            return super().event(event)
        event.accept()  # what is selected is meant, and not the picture that the menu copies
        return True

    def _copies(self, event: QEvent) -> bool:
        assert isinstance(event, QKeyEvent)
        return event.matches(QKeySequence.StandardKey.Copy) and self.textCursor().hasSelection()


@runtime_checkable
class HasFoot(Protocol):
    """A widget whose lower end bars leave free."""

    @property
    def foot_px(self) -> int:
        """Height of that end."""


class BarColumn(QWidget):
    """Bars above each other that lie over the lower end of what they belong to: nothing moves when one comes or goes.

    At the upper end they would cover the title of what is shown, and the buttons beside it.

    Args:
        parent: Somewhere around everything that they may lie over.
    """

    def __init__(self, parent: QWidget, bars: Sequence[QWidget] = ()) -> None:
        super().__init__(parent)
        self._around, self._over = parent, parent
        self._bars: list[QWidget] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        for bar in bars:
            self.add(bar)
        parent.installEventFilter(self)
        self.place()

    def add(self, bar: QWidget) -> None:
        """Put one more bar below the others."""
        self._bars.append(bar)
        self._column.addWidget(bar)

    def lie_over(self, widget: QWidget) -> None:
        """Lie over the lower end of that widget from now on, above its foot if it has one: see `HasFoot`."""
        if widget is not self._over:
            if self._over is not self._around:
                self._over.removeEventFilter(self)
            self._over = widget
            widget.installEventFilter(self)
        self.place()

    @Slot()
    def place(self) -> None:
        """Take the width of what it lies over, and the height that the bars need."""
        around, over = self._around, self._over
        is_in = around.isAncestorOf(over)  # else what it lay over is elsewhere for now, or all of it is meant
        corner, size = (over.mapTo(around, QPoint()), over.size()) if is_in else (QPoint(), around.size())
        needed = self._column.heightForWidth(size.width()) if any(not bar.isHidden() for bar in self._bars) else 0
        end = corner.y() + size.height() - (over.foot_px if is_in and isinstance(over, HasFoot) else 0)
        height = min(needed, around.height())
        self.setGeometry(corner.x(), max(0, end - height), size.width(), height)
        self.raise_()

    # Qt overrides

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # a bar has come, gone or grown
            self.place()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show):
            self.place()
        return False


PASSES_MS = 6000
"""How long a message is seen that passes by itself."""


class MessageBar(QFrame):
    """Shows one message at a time until it is closed or replaced; one that something went well may pass by itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self._mark = QLabel("!", self)
        self._mark.setObjectName("message_mark")
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._mark.setFixedSize(MARK_PX, MARK_PX)
        self._text = BarText(self)
        self._passes = False
        self._passing = QTimer(self)  # while it is seen
        self._passing.setSingleShot(True)
        self._passing.setInterval(PASSES_MS)
        self._passing.timeout.connect(self._pass_unless_read)
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
        passes: bool = False,
    ) -> None:
        """Show what happened and, in the next sentence, what to do about it.

        Args:
            action: Label of a button, none if empty.
            on_action: Called when that button is pressed, after the message is closed.
            is_fault: Whether it warns, or only informs.
            passes: Whether it goes by itself after a while, and when another page comes.
        """
        self._passes = passes
        self._passing.stop()
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
        if passes and self.isVisible():
            self._passing.start()

    def _align(self) -> None:
        """Put mark and cross on the line of the text: of its first, where there are several."""
        is_one_line = self._text.lines(self._text.width()) == 1
        up = Qt.AlignmentFlag.AlignVCenter if is_one_line else Qt.AlignmentFlag.AlignTop
        for widget in (self._mark, self._close):
            self._row.setAlignment(widget, up)
        self._row.setAlignment(self._text, up)
        over = (self._close.height() - self._text.fontMetrics().lineSpacing()) // 2
        self._text.set_top(0 if is_one_line else max(0, over))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._align()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._passes:
            self._passing.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._passing.stop()

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
        self._passes = False
        self._passing.stop()
        self.hide()

    @Slot()
    def pass_by(self) -> None:
        """Close a message that passes; any other stays."""
        if self._passes:
            self.clear()

    @Slot()
    def _pass_unless_read(self) -> None:
        if self.underMouse():
            self._passing.start()
        else:
            self.clear()


STEPS = 1000
"""Of a determinate bar: bytes would not fit into it."""

BarAction = tuple[str, Callable[[], object]]
"""Label of a button, and what is called when it is pressed."""


class WorkBar(QFrame):
    """Shows one piece of work at a time; hidden while there is none."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("work_bar")
        self.text = BarText(self)
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
        self._row.addWidget(self.text, 1, Qt.AlignmentFlag.AlignVCenter)  # else of one line, whatever it needs
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
