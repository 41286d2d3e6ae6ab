"""The page of many runs in the real window, with the other pages: the model at hand, and what it hands to Carve."""

import shutil
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sculptor_app.core.requests.request import FORMS
from sculptor_app.diffusion.models import loader
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.ui.why.experiments import Experiment
from tests.helpers.tiny_model import write_tiny_model
from tests.helpers.window import RUN_MS, Driver


def open_model(driver: Driver, model: Path) -> None:
    models = driver.window.bench.models
    with driver.qtbot.waitSignal(models.opening.opened, timeout=RUN_MS):
        models.open(str(model))


def carve(driver: Driver, steps: int = 3) -> None:
    page = driver.window.bench.pages.page
    page.controls[Experiment.NOISES].steps.set_text(str(steps))
    with driver.qtbot.waitSignal(page.results.ended, timeout=RUN_MS):
        driver.window.bench.menus.actions["start"].trigger()
    page.presenter.clock.flush()


@pytest.fixture
def noises(ready: Driver) -> Driver:
    """The page with the experiment of many noises, as few as can be."""
    page = ready.window.bench.pages.show("why")
    page.chooser.choose(Experiment.NOISES)
    controls = page.controls[Experiment.NOISES]
    controls.count.setCurrentIndex(controls.count.findData("6"))
    ready.qtbot.waitUntil(lambda: not page.noise_preview.is_busy and bool(page.grid.runs), timeout=RUN_MS)
    return ready


def test_another_model_is_shown_and_used_at_once(
    noises: Driver, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "check_in_sandbox", lambda *_: ())  # as if it had passed before
    few = write_tiny_model(tmp_path / "few", FORMS[:3])
    window, page = noises.window, noises.window.bench.pages.page
    form = page.controls[Experiment.NOISES].form
    form.setCurrentIndex(form.findData("vase"))
    carve(noises)
    first = page.grid.runs
    assert window.windowTitle() == "Vase · seeds 12–17 · DDIM · 3 steps · tiny"

    open_model(noises, few)  # while the page is in front
    noises.qtbot.waitUntil(lambda: form.findData("vase") < 0, timeout=RUN_MS)
    noises.qtbot.waitUntil(lambda: bool(page.grid.runs) and not page.grid.runs[0].last, timeout=RUN_MS)
    assert [form.itemData(row) for row in range(form.count())] == [None, *FORMS[:3]]
    assert {run.info.request.model for run in page.grid.runs} == {str(few)}
    carve(noises)
    assert page.header.title.facts.text() == "DDIM · 3 steps · few"
    assert {(run.info.request.model, run.info.request.form) for run in page.grid.runs} == {(str(few), None)}
    page.save_choices()
    assert window.settings.value("why/noises/form") == "vase"  # what this model does not know is not forgotten

    window.bench.pages.show("carve")
    open_model(noises, tiny_model)  # while another one is
    window.bench.pages.show("why")
    assert page.grid.runs == first  # with its own grid
    noises.qtbot.waitUntil(lambda: form.currentData() == "vase", timeout=RUN_MS)
    assert page.run_panel.difference.isHidden()
    page.show_run_before()
    assert page.run_panel.difference.text().startswith("Not the settings of the grid on screen: form, model")
    with noises.qtbot.waitSignal(window.bench.models.opening.opened, timeout=RUN_MS):
        QTest.mouseClick(page.run_panel.take_over, Qt.MouseButton.LeftButton)
    assert page.controls[Experiment.NOISES].request().model is None  # which the planner names
    assert page._planned().request.model == str(few)


def test_settings_whose_model_cannot_be_opened_are_forgotten(noises: Driver, tiny_model: Path, tmp_path: Path) -> None:
    page, models, other = noises.window.bench.pages.page, noises.window.bench.models, tmp_path / "other"
    shutil.copytree(tiny_model, other)
    open_model(noises, other)
    carve(noises)
    open_model(noises, tiny_model)
    page.show_run_before()
    other.rename(tmp_path / "away")
    with noises.qtbot.waitSignal(models.opening.failed, timeout=RUN_MS):
        page.run_panel.take_over.click()
    (tmp_path / "away").rename(other)
    page.controls[Experiment.NOISES].seed.setText("43")
    open_model(noises, other)  # a person's own wish, later
    assert page.controls[Experiment.NOISES].seed.text() == "43"


def test_a_model_of_another_kind_is_told_what_it_lacks(noises: Driver, tiny_model: Path, tmp_path: Path) -> None:
    page = noises.window.bench.pages.page
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    controls = noises.window.panels.controls
    known, controls._model = controls._model, str(tmp_path)
    page.take_model()
    noises.qtbot.waitUntil(lambda: bool(page.controls[Experiment.NOISES].reason), timeout=RUN_MS)
    assert page.controls[Experiment.NOISES].problem.text() == (
        "The model takes no noise from outside, which is needed here. Open the embedded model, or one that was learned "
        "here."
    )
    page.controls[Experiment.NOISES].seed.setText("3")
    assert not page.run_panel.button.isEnabled()
    assert not page.can_start
    assert not page.invitation.isVisible()
    assert not noises.window.panels.messages.message
    controls._model = known
    page.take_model()
    noises.qtbot.waitUntil(lambda: page.can_start, timeout=RUN_MS)
    assert page.run_panel.button.isEnabled()


def test_a_cell_is_seen_in_carve_at_once_and_measured_in_the_background(
    noises: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, page = noises.window, noises.window.bench.pages.page
    window.bench.pages.show("carve")
    noises.run(4)
    window.bench.pages.show("why")
    carve(noises)
    run, threads, may_go_on = page.grid.runs[2], [], threading.Event()
    append = RunMeasures.append

    def slow(measures: RunMeasures, *state: object) -> None:
        threads.append(threading.current_thread())
        assert may_go_on.wait(30)
        append(measures, *state)

    monkeypatch.setattr(RunMeasures, "append", slow)
    page.enlarge(2)
    QTest.mouseClick(page.header.open, Qt.MouseButton.LeftButton)
    session, stage = noises.session, window.bench.stage
    noises.flush()
    assert (session.trajectory, session.measures, session.position) == (run, None, 3)
    assert stage.panels[0].picture_view.image is not None
    assert window.panels.run_panel.pace.text() == ""  # its steps were made with those of other cells
    for plot in (window.panels.plots.band_plot, window.panels.plots.spectrum_plot):  # none of the run before is left
        assert (plot.is_empty, plot._empty.text()) == (True, "The run is being measured…")
    may_go_on.set()
    noises.qtbot.waitUntil(lambda: session.measures is not None, timeout=RUN_MS)
    noises.flush()
    assert set(threads).isdisjoint({threading.main_thread()})
    assert session.measures.last == 3
    assert session.position == 3
    assert (window.panels.plots.band_plot.planned, window.panels.plots.band_plot.is_empty) == (3, False)
    assert not window.panels.run_control._measuring.is_busy
    window.bench.menus.actions["run_before"].trigger()
    window.bench.menus.actions["run_before"].trigger()  # and what was measured is there when it comes back
    assert (session.trajectory, session.measures.last) == (run, 3)


def test_ctrl_b_brings_the_grid_before_back(noises: Driver) -> None:
    window, page = noises.window, noises.window.bench.pages.page
    action = window.bench.menus.actions["run_before"]
    carve(noises)
    first = page.grid.runs
    assert not action.isEnabled()
    carve(noises, 4)
    assert action.isEnabled()
    noises.press(Qt.Key.Key_B, modifier=Qt.KeyboardModifier.ControlModifier)
    assert page.grid.runs == first
    window.bench.pages.show("learn")
    assert not action.isEnabled()


def test_a_run_on_carve_says_that_it_stopped_the_grid(noises: Driver) -> None:
    window, page = noises.window, noises.window.bench.pages.page
    page.controls[Experiment.NOISES].steps.set_text("900")
    window.bench.menus.actions["start"].trigger()
    noises.qtbot.waitUntil(lambda: page.is_busy and page.grid.runs[0].last > 0, timeout=RUN_MS)
    window.bench.pages.show("carve")
    window.bench.menus.actions["start"].trigger()
    assert window.panels.messages.message.startswith("What another page was making was stopped for this run.")
    noises.qtbot.waitUntil(lambda: not page.is_busy, timeout=RUN_MS)


def test_what_nobody_asked_for_is_stopped_without_a_word(ready: Driver) -> None:
    window, going_on = ready.window, threading.Event()

    def work(_, stop):
        going_on.set()
        stop.wait()
        yield 1

    run = window.panels.runner.submit(work, was_asked_for=False)
    ready.qtbot.waitUntil(going_on.is_set)
    ready.run(2)
    assert window.panels.messages.message == ""
    assert run.outcome is not None
