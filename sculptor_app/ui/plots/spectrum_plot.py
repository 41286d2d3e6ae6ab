"""The whole spectrum at the current step, and at the end of each phase, on logarithmic axes."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from sculptor_app.core.colours import BAND_KEYS, PHASE_KEYS
from sculptor_app.core.requests.request import MAX_STEPS
from sculptor_app.core.texts import plural
from sculptor_app.ui.plots.canvas import octave_ticks, power_text, power_ticks, stable_range
from sculptor_app.ui.plots.chart import (
    Chart,
    KeptCurve,
    LegendRow,
    curve,
    end_labels_px,
    limits,
    log10_or_gap,
    pale_pen,
    reference_pen,
)
from sculptor_app.ui.theme import phase_pen, theme
from sculptor_app.ui.widgets.names import band_name, explained, phase_name


class SpectrumLike(Protocol):
    """A radial spectrum: whole frequencies >= 1 in cycles per image and the mean power at each, shapes (F,).

    `coverage` is how much of each ring of that frequency lies in the Fourier plane.
    """

    @property
    def frequencies(self) -> np.ndarray: ...

    @property
    def power(self) -> np.ndarray: ...

    @property
    def coverage(self) -> np.ndarray: ...


class SpectrumPlot(Chart):
    """Current spectrum in bold over one curve for the end of each phase.

    The curves end at the Nyquist frequency, up to which waves of all directions are there. Beyond it lie the corners of
    the Fourier plane alone, with ever fewer coefficients and in the last ring of an even size a single one, whose power
    may be anything: it would draw the curve straight down and the axis with it. Bands, files and measures count the
    corners, which hold a part of the variance.
    """

    term = "spectrum"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title.setText(self.tr("Spectrum"))
        self._empty.setText(self.tr("The spectrum of the picture, from coarse to fine, once a run has started."))
        self._current: SpectrumLike | None = None
        self._ends: dict[str, SpectrumLike] = {}
        self._floor: SpectrumLike | None = None
        self._compared: SpectrumLike | None = None
        self._cutoff: float | None = None
        self._step = 0
        self._measured: tuple[str, ...] = ()
        self.has_floor = False  # whether what is plotted has one: the noisy state has
        self._range: tuple[float, float] | None = None
        self._widest = 32.0
        self._fitted: tuple[object, ...] = ()  # what the axes were last fitted to
        self._floor_curve = curve()
        self._end_curves = {key: KeptCurve() for key in PHASE_KEYS}
        self._current_curve, self._compared_curve = curve(), curve()
        for item in (self._floor_curve, *self._end_curves.values(), self._compared_curve, self._current_curve):
            self.canvas.add(item)
        self.canvas.set_unit(self.tr("cycles per image, along its longer side"))
        self.legend = LegendRow(self)
        self._column.addWidget(self.legend)
        self.canvas.view.sigResized.connect(self._number_axes)
        self.canvas.view.sigResized.connect(self._write_caption)
        self.canvas.setAccessibleName(self.tr("Plot of power over frequency at the current step"))
        self.title.set_tip(explained(self.term))
        self.set_labels("", "", "")
        self.dress()
        self.clear()

    # What it shows

    def clear(self) -> None:
        """No run: nothing to plot, and axes free to fit the next one."""
        self._range = None
        self._widest = 32.0
        self.set_title(self.tr("Spectrum"))
        names = [phase_name(key).lower() for key in PHASE_KEYS]
        floor = [self.tr("noise floor"), self.tr("drowned")] if self.has_floor else []
        self.legend.reserve([self._counted(MAX_STEPS), *names, *floor])
        self.set_curves(None, {})

    def set_curves(
        self,
        current: SpectrumLike | None,
        phase_ends: Mapping[str, SpectrumLike],
        step: int = 0,
        noise_floor: SpectrumLike | None = None,
        cutoff: float | None = None,
        compared: SpectrumLike | None = None,
    ) -> None:
        """The spectra to compare.

        Args:
            current: of the current step; None where there is none (state 0 has no guess).
            phase_ends: spectra at the last step of the phases that are over, by phase key.
            noise_floor: the power of the noise in this step's state, thin and pale.
            cutoff: the frequency from which on the noise is stronger than the picture; shaded from there.
            compared: of a run that is compared with this one, pale.
        """
        self._cutoff = cutoff
        before = self._ends
        self._step, self._current, self._ends, self._floor = step, current, dict(phase_ends), noise_floor
        self._compared = compared
        self._draw(self._current_curve, current)
        self._draw(self._compared_curve, compared)
        self._draw(self._floor_curve, noise_floor)
        for key, item in self._end_curves.items():
            if self._ends.get(key) is not before.get(key):  # another step leaves them, and their painted copies, alone
                self._draw(item, self._ends.get(key))
        self._fit()
        if not self.is_empty:
            whole = self.tr("Spectrum at {0}, and at the end of each phase").format(self._counted(step))
            self.set_title(whole, self.tr("Spectrum at {0}").format(self._counted(step)))
        self._update_legend()

    def set_labels(self, source: str, space: str, window: str) -> None:
        """What was measured ("current guess"), in which space ("pixels"), through which window ("Hann window")."""
        self._measured = (self.tr("power of the {0}").format(source),) if source else ()
        axis = self.tr("From left to right: cycles per image, along its longer side.")
        self.caption.set_tip("\n".join((self.unit_text(space, window), axis)) if source else "")
        self._write_caption()

    def _write_caption(self) -> None:
        """What was measured; before it what the bottom axis counts, where that has no room below its numbers."""
        is_told = self.canvas.shows_unit or not self._measured
        unit = () if is_told else (self.tr("from left to right: cycles per image"),)
        self.caption.setText(" · ".join(part for part in (*unit, *self._measured) if part))

    def tooltip_at(self, x: float) -> str:
        frequency = max(1, round(2**x))
        unit = plural(frequency, self.tr("1 cycle per image"), self.tr("{0} cycles per image"))
        lines = [unit.format(frequency)]
        if self._cutoff is not None and frequency >= self._cutoff:
            lines.append(self.tr("drowned: the noise is stronger here than the picture"))
        named = [(self._counted(self._step), self._current), (self.tr("compared run"), self._compared)]
        named += [(phase_name(key), self._ends.get(key)) for key in PHASE_KEYS]
        for name, spectrum in named:
            if spectrum is not None and frequency <= len(spectrum.power):
                value = log10_or_gap(np.asarray(spectrum.power)[frequency - 1 : frequency])[0]
                lines.append(f"{name} {power_text(float(value))}")
        return "\n".join(lines)

    def dress(self) -> None:
        super().dress()
        self.canvas.keep_right(end_labels_px([band_name(key) for key in BAND_KEYS]))  # as under the energies' names
        tokens = theme().tokens
        ratio = self.canvas.devicePixelRatioF()
        self._current_pen = QPen(QColor(tokens.text), 2.4 * ratio)
        self._floor_pen = reference_pen(ratio)
        self._current_pen.setCosmetic(True)
        self._current_pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
        self._current_curve.setPen(self._current_pen)
        self._compared_pen = pale_pen(QPen(self._current_pen))
        self._compared_curve.setPen(self._compared_pen)
        self._floor_curve.setPen(self._floor_pen)
        for key, item in self._end_curves.items():
            item.setPen(phase_pen(key, 1.5 * ratio))
        self._number_axes()
        self._update_legend()

    # Inside

    def _draw(self, item: pg.PlotCurveItem, spectrum: SpectrumLike | None) -> None:
        if spectrum is None:
            item.setData([], [])
        else:
            frequencies, power = _drawn(spectrum)
            item.setData(np.log2(frequencies), log10_or_gap(power))

    def _fit(self) -> None:
        spectra = [_drawn(s) for s in (self._current, self._compared, *self._ends.values()) if s is not None]
        values = np.concatenate([log10_or_gap(power) for _, power in spectra]) if spectra else np.empty(0)
        found = limits(values)
        self.show_empty(found is None)
        if found is not None:
            self._range = stable_range(*found, self._range)
            self._widest = max(2.0, *(float(np.max(frequencies)) for frequencies, _ in spectra if len(frequencies)))
        fitted = self._range or (-1.0, 1.0), float(np.log2(self._widest)), self.is_empty, self._cutoff
        if fitted == self._fitted:  # from step to step the axes stay as they are, as a rule
            return
        self._fitted = fitted
        self.canvas.view.setYRange(*fitted[0], padding=0)
        self.canvas.view.setXRange(0, fitted[1], padding=0)
        self._number_axes()

    def _number_axes(self) -> None:
        (left, right), (low, high) = self.canvas.view.viewRange()
        size = self.canvas.view.size()
        octaves = octave_ticks(2.0**left, 2.0**right)
        every = max(1, -(-len(octaves) * 30 // max(1, int(size.width()))))
        numbers = [(float(np.log2(octave)), str(octave)) for octave in octaves[::every]]
        self.canvas.bottom.set_numbers(numbers)
        powers = power_ticks(self.canvas.lowest_number, high, max(2, int(size.height() / 26)))
        texts = [] if self.is_empty else [(power, power_text(power)) for power in powers]
        self.canvas.number_left(texts)
        inner = [place for place, _ in numbers if left < place < right and not self.is_empty]
        box = QRectF(left, low, right - left, high - low)
        self.canvas.grid.set_content(box, self._shades(left, right), inner, [place for place, _ in texts])

    def _shades(self, left: float, right: float) -> list[tuple[float, float, QColor]]:
        """The drowned frequencies, under a veil."""
        if self._cutoff is None or self.is_empty:
            return []
        border = max(left, float(np.log2(max(self._cutoff, 1.0))))
        return [(border, right, _veil())] if border < right else []

    def _update_legend(self) -> None:
        entries: list[tuple[str, QPen | QColor | None]] = []
        if self._current is not None:
            entries.append((self._counted(self._step), self._current_pen))
        if self._compared is not None:
            entries.append((self.tr("compared run"), self._compared_pen))
        if not self.is_empty:
            # Phases that are not over keep their place, or the plot would shrink when they come.
            pens = {key: item.opts["pen"] for key, item in self._end_curves.items() if key in self._ends}
            entries += [(phase_name(key).lower(), pens.get(key)) for key in PHASE_KEYS]
        if self._floor is not None:
            entries.append((self.tr("noise floor"), self._floor_pen))
        if self._cutoff is not None and not self.is_empty:
            entries.append((self.tr("drowned"), _veil()))
        self.legend.set_entries(entries)


def _drawn(spectrum: SpectrumLike) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and powers of the rings that lie in the Fourier plane as a whole."""
    whole = np.asarray(spectrum.coverage) >= 1
    return np.asarray(spectrum.frequencies, dtype=np.float64)[whole], np.asarray(spectrum.power)[whole]


def _veil() -> QColor:
    """Over the frequencies in which the noise is stronger than the picture."""
    veil = QColor(theme().tokens.muted)
    veil.setAlphaF(0.2 if theme().is_dark else 0.14)
    return veil
