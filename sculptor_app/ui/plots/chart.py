"""What both plots share: a title, a canvas, a caption and words for where there is nothing to plot."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from sculptor_app.ui.plots.canvas import Canvas
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.basics import ElidedLabel


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
        self.canvas.view.sigResized.connect(self._place_empty)
        theme().changed.connect(self.dress)

    def dress(self) -> None:
        """Puts on the colours of the theme."""
        self.canvas.dress()

    def _place_empty(self) -> None:
        box = self.canvas.view
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


def floor_pen(width_px: float) -> QPen:
    """Of the noise floor: dotted, in quiet ink."""
    pen = QPen(QColor(theme().tokens.muted), width_px, Qt.PenStyle.DotLine)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return pen
