"""The bench for carving by hand: the frame of a step as a canvas, large, and the tools beside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QWidget

from sculptor_app.ui.carve.painting_tools import TOOLS_PX, PaintingTools
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.picture_view import PictureView

_GAP, _SMALL_GAP = 16, 6


class PaintingCanvas(PictureView):
    """A picture on which a drag of the mouse is a stroke; the wheel zooms, as in any frame.

    Signals:
        begun: the point where a stroke begins, as shares 0..1 of width and height.
        extended: the point to which it goes on.
        ended: the button was let go.
        picked: column and row of the pixel whose colour is wanted (Alt and a click).
    """

    begun = Signal(object)
    extended = Signal(object)
    ended = Signal()
    picked = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_drawing = False
        self._pointer: QPointF | None = None
        self._radius = 0.1

    @property
    def is_drawing(self) -> bool:
        """Whether a stroke is being made."""
        return self._is_drawing

    def set_radius(self, radius: float) -> None:
        """Show a brush of this radius, as a share of the picture's width, around the pointer."""
        self._radius = radius
        self.update()

    def drop_stroke(self) -> None:
        """Take no more points for the stroke that is being made."""
        self._is_drawing = False

    def place_of(self, share: tuple[float, float]) -> QPointF:
        """Where a point of the picture, in shares of width and height, lies in the widget."""
        rect = self._placement().rect
        return QPointF(rect.x() + share[0] * rect.width(), rect.y() + share[1] * rect.height())

    def _share_at(self, place: QPointF) -> tuple[float, float]:
        fraction = self._fraction_at(place)
        return min(1.0, max(0.0, fraction.x())), min(1.0, max(0.0, fraction.y()))

    # Qt overrides

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._pointer is None or self.image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        reach = self._radius * self._placement().rect.width()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in (("black", 3.0), ("white", 1.4)):  # seen on any ground
            painter.setPen(QPen(QColor(colour), width))
            painter.drawEllipse(self._pointer, reach, reach)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.image is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.picked.emit(*self.pixel_at(event.position()))
            return
        if self.pixel_at(event.position()) != (-1, -1):
            self._is_drawing = True
            self.begun.emit(self._share_at(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        if self._is_drawing and self.image is not None:
            self.extended.emit(self._share_at(event.position()))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._is_drawing:
            self._is_drawing = False
            self.ended.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)  # two dabs, and no zoom

    def enterEvent(self, event: QEnterEvent) -> None:
        self.setCursor(Qt.CursorShape.CrossCursor)
        super().enterEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self.update()


class PaintingBench(QWidget):
    """Canvas and tools, and the keys that belong to them while they are seen.

    Signals:
        escaped: Esc was pressed.
    """

    escaped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._aspect = 1.0
        self.title, self.note, self.hint = (ElidedLabel("", self) for _ in range(3))
        self.title.setFont(fonts.strong())
        for label in (self.note, self.hint):
            label.fill_place()
            label.setProperty("tone", "muted")
        self.note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.hint.setFont(fonts.small())
        self.hint.setText(self.tr("[ ] size · wheel zooms · Ctrl+Z takes back · Esc leaves"))
        self.canvas = PaintingCanvas(self)
        self.tools = PaintingTools(self)
        tools = self.tools
        self._key(QKeySequence(QKeySequence.StandardKey.Undo), tools.undo_requested.emit)
        self._key(QKeySequence("Ctrl+Shift+Z"), tools.redo_requested.emit)
        self._key(QKeySequence("["), lambda: tools.change_size(-1))
        self._key(QKeySequence("]"), lambda: tools.change_size(1))
        self._key(QKeySequence("Esc"), self.escaped.emit)
        self.hide()

    def _key(self, keys: QKeySequence, call: object) -> None:
        shortcut = QShortcut(keys, self)  # of the window, while this is seen
        shortcut.activated.connect(call)

    def set_aspect(self, aspect: float) -> None:
        """Make room for pictures of another width over height."""
        if aspect != self._aspect:
            self._aspect = aspect
            self._place()

    def _place(self) -> None:
        head, foot = self.title.sizeHint().height(), self.hint.sizeHint().height()
        high = max(40, self.height() - head - foot - 2 * _SMALL_GAP)
        wide = max(40, self.width() - TOOLS_PX - _GAP)
        width = int(min(wide, high * self._aspect))
        height = int(width / self._aspect)
        left = max(0, (self.width() - width - _GAP - TOOLS_PX) // 2)
        top = max(0, (self.height() - head - height - foot - 2 * _SMALL_GAP) // 2)
        below = top + head + _SMALL_GAP
        name_px = min(width, self.title.sizeHint().width())
        self.title.setGeometry(left, top, name_px, head)
        self.note.setGeometry(left + name_px + _SMALL_GAP, top, max(0, width - name_px - _SMALL_GAP), head)
        self.canvas.setGeometry(QRect(left, below, width, height))
        self.hint.setGeometry(left, below + height + _SMALL_GAP, width, foot)
        least = self.tools.minimumSizeHint().height()  # in a low window they take what lies above and below, too
        tall = max(height, least)
        middle = below + height // 2
        self.tools.setGeometry(left + width + _GAP, max(0, middle - tall // 2), TOOLS_PX, tall)

    def set_title(self, title: str, note: str) -> None:
        """Say what is painted on, and in a few words what comes of it."""
        self.title.setText(title)
        self.note.setText(note)
        self.canvas.setAccessibleName(title)
        self._place()

    # Qt overrides

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()
