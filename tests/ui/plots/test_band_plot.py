"""The band plot shows what was measured and asks for steps."""

import itertools
import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.ui import theme
from sculptor_app.ui.plots.band_plot import BandPlot
from tests.ui.widgets.conftest import spans_of


def energies(states: int) -> np.ndarray:
    """Rising powers; no guess at state 0."""
    steps = np.linspace(0, 1, states)[:, None]
    values = 10.0 ** (np.array([0.0, -1.0, -2.0, -3.0]) + steps)
    values[0] = np.nan
    return values


@pytest.fixture
def plot(qtbot: QtBot, qapp: QApplication) -> BandPlot:
    theme.apply(qapp, "light")
    widget = BandPlot()
    qtbot.addWidget(widget)
    widget.resize(420, 300)
    widget.set_plan(spans_of(5, 15, 30, 50), 50)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def show(plot: BandPlot, states: int = 51) -> None:
    plot.set_energies(energies(states), "current guess", "pixels", "Hann window")


def place(plot: BandPlot, step: float) -> QPoint:
    box = plot.canvas.view
    low, high = box.viewRange()[1]
    return plot.canvas.mapFromScene(box.mapViewToScene(QPointF(step, (low + high) / 2)))


def test_curves_are_the_logarithms(plot: BandPlot) -> None:
    show(plot)
    for band, item in enumerate(plot._curves):
        x, y = item.getData()
        assert list(x) == list(range(51))
        assert np.isnan(y[0])
        assert y[50] == pytest.approx(1.0 - band)


def test_zero_and_negative_powers_are_gaps(plot: BandPlot) -> None:
    values = energies(51)
    values[10, 0] = 0.0
    values[11, 0] = -1.0
    plot.set_energies(values, "current guess", "pixels", "Hann window")
    _, y = plot._curves[0].getData()
    assert np.isnan(y[[10, 11]]).all()
    assert np.isfinite(y[12])


def test_the_caption_is_plain_and_its_tooltip_names_unit_space_window_and_steps(plot: BandPlot) -> None:
    show(plot)
    assert plot.caption.text() == "power"
    tip = plot.caption.toolTip()
    for part in ("white noise of variance 1 has 1", "Measured in: pixels · Hann window", "Steps 1–50"):
        assert part in tip
    plot.set_plan((), 0)
    assert (plot.caption.text(), plot.caption.toolTip()) == ("", "")
    assert plot.title.text() == "Energy per band of the current guess"


def test_other_shapes_are_refused(plot: BandPlot) -> None:
    with pytest.raises(ValueError, match=r"\(51, 3\)"):
        plot.set_energies(np.ones((51, 3)), "", "", "")


def test_empty_until_there_is_something(plot: BandPlot) -> None:
    assert plot.is_empty
    assert plot.canvas.left._numbers == []
    assert not plot._cursor.isVisible()
    plot.set_energies(energies(1), "current guess", "pixels", "Hann window")  # state 0 alone: no guess
    assert plot.is_empty
    show(plot, 3)
    assert not plot.is_empty
    plot.set_plan((), 0)
    assert plot.is_empty


def test_axis_numbers_are_steps_that_exist(plot: BandPlot) -> None:
    show(plot)
    assert [text for _, text in plot.canvas.bottom._numbers] == ["0", "10", "20", "30", "40", "50"]
    plot.set_plan(spans_of(1, 2, 3, 4), 4)
    assert [text for _, text in plot.canvas.bottom._numbers] == ["0", "1", "2", "3", "4"]


def test_a_click_and_a_drag_ask_for_steps(plot: BandPlot, qtbot: QtBot) -> None:
    show(plot)
    asked: list[int] = []
    plot.step_requested.connect(lambda step: (asked.append(step), plot.set_step(step)))
    viewport = plot.canvas.viewport()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=place(plot, 12))
    for step in (13, 20, 500):
        qtbot.mouseMove(viewport, place(plot, step))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=place(plot, 20))
    assert asked == [12, 13, 20, 50]


def test_steps_not_computed_cannot_be_asked_for(plot: BandPlot, qtbot: QtBot) -> None:
    show(plot, 21)
    with qtbot.waitSignal(plot.step_requested) as asked:
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=place(plot, 40))
    assert asked.args == [20]


def test_the_cursor_stands_at_its_step(plot: BandPlot) -> None:
    show(plot)
    for step in (0, 12, 50):
        plot.set_step(step)
        at = plot.canvas.mapFromScene(plot._cursor.mapToScene(0, 10)).x()
        assert abs(at - place(plot, step).x()) <= 1


def test_the_axis_stands_still_while_a_run_grows(plot: BandPlot) -> None:
    show(plot)
    known = plot.canvas.view.viewRange()
    for states in (20, 30, 51):
        show(plot, states)
        assert plot.canvas.view.viewRange() == known


def test_end_labels_do_not_overlap(plot: BandPlot) -> None:
    plot.set_energies(np.full((51, 4), 1.0) * [1.0, 1.01, 1.02, 5.0], "guess", "pixels", "none")
    places = plot._ends.places(200.0)
    assert [label.text for label, _, _ in places] == ["finest", "fine", "medium", "coarse"]
    middles = [middle for _, middle, _ in places]
    line = QFontMetricsF(theme.fonts.small()).height()
    assert all(second - first >= line - 1e-6 for first, second in itertools.pairwise(middles))
    assert middles[-1] + line / 2 <= 200


def test_what_is_painted_of_a_growing_curve_is_where_its_values_are(plot: BandPlot, qtbot: QtBot) -> None:
    values = np.tile([1.0, 1e-3, 1e-3, 1e-3], (51, 1)) * np.linspace(0.01, 1, 51)[:, None] ** 3
    values[:2] = 1e-33  # the axis begins far below and follows
    for states in range(2, 52):
        plot.set_energies(values[:states], "guess", "pixels", "none")
        QApplication.processEvents()  # painted as in the window, one update after another
    shot = plot.screen().grabWindow(plot.winId()).toImage()
    ink = theme.band_colour("layout")
    for step in (10, 25, 40, 49):
        there = plot.canvas.view.mapViewToScene(QPointF(step, np.log10(values[step, 0])))
        at = plot.canvas.mapTo(plot, plot.canvas.mapFromScene(there))
        near = [shot.pixelColor(at.x(), at.y() + dy) for dy in (-2, -1, 0, 1, 2)]
        assert any(abs(c.red() - ink.red()) < 60 and abs(c.blue() - ink.blue()) < 60 for c in near), step


def test_settled_marks_sit_on_their_curves(plot: BandPlot) -> None:
    show(plot)
    plot.set_settled([("layout", 5), ("polish", 36)])
    dots = plot._dots.getData()
    assert list(dots[0]) == [5, 36]
    assert dots[1] == pytest.approx([0.1, -3 + 0.72])
    assert "coarse settled here" in plot.tooltip_at(5.2)
    assert "dots" not in plot.caption.text()
    plot.set_settled([("layout", 5)], "{0} settled here: so", "it stays", {"layout": "It may be late."}, "By content.")
    assert plot.caption.text() == "power · dots: it stays"
    assert plot.caption.toolTip().splitlines()[-1] == "By content."
    assert plot.tooltip_at(5.2).splitlines()[-2:] == ["coarse settled here: so", "It may be late."]
    plot.set_plan((), 50)
    show(plot)  # another run: the old one's marks are gone
    assert len(plot._dots.getData()[0]) == 0


@pytest.mark.parametrize(
    ("x", "parts"),
    [(12.4, ["step 12", "coarse 1.7", "finest 0.0017"]), (0, ["step 0"]), (99, ["step 50", "coarse 10"])],
)
def test_values_in_words(plot: BandPlot, x: float, parts: list[str]) -> None:
    show(plot)
    for part in parts:
        assert part in plot.tooltip_at(x)


def test_the_tooltip_tells_the_values_under_the_pointer(plot: BandPlot) -> None:
    viewport = plot.canvas.viewport()

    def hover(step: int) -> str:
        QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, place(plot, step), QPoint(50, 50)))
        text = QToolTip.text()
        QToolTip.hideText()
        return text

    assert hover(12) == ""
    show(plot)
    assert hover(12) == plot.tooltip_at(12)


def test_bands_differ_in_colour_and_dash(plot: BandPlot) -> None:
    pens = [item.opts["pen"] for item in plot._curves]
    assert len({pen.color().name() for pen in pens}) == 4
    assert len({tuple(pen.dashPattern()) for pen in pens}) == 4


def test_the_noise_floor_is_solid_and_pale_as_dashes_are_those_of_bands(plot: BandPlot) -> None:
    floor, bands = plot._floor_curve.opts["pen"], [curve.opts["pen"] for curve in plot._curves]
    assert floor.style() == Qt.PenStyle.SolidLine
    assert floor.color().alphaF() < 0.8
    assert floor.widthF() < min(pen.widthF() for pen in bands)


def test_a_run_of_one_step_is_seen_as_dots(plot: BandPlot) -> None:
    plot.set_plan((), 1)
    plot.set_energies(np.array([[np.nan] * 4, [3.0, 1.0, 0.1, 0.01]]), "current guess", "pixels", "Hann window")
    assert [each["x"] for each in plot._dots.data] == [1.0] * 4
    plot.set_plan((), 20)
    assert len(plot._dots.data) == 0


def test_dark_repaints_it(plot: BandPlot, qapp: QApplication) -> None:
    show(plot)
    theme.apply(qapp, "dark")
    shot = plot.canvas.grab().toImage()
    assert shot.pixelColor(2, 2).name() == theme.theme().tokens.window
    theme.apply(qapp, "light")


def test_no_menu_no_zooming_and_few_widgets(plot: BandPlot) -> None:
    assert plot.canvas.view.menuEnabled() is False
    assert list(plot.canvas.view.state["mouseEnabled"]) == [False, False]
    assert len(plot.findChildren(QWidget)) < 15


@pytest.mark.parametrize("states", [51, 1001])
def test_an_update_is_cheap(plot: BandPlot, states: int) -> None:
    plot.set_plan(spans_of(100, 300, 600, 1000), 1000)
    target = QImage(420, 300, QImage.Format.Format_RGB32)
    best = 1.0
    for _ in range(10):
        show(plot, states)
        started = time.perf_counter()
        show(plot, states)
        plot.set_step(states // 2)
        plot.canvas.viewport().render(target)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05  # measured: see the benchmark; this catches a slip into seconds
