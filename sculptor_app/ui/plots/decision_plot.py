"""How alike the pictures of forks are, by the step at which they part, or how much U-turns keep: a curve per band."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from sculptor_app.core.texts import decimal_text
from sculptor_app.core.trajectory.levels import LEAST_CORRELATION, PhaseSpan
from sculptor_app.measures.likeness import Curve
from sculptor_app.measures.spectrum import BANDS
from sculptor_app.ui.plots.chart import PILL_HEIGHT, Chart, Cursor, EndLabel, EndLabels, curve, reference_pen
from sculptor_app.ui.theme import band_colour, band_pen, theme
from sculptor_app.ui.widgets.names import band_name, explained, label_kind_name

LOW, HIGH = -0.12, 1.07
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class _Field(pg.GraphicsObject):
    """The field between two bounds of a curve, in the plot's own units."""

    def __init__(self) -> None:
        super().__init__()
        self._shape, self._ink = QPolygonF(), QColor()
        self.setZValue(-50)

    def set_bounds(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Bounds at places of the x axis, (n,) each."""
        self.prepareGeometryChange()
        there = [*zip(x, low, strict=True), *zip(x[::-1], high[::-1], strict=True)]
        self._shape = QPolygonF([QPointF(float(each), float(value)) for each, value in there])
        self.update()

    def set_ink(self, ink: QColor) -> None:
        self._ink = ink
        self.update()

    def boundingRect(self) -> QRectF:
        return self._shape.boundingRect()

    def paint(self, painter: QPainter, *_: object) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._ink)
        painter.drawPolygon(self._shape)


class DecisionPlot(Chart):
    """Curves of likeness from 0 to 1 with their errors, and the line above which something counts as decided."""

    step_requested = Signal(int)  # the person wants this state

    term = "decision-curve"

    def __init__(self, parent: QWidget | None = None) -> None:
        self._ends = EndLabels()
        super().__init__(parent, self._ends, PILL_HEIGHT + 6)
        self._are_u_turns = False
        self._empty.setText(self.tr("The curves grow here, step by step, as pictures come in."))
        self._spans: tuple[PhaseSpan, ...] = ()
        self._planned = 0
        self._curves: dict[str, Curve] = {}
        self._lines = {band.name: curve() for band in BANDS}
        self._fields = {band.name: _Field() for band in BANDS}
        self._labels_line = curve()
        self._dots = pg.ScatterPlotItem(pxMode=True, antialias=True)
        self._least = curve()
        for field in self._fields.values():
            self.canvas.add(field)
        for item in (self._least, self._labels_line, *self._lines.values(), self._dots):
            self.canvas.add(item)
        self._cursor = Cursor(self.canvas)
        self.canvas.view.setYRange(LOW, HIGH, padding=0)
        self.canvas.pressed.connect(self._asked)
        self.canvas.dragged.connect(self._asked)
        self.canvas.wheeled.connect(lambda notches: self._asked(self._cursor.step - notches))
        self.canvas.view.sigResized.connect(self._number_axes)
        self.canvas.setAccessibleName(self.tr("Plot of how alike forks come out, by the step at which they part"))
        self.dress()
        self.set_u_turns(False)
        self.set_plan((), 0)

    # What it shows

    def set_u_turns(self, are_u_turns: bool) -> None:
        """Whether curves to come are those of U-turns: how alike they are with the run's picture, not in pairs."""
        self._are_u_turns = are_u_turns
        if are_u_turns:
            title = self.tr("How much of the picture stays, by the step that a U-turn goes back to")
        else:
            title = self.tr("How alike forks come out, by the step at which they part")
        self.title.setText(title)
        self.title.set_tip(explained("u-turn" if are_u_turns else self.term))

    def set_plan(self, spans: Sequence[PhaseSpan], planned: int) -> None:
        """A run of `planned` steps with its phases, 0 for none; nothing is measured yet."""
        self._spans, self._planned = tuple(spans), planned
        self.canvas.view.setXRange(-0.5, max(planned, 1) + 0.5, padding=0)
        self._least.setData(np.array([-0.5, max(planned, 1) + 0.5]), np.full(2, LEAST_CORRELATION))
        self.set_curves({})

    def set_curves(self, curves: Mapping[str, Curve]) -> None:
        """All curves by their names, as `measures.likeness.curves_of` has them."""
        self._curves = dict(curves)
        is_empty = not any(each.steps for each in curves.values())
        self.show_empty(is_empty)
        self._cursor.setVisible(not is_empty)
        self._least.setVisible(not is_empty)
        shape = Qt.CursorShape.ArrowCursor if is_empty else Qt.CursorShape.PointingHandCursor
        self.canvas.viewport().setCursor(shape)
        if self._are_u_turns:
            told = self.tr(
                "mean correlation with the run's picture, 1: the same · pale line: {0}, above it counts as kept"
            )
            form = self.tr("grey: share of the same form")
        else:
            told = self.tr("mean correlation of all pairs, 1: the same · pale line: {0}, above it counts as decided")
            form = self.tr("grey: pairs of the same form")
        form = form if "form" in curves else ""
        shaded = self.tr("shaded: ± standard error")
        self.caption.setText(" · ".join(filter(None, [told.format(decimal_text(LEAST_CORRELATION)), shaded, form])))
        self._draw()
        self._number_axes()

    def set_step(self, step: int) -> None:
        self._cursor.set_step(step)
        self.canvas.setAccessibleDescription(self.tooltip_at(step).replace("\n", ", "))

    def tooltip_at(self, x: float) -> str:
        """The likeness at the measured step that is nearest."""
        steps = sorted({step for each in self._curves.values() for step in each.steps})
        if not steps:
            return ""
        step = min(steps, key=lambda each: abs(each - x))
        where = self.tr("U-turns at step {0}") if self._are_u_turns else self.tr("forks at step {0}")
        lines = [where.format(step) if step else self.tr("other noise altogether"), self._figures]
        for name, each in self._curves.items():
            if step in each.steps:
                place = each.steps.index(step)
                error = each.errors[place]
                shown = f"{each.means[place]:.2f}" + (f" ± {error:.2f}" if np.isfinite(error) else "")
                lines.append(f"{self._name(name)} {shown}")
        return "\n".join(lines)

    @property
    def _figures(self) -> str:
        """What the figures are."""
        if self._are_u_turns:
            return self.tr("mean correlation with the run's picture ± standard error")
        return self.tr("mean correlation of all pairs ± standard error")

    def dress(self) -> None:
        super().dress()
        ratio = self.canvas.devicePixelRatioF()
        for band in BANDS:
            self._lines[band.name].setPen(band_pen(band.key, 1.75 * ratio))
            ink = QColor(band_colour(band.key))
            ink.setAlphaF(0.16)
            self._fields[band.name].set_ink(ink)
        self._least.setPen(reference_pen(ratio))
        quiet = QPen(QColor(theme().tokens.muted), 1.75 * ratio)
        quiet.setCosmetic(True)
        self._labels_line.setPen(quiet)
        self._ends.reserve([band_name(band.key) for band in BANDS])
        self._draw()
        self._number_axes()
        self._cursor.update()

    # Inside

    def _draw(self) -> None:
        dots, ends = [], []
        for band in BANDS:
            found = self._curves.get(band.name, Curve((), (), ()))
            steps, means = np.array(found.steps, float), np.array(found.means)
            errors = np.nan_to_num(np.array(found.errors), nan=0.0)
            self._lines[band.name].setData(steps, means)
            self._fields[band.name].set_bounds(
                steps, np.clip(means - errors, LOW, 1.0), np.clip(means + errors, LOW, 1.0)
            )
            edge = QPen(QColor(theme().tokens.window), 1.5)
            edge.setCosmetic(True)  # pyqtgraph scales a symbol and its pen
            dots += [
                {"pos": pos, "size": 7, "brush": band_colour(band.key), "pen": edge, "symbol": "o"}
                for pos in zip(found.steps, found.means, strict=True)
            ]
            if found.steps:
                ends.append(EndLabel(band_name(band.key), found.means[-1], band_colour(band.key)))
        labels = self._curves.get("form", Curve((), (), ()))
        self._labels_line.setData(np.array(labels.steps, float), np.array(labels.means))
        self._dots.setData(dots)
        self._ends.set_labels(ends)

    def _name(self, name: str) -> str:
        key = next((band.key for band in BANDS if band.name == name), None)
        return band_name(key) if key is not None else label_kind_name(name)

    def _number_axes(self) -> None:
        size = self.canvas.view.size()
        ticks = TICKS if size.height() > 110 else TICKS[::2]
        self.canvas.number_left([] if self.is_empty else [(each, decimal_text(each)) for each in ticks])
        self._draw_steps(self._spans, self._planned, [] if self.is_empty else list(ticks))

    def _asked(self, x: float) -> None:
        step = min(max(round(x), 0), self._planned)
        if self._planned and step != self._cursor.step:
            self.step_requested.emit(step)
