"""Parts that many widgets are made of: elided labels, hairline frames, menu buttons, scrolled panels, file drops."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QDropEvent,
    QFont,
    QFontMetrics,
    QImage,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMenu,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

QWIDGETSIZE_MAX = (1 << 24) - 1  # of Qt, which PySide6 does not hand on

SLACK_PX = 2
"""What a dock may give a panel less than that asked for: separators are counted differently."""

_BETWEEN = " · "
_LEAST_LETTERS = 5
_SHRUNK = 0.87, 0.75, 0.68


class ElidedLabel(QLabel):
    """One line of plain text; screen readers get it whole.

    Parts between middle dots go one by one before the text is cut, numbers stay whole, and what is left of it is more
    than a few letters or nothing.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._tip = ""
        self._own_text: str | None = None  # of a label that fills its place; Qt's own label would lay all out anew
        self._shown: tuple[tuple[str, int, str], str] | None = None  # text, width and font, and what is shown of it
        self._shrinks = False
        self._widest = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def fill_place(self) -> None:
        """Be as wide as the place that others leave, whatever the text: one that changes at every step moves nothing.

        A window that is laid out anew at each step takes longer for that than for its pictures.
        """
        self._own_text = super().text()
        super().setText("")

    def shrink(self) -> None:
        """Write the first part in smaller type before it is cut."""
        self._shrinks = True

    def keep_size_for(self, text: str) -> None:
        """Take the size of type, and the number of parts, that this text, the widest to come, has room for.

        What changes from step to step does not shrink and grow besides, nor lose and gain a part.
        """
        if text != self._widest:
            self._widest, self._shown = text, None
            self._update_tip()
            self.update()

    def _smaller_font(self, text: str) -> QFont | None:
        """The largest of the smaller fonts in which a text has room."""
        for factor in _SHRUNK if self._shrinks else ():
            font = QFont(self.font())
            font.setPointSizeF(font.pointSizeF() * factor)
            if QFontMetrics(font).horizontalAdvance(text) <= self.contentsRect().width():
                return font
        return None

    @property
    def shown_font(self) -> QFont:
        """What the text is painted in: the label's own font, or a smaller one where it would be cut in that."""
        advance, room = self.fontMetrics().horizontalAdvance, self.contentsRect().width()
        parts = self._most_parts(self.text().count(_BETWEEN) + 1, room)
        widest = _BETWEEN.join(self._widest.split(_BETWEEN)[:parts])
        for text in (max(self.shown_text, widest, key=advance), self.shown_text):
            font = self.font() if advance(text) <= room else self._smaller_font(text)
            if font is not None:
                return font
        return self.font()

    def text(self) -> str:
        return super().text() if self._own_text is None else self._own_text

    def set_tip(self, tip: str) -> None:
        """What the text means: its tooltip, after the whole text where that is cut."""
        self._tip = tip
        self._update_tip()

    def setText(self, text: str) -> None:
        if text == self.text():
            return
        if self._own_text is None:
            super().setText(text)
            self.updateGeometry()
        else:
            self._own_text = text
            self.setAccessibleName(text)
            self.update()
        self._update_tip()

    @property
    def shown_text(self) -> str:
        """What is painted: the text, or its first parts, or its beginning and an ellipsis, or nothing."""
        width = self.contentsRect().width()
        key = self.text(), width, self.font().key()
        if self._shown is None or self._shown[0] != key:
            self._shown = key, self._fitting_text(width)
        return self._shown[1]

    def _fitting_text(self, width: int) -> str:
        metrics = self.fontMetrics()
        parts = self.text().split(_BETWEEN)
        for count in range(self._most_parts(len(parts), width), 0, -1):
            text = _BETWEEN.join(parts[:count])
            if metrics.horizontalAdvance(text) <= width:
                return text
        if self._smaller_font(parts[0]) is not None:
            return parts[0]
        elided = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, width)
        kept, _, cut = elided.rpartition(" ")
        if cut.lstrip("+−±")[:1].isdigit():  # the beginning of a number is another number
            elided = f"{kept}…" if kept else ""
        return elided if len(elided) > _LEAST_LETTERS else ""

    def _most_parts(self, count: int, width: int) -> int:
        """How many of so many parts may be shown: as many as have room in the widest text to come."""
        widest = self._widest.split(_BETWEEN) if self._widest else []
        if len(widest) != count:
            return count
        advance = self.fontMetrics().horizontalAdvance
        return max((n for n in range(1, count + 1) if advance(_BETWEEN.join(widest[:n])) <= width), default=1)

    def _update_tip(self) -> None:
        cut = self.text() if self.shown_text != self.text() else ""
        tip = "\n".join(filter(None, (cut, self._tip)))
        if tip != self.toolTip():
            self.setToolTip(tip)

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 2 if self._own_text is None else 0
        return QSize(width, self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height() + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.shown_font)
        flags = QStyle.visualAlignment(self.layoutDirection(), self.alignment())
        palette = self.palette()
        self.style().drawItemText(
            painter, self.contentsRect(), int(flags), palette, self.isEnabled(), self.shown_text, self.foregroundRole()
        )
        painter.end()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a context menu is about: a picture or a plot that is on screen."""

    image: QImage | None  # None where there is none to be seen
    name: str  # as part of a file's name
    term: str = ""  # its key in the glossary
    is_plot: bool = False
    position: int | None = None  # of a cell of the filmstrip; None for the step on screen
    open_run: Callable[[], object] | None = None  # opens its run on the page Carve


@runtime_checkable
class Pictured(Protocol):
    """A widget that shows pictures or a plot."""

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """What is shown at a place of the widget; None is where the keyboard's focus is in it."""


@runtime_checkable
class DragSource(Protocol):
    """A window out of which the pictures in it can be dragged, into another program."""

    def drag_picture(self, widget: QWidget, place: QPoint) -> None:
        """Begin to drag what a widget shows at a place of it; returns when it was dropped, or let go."""


def paint_frame(painter: QPainter, rect: QRectF, ink: QColor | str) -> None:
    """Paints a frame along the inside of `rect`, as many whole device pixels wide as fit into one logical pixel.

    QPainter.drawRect would leave a strip of half a pixel outside the frame on a dense screen.
    """
    ratio = painter.device().devicePixelRatioF()
    width = max(1, math.floor(ratio)) / ratio
    colour = QColor(ink)
    painter.fillRect(QRectF(rect.left(), rect.top(), rect.width(), width), colour)
    painter.fillRect(QRectF(rect.left(), rect.bottom() - width, rect.width(), width), colour)
    painter.fillRect(QRectF(rect.left(), rect.top(), width, rect.height()), colour)
    painter.fillRect(QRectF(rect.right() - width, rect.top(), width, rect.height()), colour)


def show_tip(at: QPoint, text: str, owner: QWidget, shun: QRect, beside: QRect | None = None) -> None:
    """A tooltip that covers nothing of a rectangle: above it, at one of its sides, or below it.

    Args:
        at: the pointer; at, shun, beside: in pixels of the screens.
        beside: what stands at the pointer, over the rectangle; the tooltip comes to the right or left of it, or over it
            where there is room on no side.
    """
    lines = [textwrap.fill(line, TIP_LETTERS, break_long_words=False) for line in text.split("\n")]
    QToolTip.showText(at, "\n".join(lines), owner)
    label = next((each for each in QApplication.topLevelWidgets() if each.inherits("QTipLabel")), None)
    screen = owner.screen().availableGeometry()
    if label is None or not text:
        return
    size = label.size()
    x = min(max(at.x() - size.width() // 2, screen.left()), screen.right() + 1 - size.width())
    top = shun.top()
    if beside is not None:
        right, left = beside.right() + 1 + TIP_GAP_PX, beside.left() - size.width() - TIP_GAP_PX
        if right + size.width() <= screen.right() + 1:
            x = right
        elif left >= screen.left():
            x = left
        else:
            top = beside.top()
    y = min(max(at.y() - size.height() // 2, screen.top()), screen.bottom() + 1 - size.height())
    sides = QPoint(shun.left() - size.width() - TIP_GAP_PX, y), QPoint(shun.right() + 1 + TIP_GAP_PX, y)
    over, under = QPoint(x, top - size.height() - TIP_GAP_PX), QPoint(x, shun.bottom() + 1 + TIP_GAP_PX)
    places = (*sides, over, under) if shun.width() < screen.width() // 2 else (over, under)
    fitting = (place for place in places if screen.contains(QRect(place, size)))
    label.move(next(fitting, over))


TIP_GAP_PX, TIP_LETTERS = 6, 88


def give_menu(button: QToolButton, menu: QMenu) -> None:
    """Have a button open a menu when it is pressed, and look at rest when that is closed."""
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setMenu(menu)
    menu.aboutToHide.connect(lambda: QTimer.singleShot(0, button, lambda: _let_go(button)))


def _let_go(button: QToolButton) -> None:
    # WORKAROUND: Qt 6.11 lets a button stay lit after the pointer has left it while its menu was open.
    if not button.rect().contains(button.mapFromGlobal(button.cursor().pos())):
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
        button.update()


class LayoutBarrier(QWidget):
    """Holds one widget as large as itself, or as the widget needs at least; then it scrolls.

    Every changed text makes Qt lay out all that is around it, up to the window, again, at every step. Here that stops,
    unless the least size or the height that the widget asks for has changed.

    Args:
        keeps_height: Be as high as the widget asks for, neither more nor less.
    """

    asks_at_most = QSize(200, 80)
    """The least size is no more than this: what is around it must never need more than there is."""

    def __init__(self, content: QWidget, parent: QWidget | None = None, keeps_height: bool = False) -> None:
        super().__init__(parent)
        self._content, self._keeps_height = content, keeps_height
        content.setParent(self)
        self._across = QScrollBar(Qt.Orientation.Horizontal, self)
        self._down = QScrollBar(Qt.Orientation.Vertical, self)
        for bar in (self._across, self._down):
            bar.setSingleStep(20)
            bar.valueChanged.connect(self._scroll)
            bar.hide()
        self.setSizePolicy(content.sizePolicy())
        if keeps_height:
            self.setSizePolicy(content.sizePolicy().horizontalPolicy(), QSizePolicy.Policy.Fixed)
        self._asked = self._asks()

    def _asks(self) -> tuple[QSize, int]:
        return self._content.minimumSizeHint(), self._content.sizeHint().height()

    @property
    def needs_px(self) -> int:
        """Width that the widget needs not to scroll."""
        return self._content.minimumSizeHint().width()

    def sizeHint(self) -> QSize:
        return self._content.sizeHint()

    def _place(self) -> None:
        """Give the widget all the room, or what it needs at least behind scroll bars."""
        across, down = self._across, self._down
        least = self._content.minimumSizeHint() - QSize(SLACK_PX, SLACK_PX)
        if self._keeps_height:
            least.setHeight(0)
        is_short = self.height() < least.height()
        width = self.width() - (down.sizeHint().width() if is_short else 0)
        is_narrow = width < least.width()
        height = self.height() - (across.sizeHint().height() if is_narrow else 0)
        across.setGeometry(0, height, width, across.sizeHint().height())
        down.setGeometry(width, 0, down.sizeHint().width(), height)
        for bar, is_needed, has, needs in (
            (across, is_narrow, width, least.width()), (down, height < least.height(), height, least.height())
        ):  # fmt: skip
            if bar.isHidden() == is_needed:
                bar.setVisible(is_needed)
                self.updateGeometry()
            bar.setRange(0, max(0, needs - has))
            bar.setPageStep(max(1, has))
            bar.raise_()
        high = self._content.sizeHint().height() if self._keeps_height else max(height, least.height())
        self._content.resize(max(width, least.width()), high)
        self._scroll()

    @Slot()
    def _scroll(self) -> None:
        self._content.move(-self._across.value(), -self._down.value())

    def minimumSizeHint(self) -> QSize:
        least = self._content.minimumSizeHint().boundedTo(self.asks_at_most)
        if self._keeps_height:
            across = 0 if self._across.isHidden() else self._across.sizeHint().height()
            least.setHeight(self._content.sizeHint().height() + across)
        return least

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            asks = self._asks()
            if asks != self._asked:
                self._asked = asks
                self.updateGeometry()
                self._place()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._down.isHidden():
            event.ignore()
            return
        self._down.setValue(self._down.value() - event.angleDelta().y() // 2)
        event.accept()


class CompactStack(QStackedWidget):
    """Stack that needs as much room as the page in front instead of the largest of all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.currentChanged.connect(self.updateGeometry)

    def minimumSizeHint(self) -> QSize:
        current = self.currentWidget()
        if current is None:
            return super().minimumSizeHint()
        return current.minimumSizeHint().expandedTo(current.minimumSize())


class ScrolledPanel(QWidget):
    """Two widgets above each other: the upper scrolls where room is short, the lower is always seen whole."""

    def __init__(self, settings: QWidget, footer: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scroll = QScrollArea(self)
        self._scroll.setWidget(settings)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._below = QVBoxLayout()
        self._below.addWidget(footer)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addLayout(self._below)
        self._scroll.verticalScrollBar().rangeChanged.connect(self._align_footer)

    @Slot(int, int)
    def _align_footer(self, least: int, most: int) -> None:
        """Have the lower one end where the upper does, beside a scroll bar."""
        self._below.setContentsMargins(0, 0, self.bar_px if most > least else 0, 0)

    @property
    def room_px(self) -> int:
        """Height of what is seen of the settings at once."""
        return self._scroll.viewport().height()

    @property
    def bar_px(self) -> int:
        """Width that the scroll bar takes when it is there."""
        return self._scroll.verticalScrollBar().sizeHint().width()


class FileDrop(QObject):
    """Lets local files be dropped onto a widget and its children.

    Args:
        suffixes: of the files that are taken, all of those that are dropped; none for the first file of whatever kind.

    Signals:
        dropped: the path of each file.
    """

    dropped = Signal(object)

    def __init__(self, target: QWidget, *suffixes: str) -> None:
        super().__init__(target)
        self._suffixes = suffixes
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            return False
        assert isinstance(event, QDropEvent)
        if event.source() is not None:  # a picture of this window, on its way out
            return False
        paths = self._paths(event)
        if not paths:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            for path in paths:
                self.dropped.emit(path)
        return True

    def _paths(self, event: QDropEvent) -> list[Path]:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        return [path for path in paths if path.suffix.lower() in self._suffixes] if self._suffixes else paths[:1]
