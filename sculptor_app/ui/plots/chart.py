"""The base of the plots: title, canvas, caption, cursor, legend and labels at the ends of curves.

WORKAROUND: pyqtgraph 0.14's InfiniteLine leaves traces at fractional screen scales (its issue 2207) and takes 5-16 ms
a move; the cursor here lives in pixels, with a margin around what it paints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui.plots.canvas import Canvas, whole_ticks
from sculptor_app.ui.theme import fonts, phase_colour, theme
from sculptor_app.ui.widgets.basics import ElidedLabel, Subject, give_menu, paint_frame
from sculptor_app.ui.widgets.timeline_paint import spread


class Chart(QWidget):
    """A canvas with a title, a caption that names quantity and units, and a text where there is nothing to plot."""

    def __init__(self, parent: QWidget | None, right_axis: pg.AxisItem | None = None, head_px: int = 4) -> None:
        super().__init__(parent)
        self.counts_layers = False  # of noise, instead of the steps that take it away
        self._titles: tuple[str, ...] = ()
        self.title = ElidedLabel("", self)
        self.title.fill_place()
        self.title.installEventFilter(self)
        self.title.setFont(fonts.strong())
        self.canvas = Canvas(right_axis, head_px)
        self.caption = ElidedLabel("", self)
        self.caption.fill_place()
        self.caption.setFont(fonts.small())
        self.caption.setProperty("tone", "muted")
        self._empty, self._first_text = QLabel("", self.canvas), ""
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setProperty("tone", "muted")
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._head = QHBoxLayout()
        self._head.setSpacing(4)
        self._head.addWidget(self.title, 1)
        self._column.addLayout(self._head)
        self._column.addWidget(self.canvas, 1)
        self._column.addWidget(self.caption)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.canvas.tooltip_text = self._tooltip_text
        self.canvas.view.sigResized.connect(self._place_empty)
        theme().changed.connect(self.dress)

    def set_title(self, *texts: str) -> None:
        """Name the plot: by the first of these that has room, the longest first, else by the last one."""
        self._titles = texts
        self._fit_title()

    def _fit_title(self) -> None:
        metrics, width = self.title.fontMetrics(), self.title.width()
        fitting = (text for text in self._titles if metrics.horizontalAdvance(text) <= width)
        if self._titles:
            self.title.setText(next(fitting, self._titles[-1]))

    def offer(self, menu: QMenu) -> None:
        """Give the title a button that opens a menu: what can be plotted in its place."""
        give_menu(self.add_button(self.tr("Curves"), self.tr("What is plotted over the steps")), menu)

    def add_button(self, text: str, tip: str) -> QToolButton:
        """Put a small button at the end of the title's line."""
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(tip)
        button.setProperty("kind", "small")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._head.addWidget(button)
        return button

    term = ""
    """Key of what it plots in the glossary."""

    def unit_text(self, space: str, window: str) -> str:
        """Unit, space and window of what is measured: of the caption's tooltip, for who wants to know exactly."""
        unit = self.tr("Power: the mean over the frequencies; white noise of variance 1 has 1.")
        measured = self.tr("Measured in: {0}").format(" · ".join(filter(None, (space, window))))
        return "\n".join((unit, measured))

    def subject_at(self, place: QPoint | None) -> Subject:
        """The whole plot with title and caption, for a context menu."""
        return Subject(None if self.is_empty else self.grab().toImage(), self.term, self.term, is_plot=True)

    def dress(self) -> None:
        self.canvas.dress()

    def _place_empty(self) -> None:
        box = self.canvas.view
        place = self.canvas.mapFromScene(box.sceneBoundingRect()).boundingRect()
        self._empty.setGeometry(place.adjusted(8, 8, -8, -8))

    def show_empty(self, empty: bool) -> None:
        """Shows or takes away the text of an empty plot; all that was painted before goes with it."""
        if empty == self.is_empty:
            return
        self._empty.setVisible(empty)
        # WORKAROUND: Qt 6 forgets to clear the old place of an item that moves and is hidden and shown before the next
        # painting, so the cursor of the run before would stay beside that of the next.
        self.canvas.viewport().update()

    def set_empty_text(self, text: str = "") -> None:
        """Why nothing is plotted yet; empty brings back what to do before there is a run."""
        self._first_text = self._first_text or self._empty.text()
        self._empty.setText(text or self._first_text)

    def _draw_steps(self, spans: Sequence[PhaseSpan], planned: int, rows: list[float]) -> None:
        """Number the axis of the steps, of which 0 are no run, and draw phases and lines at some values behind."""
        (left, right), (low, high) = self.canvas.view.viewRange()
        steps = whole_ticks(max(left, 0), right, max(2, int(self.canvas.view.size().width() / 36)))
        self.canvas.bottom.set_numbers([(float(step), str(step)) for step in steps] if planned else [])
        opacity = 0.34 if theme().is_dark else 0.26
        shades = [(s.first_step - 0.5, s.last_step + 0.5, phase_colour(s.phase.key, opacity)) for s in spans]
        self.canvas.grid.set_content(QRectF(left, low, right - left, high - low), shades, [], rows)

    def _counted(self, step: int) -> str:
        return (self.tr("layer {0}") if self.counts_layers else self.tr("step {0}")).format(step)

    def _tooltip_text(self, x: float) -> str:
        return "" if self.is_empty else self.tooltip_at(x)

    @property
    def is_empty(self) -> bool:
        return not self._empty.isHidden()

    def tooltip_at(self, x: float) -> str:
        """The values at a place of the x axis, a line each; every plot has its own."""
        raise NotImplementedError

    def sizeHint(self) -> QSize:
        return QSize(380, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 150)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.title and event.type() == QEvent.Type.Resize:
            self._fit_title()
        return False

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


class KeptCurve(pg.PlotCurveItem):
    """A curve whose painted copy is kept: a cursor or another curve that moves over it costs a copy, not its path.

    WORKAROUND: Qt's DeviceCoordinateCache leaves holes in a curve that grows or moves, so the copy is dropped as a
    whole whenever data, pen or view change.
    """

    def __init__(self) -> None:
        super().__init__(antialias=True, connect="finite")
        self.setCacheMode(self.CacheMode.DeviceCoordinateCache)

    def _drop_copy(self) -> None:
        self.setCacheMode(self.CacheMode.NoCache)
        self.setCacheMode(self.CacheMode.DeviceCoordinateCache)

    def setData(self, *args: object, **options: object) -> None:
        super().setData(*args, **options)
        self._drop_copy()

    def setPen(self, *args: object, **options: object) -> None:
        super().setPen(*args, **options)
        self._drop_copy()

    def viewTransformChanged(self) -> None:
        super().viewTransformChanged()
        self._drop_copy()


def curve() -> pg.PlotCurveItem:
    """An antialiased line with gaps at NaN, for numbers that change at every step."""
    return pg.PlotCurveItem(antialias=True, connect="finite")


def pale_pen(pen: QPen) -> QPen:
    """The same pen for what a run is compared with: half as strong."""
    ink = pen.color()
    ink.setAlphaF(0.45)
    pen.setColor(ink)
    return pen


def reference_pen(ratio: float) -> QPen:
    """Of the noise floor, and of what curves are held against: thin, solid and pale, as dashes are those of curves.

    Args:
        ratio: device pixels for each logical one.
    """
    ink = QColor(theme().tokens.muted)
    ink.setAlphaF(0.6)
    pen = QPen(ink, ratio)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return pen


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


_SAMPLE = 20
_GAP = 5
_BETWEEN = 12


class LegendRow(QWidget):
    """Which pen belongs to which curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[tuple[str, QPen | QColor | None], ...] = ()
        self._reserved: tuple[str, ...] = ()
        self.setFont(fonts.small())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_entries(self, entries: Sequence[tuple[str, QPen | QColor | None]]) -> None:
        """Pairs of a name and the pen of its curve or the colour of its field; with neither, it is still to come."""
        self._entries = tuple(entries)
        self.setAccessibleDescription(", ".join(name for name, pen in entries if pen is not None))
        self._take_rows()
        self.update()

    def reserve(self, names: Sequence[str]) -> None:
        """Keep room for these entries, in this order, so that the plot stands still when they come and change."""
        self._reserved = tuple(names)
        self._take_rows()

    def _line(self) -> int:
        return self.fontMetrics().height() + 3

    def places(self, width: int) -> list[QRectF]:
        """Where each entry goes in a row this wide; a new row where one does not fit."""
        return self._all_places(width)[: len(self._entries)]

    def _all_places(self, width: int) -> list[QRectF]:
        """The same, followed by the places of entries that are reserved and not there."""
        found: list[QRectF] = []
        x = y = 0
        names = [name for name, _ in self._entries]
        for name, reserved in zip_longest(names, self._reserved, fillvalue=""):
            needed = _SAMPLE + _GAP + max(map(self.fontMetrics().horizontalAdvance, (name, reserved)))
            if x and x + needed > width:
                x, y = 0, y + self._line()
            found.append(QRectF(x, y, needed, self._line()))
            x += needed + _BETWEEN
        return found

    def _take_rows(self) -> None:
        # Not by Qt's height-for-width: a layout would then share its whole height by the hints alone.
        places = self._all_places(self.width())
        self.setFixedHeight(int(max((place.bottom() for place in places), default=self._line())))

    def sizeHint(self) -> QSize:
        return QSize(200, self._line())

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self._line())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._take_rows()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (name, pen), place in zip(self._entries, self.places(self.width()), strict=True):
            middle = place.center().y()
            if isinstance(pen, QColor):
                field = QRectF(place.left(), middle - 5, _SAMPLE, 10)
                painter.fillRect(field, pen)
                paint_frame(painter, field, theme().tokens.hairline_strong)
            else:
                painter.setPen(pen or QPen(QColor(theme().tokens.hairline), 1))  # of a curve: in device pixels, as it
                painter.drawLine(QPointF(place.left(), middle), QPointF(place.left() + _SAMPLE, middle))
            painter.setPen(QColor(theme().tokens.muted if pen is not None else theme().tokens.disabled))
            painter.drawText(place.adjusted(_SAMPLE + _GAP, 0, 2, 0), Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()


_OFFSET = 9.0


@dataclass(frozen=True, slots=True)
class EndLabel:
    """A name beside the place (in units of the y axis) where its curve ends."""

    text: str
    value: float
    colour: QColor


def end_labels_px(texts: Sequence[str]) -> int:
    """The width that EndLabels with these names take."""
    metrics = QFontMetricsF(fonts.small())
    # whole, or the view's right edge would be two pixels wide
    return math.ceil(_OFFSET + max(metrics.horizontalAdvance(text) for text in texts) + 4)


class EndLabels(pg.AxisItem):
    """Stands in the right axis' place; a hair leads from a label to its curve's end where it had to give way."""

    def __init__(self) -> None:
        super().__init__("right", showValues=False, maxTickLength=0)
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self._labels: tuple[EndLabel, ...] = ()

    def reserve(self, texts: Sequence[str]) -> None:
        """Keeps room for these names, so that the plot stands still when they come."""
        self.setWidth(end_labels_px(texts))

    def set_labels(self, labels: Sequence[EndLabel]) -> None:
        """Which names stand where."""
        self._labels = tuple(labels)
        self.picture = None
        self.update()

    def places(self, height: float) -> list[tuple[EndLabel, float, float]]:
        """Each label with its text's middle and its curve's end, in pixels from the top of a plot this high."""
        low, high = self.range
        ends = [(label, (high - label.value) / (high - low) * height) for label in self._labels]
        ends.sort(key=lambda pair: pair[1])
        line = QFontMetricsF(fonts.small()).height()
        tops = spread([y for _, y in ends], [line] * len(ends), 0, height, 0)
        if tops is None:
            return []
        return [(label, top + line / 2, y) for (label, y), top in zip(ends, tops, strict=True)]

    def paint(self, painter: QPainter, *_: object) -> None:
        box = self.mapRectFromParent(self.geometry())  # boundingRect() has margins of its own
        line = QFontMetricsF(fonts.small()).height()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(fonts.small())
        for label, middle, end in self.places(box.height()):
            painter.setPen(QPen(label.colour, 1))
            painter.drawLine(
                QPointF(box.left() + 1, box.top() + end), QPointF(box.left() + _OFFSET - 3, box.top() + middle)
            )
            place = QRectF(box.left() + _OFFSET, box.top() + middle - line / 2, box.width(), line)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, label.text)
