"""The page "Decided when?": forks of the run on the page Carve, the curves that they give, and a fork opened."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.trajectory.base import Fork
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies import decisions
from sculptor_app.diffusion.studies.fork import fork
from sculptor_app.diffusion.studies.parting import parted
from sculptor_app.exports.decisions import DecisionSet, read_decisions, write_decisions
from sculptor_app.exports.files import OptionError
from sculptor_app.measures import likeness
from sculptor_app.measures.likeness import Decision
from sculptor_app.session import engine as access
from sculptor_app.ui.when.page import WhenPage
from sculptor_app.ui.when.study import image_of
from sculptor_app.ui.widgets import timeline_paint
from sculptor_app.ui.widgets.timeline_paint import Axis
from tests.helpers.runs import made_run
from tests.helpers.window import RUN_MS, Driver


class Asker:
    """A person who asks when something was decided."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        page = driver.window.bench.pages.show("when")
        assert isinstance(page, WhenPage)
        self.page = page
        page.build_plot()
        page.forks.setCurrentIndex(page.forks.findData("3"))

    def start(self) -> None:
        QTest.mouseClick(self.page.run_panel.button, Qt.MouseButton.LeftButton)

    def wait_for_end(self) -> None:
        self.driver.qtbot.waitUntil(lambda: not self.page.is_busy, timeout=RUN_MS)
        self.page.presenter.clock.flush()

    def ask(self) -> None:
        self.start()
        self.driver.qtbot.waitUntil(lambda: self.page.is_busy, timeout=RUN_MS)
        self.wait_for_end()

    @property
    def steps(self) -> list[int]:
        return sorted(each.step for each in self.page.study.decisions)


@pytest.fixture
def asker(ready: Driver) -> Asker:
    ready.run(8)
    return Asker(ready)


def test_the_curves_grow_and_every_step_has_its_forks(asker: Asker) -> None:
    page = asker.page
    assert page.plot.is_empty
    assert page.run_panel.line.text().startswith("takes about ")
    page.closer.setChecked(False)
    asker.ask()
    run = asker.driver.session.trajectory
    assert asker.steps == list(access.decision_steps(run))
    assert page.plot._curves["pixels"].steps == tuple(asker.steps)
    assert not page.plot.is_empty
    for step in asker.steps:
        page.session.go_to(step)
        page.presenter.clock.flush()
        assert page.shown_step == step
        assert all(image is not None for image in page.fan.pictures)
        assert len(page.fan.pictures) == 3
        assert (f"part at step {step}" if step else "Other noise altogether") in page.about.text()
    assert page.run_panel.line.text() == f"all {3 * len(asker.steps)} forks are there"
    assert asker.driver.window.panels.status_line.text() == page.about.text()


def test_another_count_measures_anew_and_the_same_goes_on(asker: Asker) -> None:
    page = asker.page
    page.closer.setChecked(False)
    asker.ask()
    first = list(page.study.decisions)
    asker.ask()
    assert page.study.decisions == first
    page.forks.setCurrentIndex(page.forks.findData("4"))
    asker.ask()
    assert page.study.decisions != first
    assert {len(images) for images in page.study.pictures.values()} == {4}


def test_a_fork_opens_in_carve_and_is_the_picture_that_was_clicked(asker: Asker) -> None:
    page, session = asker.page, asker.driver.session
    page.closer.setChecked(False)
    asker.ask()
    whole = session.trajectory
    page.session.go_to(4)
    page.presenter.clock.flush()
    step, wanted = page.shown_step, page.fan.pictures[1]
    QTest.mouseClick(page.fan, Qt.MouseButton.LeftButton, pos=page.fan.cell_rect(2).center().toPoint())
    assert asker.driver.window.bench.pages.current == "carve"
    asker.driver.wait_for_end()
    fork = session.trajectory
    assert fork is not whole
    assert fork.is_complete
    assert fork.info.forks[-1].step in (step, step - 1)  # back by a level where noise was laid on
    np.testing.assert_array_equal(fork.state(step - 2), whole.state(step - 2))
    assert image_of(fork.state(fork.last) / fork.levels[-1].scale, fork) == wanted
    page_again = asker.driver.window.bench.pages.show("when")
    assert page_again.session.trajectory is fork  # whose forks can be asked about next
    assert page_again.study is None
    asker.driver.window.panels.run_control.show_run_before()
    assert page_again.session.trajectory is whole
    assert page_again.study is not None  # nothing of it is lost


def test_forks_of_a_batch_say_so_and_open_as_the_run_by_itself(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted GPU: what the page asks for by default is then made together."""
    page, session = asker.page, asker.driver.session
    page.closer.setChecked(False)
    asker.ask()
    assert page.fan.tip == "Open this run in Carve, with all its steps"
    page.forks.setCurrentIndex(page.forks.findData("4"))
    monkeypatch.setattr(decisions, "find_device", lambda _: Device("cuda:0", "A GPU"))
    asker.ask()
    assert {each.batch for each in page.study.decisions} == {4}
    assert "made together with others, 4 at once" in page.fan.tip
    page.session.go_to(4)
    page.presenter.clock.flush()
    step, whole = page.shown_step, session.trajectory
    request, parting = access.fork_at(whole, step, 1, u_turn=False)
    QTest.mouseClick(page.fan, Qt.MouseButton.LeftButton, pos=page.fan.cell_rect(2).center().toPoint())
    asker.driver.wait_for_end()
    opened = session.trajectory
    k, state = parted(whole, step, parting, request.seed)
    *_, event = fork(whole, k, Engine(), threading.Event(), request, state=state, parting=parting)
    np.testing.assert_array_equal(opened.state(opened.last), event.trajectory.state(opened.last))


def test_a_stop_keeps_what_is_measured_and_start_goes_on(asker: Asker) -> None:
    page = asker.page
    page.closer.setChecked(False)
    asker.start()
    asker.driver.qtbot.waitUntil(lambda: page.study is not None and bool(page.study.decisions), timeout=RUN_MS)
    page.stop()
    asker.wait_for_end()
    kept = list(page.study.decisions)
    assert set(page.study.pictures) == {each.step for each in kept}
    asker.ask()
    assert page.study.decisions[: len(kept)] == kept
    assert asker.steps == list(access.decision_steps(asker.driver.session.trajectory))


def test_without_a_run_start_carves_one_first(ready: Driver) -> None:
    ready.set_steps(6)
    asker = Asker(ready)
    page = asker.page
    page.closer.setChecked(False)
    assert "No run has been carved yet" in page.about.text()
    asker.start()
    ready.qtbot.waitUntil(lambda: page.study is not None and bool(page.study.decisions), timeout=RUN_MS)
    asker.wait_for_end()
    assert page.session.trajectory is ready.session.trajectory
    assert ready.window.bench.pages.current == "when"


def test_a_run_in_carve_ends_the_forks(asker: Asker) -> None:
    page, driver = asker.page, asker.driver
    asker.start()
    driver.qtbot.waitUntil(lambda: page.is_busy, timeout=RUN_MS)
    driver.window.bench.pages.show("carve")
    driver.run(4)
    assert not page.is_busy
    assert page.run_panel.button.text() == "Start"
    driver.window.bench.pages.show("when")
    assert page.session.trajectory is driver.session.trajectory


def test_what_goes_wrong_is_said(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_):
        raise SculptorError("The forks fell off.", "Glue them.")
        yield

    monkeypatch.setattr(access, "decisions", failing)
    asker.ask()
    assert asker.page.messages.message.startswith("The forks fell off.")
    assert asker.page.run_panel.button.isEnabled()


def test_the_figures_are_saved_as_the_command_goes_on_from_them(
    asker: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker.page.closer.setChecked(False)
    asker.ask()
    path = tmp_path / "curve.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path.with_suffix("")), ""))
    files = asker.driver.window.bench.menus.files
    with asker.driver.qtbot.waitSignal(files.writer.saved, timeout=RUN_MS):
        asker.driver.window.bench.menus.actions["save_numbers"].trigger()
    content = json.loads(path.read_text())
    assert [one["step"] for one in content["results"]] == asker.steps
    run = asker.driver.session.trajectory
    assert len(read_decisions(path, run.info.request, 3)) == len(asker.steps)


def test_it_finds_the_steps_at_which_something_was_decided(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted decisions: coarse and medium at step 3, fine at 6, finest never."""
    planted = {"coarse": 3, "medium": 3, "fine": 6, "finest": 99}

    def judged(seed, step, *_):
        return Decision(seed, step, {name: 0.99 if step >= at else 0.2 for name, at in planted.items()})

    monkeypatch.setattr(decisions, "decision_of", judged)
    asker.ask()
    page = asker.page
    said = "Decided by step: coarse 3 · medium 3 · fine 6 · finest after 7"
    assert page.answer.text() == f"{said} · layout and pose are coarse"
    assert page.timeline._marks == (("layout", 3), ("structure", 3), ("detail", 6))
    assert page.timeline._mark_bounds == {}  # each is known to the step
    page.session.go_to(5)
    page.presenter.clock.flush()
    assert page.about.text().endswith("decided by then: coarse, medium · still open: fine, finest")
    page.session.go_to(1)
    page.presenter.clock.flush()
    assert "still open: coarse, medium, fine, finest" in page.about.text()


def test_clicking_the_plot_goes_to_a_step(asker: Asker) -> None:
    asker.page.closer.setChecked(False)
    asker.ask()
    canvas = asker.page.plot.canvas
    x = canvas.mapFromScene(canvas.view.mapViewToScene(QPoint(5, 0))).x()
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, canvas.height() // 2))
    assert asker.page.session.position == 5


def test_a_page_that_nobody_looks_at_draws_nothing_and_holds_no_run_but_its_own(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, driver = asker.page, asker.driver
    first = page.session.trajectory
    driver.window.bench.pages.show("carve")
    drawn: list[int] = []
    monkeypatch.setattr(page, "show_step", lambda: drawn.append(1))
    driver.run(4)
    driver.run(5)
    assert drawn == []
    assert page.session.trajectory is first
    driver.window.bench.pages.show("when")
    assert page.session.trajectory is driver.session.trajectory
    assert page.session.runs_before == ()


def test_the_choices_are_remembered(asker: Asker) -> None:
    asker.page.closer.setChecked(False)
    asker.page.save_choices()
    settings = asker.page.settings
    assert settings.value("when/forks") == "3"
    assert settings.value("when/closer", type=bool) is False


def test_a_run_that_goes_on_in_carve_is_waited_for_and_then_forked(ready: Driver) -> None:
    ready.start_long_run(steps=60)
    running = ready.session.trajectory
    asker = Asker(ready)
    page = asker.page
    page.closer.setChecked(False)
    asker.start()
    assert page.is_busy
    assert ready.session.trajectory is running
    ready.qtbot.waitUntil(lambda: page.study is not None and bool(page.study.decisions), timeout=RUN_MS)
    assert page.session.trajectory is running
    assert running.is_complete
    page.stop()
    asker.wait_for_end()


def test_a_wait_ends_with_the_run_that_was_waited_for(ready: Driver) -> None:
    ready.start_long_run(steps=900)
    asker = Asker(ready)
    asker.start()
    assert asker.page.is_busy
    ready.runner.stop()
    ready.wait_for_end()
    assert not asker.page.is_busy
    assert "was stopped: go on with it there first" in asker.page.about.text()
    assert not asker.page.run_panel.button.isEnabled()
    ready.window.bench.pages.show("carve")
    ready.run(4)
    assert not asker.page._forking.is_busy  # nobody asked for it


def test_fields_that_are_wrong_begin_no_wait(ready: Driver) -> None:
    ready.window.panels.controls.seed.setText("")
    asker = Asker(ready)
    asker.start()
    assert not asker.page.is_busy
    assert "the page Carve says what to correct" in asker.page.messages.message


def test_forks_of_a_run_that_left_the_screen_of_carve_are_still_opened(asker: Asker) -> None:
    page, driver = asker.page, asker.driver
    first = driver.session.trajectory
    driver.window.bench.pages.show("carve")
    driver.run(8)
    second = driver.session.trajectory
    page = driver.window.bench.pages.show("when")
    asker.start()
    driver.qtbot.waitUntil(lambda: page.study is not None and bool(page.study.decisions), timeout=RUN_MS)
    driver.window.panels.run_control.show_run_before()
    assert page.session.trajectory is second  # whose forks are being made
    page.stop()
    asker.wait_for_end()
    assert page.session.trajectory is first


def test_a_fork_is_forked_after_it_left_its_run_alone() -> None:
    run = made_run(steps=20)
    assert min(access.decision_steps(run)) == 0
    run.info = replace(run.info, forks=(Fork(6, run.info.request),))
    steps = access.decision_steps(run)
    assert min(steps) == 7
    assert max(steps) == 19
    one = made_run(steps=1)
    one.info = replace(one.info, origin="me.png")
    assert access.decision_steps(one) == ()


def test_figures_of_a_fork_are_not_gone_on_with_as_those_of_a_run(tmp_path: Path) -> None:
    request = made_run(steps=8).info.request
    path = tmp_path / "x.json"
    write_decisions(path, DecisionSet(request, 3, [], beginning="forked at step 4"))
    with pytest.raises(OptionError, match="forked at step 4"):
        read_decisions(path, request, 3)
    write_decisions(path, DecisionSet(request, 3, [], u_turn=True))
    with pytest.raises(OptionError, match="forks or U-turns"):
        read_decisions(path, request, 3)
    assert read_decisions(path, request, 3, u_turn=True) == []


def test_u_turns_of_the_run_s_picture_are_another_question(asker: Asker, tmp_path: Path, monkeypatch) -> None:
    page, driver = asker.page, asker.driver
    page.closer.setChecked(False)
    asker.ask()
    forks = page.study
    page.question.setCurrentIndex(page.question.findData("u-turns"))
    assert page.study is None  # and what was measured of forks is kept
    assert page.answer.text() == "What stays?"
    assert "drowns this run's picture" in page.about.text()
    assert page.plot.title.text().startswith("How much of the picture stays")
    asker.ask()
    turns = page.study
    assert turns.u_turn
    assert asker.steps == list(access.decision_steps(driver.session.trajectory))
    late = next(each for each in turns.decisions if each.step == 7)
    first = next(each for each in turns.decisions if each.step == 0)
    assert late.likeness["coarse"] > first.likeness["coarse"]
    page.session.go_to(7)
    page.presenter.clock.flush()
    assert page.about.text().startswith("These U-turns go back to step 7")
    assert page.fan.caption(1) == "U-turn 1"
    assert page.run_panel.line.text() == f"all {3 * len(asker.steps)} U-turns are there"
    page.question.setCurrentIndex(page.question.findData("forks"))
    assert page.study is forks
    assert page.fan.caption(1) == "fork 1"
    page.question.setCurrentIndex(page.question.findData("u-turns"))
    picture = page.fan.pictures[1]
    page.fan.open_requested.emit(1)
    driver.wait_for_end()
    opened = driver.session.trajectory
    assert opened.info.forks[-1].step == 7
    assert "U-turn at step 7" in driver.window.windowTitle()
    assert image_of(opened.state(8) / opened.levels[8].scale, opened) == picture


def test_marks_that_were_not_looked_at_closer_are_said_to_be_bounds(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted decisions between measured steps, at which the measuring stops."""
    monkeypatch.setattr(
        decisions, "decision_of", lambda seed, step, *_: Decision(seed, step, {"coarse": 0.99 if step >= 3 else 0.2})
    )
    monkeypatch.setattr(likeness, "usual_steps", lambda *_: (2, 5, 7))
    page = asker.page
    page.closer.setChecked(False)
    asker.ask()
    assert page.timeline._marks == (("layout", 5),)
    assert page.timeline.describe(5).count("at the latest") == 1
    axis = Axis(0, 600, 8)
    drawn = timeline_paint.placed_marks(axis, page.timeline._marks, 0, 600, page.timeline._mark_bounds)
    assert [mark.text for mark in drawn] == ["coarse ≤ 5"]


def test_what_start_would_do_is_not_said_any_more_once_it_was_pressed(asker: Asker) -> None:
    page = asker.page
    assert page.about.text().startswith("Start forks this run")
    asker.start()
    assert page.about.text() == "The first fork is on its way…"
    asker.driver.qtbot.waitUntil(lambda: page.study is not None and bool(page.study.pictures), timeout=RUN_MS)
    page.presenter.clock.flush()
    assert page.about.text().startswith(("These forks", "Other noise", "The nearest"))


def test_labels_that_were_asked_for_have_no_curve(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        decisions, "decision_of", lambda seed, step, *_: Decision(seed, step, {"coarse": 0.5, "form": 1.0})
    )
    page, run = asker.page, asker.driver.session.trajectory
    assert run.info.request.asked_labels == ("form", "material")
    asker.ask()
    assert "form" in page.study.curves
    assert list(page.plot._curves) == ["coarse"]
    assert "form" not in page.plot.caption.text()
    assert "± standard error" in page.plot.tooltip_at(3)


def test_without_figures_nothing_is_offered_to_be_saved(asker: Asker) -> None:
    actions = asker.driver.window.bench.menus.actions
    assert [actions[name].isEnabled() for name in ("save_picture", "save_numbers", "copy_picture")] == [False] * 3
    asker.page.closer.setChecked(False)
    asker.ask()
    assert [actions[name].isEnabled() for name in ("save_picture", "save_numbers", "copy_picture")] == [True] * 3
