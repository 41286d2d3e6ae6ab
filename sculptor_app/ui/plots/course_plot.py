"""Curves over the steps beside those of the bands: noise levels, guidance, distance from the finished picture."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.core.colours import BAND_KEYS
from sculptor_app.core.texts import number_text
from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.measures.course import COURSES, CourseKind
from sculptor_app.ui.plots.canvas import decimal_ticks, power_text, power_ticks, stable_range, thinned
from sculptor_app.ui.plots.chart import (
    PILL_HEIGHT,
    Chart,
    Cursor,
    EndLabel,
    EndLabels,
    KeptCurve,
    limits,
    log10_or_gap,
    pale_pen,
)
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets.names import band_name, display, explained

MOST_LINES, MOST_BEHIND = 2, 24
_LEAST_SPAN = 0.02
"""Of a linear axis: what stays the same to a hundredth is not blown up."""


class CoursePlot(Chart):
    """One or two curves of one kind, over curves of other runs of the same kind drawn pale behind them."""

    step_requested = Signal(int)  # the person wants this state

    def __init__(self, parent: QWidget | None = None) -> None:
        self._ends = EndLabels()
        super().__init__(parent, self._ends, PILL_HEIGHT + 6)
        self.kind: CourseKind = next(iter(COURSES.values()))
        self._spans: tuple[PhaseSpan, ...] = ()
        self._planned = 0
        self._values = np.empty((0, len(self.kind.lines)))  # as drawn: logarithms where the axis has them
        self._behind: tuple[tuple[str, np.ndarray], ...] = ()
        self._range: tuple[float, float] | None = None
        self._pale = [KeptCurve() for _ in range(MOST_BEHIND)]
        self._lines = [KeptCurve() for _ in range(MOST_LINES)]
        for item in (*self._pale, *self._lines):
            self.canvas.add(item)
        self._cursor = Cursor(self.canvas)
        self.canvas.pressed.connect(self._asked)
        self.canvas.dragged.connect(self._asked)
        self.canvas.wheeled.connect(lambda notches: self._asked(self._cursor.step - notches))
        self.canvas.view.sigResized.connect(self._resized)
        self.dress()
        self.set_kind(self.kind)

    # What it shows

    def set_kind(self, kind: CourseKind) -> None:
        """Another kind of curves; nothing of it is known yet."""
        self.kind, self.term = kind, kind.term
        self.title.setText(display(kind.title))
        self.title.set_tip(explained(kind.term))
        self.canvas.setAccessibleName(self.tr("Plot over the steps: {0}").format(display(kind.title)))
        self.set_plan(self._spans, self._planned)

    def set_plan(self, spans: Sequence[PhaseSpan], planned: int) -> None:
        """A run of `planned` steps with its phases, 0 for none."""
        self._spans, self._planned, self._range, self._behind = tuple(spans), planned, None, ()
        self.canvas.view.setXRange(-0.5, max(planned, 1) + 0.5, padding=0)
        self.set_values(np.empty((0, len(self.kind.lines))))

    @property
    def planned(self) -> int:
        """N, the number of steps; 0 for no run."""
        return self._planned

    def set_values(self, values: np.ndarray) -> None:
        """Values of the states 0..n-1, (n, lines of the kind), not logarithmic; what is not finite is a gap."""
        kept = np.where(np.isfinite(values), values, np.nan)
        self._values = log10_or_gap(kept) if self.kind.is_log else kept
        self._show()

    def set_behind(self, curves: Sequence[tuple[str, np.ndarray]]) -> None:
        """The first curve of other runs, each with a name, of their states 0..planned, (planned + 1,)."""
        finite = [(name, np.where(np.isfinite(each), each, np.nan)) for name, each in curves[:MOST_BEHIND]]
        self._behind = tuple((name, log10_or_gap(each) if self.kind.is_log else each) for name, each in finite)
        self._show()

    def set_step(self, step: int) -> None:
        self._cursor.set_step(step)
        self.canvas.setAccessibleDescription(self.tooltip_at(step).replace("\n", ", "))

    def tooltip_at(self, x: float) -> str:
        """The values at a step, and of what is behind."""
        step = min(max(round(x), 0), self._planned)
        lines = [self._counted(step)]
        names = list(map(display, self.kind.lines))
        if step < len(self._values):
            lines += [f"{name} {self._told(value)}" for name, value in zip(names, self._values[step], strict=True)
                      if np.isfinite(value)]  # fmt: skip
        for name, each in self._behind:
            if step < len(each) and np.isfinite(each[step]):
                lines.append(self.tr("{0}: {1} {2}").format(name, names[0], self._told(each[step])))
        return "\n".join(lines)

    def dress(self) -> None:
        super().dress()
        self._ends.reserve([band_name(key) for key in BAND_KEYS])  # as wide as the energies have them
        ratio = self.canvas.devicePixelRatioF()
        for item, dashes in zip(self._lines, (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine), strict=True):
            item.setPen(_pen(theme().tokens.text, 1.75 * ratio, dashes))
        for item in self._pale:
            item.setPen(pale_pen(_pen(theme().tokens.accent, 1.25 * ratio, Qt.PenStyle.SolidLine)))
        self._show()
        self._cursor.update()

    # Inside

    def _told(self, value: float) -> str:
        return power_text(float(value)) if self.kind.is_log else number_text(float(f"{value:.3g}"))

    def _show(self) -> None:
        found = limits(self._values, most=12.0 if self.kind.is_log else np.inf)
        self.show_empty(found is None)
        self._cursor.setVisible(found is not None)
        shape = Qt.CursorShape.PointingHandCursor if found is not None else Qt.CursorShape.ArrowCursor
        self.canvas.viewport().setCursor(shape)
        behind = any(np.isfinite(each).any() for _, each in self._behind)
        pale = [self.tr("pale: {0} of the other samplers").format(display(self.kind.lines[0]))] if behind else []
        self.caption.setText(" · ".join((display(self.kind.unit), *pale)) if self._planned else "")
        low, high = found or (-1.0, 1.0)
        if found is not None and not self.kind.is_log:
            low = min(low, 0.0)
            high = max(high, low + _LEAST_SPAN)
        self._range = wanted = (low, high) if found is None else self._wanted(low, high)
        self.canvas.view.setYRange(*wanted, padding=0)
        self._draw_curves()
        self._number_axes()
        self._label_ends()

    def _wanted(self, low: float, high: float) -> tuple[float, float]:
        if self.kind.is_log:
            return stable_range(low, high, self._range)
        air = 0.08 * (high - low)
        return low - (air if low else air / 2), high + air

    def _draw_curves(self) -> None:
        per_bin = int(self._planned / max(1.0, self.canvas.view.width()) * 2)
        shown = [*self._values.T, *[np.empty(0)] * (MOST_LINES - self._values.shape[1])]
        behind = [*(each for _, each in self._behind), *[np.empty(0)] * (MOST_BEHIND - len(self._behind))]
        for values, item in zip((*shown, *behind), (*self._lines, *self._pale), strict=True):
            kept = thinned(values, per_bin)
            item.setData(kept.astype(np.float64), values[kept])

    def _resized(self) -> None:
        self._draw_curves()
        self._number_axes()

    def _number_axes(self) -> None:
        _, (low, high) = self.canvas.view.viewRange()
        size = self.canvas.view.size()
        most = max(2, int(size.height() / 26))
        if self.is_empty:
            texts = []
        elif self.kind.is_log:
            texts = [(power, power_text(power)) for power in power_ticks(self.canvas.lowest_number, high, most)]
        else:
            texts = [(each, number_text(each)) for each in decimal_ticks(low, high, most)]
        self.canvas.number_left(texts)
        self._draw_steps(self._spans, self._planned, [place for place, _ in texts])

    def _label_ends(self) -> None:
        labels = []
        for name, values in zip(self.kind.lines, self._values.T, strict=True):
            finite = np.flatnonzero(np.isfinite(values))
            if finite.size:
                labels.append(EndLabel(display(name), float(values[finite[-1]]), QColor(theme().tokens.text)))
        self._ends.set_labels(labels)

    def _asked(self, x: float) -> None:
        step = min(max(round(x), 0), self._planned)
        if self._planned and not self.is_empty and step != self._cursor.step:
            self.step_requested.emit(step)


def _pen(colour: str, width_px: float, style: Qt.PenStyle) -> QPen:
    pen = QPen(QColor(colour), width_px, style)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return pen
