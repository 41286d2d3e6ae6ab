"""Keys of steps and of playing from anywhere in the window, without taking from fields what is theirs.

One rule for all fields: a number that is being typed keeps the keys that move in it, until Enter or Tab; a text keeps
all of its keys; Space presses the button and opens the list that Tab has led to. All else moves the run, and changes
nothing in the field that has the focus, not even while there is no run.

Qt offers each key press to the focused widget first, as a ShortcutOverride; a widget that accepts it keeps the key, and
otherwise a menu's shortcut gets it, or the widget again where that menu entry is disabled. Both questions are answered
here for the widgets that answer them otherwise.
"""

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QTabBar, QWidget

PAGES = frozenset({Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})
MOVES = PAGES | {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End}
TABS = frozenset({Qt.Key.Key_Tab, Qt.Key.Key_Backtab})


def wants_key(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier, is_clicked: bool) -> bool | None:
    """Whether a focused widget keeps a key for itself; None leaves the question to the widget.

    Args:
        is_clicked: It has the focus because it was clicked.
    """
    if modifiers & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier):
        return None
    number = _number_line(widget)
    if key == Qt.Key.Key_Space:
        if isinstance(widget, QAbstractButton | QComboBox):
            return not is_clicked
        return False if number is not None else None
    if key not in MOVES or modifiers & Qt.KeyboardModifier.ShiftModifier:
        return None
    if number is not None:
        return key not in PAGES and number.isModified()
    if isinstance(widget, QComboBox):
        return False
    if isinstance(widget, QTabBar):
        return key in (Qt.Key.Key_Left, Qt.Key.Key_Right)
    return None


def _number_line(widget: QWidget) -> QLineEdit | None:
    """The line that a number is typed into, if the widget holds one or is one."""
    box = widget if isinstance(widget, QAbstractSpinBox) else widget.parentWidget()
    if isinstance(box, QAbstractSpinBox):
        line = box.findChild(QLineEdit)
        return line if isinstance(line, QLineEdit) else None
    is_number = isinstance(widget, QLineEdit) and widget.inputMethodHints() & Qt.InputMethodHint.ImhPreferNumbers
    return widget if isinstance(widget, QLineEdit) and is_number else None


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
        self._clicked: QWidget | None = None  # the widget that the mouse was pressed on last, until Tab leads elsewhere
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
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget):
            self._clicked = watched
        if kind not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress) or not isinstance(event, QKeyEvent):
            return False
        key = Qt.Key(event.key())
        if key in TABS:
            self._clicked = None
        if not isinstance(watched, QWidget):
            return False
        wants = wants_key(watched, key, event.modifiers(), watched is self._clicked)
        if wants is None or (wants and kind == QEvent.Type.KeyPress):
            return False
        event.setAccepted(wants)
        return True
