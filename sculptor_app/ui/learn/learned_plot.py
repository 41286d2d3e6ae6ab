"""At which noise levels a model knows by now what is noise and what is picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.training.loop.report import EDGES, LEVELS
from sculptor_app.ui.learn.levels import phase_index, phase_stretches, place_of
from sculptor_app.ui.plots.canvas import decade_text
from sculptor_app.ui.plots.chart import Chart, curve
from sculptor_app.ui.theme import phase_colour, theme
from sculptor_app.ui.widgets.names import phase_name

LOW, HIGH = 0.0, 1.13
WIDTH = 0.7


class LearnedPlot(Chart):
    """A bar per noise level, from pure noise to picture, on the phases; a faint line for an earlier time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title.setText(self.tr("Noise told from picture, per noise level"))
        self.title.setToolTip(
            self.tr("1 − loss / loss of always saying nothing: 0 % where nothing is known yet, 100 % where all is.")
        )
        self._empty.setText(self.tr("Here it shows at which noise levels the model has learned what noise looks like."))
        self._shares: list[float | None] = [None] * LEVELS
        self._bars = pg.BarGraphItem(x=[], height=[], width=WIDTH)
        self._before = curve()
        self.canvas.add(self._bars)
        self.canvas.add(self._before)
        self.canvas.view.setXRange(0, LEVELS, padding=0)
        self.canvas.view.setYRange(LOW, HIGH, padding=0)
        self.canvas.view.sigResized.connect(self._number_axes)
        self.canvas.setAccessibleName(self.tr("Bars of what is learned at each noise level"))
        self.set_shares([None] * LEVELS, [None] * LEVELS, "")
        self.dress()

    def set_shares(self, shares: Sequence[float | None], before: Sequence[float | None], caption: str) -> None:
        """What is learned per level, what was learned earlier, and in words when that is."""
        self._shares = list(shares)
        self.show_empty(all(share is None for share in shares))
        known = [level for level, share in enumerate(shares) if share is not None]
        self._bars.setOpts(
            x=[level + 0.5 for level in known],
            height=[max(0.0, shares[level] or 0.0) for level in known],
            brushes=[_ink(level) for level in known],
            pen=QPen(Qt.PenStyle.NoPen),
        )
        values = np.array([np.nan if share is None else max(0.0, share) for share in before])
        edges = np.arange(LEVELS)
        self._before.setData(np.stack([edges, edges + 1], 1).ravel().astype(float), np.repeat(values, 2))
        self.caption.setText(caption)
        self._number_axes()
        self.canvas.setAccessibleDescription(
            ", ".join(self.tooltip_at(level + 0.5).replace("\n", " ") for level in known)
        )

    def tooltip_at(self, x: float) -> str:
        """A level in words."""
        level = min(max(int(x), 0), LEVELS - 1)
        low = decade_text(EDGES[level - 1]) if level else "−∞"
        high = decade_text(EDGES[level]) if level < len(EDGES) else "∞"
        share = self._shares[level]
        lines = [
            self.tr("log-SNR {0} to {1}").format(low, high),
            phase_name(phase_stretches()[phase_index(level)][0]),
        ]
        lines.append(self.tr("nothing known yet") if share is None else self.tr("{0:.0%} learned").format(share))
        return "\n".join(lines)

    def dress(self) -> None:
        """Puts on the colours of the theme."""
        super().dress()
        self.canvas.left.setWidth(self.canvas.fontMetrics().horizontalAdvance("100%") + 8)
        line = QPen(QColor(theme().tokens.text), 1.3 * self.canvas.devicePixelRatioF())
        line.setCosmetic(True)
        line.setDashPattern([3, 3])
        self._before.setPen(line)
        known = [level for level, share in enumerate(self._shares) if share is not None]
        self._bars.setOpts(brushes=[_ink(level) for level in known])
        self._number_axes()

    def _number_axes(self) -> None:
        opacity = 0.34 if theme().is_dark else 0.26
        shades = [(left, right, phase_colour(key, opacity)) for key, left, right in phase_stretches()]
        levels = [(place_of(edge), decade_text(edge)) for edge in EDGES[::2]]
        self.canvas.bottom.set_numbers([(0.55, self.tr("noise")), *levels[1:], (LEVELS - 0.75, self.tr("picture"))])
        shares = [] if self.is_empty else [(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        self.canvas.left.set_numbers(shares)
        self.canvas.grid.set_content(QRectF(0, LOW, LEVELS, HIGH - LOW), shades, [], [place for place, _ in shares])


def _ink(level: int) -> QColor:
    """The colour of a bin's phase, strong enough to stand on a shade of it."""
    colour = phase_colour(phase_stretches()[phase_index(level)][0])
    if theme().is_dark:
        return colour.lighter(165)
    return QColor.fromHsvF(colour.hsvHueF(), min(1.0, 1.7 * colour.hsvSaturationF()), 0.78 * colour.valueF())
