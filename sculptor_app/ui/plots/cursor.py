"""The plot's cursor: a line at the current step with its number above.

WORKAROUND: pyqtgraph 0.14's InfiniteLine leaves traces at fractional screen scales (its issue 2207) and takes 5-16 ms
a move; this one lives in pixels, with a margin around what it paints.
"""

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from sculptor_app.ui.plots.canvas import Canvas
from sculptor_app.ui.theme import fonts, theme

PILL_HEIGHT = 16
_ABOVE = PILL_HEIGHT + 2.0


class Cursor(pg.GraphicsObject):
    """A line over the whole height of a plot, moved by `set_step`."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas.ground)
        self._ground, self._view = canvas.ground, canvas.view
        self._step = 0
        self._x, self._text = 0.0, "0"
        self._height = 0.0
        self._half = 14.0
        self.setZValue(1000)
        self.hide()
        self._view.sigResized.connect(self._place)
        self._view.sigRangeChanged.connect(self._place)

    @property
    def step(self) -> int:
        """The step it stands at."""
        return self._step

    def set_step(self, step: int) -> None:
        """Moves it to a step, whose number it shows."""
        self._step = step
        self.set_place(step, str(step))

    def set_place(self, x: float, text: str) -> None:
        """Moves it to a place on the x axis, with a text above."""
        self._x, self._text = x, text
        half = QFontMetricsF(fonts.small_strong()).horizontalAdvance(text) / 2 + 6
        if half != self._half:
            self.prepareGeometryChange()
            self._half = half
        self._place()
        self.update()

    def _place(self, *_: object) -> None:
        view = self._view
        top = view.mapFromViewToItem(self._ground, pg.Point(self._x, view.viewRange()[1][1]))
        height = view.size().height()
        if height != self._height:
            self.prepareGeometryChange()
            self._height = height
        self.setPos(QPointF(round(top.x()), round(view.pos().y())))

    def boundingRect(self) -> QRectF:
        return QRectF(-self._half - 3, -_ABOVE - 3, 2 * self._half + 6, self._height + _ABOVE + 6)

    def paint(self, painter: QPainter, *_: object) -> None:
        tokens = theme().tokens
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.bubble))
        painter.drawRect(QRectF(-0.75, -3, 1.5, self._height + 3))
        pill = QRectF(-self._half, -_ABOVE, 2 * self._half, PILL_HEIGHT)
        painter.drawRoundedRect(pill, PILL_HEIGHT / 2, PILL_HEIGHT / 2)
        painter.setPen(QColor(tokens.on_bubble))
        painter.setFont(fonts.small_strong())
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, self._text)
