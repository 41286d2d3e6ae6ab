"""The gallery's plots, apart because they import pyqtgraph."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sculptor_app.core.trajectory.levels import NoiseLevel, phase_spans
from sculptor_app.ui.plots.band_plot import BandPlot
from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot


@dataclass(frozen=True)
class Spectrum:
    """As the measures hand it over."""

    frequencies: np.ndarray
    power: np.ndarray


def energies(levels: list[NoiseLevel]) -> np.ndarray:
    """Closed-form band energies of guesses of a field with power f^-2, (N+1, 4); no guess at state 0."""
    rows = [np.full(4, np.nan)]
    for level in levels[:-1]:
        power = np.array([1.5, 5.0, 11.0, 24.0]) ** -2.0
        kept = level.signal**2 * power / (level.signal**2 * power + level.noise**2 * 0.02)
        rows.append(power * kept)
    return np.array(rows)


def spectrum(level: NoiseLevel, side: int = 64) -> Spectrum:
    """Closed-form spectrum of a guess."""
    f = np.arange(1, side // 2 + 1)
    power = f**-2.0 * (1 + 0.2 * np.sin(f * 1.7))
    return Spectrum(f, power * (level.signal**2 * power / (level.signal**2 * power + level.noise**2 * 0.02)))


def plots(levels: list[NoiseLevel], width_px: int = 400) -> QWidget:
    """Both plots one over the other."""
    box = QWidget()
    column = QVBoxLayout(box)
    column.setContentsMargins(14, 12, 14, 10)
    column.setSpacing(10)
    spans = phase_spans(levels)
    bands = BandPlot()
    bands.set_plan(spans, len(levels) - 1)
    bands.set_energies(energies(levels), "current guess", "pixels", "Hann window")
    bands.set_settled([("layout", 5), ("structure", 13), ("detail", 26), ("polish", 36)])
    bands.set_step(12)
    whole = SpectrumPlot()
    ends = {span.phase.key: spectrum(levels[span.last_step - 1]) for span in spans}
    whole.set_curves(spectrum(levels[11]), ends, step=12)
    whole.set_labels("current guess", "pixels", "Hann window")
    column.addWidget(bands, 1)
    column.addWidget(whole, 1)
    box.setFixedWidth(width_px)
    return box
