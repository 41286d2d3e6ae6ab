"""Both plots of a session: built once, nothing left behind, and true words where there is nothing to plot."""

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.measures.forward import ForwardMeasures
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.session.session import Session
from sculptor_app.ui.plots.band_plot import BandPlot
from sculptor_app.ui.plots.chart import Chart
from sculptor_app.ui.plots.plots_panel import ENERGY, STATE, PlotsPanel
from sculptor_app.ui.plots.spectrum_plot import SpectrumPlot
from tests.helpers.runs import made_run
from tests.helpers.screen import stale_pixels


def drown(session: Session, seed: int) -> None:
    rough = np.random.default_rng(seed).normal(size=(3, 32, 32)).cumsum(1).cumsum(2).astype(np.float32)
    run = run_forward_process(rough / abs(rough).max(), "rough.png", steps=50, seed=seed)
    session.show(run, ForwardMeasures.of(run), running=False)


def texts(panel: PlotsPanel) -> list[str]:
    return [plot._empty.text() for plot in (panel.band_plot, panel.spectrum_plot)]


def test_no_marker_outlives_what_it_marks(qtbot: QtBot, panel: PlotsPanel) -> None:
    """The cursor of the picture before stayed over the plot of the next."""
    panel.load()
    panel.set_source(STATE)
    panel.show()
    qtbot.waitExposed(panel)
    for seed in (1, 2, 3):
        drown(panel._session, seed)
        assert stale_pixels(panel) == 0
        panel._session.go_to(9 * seed)
        panel.draw()
        panel.draw()
        assert stale_pixels(panel) == 0


def test_both_plots_are_one_column_with_or_without_a_run(qtbot: QtBot, panel: PlotsPanel) -> None:
    panel.load()
    panel.show()
    qtbot.waitExposed(panel)
    for width, height in ((336, 480), (400, 600), (520, 900)):
        panel.resize(width, height)
        for shows in (False, True):
            if shows:
                run = made_run(steps=4)
                panel._session.show(run, RunMeasures.of(run), running=False)
                panel._session.go_to(4)
            QApplication.processEvents()
            sides = []
            for plot in (panel.band_plot, panel.spectrum_plot):
                place = plot.canvas.mapFromScene(plot.canvas.view.sceneBoundingRect()).boundingRect()
                sides.append(
                    (plot.canvas.mapTo(panel, place.topLeft()).x(), plot.canvas.mapTo(panel, place.topRight()).x())
                )
            assert sides[0] == sides[1]


def test_plots_that_are_loaded_twice_are_there_once(panel: PlotsPanel) -> None:
    for _ in range(3):
        panel.load()
    assert [len(panel.findChildren(kind)) for kind in (BandPlot, SpectrumPlot)] == [1, 1]


def test_nobody_is_told_to_start_a_run_that_is_on(panel: PlotsPanel) -> None:
    panel.load()
    assert "Start a run" in texts(panel)[0]
    assert [plot.caption.text() for plot in (panel.band_plot, panel.spectrum_plot)] == ["", ""]
    panel.set_busy(True)
    assert texts(panel) == ["The run is on its way…"] * 2
    run = made_run(steps=4, taken=0)
    panel._session.show(run, RunMeasures(4, "pixels"))
    assert texts(panel) == ["The first step of the run is on its way…"] * 2


def test_a_low_panel_has_one_plot_at_a_time_with_an_axis_that_can_be_read(qtbot: QtBot, panel: PlotsPanel) -> None:
    panel.load()
    run = made_run(steps=8)
    panel._session.show(run, RunMeasures.of(run), running=False)
    panel.show()
    qtbot.waitExposed(panel)
    plots = panel.band_plot, panel.course_plot, panel.spectrum_plot
    shown = lambda: [plot for plot in plots if plot.isVisible()]  # noqa: E731

    def numbers(plot: Chart) -> int:
        QApplication.processEvents()
        return len(plot.canvas.left._numbers)

    panel.resize(400, 560)
    assert shown() == [panel.band_plot, panel.spectrum_plot]
    assert not any(button.isVisible() for button in panel._turns)
    panel.resize(400, 360)
    assert panel.minimumSizeHint().height() <= 360, "no scroll bars"
    for turned in (panel.band_plot, panel.spectrum_plot):
        assert shown() == [turned]
        assert numbers(turned) >= 3
        qtbot.mouseClick(next(each for each in panel._turns if each.isVisible()), Qt.MouseButton.LeftButton)
    assert shown() == [panel.band_plot]
    panel.set_course("noise")
    assert shown() == [panel.course_plot]
    panel.resize(400, 560)
    assert shown() == [panel.course_plot, panel.spectrum_plot]


def test_the_heading_fits_what_is_plotted_below_it(qtbot: QtBot, panel: PlotsPanel) -> None:
    panel.load()
    panel.show()
    qtbot.waitExposed(panel)
    segments = panel.head._choice.buttons()
    assert panel.head.heading.text() == "Frequencies of the"
    assert all(each.isVisible() for each in segments)
    panel.set_course("noise")
    assert panel.head.heading.text() == "Curves over the steps"
    assert not any(each.isVisible() for each in segments)
    assert panel._of_spectrum.text() == "current guess"
    panel.head.menu.actions()[1].trigger()  # of the spectrum, whose title has the choice now
    assert (panel.source, panel._of_spectrum.text()) == (STATE, "noisy state")
    panel.set_course(ENERGY)
    assert panel.head.heading.text() == "Frequencies of the"
    assert [each.isChecked() for each in segments] == [False, True]
    assert not panel._of_spectrum.isVisible()


def test_a_title_without_room_is_a_shorter_one(qtbot: QtBot, panel: PlotsPanel) -> None:
    panel.load()
    run = made_run(steps=4)
    panel._session.show(run, RunMeasures.of(run), running=False)
    panel.show()
    qtbot.waitExposed(panel)
    title = panel.band_plot.title
    assert title.text() == "Energy per band of the current guess"
    panel.resize(400, 360)
    qtbot.waitUntil(lambda: title.text() == "Energy per band")
