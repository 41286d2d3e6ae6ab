"""The canvas of the plots: pyqtgraph's view without its usual look, axes, ticks, and thinned curves."""

import math
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsGridLayout

from sculptor_app.core.texts import number_text, power_of_ten_text
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.basics import show_tip

_CORNER_PX = 7
LEAST_FOR_UNIT_PX = 120
"""A lower plot has no room for a line below its numbers."""
UNIT_PX = 17


class Axis(pg.AxisItem):
    """An axis whose numbers are given, without tick strokes."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation, showValues=True, maxTickLength=0)
        self._numbers: list[tuple[float, str]] | None = None
        self.setStyle(tickTextOffset=6, autoExpandTextSpace=False, autoReduceTextSpace=False, hideOverlappingLabels=40)

    def generateDrawSpecs(self, painter: QPainter) -> object:
        specs = super().generateDrawSpecs(painter)
        if specs is None:
            return None
        line, _, texts = specs
        return line, [], texts  # strokes of no length would come out as dots

    def set_numbers(self, numbers: list[tuple[float, str]]) -> None:
        """Pairs of a place on the axis and its text."""
        if numbers != self._numbers:
            self._numbers = numbers
            self.setTicks([numbers])


class Grid(pg.GraphicsObject):
    """Shaded stretches and hairlines behind the curves, in the plot's own units.

    The lines run through the whole view; only what is inside its range is drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self._box = QRectF()
        self._stretches: list[tuple[float, float, QColor]] = []
        self._columns: list[float] = []
        self._rows: list[float] = []
        self.setZValue(-100)

    def set_content(
        self, box: QRectF, stretches: list[tuple[float, float, QColor]], columns: list[float], rows: list[float]
    ) -> None:
        """The range of the view, shaded stretches (left, right, colour), and where lines stand and lie."""
        content = (box, stretches, columns, rows)
        if content == (self._box, self._stretches, self._columns, self._rows):
            return
        self.prepareGeometryChange()
        self._box, self._stretches, self._columns, self._rows = content
        self.update()

    def boundingRect(self) -> QRectF:
        return self._box

    def paint(self, painter: QPainter, *_: object) -> None:
        box = self._box
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for left, right, colour in self._stretches:
            painter.fillRect(QRectF(left, box.top(), right - left, box.height()), colour)
        line = QColor(theme().tokens.hairline_strong)
        line.setAlphaF(0.55)
        pen = QPen(line, 1)
        pen.setCosmetic(True)
        painter.setPen(pen)
        for x in self._columns:
            painter.drawLine(pg.Point(x, box.top()), pg.Point(x, box.bottom()))
        for y in self._rows:
            painter.drawLine(pg.Point(box.left(), y), pg.Point(box.right(), y))


class Canvas(pg.GraphicsView):
    """The drawing ground: axes around a view, no menus, no buttons, no zooming by accident.

    pyqtgraph's own PlotWidget makes a context menu of some eighty widgets for every plot.
    """

    pressed = Signal(float)  # in units of the x axis
    dragged = Signal(float)  # in units of the x axis
    wheeled = Signal(int)  # notches
    _unit = ""
    _right_px = 0

    def __init__(self, right_axis: pg.AxisItem | None = None, head_px: int = 4) -> None:
        super().__init__()
        self.tooltip_text: Callable[[float], str] = str  # at a place of the x axis
        self._notches = 0
        self._shows_focus = False  # Tab led here
        self.bottom, self.left = Axis("bottom"), Axis("left")
        self.view = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.view.disableAutoRange()
        self.ground = pg.GraphicsWidget()
        self._lay_out(right_axis, head_px)
        self.grid = Grid()
        self.add(self.grid)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(False)

    def _lay_out(self, right_axis: pg.AxisItem | None, head_px: int) -> None:
        layout = QGraphicsGridLayout()
        self._has_right_axis = right_axis is not None
        layout.setContentsMargins(0, head_px, 0, 0)
        layout.setSpacing(0)
        layout.addItem(self.left, 0, 0)
        layout.addItem(self.view, 0, 1)
        layout.addItem(self.bottom, 1, 1)
        axes = [self.left, self.bottom]
        if right_axis is not None:
            layout.addItem(right_axis, 0, 2)
            axes.append(right_axis)
        layout.setColumnStretchFactor(1, 100)
        layout.setRowStretchFactor(0, 100)
        for axis in axes:
            axis.linkToView(self.view)
        self.ground.setLayout(layout)
        self.setCentralItem(self.ground)

    def _set_right_margin(self, width_px: int) -> None:
        layout = self.ground.layout()
        left, top, _, bottom = layout.getContentsMargins()
        layout.setContentsMargins(left, top, width_px, bottom)

    def keep_right(self, width_px: int) -> None:
        """Leave so much free at the right, as another plot's right axis takes: one over the other, both end alike."""
        self._right_px = width_px
        self.dress()

    def add(self, item: pg.GraphicsObject) -> None:
        """Puts something into the plot, in the units of its axes."""
        self.view.addItem(item, ignoreBounds=True)

    def number_left(self, numbers: list[tuple[float, str]]) -> None:
        """Numbers of the left axis, but for one so low that it would touch those of the bottom axis."""
        least = self.lowest_number
        self.left.set_numbers([(place, text) for place, text in numbers if place >= least])

    @property
    def lowest_number(self) -> float:
        """From where on there is room for numbers of the left axis."""
        low, high = self.view.viewRange()[1]
        return float(low + _CORNER_PX * (high - low) / max(1.0, self.view.size().height()))

    def x_at(self, point: QPoint) -> float:
        """A point of the widget in units of the x axis."""
        return float(self.view.mapSceneToView(self.mapToScene(point)).x())

    def dress(self) -> None:
        tokens = theme().tokens
        self.setBackground(tokens.window)
        edge = QPen(QColor(tokens.focus), 2) if self._shows_focus else QPen(QColor(tokens.hairline_strong), 1)
        for axis in (self.bottom, self.left):
            axis.setPen(QPen(Qt.PenStyle.NoPen))  # the view has an edge already
            axis.setTextPen(QColor(tokens.muted))
            axis.setStyle(tickFont=fonts.small())
        self.view.setBorder(edge)
        self._dress_unit()
        if not self._has_right_axis:  # a last number at the right end hangs over by half its width
            overhang = math.ceil(QFontMetricsF(fonts.small()).horizontalAdvance("1000") / 2) + 2
            self._set_right_margin(max(overhang, self._right_px))
        self.left.setWidth(self.fontMetrics().horizontalAdvance("\N{MINUS SIGN}88") + 8)
        self.grid.update()

    def set_unit(self, text: str) -> None:
        """What the bottom axis counts, below its numbers where there is room."""
        self._unit = text
        self._dress_unit()

    @property
    def shows_unit(self) -> bool:
        """Whether the unit has room."""
        return bool(self._unit) and self.height() >= LEAST_FOR_UNIT_PX

    def _dress_unit(self) -> None:
        self.bottom.label.setFont(fonts.small())
        self.bottom.setLabel(self._unit if self.shows_unit else "")
        self.bottom.setHeight(self.fontMetrics().height() + 4 + (UNIT_PX if self.shows_unit else 0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._unit and self.shows_unit != self.bottom.label.isVisible():
            self._dress_unit()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            whole = QRect(self.mapToGlobal(QPoint()), self.size())  # a tip beside it leaves its curves to be seen
            show_tip(event.globalPos(), self.tooltip_text(self.x_at(event.pos())), self, whole)
            return True
        return bool(super().viewportEvent(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(self.x_at(event.position().toPoint()))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(self.x_at(event.position().toPoint()))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()  # the window has the menu

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._shows_focus = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if self._shows_focus:
            self.dress()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if self._shows_focus:
            self._shows_focus = False
            self.dress()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()  # keys move the run, not the view

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._notches += event.angleDelta().y() or -event.angleDelta().x()
        whole = int(self._notches / 120)
        self._notches -= whole * 120
        if whole:
            self.wheeled.emit(whole)
        event.accept()


Floats = NDArray[np.float64]


def thinned(values: Floats, per_bin: int) -> NDArray[np.int64]:
    """Which points of a curve to draw: of every `per_bin` neighbours the lowest and the highest, and the last of all.

    Bins are counted from the first point, so what is drawn of a growing curve does not change as it grows. A bin
    without any number keeps its first point, a gap; a gap inside a bin is drawn over.

    Args:
        values: (n,), NaN for a gap.
        per_bin: neighbours that share a bin; below 3 every point is kept.

    Returns:
        Rising indices into `values`.
    """
    count = len(values)
    if per_bin < 3 or count <= per_bin:
        return np.arange(count)
    bins = -(-count // per_bin)
    padded = np.full(bins * per_bin, np.nan)
    padded[:count] = values
    rows = padded.reshape(bins, per_bin)
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    starts = np.arange(bins) * per_bin
    return np.unique(np.concatenate([starts + lowest, starts + highest, [count - 1]]))


_TOO_WIDE = 2.5
_MINUS = "\N{MINUS SIGN}"


def whole_ticks(low: float, high: float, at_most: int) -> list[int]:
    """Whole numbers in [low, high] that are multiples of 1, 2 or 5 times a power of ten, no more than `at_most`.

    Raises:
        ValueError: at_most below 2.
    """
    if at_most < 2:
        raise ValueError(f"an axis needs room for 2 ticks or more; got {at_most}")
    spacing = 1
    for exponent in range(12):
        for factor in (1, 2, 5):
            spacing = factor * 10**exponent
            first = math.ceil(low / spacing - 1e-9)
            last = math.floor(high / spacing + 1e-9)
            if last - first + 1 <= at_most:
                return [index * spacing for index in range(first, last + 1)]
    return []


def decimal_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Numbers in [low, high] that are multiples of 1, 2 or 5 times a power of ten, however small, at most so many."""
    if not high > low:
        return []
    scale = 10.0 ** (3 - math.floor(math.log10(high - low)))  # so that there are some thousands of whole ones
    return [each / scale for each in whole_ticks(low * scale, high * scale, at_most)]


def power_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Powers of ten to name on [low, high]: whole ones, or halves, fifths and tenths where there is room for no two.

    Raises:
        ValueError: at_most below 2.
    """
    whole = whole_ticks(low, high, at_most)
    if len(whole) >= 2 or high - low >= 2:
        return [float(power) for power in whole]
    return [round(tenth / 10, 1) for tenth in whole_ticks(10 * low, 10 * high, at_most)]


def octave_ticks(low: float, high: float) -> list[int]:
    """Powers of two in [low, high]: the frequencies 1, 2, 4, 8 ... cycles per image."""
    first = max(0, math.ceil(math.log2(low) - 1e-9))
    return [2**exponent for exponent in range(first, math.floor(math.log2(high) + 1e-9) + 1)]


def decade_text(value: float) -> str:
    """A power of ten as its exponent, with a real minus sign."""
    return number_text(value).replace("-", _MINUS)


def power_text(exponent: float) -> str:
    """Ten to this exponent for an axis or a tooltip: "10⁻³" for whole ones, else as "0.35"."""
    if float(exponent).is_integer():
        return power_of_ten_text(int(exponent))
    return number_text(float(f"{10.0**exponent:.2g}")).replace("-", _MINUS)


def stable_range(low: float, high: float, known: tuple[float, float] | None) -> tuple[float, float]:
    """A range that holds [low, high] with some air.

    The known one stays as long as it holds them and is not far too wide, so that axes stand still; it grows only at the
    end where it must.
    """
    air = max(0.08 * (high - low), 0.15)
    if known is None or known[1] - known[0] > _TOO_WIDE * (high - low + 2 * air):
        return low - air, high + air
    if known[0] <= low and high <= known[1]:
        return known
    return (low - air if low < known[0] else known[0]), (high + air if high > known[1] else known[1])
