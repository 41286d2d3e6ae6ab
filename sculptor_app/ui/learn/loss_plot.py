"""The loss over the pictures seen, on a logarithmic axis: a model changes with the logarithm of what it has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.training.loop.report import Report
from sculptor_app.ui.learn.texts import count_text
from sculptor_app.ui.plots.chart import PILL_HEIGHT, Chart, Cursor, KeptCurve
from sculptor_app.ui.theme import band_colour, theme

FEWEST = 100.0
"""Where the axis begins: before it, nothing is reported."""


class LossPlot(Chart):
    """A curve of the loss and a cursor at the training time looked at; press or drag to go there.

    Signals:
        pictures_requested: the training time wanted, in pictures.
    """

    pictures_requested = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, head_px=PILL_HEIGHT + 6)
        self.title.setText(self.tr("Loss"))
        self._empty.setText(self.tr("The loss falls here as the model learns."))
        self._pictures, self._losses = np.empty(0), np.empty(0)
        self._curve = KeptCurve()
        self._dot = pg.ScatterPlotItem(pxMode=True, antialias=True)
        self.canvas.add(self._curve)
        self.canvas.add(self._dot)
        self._cursor = Cursor(self.canvas)
        self.canvas.pressed.connect(self._asked)
        self.canvas.dragged.connect(self._asked)
        self.canvas.view.sigResized.connect(self._number_axes)
        self.canvas.setAccessibleName(self.tr("Plot of the loss over the pictures seen"))
        self.caption.setText(self.tr("mean squared error of v · pictures seen"))
        self.dress()
        self.set_reports([])

    def set_reports(self, reports: Sequence[Report]) -> None:
        """All reports so far, the oldest first."""
        self._pictures = np.array([max(FEWEST, report.pictures) for report in reports], dtype=np.float64)
        self._losses = np.array([report.loss for report in reports], dtype=np.float64)
        self.show_empty(len(reports) == 0)
        self._cursor.setVisible(len(reports) > 0)
        shape = Qt.CursorShape.PointingHandCursor if len(reports) else Qt.CursorShape.ArrowCursor
        self.canvas.viewport().setCursor(shape)
        self._fit()
        self._curve.setData(np.log10(self._pictures), self._losses)
        newest = [(float(np.log10(self._pictures[-1])), float(self._losses[-1]))] if len(reports) else []
        self._dot.setData([{"pos": place} for place in newest])
        self._number_axes()

    def set_time(self, pictures: int) -> None:
        """Put the cursor on a training time."""
        self._cursor.set_place(float(np.log10(max(FEWEST, pictures))), count_text(pictures))

    def tooltip_at(self, x: float) -> str:
        """The loss at a training time."""
        nearest = int(np.argmin(np.abs(np.log10(self._pictures) - x)))
        return self.tr("after {0:,} pictures\nloss {1:.3f}").format(
            int(self._pictures[nearest]), float(self._losses[nearest])
        )

    def dress(self) -> None:
        """Puts on the colours of the theme."""
        super().dress()
        ratio = self.canvas.devicePixelRatioF()
        ink = band_colour("layout")
        pen = QPen(ink, 1.75 * ratio)
        pen.setCosmetic(True)
        pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
        self._curve.setPen(pen)
        edge = QPen(QColor(theme().tokens.window), 1.5)
        edge.setCosmetic(True)
        self._dot.setBrush(ink)
        self._dot.setPen(edge)
        self._dot.setSize(8)
        self._number_axes()
        self._cursor.update()

    def _fit(self) -> None:
        last = max(10 * FEWEST, float(self._pictures[-1]) if len(self._pictures) else 0.0)
        top = max(0.1, float(self._losses.max()) if len(self._losses) else 1.0)
        self.canvas.view.setXRange(np.log10(FEWEST), 1.03 * np.log10(last) - 0.03 * np.log10(FEWEST) + 0.03, padding=0)
        self.canvas.view.setYRange(0, 1.08 * top, padding=0)

    def _number_axes(self) -> None:
        (left, right), (low, high) = self.canvas.view.viewRange()
        wanted = [d * 10.0**e for e in range(2, 9) for d in ((1, 3) if right - left < 3.2 else (1,))]
        places = [(float(np.log10(value)), count_text(int(value))) for value in wanted]
        inside = [(place, text) for place, text in places if left <= place <= right]
        self.canvas.bottom.set_numbers(inside)
        step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 1e9) if high / s <= 5)
        rows = [] if self.is_empty else [step * i for i in range(int(high / step) + 1)]
        inside = [] if self.is_empty else inside
        texts = [(row, f"{row:g}") for row in rows]
        self.canvas.number_left(texts)
        self.canvas.grid.set_content(
            QRectF(left, low, right - left, high - low), [], [place for place, _ in inside], rows
        )

    def _asked(self, x: float) -> None:
        if not self.is_empty:
            self.pictures_requested.emit(float(10.0**x))
