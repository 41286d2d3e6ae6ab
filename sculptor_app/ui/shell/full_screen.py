"""Full screen for a lecture room: what the page in front shows, its timeline, larger type, and nothing else.

The page's own widgets are shown, so that everything about them, from zoom to decoded latents, is as it was: they are
moved onto a sheet over the whole window, stand-ins keep their places, and they go back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFont, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QLabel, QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from sculptor_app.ui.playback.stage import ALONE, AUTOMATIC, Stage
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.bars import BarColumn
from sculptor_app.ui.widgets.picture_view import PictureView
from sculptor_app.ui.widgets.timeline import Timeline

USUAL_HEIGHT_PX = 540.0
LEAST_SCALE, MOST_SCALE = 1.4, 2.5
"""Of the type, which grows with the height of the screen."""

HINT_MS = 6000
EDGE_PX = 6


def swap(old: QWidget, new: QWidget) -> None:
    """Put a widget into the place of another one, which has no parent then."""
    parent = old.parentWidget()
    assert parent is not None
    if isinstance(parent, QStackedWidget):
        place, shown = parent.indexOf(old), parent.currentIndex()
        parent.removeWidget(old)
        parent.insertWidget(place, new)
        parent.setCurrentIndex(shown)
    elif isinstance(parent, QSplitter):
        parent.replaceWidget(parent.indexOf(old), new)
        new.show()
    else:
        layout = parent.layout()
        assert layout is not None
        item = layout.replaceWidget(old, new, Qt.FindChildOption.FindChildrenRecursively)
        assert item is not None
    old.setParent(None)


class Loan:
    """A widget taken out of where it belongs, with a stand-in in its place until it is given back."""

    def __init__(self, widget: QWidget) -> None:
        self.widget = widget
        self._was_hidden = widget.isHidden()
        self._stand_in = QWidget()  # a splitter would take a child in by itself, at its end
        self._stand_in.setSizePolicy(widget.sizePolicy())
        self._stand_in.setMinimumSize(widget.minimumSizeHint())
        swap(widget, self._stand_in)
        if self._was_hidden:
            self._stand_in.hide()

    def give_back(self) -> None:
        """Put the widget back; it may have been shown or hidden meanwhile."""
        hidden = self.widget.isHidden()
        swap(self._stand_in, self.widget)
        around = self.widget.parentWidget()
        if not isinstance(around, QStackedWidget):  # which shows what is in front, and hides the rest
            self.widget.setVisible(not hidden)
        self._stand_in.deleteLater()


class FullScreen(QWidget):
    """A sheet over a window that fills the screen.

    Args:
        parts: what the page in front shows, the largest first, and its timeline if it has one; none where there is
            nothing to be seen.
        messages: the window's message bar, which is seen here, too.
    """

    changed = Signal()  # it came or went

    def __init__(self, window: QMainWindow, parts: Callable[[], Sequence[QWidget]], messages: QWidget) -> None:
        super().__init__(window)
        self._window, self._parts, self._messages = window, parts, messages
        self._loans: list[Loan] = []
        self._fonts: list[tuple[QWidget, QFont]] = []
        self._arrangement = AUTOMATIC
        self.setProperty("ground", "well")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(20, 16, 20, 20)
        self._column.setSpacing(12)
        self._bars = BarColumn(self)
        self._hint = QLabel(self)
        self._hint.setObjectName("full_screen_hint")
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._hint_end = QTimer(self)
        self._hint_end.setSingleShot(True)
        self._hint_end.setInterval(HINT_MS)
        self._hint_end.timeout.connect(self._hint.hide)
        self._keys = [self._key(keys, slot) for keys, slot in (
            ("Esc", self.leave), ("1", self.show_one), ("3", self.show_three),
        )]  # fmt: skip
        self.hide()

    def _key(self, keys: str, slot: Callable[[], None]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.setEnabled(False)
        shortcut.activated.connect(slot)
        return shortcut

    @property
    def is_on(self) -> bool:
        """Whether it is seen."""
        return bool(self._loans)

    @property
    def can_be(self) -> bool:
        """Whether there is something to be seen, or it is to be left."""
        return self.is_on or bool(self._parts())

    @property
    def _stage(self) -> Stage | None:
        shown = self._loans[0].widget if self._loans else None
        return shown if isinstance(shown, Stage) else None

    # Coming and going ------------------------------------------------------------------------------------------------

    @Slot(bool)
    def set_on(self, wanted: bool) -> None:
        """Fill the screen, or go back."""
        (self.enter if wanted else self.leave)()

    @Slot()
    def enter(self) -> None:
        """Fill the screen with the page in front."""
        if self.is_on or not self._parts():
            return
        self._window.setWindowState(self._window.windowState() | Qt.WindowState.WindowFullScreen)
        self._window.installEventFilter(self)
        self._take()
        for key in self._keys:
            key.setEnabled(True)
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self._show_hint()
        self.changed.emit()

    @Slot()
    def leave(self) -> None:
        """Put everything back, and the window to its former size."""
        if not self.is_on:
            return
        for key in self._keys:
            key.setEnabled(False)
        self._window.removeEventFilter(self)
        self._give_back()
        self.hide()
        self._window.setWindowState(self._window.windowState() & ~Qt.WindowState.WindowFullScreen)
        self.changed.emit()

    @Slot()
    def follow_page(self) -> None:
        """Another page is in front, or it shows something else: show that, or leave where there is nothing."""
        if not self.is_on:
            return
        parts = self._parts()
        if parts and parts[0] is self._loans[0].widget:
            return
        if not parts:
            self.leave()
            return
        self._give_back()
        self._take()
        self._show_hint()

    def _take(self) -> None:
        parts = self._parts()
        self._scale = min(MOST_SCALE, max(LEAST_SCALE, self._window.screen().size().height() / USUAL_HEIGHT_PX))
        self._loans = [Loan(part) for part in (*parts, self._messages)]
        self._bars.add(self._messages)
        for number, part in enumerate(parts):
            self._column.addWidget(part, 1 if number == 0 else 0)
            self._enlarge(part)
            part.show()
        self._bars.lie_over(parts[0])
        stage = self._stage
        if stage is not None:
            self._arrangement = stage.arrangement
            stage.set_remark_wanted(False)
            stage.title.hide()
        parts[0].setFocus()

    def _give_back(self) -> None:
        stage = self._stage
        if stage is not None:
            stage.set_remark_wanted(True)
            stage.title.show()
            stage.set_arrangement(self._arrangement)
        for widget, font in self._fonts:
            widget.setFont(font)
        for loan in self._loans:
            if isinstance(loan.widget, Timeline):
                loan.widget.set_magnification(1.0)
            loan.give_back()
        shown = self._loans[0].widget
        self._loans, self._fonts = [], []
        shown.setFocus()

    def _enlarge(self, part: QWidget) -> None:
        """Larger type in everything that has type of its own; what has none takes its parent's."""
        if isinstance(part, Timeline):
            part.set_magnification(self._scale)
            return
        for widget in (part, *part.findChildren(QWidget)):
            if widget is part or widget.testAttribute(Qt.WidgetAttribute.WA_SetFont):
                font = QFont(widget.font())
                self._fonts.append((widget, QFont(font) if widget is not part else fonts.body()))
                font.setPointSizeF(font.pointSizeF() * self._scale)
                widget.setFont(font)

    # Keys ------------------------------------------------------------------------------------------------------------

    @Slot()
    def show_one(self) -> None:
        """The first frame alone."""
        if self._stage is not None:
            self._stage.set_arrangement(ALONE)

    @Slot()
    def show_three(self) -> None:
        """All frames."""
        if self._stage is not None:
            self._stage.set_arrangement(AUTOMATIC)

    def _show_hint(self) -> None:
        keys = [self.tr("Esc: back to the window")]
        if self._stage is not None:
            keys += [self.tr("1: one frame"), self.tr("3: three frames")]
        font = fonts.body()
        font.setPointSizeF(font.pointSizeF() * self._scale)
        self._hint.setFont(font)
        tokens = theme().tokens
        self._hint.setStyleSheet(
            f"background: {tokens.bubble}; color: {tokens.on_bubble}; border-radius: 8px; padding: 6px 14px; "
            f"font-size: {font.pointSizeF():.1f}pt;"  # a style sheet that is new to a label has the program's size
        )
        self._hint.setText(" · ".join(keys))
        self._hint.adjustSize()
        self._hint.show()
        self._hint.raise_()
        self._place_hint()
        self._hint_end.start()

    def _place_hint(self) -> None:
        self._hint.move(self.free_place(self._hint.size()))

    def free_place(self, size: QSize) -> QPoint:
        """Where something of a size covers no text, and no picture if it can be; at the top where it must."""
        self._column.activate()
        texts, pictures = self._shown_rects()
        lefts = (self.width() - size.width()) // 2, EDGE_PX, self.width() - size.width() - EDGE_PX
        tops = range(EDGE_PX, max(EDGE_PX + 1, self.height() - size.height()), 4)
        places = [QRect(QPoint(left, top), size) for left in lefts for top in tops]
        for shunned in ([*texts, *pictures], texts):
            for place in places:
                if not any(place.intersects(each) for each in shunned):
                    return place.topLeft()
        return QPoint(lefts[0], EDGE_PX)

    def _shown_rects(self) -> tuple[list[QRect], list[QRect]]:
        """Places of texts, and of pictures."""
        texts: list[QRect] = []
        pictures: list[QRect] = []
        for widget in self.findChildren(QWidget):
            if widget is self._hint or not widget.isVisibleTo(self):
                continue
            place = QRect(widget.mapTo(self, QPoint()), widget.size())
            if isinstance(widget, PictureView):
                pictures.append(place)
            elif isinstance(widget, (QLabel, QAbstractButton, Timeline)) and (
                isinstance(widget, Timeline) or widget.text()
            ):
                texts.append(place)
        return texts, pictures

    # Qt overrides ----------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._window.rect())
            self._place_hint()
        return False
