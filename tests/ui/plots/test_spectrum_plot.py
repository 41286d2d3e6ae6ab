"""The spectrum plot: logarithmic both ways, one curve per finished phase."""

from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QFontMetricsF, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.measures.spectrum import frame_spectrum
from sculptor_app.ui import theme
from sculptor_app.ui.plots.band_plot import BandPlot
from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot


@dataclass(frozen=True)
class Spectrum:
    frequencies: np.ndarray
    power: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        return np.ones(len(self.frequencies))


def power_law(slope: float, highest: int = 32, gain: float = 1.0) -> Spectrum:
    f = np.arange(1, highest + 1)
    return Spectrum(f, gain * f.astype(float) ** slope)


@pytest.fixture
def plot(qtbot: QtBot, qapp: QApplication) -> SpectrumPlot:
    theme.apply(qapp, "light")
    widget = SpectrumPlot()
    qtbot.addWidget(widget)
    widget.resize(420, 320)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


@pytest.mark.parametrize("slope", [0.0, -2.0, -3.9])
def test_a_power_law_is_a_straight_line_of_its_slope(plot: SpectrumPlot, slope: float) -> None:
    plot.set_curves(power_law(slope), {}, step=12)
    x, y = plot._current_curve.getData()
    decades = x * np.log10(2)
    assert np.polyfit(decades, y, 1)[0] == pytest.approx(slope, abs=1e-9)


def test_a_curve_ends_where_rings_are_no_longer_whole(plot: SpectrumPlot) -> None:
    """The last ring of the corners is one coefficient, which fell far below all others and drew the axis down."""
    noise = np.random.default_rng(0).normal(size=(3, 128, 128)).astype(np.float32)
    spectrum = frame_spectrum(noise)
    assert (len(spectrum.power), spectrum.power[-1] < 0.01) == (91, True)
    plot.set_curves(spectrum, {"decisions": spectrum}, step=3, noise_floor=spectrum)
    for item in (plot._current_curve, plot._floor_curve, plot._end_curves["decisions"]):
        x, y = item.getData()
        assert (x[-1], len(y)) == (6, 64)
    (left, right), (low, high) = plot.canvas.view.viewRange()
    assert (left, right) == (0, 6)
    assert -1 < low < high < 1


def test_axes_are_numbered_anew_only_where_they_change(plot: SpectrumPlot, monkeypatch: pytest.MonkeyPatch) -> None:
    plot.set_curves(power_law(-2), {}, step=1)
    numbered = []
    number = SpectrumPlot._number_axes
    monkeypatch.setattr(SpectrumPlot, "_number_axes", lambda self: (numbered.append(1), number(self))[1])
    plot.set_curves(power_law(-2, gain=1.05), {}, step=2)
    assert not numbered
    plot.set_curves(power_law(-2), {}, step=3, cutoff=8.0)
    assert numbered
    del numbered[:]
    plot.set_curves(power_law(-2, gain=1e6), {}, step=4, cutoff=8.0)
    assert numbered
    del numbered[:]
    plot.set_curves(None, {})
    assert numbered
    assert plot.canvas.left._numbers == []


def test_octaves_are_named(plot: SpectrumPlot) -> None:
    plot.set_curves(power_law(-2), {}, step=1)
    assert [text for _, text in plot.canvas.bottom._numbers] == ["1", "2", "4", "8", "16", "32"]
    plot.set_curves(power_law(-2, highest=256), {}, step=1)
    assert plot.canvas.bottom._numbers[-1][1] == "256"
    plot.resize(210, 200)
    numbers = [place for place, _ in plot.canvas.bottom._numbers]
    assert len(numbers) <= 6


def test_a_curve_for_each_phase_that_is_over(plot: SpectrumPlot) -> None:
    ends = {"decisions": power_law(-3), "structure": power_law(-2.5)}
    plot.set_curves(power_law(-2), ends, step=20, noise_floor=power_law(0, gain=1e-3))
    assert len(plot._end_curves["decisions"].getData()[0]) == 32
    assert plot._end_curves["polish"].getData()[0] is None or len(plot._end_curves["polish"].getData()[0]) == 0
    drawn = [name for name, pen in plot.legend._entries if pen is not None]
    assert drawn == ["step 20", "big decisions", "structure", "noise floor"]
    assert [name for name, pen in plot.legend._entries if pen is None] == ["refinement", "polish"]
    assert plot.title.text() == "Spectrum at step 20, and at the end of each phase"


def test_phases_differ_in_colour_and_dash_and_the_current_one_is_bold(plot: SpectrumPlot) -> None:
    pens = [item.opts["pen"] for item in plot._end_curves.values()]
    assert len({tuple(pen.dashPattern()) for pen in pens}) == 4
    assert [pen.color().name() for pen in pens] == list(theme.theme().tokens.phase_lines.values())
    assert plot._current_curve.opts["pen"].widthF() > 1.4 * max(pen.widthF() for pen in pens)
    assert plot._current_curve.opts["pen"].style() == Qt.PenStyle.SolidLine


def test_powers_of_zero_are_gaps(plot: SpectrumPlot) -> None:
    spectrum = power_law(-2)
    spectrum.power[4] = 0
    plot.set_curves(spectrum, {}, step=3)
    assert np.isnan(plot._current_curve.getData()[1][4])


def test_empty_and_emptied(plot: SpectrumPlot) -> None:
    assert plot.is_empty
    plot.set_curves(power_law(-2), {}, step=3)
    assert not plot.is_empty
    plot.clear()
    assert plot.is_empty
    assert plot.legend._entries == ()


def test_no_guess_at_state_0_keeps_the_other_curves(plot: SpectrumPlot) -> None:
    plot.set_curves(None, {"decisions": power_law(-3)}, step=0)
    assert not plot.is_empty


def test_a_spectrum_without_frequencies_is_empty(plot: SpectrumPlot) -> None:
    plot.set_curves(Spectrum(np.arange(0), np.empty(0)), {}, step=1)
    assert plot.is_empty


def test_the_caption_names_what_was_measured(plot: SpectrumPlot) -> None:
    plot.set_labels("current guess", "latents", "Hann window")
    assert plot.caption.text() == "power of the current guess"
    for part in ("variance 1 has 1", "Measured in: latents · Hann window", "cycles per image, along its longer side"):
        assert part in plot.caption.toolTip()


@pytest.mark.parametrize(("x", "parts"), [(3.0, ["8 cycles per image", "step 5 0.016"]), (-1, ["1 cycle per image"])])
def test_values_in_words(plot: SpectrumPlot, x: float, parts: list[str]) -> None:
    plot.set_curves(power_law(-2), {}, step=5)
    for part in parts:
        assert part in plot.tooltip_at(x)


def test_the_legend_takes_as_many_rows_as_it_needs(plot: SpectrumPlot) -> None:
    ends = {key: power_law(-2) for key in ("decisions", "structure", "refinement", "polish")}
    plot.set_curves(power_law(-2), ends, step=50)
    wide = {place.top() for place in plot.legend.places(900)}
    narrow = plot.legend.places(220)
    assert len(wide) == 1
    assert len({place.top() for place in narrow}) > 1
    assert all(place.right() <= 220 or place.left() == 0 for place in narrow)


def test_no_number_stands_in_the_corner(plot: SpectrumPlot) -> None:
    for gain in np.geomspace(0.1, 1, 23):
        plot.clear()
        plot.set_curves(power_law(-2, gain=gain), {}, step=1)
        low, high = plot.canvas.view.viewRange()[1]
        lowest = plot.canvas.left._numbers[0][0]
        assert (lowest - low) / (high - low) * plot.canvas.view.size().height() >= 7


def test_a_low_plot_has_two_numbers_at_its_left_axis(plot: SpectrumPlot, qtbot: QtBot) -> None:
    """Of every second power of ten the lower one had no room, and the other one stood alone."""
    for height in range(190, 230, 10):
        plot.clear()
        plot.resize(420, height)
        plot.set_curves(power_law(-1.55, highest=64, gain=10.0), {}, step=1)
        QCoreApplication.processEvents()
        low, high = plot.canvas.view.viewRange()[1]
        assert 80 <= plot.canvas.view.size().height() < 104
        assert len(plot.canvas.left._numbers) >= 2, (low, high, height)


def test_the_unit_stands_below_the_numbers_where_there_is_room(plot: SpectrumPlot, qtbot: QtBot) -> None:
    unit = plot.canvas.bottom.label
    plot.set_curves(power_law(-2), {}, step=1)
    assert unit.toPlainText().startswith("cycles per image")
    assert unit.isVisible()
    place = unit.mapRectToScene(unit.boundingRect())
    assert place.top() > plot.canvas.view.sceneBoundingRect().bottom() + plot.fontMetrics().height() / 2
    assert place.top() + unit.boundingRect().height() - 5 <= plot.canvas.height()
    plot.set_labels("current guess", "pixels", "Hann window")
    plot.resize(420, 140)
    qtbot.waitUntil(lambda: not unit.isVisible())
    assert plot.caption.text().startswith("from left to right: cycles per image · ")
    plot.resize(420, 320)
    qtbot.waitUntil(unit.isVisible)
    assert "cycles" not in plot.caption.text()


def _pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.array(image.constBits()).reshape(image.height(), image.bytesPerLine())


def _energies(count: int) -> np.ndarray:
    return np.exp(np.sin(np.arange(4 * count).reshape(count, 4) / 5.0))


def _painted(plot: BandPlot) -> QImage:
    canvas = plot.canvas
    return canvas.grab().toImage()


def test_a_curve_that_grew_step_by_step_looks_like_one_drawn_at_once(qtbot):
    grown, at_once = BandPlot(), BandPlot()
    for plot in (grown, at_once):
        qtbot.addWidget(plot)
        plot.resize(400, 260)
        with qtbot.waitExposed(plot):
            plot.show()
        plot.set_plan((), 40)
    for count in range(1, 42):
        grown.set_energies(_energies(count), "x", "pixels", "none")
        grown.set_step(count - 1)
        QCoreApplication.processEvents()  # painted as on screen: only what changed
    grown.set_step(7)
    at_once.set_energies(_energies(41), "x", "pixels", "none")
    at_once.canvas.view.setYRange(*grown.canvas.view.viewRange()[1], padding=0)
    for item in at_once._curves:
        item.setCacheMode(item.CacheMode.NoCache)
    at_once.set_step(7)
    kept = _pixels(_painted(grown)).astype(int)
    fresh = _pixels(_painted(at_once)).astype(int)
    assert np.mean(np.abs(kept - fresh) > 40) < 0.002


def test_each_field_and_curve_of_the_plot_is_in_its_legend(plot: SpectrumPlot) -> None:
    plot.set_curves(power_law(-2), {}, 12, power_law(0, gain=0.01), cutoff=8)
    shown = {name for name, ink in plot.legend._entries if ink is not None}
    assert {"step 12", "noise floor", "drowned"} <= shown
    plot.set_curves(power_law(-2), {}, 12)
    assert not {"noise floor", "drowned"} & {name for name, _ in plot.legend._entries}


def test_a_last_number_at_the_right_end_is_not_cut(plot: SpectrumPlot) -> None:
    plot.set_curves(power_law(-2, 1024), {}, 12)
    right = plot.canvas.mapFromScene(plot.canvas.view.sceneBoundingRect()).boundingRect().right()
    half = QFontMetricsF(theme.fonts.small()).horizontalAdvance("1024") / 2
    assert right + half <= plot.canvas.width()


def test_the_legend_keeps_its_rows(plot: SpectrumPlot) -> None:
    before = plot.legend.height()
    for step in (1, 999):
        plot.set_curves(power_law(-2), {key: power_law(-1) for key in ("decisions", "structure", "polish")}, step)
        assert plot.legend.height() == before
