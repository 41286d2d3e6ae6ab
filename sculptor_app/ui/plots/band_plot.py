"""Energy per frequency band over the steps, under the phases, with a cursor at the current step."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.core.colours import BAND_KEYS
from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui.plots.canvas import power_text, power_ticks, stable_range, thinned
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
    reference_pen,
)
from sculptor_app.ui.theme import band_colour, band_pen, theme
from sculptor_app.ui.widgets.names import band_name, explained


class BandPlot(Chart):
    """Four curves of log10 power, one per band; click or drag to go to a step."""

    step_requested = Signal(int)  # the person wants this state

    term = "energy"

    def __init__(self, parent: QWidget | None = None) -> None:
        self._ends = EndLabels()
        super().__init__(parent, self._ends, PILL_HEIGHT + 6)
        self.title.setText(self.tr("Energy per band"))
        self._empty.setText(self.tr("Start a run to see how its energy grows, band by band."))
        self._planned = 0
        self._spans: tuple[PhaseSpan, ...] = ()
        self._log = np.full((0, 4), np.nan)
        self._floor = np.full(0, np.nan)
        self._marks: tuple[tuple[str, int], ...] = ()
        self._mark_text = self._mark_rule = self._mark_meaning = ""
        self._mark_notes: dict[str, str] = {}
        self._measured: tuple[str, str] | None = None  # space and window, and the steps
        self._range: tuple[float, float] | None = None
        self._compared = np.empty(0), np.full((0, 4), np.nan)
        self._compared_curves = [KeptCurve() for _ in BAND_KEYS]
        self._curves = [KeptCurve() for _ in BAND_KEYS]
        self._dots = pg.ScatterPlotItem(pxMode=True, antialias=True)
        self._floor_curve = KeptCurve()
        for item in (self._floor_curve, *self._compared_curves, *self._curves, self._dots):
            self.canvas.add(item)
        self._cursor = Cursor(self.canvas)
        self.canvas.pressed.connect(self._asked)
        self.canvas.dragged.connect(self._asked)
        self.canvas.wheeled.connect(self._wheeled)
        self.canvas.view.sigResized.connect(self._resized)
        self.canvas.setAccessibleName(self.tr("Plot of the energy per frequency band over the steps"))
        self.title.set_tip(explained(self.term))
        self.dress()
        self.set_plan((), 0)

    # What it shows

    def set_plan(self, spans: Sequence[PhaseSpan], planned: int) -> None:
        """A new run of `planned` steps with its phases; nothing is measured yet. 0 steps: no run."""
        self._spans, self._planned, self._range = tuple(spans), planned, None
        self._marks = ()
        self.set_noise_floor(None)
        self._compared = np.empty(0), np.full((0, len(BAND_KEYS)), np.nan)
        self._cursor.set_step(0)
        self._measured = None
        self.caption.setText("")
        self.caption.set_tip("")
        self.canvas.view.setXRange(-0.5, max(planned, 1) + 0.5, padding=0)
        self._show(np.full((0, len(BAND_KEYS)), np.nan))

    @property
    def planned(self) -> int:
        """N, the number of steps; 0 for no run."""
        return self._planned

    def set_energies(self, energies: np.ndarray, source: str, space: str, window: str) -> None:
        """Mean power per band at states 0..n-1, shape (n, 4), not yet logarithmic; NaN or 0 is a gap.

        Args:
            energies: powers of layout, structure, detail and polish.
            source: what was measured, as in "current guess".
            space: "pixels" or "latents".
            window: as in "Hann window".

        Raises:
            ValueError: not four bands.
        """
        if energies.ndim != 2 or energies.shape[1] != len(BAND_KEYS):
            raise ValueError(f"energies have the shape (states, {len(BAND_KEYS)}); got {energies.shape}")
        self.set_title(self.tr("Energy per band of the {0}").format(source), self.tr("Energy per band"))
        steps = (self.tr("Layers 1–{0}.") if self.counts_layers else self.tr("Steps 1–{0}.")).format(self._planned)
        self._measured = self.unit_text(space, window), steps
        self._write_caption()
        log = log10_or_gap(energies)
        if not np.array_equal(log, self._log, equal_nan=True):
            self._show(log)

    def set_compared(self, places: np.ndarray, energies: np.ndarray) -> None:
        """The same of a run that is compared with this one, drawn pale.

        Args:
            places: where its states lie on the axis of steps, shape (n,); NaN where nowhere. Empty for no such run.
            energies: as for `set_energies`, of its states 0..n-1, shape (n, 4).
        """
        self._compared = places, log10_or_gap(energies)
        self._show(self._log)
        self._write_caption()

    def set_noise_floor(self, power: np.ndarray | None) -> None:
        """The power that the noise in each state has, thin and pale: a band that has come down to it has drowned.

        `power` is (n,) for the states 0..n-1, not yet logarithmic; None for no floor.
        """
        self._floor = np.full(0, np.nan) if power is None else log10_or_gap(np.asarray(power))
        self._floor_curve.setData(np.arange(len(self._floor), dtype=np.float64), self._floor)

    def set_step(self, step: int) -> None:
        self._cursor.set_step(step)
        self.canvas.setAccessibleDescription(self.tooltip_at(step).replace("\n", ", "))

    def set_settled(
        self,
        marks: Sequence[tuple[str, int]],
        text: str = "",
        rule: str = "",
        notes: Mapping[str, str] | None = None,
        meaning: str = "",
    ) -> None:
        """Measured marks: a band's key and the step from which it stayed settled, each a dot on its curve.

        Args:
            text: what a mark means, with "{0}" for the band.
            rule: the same in a few plain words, for the caption.
            meaning: the same exactly, for the caption's tooltip.
            notes: what is to be known about a band's mark besides, by the band's key.
        """
        self._marks, self._mark_text = tuple(marks), text or self.tr("{0} settled here")
        self._mark_rule, self._mark_meaning, self._mark_notes = rule, meaning, dict(notes or {})
        self._mark()
        self._write_caption()

    def _write_caption(self) -> None:
        """What is plotted, and what the dots are, where there are any; unit, window and rule are in the tooltip."""
        if not self._measured:
            return
        measured, steps = self._measured
        has_dots = bool(self._marks and self._mark_rule)
        dots = [self.tr("dots: {0}").format(self._mark_rule)] if has_dots else []
        pale = [self.tr("pale: compared run")] if len(self._compared[0]) else []
        self.caption.setText(" · ".join((self.tr("power"), *pale, *dots)))
        self.caption.set_tip("\n".join(filter(None, (measured, steps, self._mark_meaning if has_dots else ""))))

    def tooltip_at(self, x: float) -> str:
        """The bands' powers at a step."""
        step = self._nearest(x)
        lines = [self._counted(step)]
        if step < len(self._log):
            for name, value in zip(map(band_name, BAND_KEYS), self._log[step], strict=True):
                if np.isfinite(value):
                    lines.append(f"{name} {power_text(float(value))}")
        for band, at in self._marks:
            if at == step:
                lines += [self._mark_text.format(band_name(band)), *filter(None, [self._mark_notes.get(band)])]
        return "\n".join(lines)

    def dress(self) -> None:
        super().dress()
        ratio = self.canvas.devicePixelRatioF()
        for key, item, pale in zip(BAND_KEYS, self._curves, self._compared_curves, strict=True):
            item.setPen(band_pen(key, 1.75 * ratio))
            pale.setPen(pale_pen(band_pen(key, 1.5 * ratio)))
        self._floor_curve.setPen(reference_pen(ratio))
        self._ends.reserve([band_name(key) for key in BAND_KEYS])
        self._label_ends()
        self._number_axes()
        self._mark()
        self._cursor.update()

    # Inside

    def _show(self, log: np.ndarray) -> None:
        self._log = log
        self._draw_curves()
        found = limits(log)
        self.show_empty(found is None)
        if found is not None and len(self._compared[0]):
            found = limits(np.concatenate([log, self._compared[1]]))
        self._cursor.setVisible(found is not None)
        shape = Qt.CursorShape.PointingHandCursor if found is not None else Qt.CursorShape.ArrowCursor
        self.canvas.viewport().setCursor(shape)
        wanted = stable_range(*(found or (-1.0, 1.0)), self._range)
        if wanted != self._range or found is None:
            self._range = wanted if found is not None else None
            self.canvas.view.setYRange(*wanted, padding=0)
            self._number_axes()
        self._label_ends()
        self._mark()

    def _draw_curves(self) -> None:
        per_bin = int(self._planned / max(1.0, self.canvas.view.width()) * 2)
        for values, item in zip(self._log.T, self._curves, strict=True):
            kept = thinned(values, per_bin)
            item.setData(kept.astype(np.float64), values[kept])
        places, compared = self._compared
        for values, item in zip(compared.T, self._compared_curves, strict=True):
            there = np.flatnonzero(np.isfinite(places))
            item.setData(places[there], values[there])

    def _resized(self) -> None:
        self._draw_curves()
        self._number_axes()

    def _number_axes(self) -> None:
        _, (_, high) = self.canvas.view.viewRange()
        size = self.canvas.view.size()
        powers = power_ticks(self.canvas.lowest_number, high, max(2, int(size.height() / 26)))
        texts = [] if self.is_empty else [(power, power_text(power)) for power in powers]
        self.canvas.number_left(texts)
        self._draw_steps(self._spans, self._planned, [place for place, _ in texts])

    def _label_ends(self) -> None:
        labels = []
        for band, key in enumerate(BAND_KEYS):
            finite = np.flatnonzero(np.isfinite(self._log[:, band]))
            if finite.size:
                labels.append(EndLabel(band_name(key), float(self._log[finite[-1], band]), band_colour(key)))
        self._ends.set_labels(labels)

    def _mark(self) -> None:
        """Dots at the marks, and small ones for curves that are a single point, as those of a run of one step."""
        dots = []
        for band, key in enumerate(BAND_KEYS):
            finite = np.flatnonzero(np.isfinite(self._log[:, band]))
            if finite.size == 1 and self._planned == 1:
                at, ink = int(finite[0]), band_colour(key)
                dots.append({"pos": (at, self._log[at, band]), "size": 6, "brush": ink, "pen": ink, "symbol": "o"})
        for key, step in self._marks:
            value = self._log[step, BAND_KEYS.index(key)] if step < len(self._log) else np.nan
            if np.isfinite(value):
                edge = QPen(QColor(theme().tokens.window), 1.5)
                edge.setCosmetic(True)  # pyqtgraph scales a symbol and its pen
                dots.append({"pos": (step, value), "size": 9, "brush": band_colour(key), "pen": edge, "symbol": "o"})
        if dots or len(self._dots.data):
            self._dots.setData(dots)

    def _nearest(self, x: float) -> int:
        return min(max(round(x), 0), self._planned)

    def _asked(self, x: float) -> None:
        step = min(self._nearest(x), max(0, len(self._log) - 1))
        if self._planned and step != self._cursor.step:
            self.step_requested.emit(step)

    def _wheeled(self, notches: int) -> None:
        self._asked(self._cursor.step - notches)
