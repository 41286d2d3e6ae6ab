"""What both plots share: a pyqtgraph canvas without its usual look, axes of our own, a caption and an empty state."""

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.elided_label import ElidedLabel


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
        self.prepareGeometryChange()
        self._box, self._stretches, self._columns, self._rows = box, stretches, columns, rows
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


class Canvas(pg.PlotWidget):
    """The drawing ground: no menus, no buttons, no zooming by accident.

    Signals:
        pressed(float), dragged(float), wheeled(int): where in units of the x axis, and notches of the wheel.

    Attributes:
        tell: what the tooltip says at a place of the x axis.
    """

    pressed = Signal(float)
    dragged = Signal(float)
    wheeled = Signal(int)

    def __init__(self, right_axis: pg.AxisItem | None = None, head_px: int = 4) -> None:
        self.bottom, self.left = Axis("bottom"), Axis("left")
        axes = {"bottom": self.bottom, "left": self.left}
        if right_axis is not None:
            axes["right"] = right_axis
        super().__init__(axisItems=axes, enableMenu=False)
        self.tell: Callable[[float], str] = str
        self._notches = 0
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMouseTracking(False)
        item = self.getPlotItem()
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.getViewBox().setDefaultPadding(0)
        item.getViewBox().disableAutoRange()
        # A last number at the right end hangs over by half its width.
        item.layout.setContentsMargins(0, head_px, 0 if right_axis is not None else 10, 0)
        self.grid = Grid()
        self.addItem(self.grid, ignoreBounds=True)

    def x_at(self, point: QPoint) -> float:
        """A point of the widget in units of the x axis."""
        return float(self.getViewBox().mapSceneToView(self.mapToScene(point)).x())

    def dress(self) -> None:
        """Puts on the colours and fonts of the theme."""
        tokens = theme().tokens
        self.setBackground(tokens.window)
        edge = QPen(QColor(tokens.hairline_strong), 1)
        for axis in (self.bottom, self.left):
            axis.setPen(QPen(Qt.PenStyle.NoPen))  # the view has an edge already
            axis.setTextPen(QColor(tokens.muted))
            axis.setStyle(tickFont=fonts.small())
        self.getViewBox().setBorder(edge)
        line = self.fontMetrics().height()
        self.bottom.setHeight(line + 4)
        self.left.setWidth(self.fontMetrics().horizontalAdvance("\N{MINUS SIGN}88") + 8)
        self.grid.update()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tell(self.x_at(event.pos())), self)
            return True
        return super().viewportEvent(event)

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

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._notches += event.angleDelta().y() or -event.angleDelta().x()
        whole = int(self._notches / 120)
        self._notches -= whole * 120
        if whole:
            self.wheeled.emit(whole)
        event.accept()


class Chart(QWidget):
    """A canvas with a title, a caption that names quantity and units, and words where there is nothing to plot."""

    def __init__(self, parent: QWidget | None, right_axis: pg.AxisItem | None = None, head_px: int = 4) -> None:
        super().__init__(parent)
        self.title = ElidedLabel("", self)
        self.title.setFont(fonts.strong())
        self.canvas = Canvas(right_axis, head_px)
        self.caption = ElidedLabel("", self)
        self.caption.setFont(fonts.small())
        self.caption.setProperty("tone", "muted")
        self._empty = QLabel("", self.canvas)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setProperty("tone", "muted")
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(self.title)
        self._column.addWidget(self.canvas, 1)
        self._column.addWidget(self.caption)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.canvas.tell = self._tell
        self.canvas.getViewBox().sigResized.connect(self._place_empty)
        theme().changed.connect(self.dress)

    def dress(self) -> None:
        """Puts on the colours of the theme."""
        self.canvas.dress()

    def _place_empty(self) -> None:
        box = self.canvas.getViewBox()
        place = self.canvas.mapFromScene(box.sceneBoundingRect()).boundingRect()
        self._empty.setGeometry(place.adjusted(8, 8, -8, -8))

    def show_empty(self, empty: bool) -> None:
        """Shows or takes away the words for an empty plot."""
        self._empty.setVisible(empty)

    def _tell(self, x: float) -> str:
        return "" if self.is_empty else self.tooltip_at(x)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to plot."""
        return not self._empty.isHidden()

    def tooltip_at(self, x: float) -> str:
        """The values at a place of the x axis in words; to be told by each plot."""
        raise NotImplementedError

    def sizeHint(self) -> QSize:
        return QSize(380, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 150)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.dress()  # the pens are as wide as the pixels ask
        return super().event(event)


def log10_or_gap(power: np.ndarray) -> np.ndarray:
    """log10 of powers, any shape; NaN, a gap in the curve, where there is no positive power."""
    values = np.asarray(power, dtype=np.float64)
    result = np.full(values.shape, np.nan)
    np.log10(values, out=result, where=np.isfinite(values) & (values > 0))
    return result


DECADES = 9.0
"""Powers further below the greatest one are no part of what is seen, and would flatten the rest."""


def limits(values: np.ndarray, most: float = DECADES) -> tuple[float, float] | None:
    """Lowest and highest finite value, no further apart than `most` from the top; None without any."""
    finite = values[np.isfinite(values)]
    return (max(float(finite.min()), float(finite.max()) - most), float(finite.max())) if finite.size else None


def curve() -> pg.PlotCurveItem:
    """An antialiased line with gaps at NaN, kept as drawn while only the cursor moves over it."""
    item = pg.PlotCurveItem(antialias=True, connect="finite")
    item.setCacheMode(pg.QtWidgets.QGraphicsItem.CacheMode.DeviceCoordinateCache)
    return item
