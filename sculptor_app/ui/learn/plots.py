"""Plots of training: the loss over the pictures seen, and the share learned at each noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.core.texts import number_text, pictures_text
from sculptor_app.core.trajectory.levels import BORDERS, PHASES
from sculptor_app.training.records.events import EDGES, LEVELS, Report
from sculptor_app.ui.learn.texts import count_text
from sculptor_app.ui.plots.canvas import decade_text
from sculptor_app.ui.plots.chart import PILL_HEIGHT, Chart, Cursor, KeptCurve, curve
from sculptor_app.ui.theme import band_colour, phase_colour, phase_line_colour, theme
from sculptor_app.ui.widgets.names import display, explained, phase_name

FEWEST = 100.0
"""Where the axis begins: before it, nothing is reported."""

BACK = 0.8
"""Reports from so large a share of the pictures on are averaged: a single one has few pictures per level."""

LOW, HIGH = 0.0, 1.13

WIDTH = 0.7


class LossPlot(Chart):
    """The loss over the pictures seen, with a cursor that can be dragged to a training time.

    The axis is logarithmic, as a model changes with the logarithm of the pictures it has seen.
    """

    pictures_requested = Signal(float)  # the training time wanted, in pictures

    term = "loss"

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
        self.canvas.set_unit(self.tr("pictures seen"))
        self.canvas.view.sigResized.connect(self._write_caption)
        self.title.set_tip(explained(self.term))
        self.caption.set_tip(explained("v"))
        self._write_caption()
        self.dress()
        self.set_reports([])

    def set_reports(self, reports: Sequence[Report]) -> None:
        """Show all reports so far, the oldest first."""
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
        seen = display(pictures_text(int(self._pictures[nearest])))
        return self.tr("after {0}\nloss {1:.3f}").format(seen, float(self._losses[nearest]))

    def dress(self) -> None:
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

    def _write_caption(self) -> None:
        """What rises; after it what the bottom axis counts, where that has no room below its numbers."""
        measured = self.tr("upwards: mean squared error of the prediction, v")
        counted = () if self.canvas.shows_unit else (self.tr("from left to right: pictures seen"),)
        self.caption.setText(" · ".join((measured, *counted)))

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
        texts = [(row, number_text(row)) for row in rows]
        self.canvas.number_left(texts)
        self.canvas.grid.set_content(
            QRectF(left, low, right - left, high - low), [], [place for place, _ in inside], rows
        )

    def _asked(self, x: float) -> None:
        if not self.is_empty:
            self.pictures_requested.emit(float(10.0**x))


def place_of(log_snr: float) -> float:
    """A noise level on an axis on which bin i lies from i to i + 1, pure noise first."""
    width = EDGES[1] - EDGES[0]
    return min(max(1 + (log_snr - EDGES[0]) / width, 0.0), float(LEVELS))


def phase_stretches() -> list[tuple[str, float, float]]:
    """Key, left and right of each phase on that axis."""
    borders = [0.0, *(place_of(math.log(border)) for border in BORDERS), float(LEVELS)]
    return [(phase.key, borders[i], borders[i + 1]) for i, phase in enumerate(PHASES)]


def phase_index(level: int) -> int:
    """The phase that the middle of a bin belongs to, 0 to 3."""
    return sum(right <= level + 0.5 for _, _, right in phase_stretches()[:-1])


def learned_at(reports: Sequence[Report], pictures: int) -> list[float | None]:
    """What was learned at each noise level after so many pictures: 1 − loss / loss of always saying 0.

    Args:
        reports: The oldest first.
        pictures: Seen; the last fifth before it, or at least one report, is averaged.

    Returns:
        LEVELS shares, 1 or less; None where nothing is known.
    """
    until = [report for report in reports if report.pictures <= pictures] or list(reports[:1])
    recent = [report for report in until if report.pictures > BACK * pictures] or until[-1:]
    shares: list[float | None] = []
    for level in range(LEVELS):
        known = [report.learned_by_log_snr[level] for report in recent]
        found = [share for share in known if share is not None]
        shares.append(sum(found) / len(found) if found else None)
    return shares


class LearnedPlot(Chart):
    """A bar per noise level, from pure noise to picture, on the phases; a faint line for an earlier time."""

    term = "learned"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title.setText(self.tr("Noise told from picture, per noise level"))
        self.title.set_tip(explained(self.term))
        self._empty.setText(self.tr("Here it shows at which noise levels the model has learned what noise looks like."))
        self._shares: list[float | None] = [None] * LEVELS
        self._bars = pg.BarGraphItem(x=[], height=[], width=WIDTH)
        self._before = curve()
        self.canvas.add(self._bars)
        self.canvas.add(self._before)
        self.canvas.view.setXRange(0, LEVELS, padding=0)
        self.canvas.view.setYRange(LOW, HIGH, padding=0)
        self.canvas.view.sigResized.connect(self._number_axes)
        self.canvas.set_unit(self.tr("natural logarithm of the SNR"))
        self.canvas.setAccessibleName(self.tr("Bars of what is learned at each noise level"))
        self.set_shares([None] * LEVELS, [None] * LEVELS, "")
        self.dress()

    def set_shares(self, shares: Sequence[float | None], before: Sequence[float | None], caption: str) -> None:
        """Show the share learned per level now and earlier, and a caption that says when."""
        self._shares = list(shares)
        self.show_empty(all(share is None for share in shares))
        known = [level for level, share in enumerate(shares) if share is not None]
        self._bars.setOpts(
            x=[level + 0.5 for level in known],
            height=[max(0.0, shares[level] or 0.0) for level in known],
        )
        self._ink(known)
        values = np.array([np.nan if share is None else max(0.0, share) for share in before])
        edges = np.arange(LEVELS)
        self._before.setData(np.stack([edges, edges + 1], 1).ravel().astype(float), np.repeat(values, 2))
        self.caption.setText(caption)
        self._number_axes()
        self.canvas.setAccessibleDescription(
            ", ".join(self.tooltip_at(level + 0.5).replace("\n", " ") for level in known)
        )

    def tooltip_at(self, x: float) -> str:
        """The tooltip of a level: the logarithm of its SNR, its phase, and the share learned."""
        level = min(max(int(x), 0), LEVELS - 1)
        low = decade_text(EDGES[level - 1]) if level else "−∞"
        high = decade_text(EDGES[level]) if level < len(EDGES) else "∞"
        share = self._shares[level]
        lines = [
            self.tr("ln SNR {0} to {1}").format(low, high),
            phase_name(phase_stretches()[phase_index(level)][0]),
        ]
        lines.append(
            self.tr("nothing known yet") if share is None else self.tr("{0:.0f} % learned").format(100 * share)
        )
        return "\n".join(lines)

    def dress(self) -> None:
        """Apply the colours of the theme."""
        super().dress()
        self.canvas.left.setWidth(self.canvas.fontMetrics().horizontalAdvance("100 %") + 8)
        line = QPen(QColor(theme().tokens.text), 1.3 * self.canvas.devicePixelRatioF())
        line.setCosmetic(True)
        line.setDashPattern([3, 3])
        self._before.setPen(line)
        known = [level for level, share in enumerate(self._shares) if share is not None]
        self._ink(known)
        self._number_axes()

    def _ink(self, levels: Sequence[int]) -> None:
        """Fill bars with the colours that phases have everywhere, with an edge that is seen on a shade of them."""
        keys = [phase_stretches()[phase_index(level)][0] for level in levels]
        edges = [QPen(phase_line_colour(key), self.canvas.devicePixelRatioF()) for key in keys]
        for edge in edges:
            edge.setCosmetic(True)
        if keys:  # pyqtgraph 0.14 has no use for none
            self._bars.setOpts(brushes=[phase_colour(key) for key in keys], pens=edges)

    def _number_axes(self) -> None:
        opacity = 0.34 if theme().is_dark else 0.26
        shades = [(left, right, phase_colour(key, opacity)) for key, left, right in phase_stretches()]
        levels = [(place_of(edge), decade_text(edge)) for edge in EDGES[::2]]
        self.canvas.bottom.set_numbers([(0.55, self.tr("noise")), *levels[1:], (LEVELS - 0.75, self.tr("picture"))])
        shares = [] if self.is_empty else [(share, f"{100 * share:.0f} %") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        self.canvas.left.set_numbers(shares)
        self.canvas.grid.set_content(QRectF(0, LOW, LEVELS, HIGH - LOW), shades, [], [place for place, _ in shares])
