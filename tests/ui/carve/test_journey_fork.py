"""Forks in the window: a run that shares the steps up to the one on screen, and goes on in another way."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtWidgets import QApplication

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.widgets.names import band_name
from tests.helpers.window import RUN_MS, Driver


@pytest.fixture
def finished(ready: Driver) -> Driver:
    ready.run(8)
    return ready


def entries(driver: Driver) -> dict[str, QAction]:
    menu = driver.window.bench.menus.fork
    menu.aboutToShow.emit()
    found = {action.text().replace("&", ""): action for action in menu.actions()}
    for title in ("Sampler", "Steps from here on", "Guidance", "Form", "Material"):
        if title in found and found[title].menu():
            found |= {f"{title} {each.text()}": each for each in found[title].menu().actions()}
    return found


def test_a_fork_shares_what_came_before_and_goes_on_with_another_guidance(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    session.go_to(3)
    entries(finished)["Guidance 1"].trigger()
    finished.wait_for_end()
    fork = session.trajectory
    assert fork is not whole
    assert (fork.last, fork.info.request.guidance, fork.info.forks[-1].step) == (8, 1.0, 3)
    for k in range(4):
        np.testing.assert_array_equal(fork.state(k), whole.state(k))
    assert not np.array_equal(fork.state(4), whole.state(4))
    assert "forked at step 3" in finished.window.windowTitle()
    assert session.run_before.trajectory is whole
    finished.qtbot.waitUntil(lambda: session.measures is not None and session.measures.last == 8)
    line, film = finished.window.panels.timeline, finished.window.bench.film
    assert (line.forks, film.model().fork) == ((3,), 3)
    assert "From here on: guidance 2 → 1" in line.describe(3)
    finished.window.bench.menus.actions["run_before"].trigger()
    assert (session.trajectory, line.forks) == (whole, ())


def test_a_fork_with_another_sampler_where_it_takes_the_same_levels(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    session.go_to(3)
    assert not entries(finished)["Sampler DDIM"].isEnabled()
    assert entries(finished)["Sampler Heun"].isEnabled()  # nothing is known of it yet
    entries(finished)["Sampler Heun"].trigger()
    finished.qtbot.waitUntil(lambda: "Heun takes other noise levels" in finished.window.panels.messages.message)
    assert "as DDPM, UniPC" in finished.window.panels.messages.message
    assert (session.trajectory, session.state) == (whole, 3)
    entries(finished)["Sampler UniPC"].trigger()
    finished.wait_for_end()
    fork = session.trajectory
    assert (fork.last, fork.info.sampler_name, fork.info.forks[-1].step) == (8, "UniPC", 3)
    np.testing.assert_array_equal(fork.state(3), whole.state(3))
    assert not np.array_equal(fork.state(4), whole.state(4))


def test_a_fork_in_other_steps_is_as_long_as_both_parts(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    session.go_to(3)
    offered = entries(finished)
    assert [text for text in offered if text.startswith("Steps from here on ")] == [
        f"Steps from here on {left} steps, as of {of}"
        for left, of in ((9, 15), (13, 22), (17, 29), (21, 36), (25, 43), (29, 50), (33, 57), (37, 64))
    ]
    offered["Steps from here on 9 steps, as of 15"].trigger()
    finished.wait_for_end()
    fork = session.trajectory
    assert (fork.last, fork.planned_steps, fork.info.request.steps) == (12, 12, 15)
    np.testing.assert_array_equal(fork.state(3), whole.state(3))
    assert "8 steps, then as of 15" in finished.window.windowTitle()
    assert "forked at step 3" in finished.window.windowTitle()
    finished.qtbot.waitUntil(lambda: session.measures is not None and session.measures.last == 12)
    assert finished.window.panels.timeline.planned == 12


def test_samplers_that_would_be_refused_cannot_be_chosen_once_their_levels_are_known(finished: Driver) -> None:
    session, window = finished.session, finished.window
    fork, controls = window.bench.menus.fork, window.panels.controls
    session.go_to(3)
    shown = entries(finished)  # the levels are asked for, and the window goes on meanwhile
    heun = shown["Sampler Heun"]
    finished.qtbot.waitUntil(lambda: not heun.isEnabled(), timeout=RUN_MS)  # in the menu that is open
    assert heun.toolTip() == "It takes other noise levels than the run, and comes to none as at step 3."
    assert [name for name in ("DDPM", "UniPC") if not shown[f"Sampler {name}"].isEnabled()] == []
    assert not entries(finished)["Sampler Heun"].isEnabled()  # and at once in the next
    controls.sampler.setCurrentIndex(controls.sampler.findData("heun"))
    assert not fork.can_fork_with_fields
    controls.sampler.setCurrentIndex(controls.sampler.findData("unipc"))
    assert fork.can_fork_with_fields


def test_a_fork_of_the_fields_settings_by_key(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    controls = finished.window.panels.controls
    session.go_to(5)
    fork_here = finished.window.bench.menus.actions["fork_here"]
    assert not fork_here.isEnabled()  # the fields are the run's
    controls.form.setCurrentIndex(controls.form.findData("vase"))
    assert fork_here.isEnabled()
    finished.press(Qt.Key.Key_F, modifier=Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    finished.wait_for_end()
    fork = session.trajectory
    assert (fork.info.request.form, fork.info.forks[-1].step) == ("vase", 5)
    np.testing.assert_array_equal(fork.state(5), whole.state(5))
    session.go_to(7)
    entries(finished)["Guidance 3"].trigger()  # a fork of a fork
    finished.wait_for_end()
    assert [each.step for each in session.trajectory.info.forks] == [5, 7]
    np.testing.assert_array_equal(session.trajectory.state(7), fork.state(7))


def test_other_noise_of_a_sampler_that_draws_none_is_laid_on(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    session.go_to(1)
    name = "Other noise, of seed 8, laid on at this step"
    assert not entries(finished)[name].isEnabled()
    session.go_to(4)
    entries(finished)[name].trigger()
    finished.wait_for_end()
    fork = session.trajectory
    assert (fork.info.forks[-1].step, fork.info.request.seed) == (3, 8)
    np.testing.assert_array_equal(fork.state(2), whole.state(2))
    assert not np.array_equal(fork.state(3), whole.state(3))
    assert fork.is_complete


def test_a_u_turn_of_the_picture_to_the_step_on_screen(finished: Driver) -> None:
    session, whole = finished.session, finished.session.trajectory
    name = "U-turn: its picture, drowned to this step in noise of seed 8"
    for at in (0, 8):
        session.go_to(at)
        assert name not in entries(finished)  # nothing is there yet to be forked, or nothing is left
    session.go_to(4)
    entries(finished)[name].trigger()
    finished.wait_for_end()
    turned = session.trajectory
    assert (turned.info.forks[-1].step, turned.info.request.seed) == (4, 8)
    assert "U-turn at step 4" in finished.window.windowTitle()
    np.testing.assert_array_equal(turned.state(3), whole.state(3))
    assert not np.array_equal(turned.state(4), whole.state(4))
    assert turned.is_complete


def test_other_noise_of_a_sampler_that_draws_it(ready: Driver) -> None:
    controls = ready.window.panels.controls
    controls.sampler.setCurrentIndex(controls.sampler.findData("ddpm"))
    ready.run(6)
    session, whole = ready.session, ready.session.trajectory
    session.go_to(3)
    entries(ready)["Other noise, of seed 8"].trigger()
    ready.wait_for_end()
    np.testing.assert_array_equal(session.trajectory.state(3), whole.state(3))
    assert not np.array_equal(session.trajectory.state(4), whole.state(4))


def test_a_run_is_forked_while_it_goes_on(ready: Driver) -> None:
    ready.start_long_run(until=5)
    session, whole = ready.session, ready.session.trajectory
    session.go_to(2)
    entries(ready)["Guidance 1"].trigger()
    ready.qtbot.waitUntil(lambda: session.trajectory is not whole and session.last > 4)
    ready.window.panels.run_control.stop()
    ready.wait_for_end()
    np.testing.assert_array_equal(session.trajectory.state(2), whole.state(2))
    assert whole.ended == "cancelled"


def test_what_cannot_be_forked_offers_nothing(ready: Driver, finished: Driver) -> None:
    menus, session = finished.window.bench.menus, finished.session
    session.go_to(0)
    assert not menus.fork.menuAction().isEnabled()  # that would be a run of its own
    assert "at step 0" in menus.fork.menuAction().toolTip()
    button = finished.window.panels.transport.fork_button
    assert not button.isEnabled()
    session.go_to(4)
    assert menus.fork.menuAction().isEnabled()
    assert button.isEnabled()
    assert button.menu() is menus.fork
    session.go_to(8)  # the run is over: another guidance would change nothing
    assert not menus.fork.menuAction().isEnabled()
    assert "No steps are left here" in menus.fork.menuAction().toolTip()
    assert "No steps are left here" in button.toolTip()
    session.go_to(4)
    assert finished.window.bench.presenter.picture(FrameKind.CURRENT_GUESS) is not None


def test_the_forks_of_a_run_stand_below_it(finished: Driver) -> None:
    session = finished.session
    session.go_to(3)
    entries(finished)["Guidance 1"].trigger()
    finished.wait_for_end()
    session.go_to(5)
    entries(finished)["Form Vase"].trigger()  # a fork of the fork
    finished.wait_for_end()
    finished.window.bench.menus.actions["run_before"].trigger()
    finished.window.panels.run_control.show_number(1)
    session.go_to(6)
    entries(finished)["Material Marble"].trigger()  # and another one of the run
    finished.wait_for_end()
    finished.run(4)
    menu = finished.window.bench.menus.runs
    menu.aboutToShow.emit()
    shown = [action.text() for action in menu.actions()]
    begins = [text[: len(text) - len(text.lstrip(" └\N{EM SPACE}"))] for text in shown]
    assert begins == ["", "", "└ ", "\N{EM SPACE}└ ", "└ "]
    assert ["forked at step 3" in shown[2], "Vase" in shown[3], "forked at step 6" in shown[4]] == [True] * 3


def test_a_stopped_run_is_gone_on_with_and_comes_out_the_same(ready: Driver) -> None:
    ready.run(40)
    session, whole = ready.session, ready.session.trajectory
    go_on = ready.window.panels.run_panel.go_on
    assert not go_on.isVisible()
    ready.click_start()
    ready.qtbot.waitUntil(lambda: session.trajectory is not whole and session.last >= 3)
    ready.window.panels.run_control.stop()
    ready.wait_for_end()
    stopped = session.trajectory
    assert not stopped.is_complete
    assert go_on.isVisible()
    at = stopped.last
    go_on.click()
    ready.wait_for_end()
    made = session.trajectory
    assert made.is_complete
    assert not go_on.isVisible()
    assert f"gone on with at step {at}" in ready.window.windowTitle()
    for k in (at, at + 1, 40):
        np.testing.assert_array_equal(made.state(k), whole.state(k))


def test_a_picture_offers_forks_at_the_step_that_was_pointed_at(finished: Driver) -> None:
    picture_menu, session = finished.window.bench.picture_menu, finished.session
    session.go_to(2)
    frame = finished.window.bench.stage.panels[0]
    menu = picture_menu.menu_of(frame.subject_at(None))
    assert finished.window.bench.menus.fork.menuAction() in menu.actions()
    film = finished.window.bench.film
    place = film.visualRect(film.model().index(5)).center()
    reason = QContextMenuEvent.Reason.Mouse
    at = film.viewport().mapTo(finished.window, place)
    picture_menu.show_for(QContextMenuEvent(reason, at, finished.window.mapToGlobal(at)))
    QApplication.activePopupWidget().close()
    assert session.position == 5


def test_the_line_under_the_frames_tells_what_happens_at_a_step(ready: Driver) -> None:
    ready.run(20)
    remark, session = ready.window.bench.stage.remark, ready.session

    def at(step: int) -> str:
        session.go_to(step)
        ready.flush()
        return remark.text()

    assert at(0).startswith("The untouched block")
    assert at(1).startswith("As a rule, big decisions: blocks out layout")
    marks = ready.window.panels.plots.settled_marks()
    name, step = band_name(marks[0][0]), marks[0][1]
    assert step < 20
    assert f"settled here: {name}" in at(step)
    assert at(20).startswith("Done. Settled: ")
    assert f"{name} at {step}" in remark.text()
