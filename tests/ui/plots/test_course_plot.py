"""What is plotted over the steps beside the bands: noise levels, guidance, the way to the picture."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS, SAMPLERS
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.core.trajectory.levels import CLEAN, UNKNOWN, NoiseLevel
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.measures.course import COURSES, snr_and_sigma
from sculptor_app.measures.forward import ForwardMeasures
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.session.session import Session
from sculptor_app.ui import theme
from sculptor_app.ui.plots.course_plot import CoursePlot
from sculptor_app.ui.plots.plots_panel import ENERGY, STATE, PlotsPanel
from tests.helpers.runs import made_run, solid
from tests.helpers.window import RUN_MS, Driver
from tests.ui.widgets.conftest import spans_of


def test_snr_and_sigma_of_levels() -> None:
    found = snr_and_sigma([NoiseLevel(0.0, 1.0), NoiseLevel(0.6, 0.3), UNKNOWN, NoiseLevel(1.0, 10.0), CLEAN])
    np.testing.assert_allclose(found[1], [4.0, 0.5])
    np.testing.assert_allclose(found[3], [0.01, 10.0])
    assert np.isnan(found[2]).all()
    assert list(found[0]) == [0, np.inf]
    assert list(found[4]) == [np.inf, 0]


@pytest.mark.parametrize("kind", COURSES.values(), ids=lambda kind: kind.key)
def test_each_kind_has_a_curve_for_each_of_its_names(kind) -> None:
    run = made_run(steps=5, guidance=2.0)
    values = kind.values(run, RunMeasures.of(run))
    assert values.shape == (6, len(kind.lines))
    assert np.isfinite(values).any(axis=0).all()


@pytest.fixture
def plot(qtbot: QtBot, qapp: QApplication) -> CoursePlot:
    theme.apply(qapp, "light")
    widget = CoursePlot()
    qtbot.addWidget(widget)
    widget.resize(420, 300)
    widget.set_plan(spans_of(5, 15, 30, 50), 50)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def place(plot: CoursePlot, step: float) -> QPoint:
    box = plot.canvas.view
    low, high = box.viewRange()[1]
    return plot.canvas.mapFromScene(box.mapViewToScene(QPointF(step, (low + high) / 2)))


def test_ratios_are_drawn_as_logarithms_and_the_rest_as_it_is(plot: CoursePlot) -> None:
    values = np.stack([10.0 ** np.linspace(-4, 4, 51), 10.0 ** np.linspace(2, -2, 51)], axis=1)
    values[0, 1], values[50, 0] = np.inf, np.inf
    plot.set_values(values)
    for line, (first, last) in zip(plot._lines, ((-4.0, np.nan), (np.nan, -2.0)), strict=True):
        y = line.getData()[1]
        np.testing.assert_allclose([y[0], y[-1]], [first, last])
    assert plot.tooltip_at(25.2) == "step 25\nSNR 1\nσ 1"
    plot.set_kind(COURSES["distance"])
    assert plot.is_empty
    plot.set_values(np.stack([np.linspace(0.5, 0, 51), np.linspace(1.2, 0, 51)], axis=1))
    np.testing.assert_allclose(plot._lines[0].getData()[1][[0, -1]], [0.5, 0])
    assert plot.tooltip_at(0) == "step 0\nguess 0.5\nstate 1.2"
    assert [label.text for label in plot._ends._labels] == ["guess", "state"]


def test_zero_is_on_an_axis_that_is_not_logarithmic(plot: CoursePlot) -> None:
    plot.set_kind(COURSES["turning"])
    plot.set_values(np.full((51, 1), 0.9))
    low, high = plot.canvas.view.viewRange()[1]
    assert low < 0 < 0.9 < high
    plot.set_values(np.linspace(-0.4, 0.9, 51)[:, None])
    assert plot.canvas.view.viewRange()[1][0] < -0.4


def test_a_click_and_the_wheel_ask_for_a_step(qtbot: QtBot, plot: CoursePlot) -> None:
    asked: list[int] = []
    plot.step_requested.connect(asked.append)
    qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=place(plot, 20))
    assert asked == []  # there is nothing to see yet
    plot.set_values(np.ones((51, 2)))
    qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=place(plot, 20))
    plot.set_step(20)
    plot.canvas.wheeled.emit(1)
    assert asked == [20, 19]


def test_what_is_behind_is_named_where_it_is_pointed_at(plot: CoursePlot) -> None:
    plot.set_values(np.ones((51, 2)))
    assert "pale" not in plot.caption.text()
    plot.set_behind([("Heun", np.full(51, 100.0)), ("DDPM", np.full(51, np.nan))])
    assert "pale: SNR of the other samplers" in plot.caption.text()
    assert plot.tooltip_at(3).splitlines()[3:] == ["Heun: SNR 10²"]
    plot.set_plan(spans_of(1, 2, 3, 4), 4)
    assert plot.tooltip_at(3) == "step 3"


def test_its_right_end_is_that_of_the_energies(qtbot: QtBot, panel: PlotsPanel) -> None:
    panel.load()
    panel.show()
    qtbot.waitExposed(panel)
    ends = []
    for key in (ENERGY, *COURSES):
        panel.set_course(key)
        QApplication.processEvents()
        shown = panel.band_plot if key == ENERGY else panel.course_plot
        assert [panel.band_plot.isVisible(), panel.course_plot.isVisible()] == [key == ENERGY, key != ENERGY]
        ends.append(shown.canvas.mapTo(panel, shown.canvas.mapFromScene(shown.canvas.view.sceneBoundingRect())
                                       .boundingRect().topRight()).x())  # fmt: skip
    assert len(set(ends)) == 1


def test_what_is_chosen_stays_for_the_next_run(panel: PlotsPanel) -> None:
    panel.load()
    panel.set_course("guidance")
    for guidance in (2.0, 4.0):
        run = made_run(steps=5, guidance=guidance)
        measures = RunMeasures.of(run)
        panel._session.show(run, measures, running=False)
        np.testing.assert_allclose(panel.course_plot._values, measures.guidance()[:, :1])
    panel._session.go_to(3)
    panel.draw()
    panel.draw()
    assert panel.course_plot._cursor.step == 3
    panel.set_course(ENERGY)
    np.testing.assert_allclose(10.0**panel.band_plot._log, measures.energies("guess"))


def test_why_there_is_nothing_is_said(panel: PlotsPanel) -> None:
    panel.load()
    panel.set_course("distance")
    run = made_run(steps=5, taken=3)
    panel._session.show(run, RunMeasures.of(run), running=False)
    assert panel.course_plot.is_empty
    assert panel.course_plot._empty.text() == "The distances are known when the run is over."
    run.end("cancelled")
    panel.set_course("distance")
    assert "no picture at its end" in panel.course_plot._empty.text()
    panel.set_course("guidance")
    assert "did not keep the two guesses" in panel.course_plot._empty.text()


def test_of_a_picture_that_drowns_nothing_guided_is_offered(qtbot: QtBot, qapp: QApplication) -> None:
    session = Session(qapp, into_noise=True)
    panel = PlotsPanel(session, None, (STATE,))
    qtbot.addWidget(panel)
    panel.load()
    assert [action.data() for action in panel._courses.actions()] == [ENERGY, "noise", "distance"]
    run = run_forward_process(solid(16), "x", steps=6)
    session.show(run, ForwardMeasures.of(run), running=False)
    panel.set_course("noise")
    snr = 10.0 ** panel.course_plot._values[:, 0]
    assert (np.diff(snr[np.isfinite(snr)]) < 0).all(), "it drowns from left to right"
    assert panel._scheduled is None


def test_the_menu_says_what_is_chosen(panel: PlotsPanel) -> None:
    panel.load()
    actions = {action.data(): action for action in panel._courses.actions()}
    actions["distance"].trigger()
    assert panel.course == "distance"
    assert [key for key, action in actions.items() if action.isChecked()] == ["distance"]


def test_schedules_are_those_that_a_run_would_take(tiny_model: Path) -> None:
    engine = Engine()
    request = RunRequest("bust", None, 3, 6, "ddim", 2.0, "cpu", str(tiny_model))
    stop = threading.Event()
    assert engine.schedules(request, stop) == {}  # it is not loaded
    engine.load(str(tiny_model), "cpu", threading.Event())
    found = engine.schedules(request, stop)
    assert set(found) <= {SAMPLERS[each].label for each in EMBEDDED_SAMPLERS if each != "ddim"}
    assert len(found) > 5
    heun = engine.plan(replace(request, sampler="heun"))
    assert found["Heun"] == heun
    stop.set()
    with pytest.raises(Cancelled):
        engine.schedules(request, stop)


def test_schedules_that_a_run_put_off_come_after_it(ready: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plots, runner = ready.window.panels.plots, ready.window.panels.runner
    ready.run(6)
    waiting, go_on, asked = threading.Event(), threading.Event(), []
    schedules = type(runner.engine).schedules

    def slow(engine: Engine, request: RunRequest, stop: threading.Event) -> object:
        asked.append(request)
        if len(asked) == 1:
            waiting.set()
            go_on.wait(60)
        return schedules(engine, request, stop)

    monkeypatch.setattr(type(runner.engine), "schedules", slow)
    plots.set_course("noise")
    ready.qtbot.waitUntil(waiting.is_set, timeout=RUN_MS)
    ready.window.panels.run_control.start()  # the same settings: nothing else is asked for
    go_on.set()
    ready.qtbot.waitUntil(lambda: len(asked) == 2 and bool(plots._schedules), timeout=RUN_MS)
    assert asked[0] == asked[1]


def test_without_an_answer_they_are_asked_for_again(panel: PlotsPanel) -> None:
    panel.load()
    wanted: list[RunRequest] = []
    panel.schedules_wanted.connect(wanted.append)
    run = made_run(steps=5)
    panel._session.show(run, RunMeasures.of(run), running=False)
    panel.set_course("noise")
    panel.set_schedules(wanted[0], {})
    panel.set_course(ENERGY)
    panel.set_course("noise")
    assert len(wanted) == 2


def test_other_schedules_come_behind_the_runs_own(ready: Driver) -> None:
    plots = ready.window.panels.plots
    plots.set_course("noise")
    ready.run(6)
    ready.qtbot.waitUntil(lambda: bool(plots._schedules), timeout=RUN_MS)
    names = [name for name, _ in plots.course_plot._behind]
    assert "Heun" in names
    assert "DDIM" not in names
    known = plots._schedules
    ready.run(4)
    ready.qtbot.waitUntil(lambda: bool(plots._schedules) and plots._schedules is not known, timeout=RUN_MS)
    assert all(len(values) == 5 for _, values in plots.course_plot._behind)
