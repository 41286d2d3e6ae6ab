"""Energy per band as it was measured, and as it must be in closed form: lines, and rings on top of them."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.core.colours import BAND_KEYS
from sculptor_app.ui.plots.band_plot import BandPlot
from sculptor_app.ui.plots.canvas import power_text
from sculptor_app.ui.plots.chart import log10_or_gap
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets.names import band_name

RING_PX = 7
LEAST_BETWEEN_PX = 11
"""From one ring to the next: of a long run not every step has one."""


class InstrumentPlot(BandPlot):
    """The plot of every run's bands, with what is expected as rings over the lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._expected = np.full((0, len(BAND_KEYS)), np.nan)
        self._rings = pg.ScatterPlotItem(pxMode=True, antialias=True)
        super().__init__(parent)
        self.canvas.add(self._rings)
        self._empty.setText(self.tr("Start the check to see what is measured, and what must be."))
        self.step_requested.connect(self.set_step)

    def clear(self) -> None:
        """Show neither, as before the first check."""
        self.set_plan((), 0)
        self.set_expected(np.full((0, len(BAND_KEYS)), np.nan))

    def set_expected(self, energies: np.ndarray) -> None:
        """What the power per band at states 0..n-1 must be, (n, 4), not yet logarithmic; NaN or 0 has no ring."""
        self._expected = log10_or_gap(energies)
        self._ring()

    def tooltip_at(self, x: float) -> str:
        """The bands' powers at a step, each with what is expected."""
        step = self._nearest(x)
        lines = [self._counted(step)]
        if step < min(len(self._log), len(self._expected)):
            for key, one, other in zip(BAND_KEYS, self._log[step], self._expected[step], strict=True):
                if np.isfinite(one) and np.isfinite(other):
                    told = self.tr("{0} {1}, expected {2}")
                    lines.append(told.format(band_name(key), *(power_text(float(each)) for each in (one, other))))
        return "\n".join(lines)

    def dress(self) -> None:
        super().dress()
        self._ring()

    def _write_caption(self) -> None:
        super()._write_caption()
        if self.caption.text():
            self.caption.setText(self.tr("power · lines: measured · rings: expected, in closed form"))

    def _resized(self) -> None:
        super()._resized()
        self._ring()

    def _ring(self) -> None:
        """Put the rings where they belong: evenly over the steps, so far apart that each is seen."""
        per_step = self.canvas.view.width() / max(1, self._planned + 1)
        stride = max(1, int(np.ceil(LEAST_BETWEEN_PX / max(per_step, 1e-6))))
        pen = QPen(QColor(theme().tokens.text), 1.25)
        pen.setCosmetic(True)  # pyqtgraph scales a symbol and its pen
        places = [
            (step, value)
            for values in self._expected.T
            for step, value in enumerate(values)
            if np.isfinite(value) and (step % stride == 0 or step == self._planned)
        ]
        brush = QColor(Qt.GlobalColor.transparent)
        self._rings.setData([{"pos": pos, "size": RING_PX, "pen": pen, "brush": brush} for pos in places])
