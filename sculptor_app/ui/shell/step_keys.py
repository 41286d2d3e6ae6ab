"""Arrow keys and Space from anywhere in the window, without taking from text fields what is theirs.

Qt offers each key press to the focused widget first, as a ShortcutOverride; a widget that accepts it keeps the key, and
otherwise a menu's shortcut gets it. Here that question is answered for the few widgets that answer it otherwise.
"""

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QWidget

MOVES = frozenset(
    {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown}
)


def wants_key(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> bool | None:
    """Whether a focused widget keeps a key for itself; None leaves the question to the widget."""
    if modifiers & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier):
        return None
    if key == Qt.Key.Key_Space and isinstance(widget, QAbstractButton | QComboBox):
        return True  # who came there with Tab presses it with Space
    if key not in MOVES or modifiers & Qt.KeyboardModifier.ShiftModifier:
        return None
    box = widget if isinstance(widget, QAbstractSpinBox) else widget.parentWidget()
    if isinstance(box, QAbstractSpinBox):
        # A number that nobody is typing at has no use for them, and who has just set it wants to move on.
        line = box.findChild(QLineEdit)
        return isinstance(line, QLineEdit) and line.isModified()
    return None


def _with_its_text(widget: QWidget | None) -> list[QWidget]:
    """A widget and the field in it that is typed into: keys may come to either."""
    return [] if widget is None else [widget, *widget.findChildren(QLineEdit)]


class StepKeys(QObject):
    """Event filter of whatever widget of a window has the focus.

    Of that one alone: a filter of the whole application would be asked at every event of every widget, some thousand
    times in a run, and each time take the interpreter from the thread that computes.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        application.focusChanged.connect(self._follow_focus)
        self._follow_focus(None, QApplication.focusWidget())

    def stop(self) -> None:
        """Ask for no more events."""
        self._application.focusChanged.disconnect(self._follow_focus)
        self._follow_focus(QApplication.focusWidget(), None)

    @Slot(QWidget, QWidget)
    def _follow_focus(self, old: QWidget | None, new: QWidget | None) -> None:
        for widget in _with_its_text(old):
            widget.removeEventFilter(self)
        if new is not None and new.window() is self._window:
            for widget in _with_its_text(new):
                widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(watched, QWidget):
            return False
        if not isinstance(event, QKeyEvent):
            return False
        wants = wants_key(watched, Qt.Key(event.key()), event.modifiers())
        if wants is None:
            return False
        event.setAccepted(wants)
        return True
