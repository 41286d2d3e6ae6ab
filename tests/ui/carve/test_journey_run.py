"""Start to GIF, scrubbing during a run, stop, start again, close: in the real window with a real model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sculptor_app.session.runner import RunState
from tests.helpers.window import RUN_MS, Driver


def picture_bytes(driver: Driver, panel: int = 0) -> bytes:
    image = driver.window.bench.stage.panels[panel].picture_view.image
    assert image is not None
    return bytes(image.constBits())


def test_a_run_of_50_steps_from_start_to_gif(ready: Driver, tmp_path: Path) -> None:
    window, session = ready.window, ready.session
    assert window.panels.welcome.isVisible()
    assert not window.bench.menus.actions["save_gif"].isEnabled()
    ready.run(50)
    assert not window.panels.welcome.isVisible()
    assert session.trajectory.is_complete
    assert (session.position, session.last, window.bench.film.count) == (50, 50, 51)
    assert window.panels.timeline.step == 50
    assert window.panels.plots.band_plot is not None
    assert window.panels.status_line.text().startswith("step 50 of 50 · polish · SNR ")
    assert "ms per step" in window.panels.status_line.text()
    assert window.panels.memory_line.text().startswith("trajectory 628 kB of 512 MB")  # 51 states, three guesses a step
    assert ready.ends == ["finished"]

    window.bench.menus.actions["save_gif"].trigger()
    dialog = window.bench.menus.files._gif_dialog
    ready.type_into(dialog.path, str(tmp_path / "run.gif"))
    with ready.qtbot.waitSignal(dialog.saved, timeout=RUN_MS):
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    with Image.open(tmp_path / "run.gif") as gif:
        assert gif.n_frames > 1
        assert b'"seed": 7' in gif.info["comment"]
    assert "Saved" in window.panels.messages.message
    assert window.panels.messages._passing.isActive()  # it goes by itself
    window.bench.pages.show("drown")
    assert window.panels.messages.message == ""


def test_what_a_step_in_the_middle_is_is_told_with_the_guess(ready: Driver) -> None:
    ready.run(4)
    ready.press(Qt.Key.Key_Left)
    ready.flush()
    guess = ready.window.bench.stage.panels[0]
    assert "a shorter run ends in another picture" in guess.title_button.toolTip()


def test_what_was_done_to_a_picture_that_a_run_takes_is_said(ready: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    from sculptor_app.diffusion.sampling import run

    facts, note = run._info_of, "scan.tif: its greys are scaled to their own range: 0 is black, 4095 is white."
    monkeypatch.setattr(run, "_info_of", lambda *args: replace(facts(*args), note=note))
    ready.run(2)
    assert ready.window.panels.messages.message == note


def test_start_before_the_model_is_there_waits_and_says_so(driver: Driver) -> None:
    driver.set_steps(5)
    driver.click_start()
    assert driver.window.panels.run_panel.line.text() == "preparing the model…"
    assert driver.window.panels.run_panel.button.text() == "Stop"
    driver.qtbot.waitUntil(lambda: driver.ends == ["finished"], timeout=RUN_MS)
    assert driver.session.last == 5


def test_start_taken_back_before_the_model_is_there_never_runs(driver: Driver) -> None:
    driver.click_start()
    driver.click_stop()
    assert driver.window.panels.run_panel.button.text() == "Start"
    driver.qtbot.waitUntil(lambda: driver.runner.is_ready and driver.runner.state is RunState.IDLE, timeout=RUN_MS)
    assert driver.session.trajectory is None


def test_scrubbing_during_a_run_pins_the_view_and_nothing_moves_it(ready: Driver) -> None:
    ready.start_long_run(until=6)
    assert ready.session.is_following
    ready.press(Qt.Key.Key_Home)
    ready.press(Qt.Key.Key_Right)
    ready.press(Qt.Key.Key_Right)
    ready.flush()
    assert ready.session.position == 2
    assert not ready.session.is_following
    assert ready.window.panels.transport.pin_button.isChecked()
    before = picture_bytes(ready)
    ready.wait_for_step(ready.session.last + 20)
    ready.flush()
    assert ready.session.position == ready.window.panels.timeline.step == ready.window.bench.film.current == 2
    assert picture_bytes(ready) == before
    QTest.mouseClick(ready.window.panels.transport.follow_button, Qt.MouseButton.LeftButton)
    assert ready.session.is_following
    assert ready.session.position == ready.session.last
    ready.wait_for_step(ready.session.last + 3)
    assert ready.session.position == ready.session.last
    ready.press(Qt.Key.Key_Escape)
    ready.wait_for_end()


def test_stop_lands_within_a_step_and_keeps_what_is_there(ready: Driver) -> None:
    ready.start_long_run()
    ready.click_stop()
    at_most = ready.session.trajectory.last + 1
    ready.wait_for_end()
    trajectory = ready.session.trajectory
    assert trajectory.last <= at_most
    assert ready.session.last == trajectory.last
    assert trajectory.ended == "cancelled"
    assert ready.ends == ["cancelled"]
    assert ready.window.panels.run_panel.line.text() == f"stopped after {trajectory.last} of 1000"
    ready.press(Qt.Key.Key_Home)
    ready.flush()
    assert ready.session.position == 0


def test_a_run_after_a_stopped_one_is_the_same_as_if_there_had_been_none(ready: Driver) -> None:
    ready.run(6)
    alone = ready.session.trajectory.state(6).copy()
    ready.start_long_run()
    ready.click_stop()
    ready.wait_for_end()
    ready.run(6)
    np.testing.assert_array_equal(ready.session.trajectory.state(6), alone)


def test_starting_again_during_a_run_shows_nothing_of_the_older_one(ready: Driver) -> None:
    ready.start_long_run()
    old, busy, panel = ready.session.trajectory, [], ready.window.panels.run_panel
    ready.window.panels.run_control.busy_changed.connect(busy.append)
    ready.set_steps(7)
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=RUN_MS):
        ready.press(Qt.Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
        assert ready.session.trajectory is old  # until the first state of the new one is there
        assert (busy, panel.button.text()) == ([], "Stop")
    ready.flush()
    assert ready.session.trajectory is not old
    assert (ready.session.last, ready.window.bench.film.count, ready.window.panels.timeline.maximum()) == (7, 8, 7)
    assert ready.ends == ["cancelled", "finished"]  # the older one, then this one


def test_another_run_replaces_every_thumbnail(ready: Driver) -> None:
    thumbnails = ready.window.bench.film.thumbnails
    ready.run(6)
    thumbnails.begin_painting()
    first = bytes(thumbnails.get(6, 64).constBits())
    ready.type_into(ready.window.panels.controls.seed, "8")
    ready.run(6)
    thumbnails.begin_painting()
    assert bytes(thumbnails.get(6, 64).constBits()) != first


def test_closing_in_mid_run_ends_the_thread(ready: Driver) -> None:
    ready.start_long_run()
    ready.window.close()
    assert not ready.window.isVisible()
    assert not ready.runner._jobs.is_busy
    assert ready.ends == ["cancelled"]


def test_a_window_that_is_closed_before_its_model_is_loaded(driver: Driver) -> None:
    driver.window.prepare()
    driver.window.close()
    assert not driver.runner._jobs.is_busy


@pytest.mark.parametrize("sampler", ["heun", "euler-a"])
def test_other_samplers_come_to_their_end(ready: Driver, sampler: str) -> None:
    box = ready.window.panels.controls.sampler
    box.setCurrentIndex(box.findData(sampler))
    ready.run(5)
    assert ready.session.last == 5
    assert ready.window.panels.messages.message == ""


def test_both_plots_reach_the_step_shown_whatever_comes_between(ready: Driver) -> None:
    ready.run(12)
    plots = ready.window.panels.plots
    shown: list[int] = []
    show = plots.spectrum_plot.set_curves

    def note(spectrum: object, ends: object, step: int, *others: object) -> None:
        shown.append(step)
        show(spectrum, ends, step, *others)

    plots.spectrum_plot.set_curves = note
    for step in (3, 9, 4):
        ready.session.go_to(step)
    ready.qtbot.waitUntil(lambda: shown[-1:] == [4] and plots.band_plot._cursor.step == 4)


def test_progress_is_painted_with_all_the_rest_and_not_at_once(ready: Driver) -> None:
    ready.start_long_run()
    bar = ready.window.panels.run_panel.bar
    painted: list[int] = []
    bar.paintEvent = lambda event: painted.append(bar.value())
    ready.window.panels.run_panel.set_progress(700, 1000, 0.1)
    assert (bar.value(), painted) == (700, [])
    ready.qtbot.waitUntil(lambda: bool(painted))
    ready.click_stop()
    ready.wait_for_end()


def test_which_run_is_on_screen_is_said_and_its_settings_and_the_run_before_are_a_click_away(ready: Driver) -> None:
    window, session = ready.window, ready.session
    panel, controls, title = window.panels.run_panel, window.panels.controls, window.bench.stage.title
    ready.run(4)
    assert (title.what.text(), title.facts.text()) == ("Bust · bronze", "seed 7 · DDIM · 4 steps · tiny")
    assert window.windowTitle() == "Bust · bronze · seed 7 · DDIM · 4 steps · tiny"
    assert not title.back.isVisible()
    assert panel.difference.isHidden()
    heights = panel.height(), controls.height()
    first = session.trajectory
    controls.form.setCurrentIndex(controls.form.findData("vase"))
    ready.type_into(controls.seed, "x")
    assert panel.difference.isHidden()  # first what is wrong is to be mended
    ready.type_into(controls.seed, "42")
    assert panel.difference.text() == "Not the settings of the run on screen: form, seed"
    assert (panel.height(), controls.height()) == heights
    QTest.mouseClick(panel.take_over, Qt.MouseButton.LeftButton)
    assert (controls.form.currentData(), controls.seed.text()) == ("bust", "7")
    assert panel.difference.isHidden()
    ready.type_into(controls.seed, "42")
    ready.run(5)
    assert title.facts.text() == "seed 42 · DDIM · 5 steps · tiny"
    assert panel.difference.isHidden()
    QTest.mouseClick(title.back, Qt.MouseButton.LeftButton)
    assert session.trajectory is first
    assert list(window.panels.timeline._marks) == window.panels.plots.settled_marks() != []
    assert panel.difference.text() == "Not the settings of the run on screen: seed, steps"
    window.bench.menus.actions["run_before"].trigger()
    assert session.trajectory.info.request.seed == 42
    ready.start_long_run()
    assert not panel.difference.isVisible()
    ready.type_into(controls.seed, "43")
    assert panel.difference.text() == "Not the settings of the run on screen: seed"
    assert panel.difference.isVisible()  # also while it goes on
    assert (panel.height(), controls.height()) == heights
    ready.click_stop()
    ready.wait_for_end()


def test_a_run_goes_on_in_sight_while_the_run_before_is_looked_at(ready: Driver) -> None:
    window, session, back = ready.window, ready.session, ready.window.bench.menus.actions["run_before"]
    panel, title = window.panels.run_panel, window.bench.stage.title
    ready.run(5)
    first = session.trajectory
    ready.start_long_run()
    long = session.trajectory
    back.trigger()
    assert (session.trajectory, session.is_running, session.last) == (first, False, 5)
    assert (panel.button.text(), panel.bar.isVisible(), title.back.text()) == ("Stop", True, "Run after →")
    seen = long.last
    ready.qtbot.waitUntil(lambda: panel.bar.value() > seen)
    assert f"carving · {panel.bar.value()} of 1000" in panel.going_on.text()
    assert (panel.going_on.isVisible(), panel.line.isVisible(), session.last) == (True, False, 5)
    panel.going_on.linkActivated.emit("#")
    assert (session.trajectory, session.is_running, session.is_following) == (long, True, True)
    assert (panel.going_on.isVisible(), title.back.text()) == (False, "← Run before")
    ready.wait_for_step(session.last + 2)
    back.trigger()
    ready.press(Qt.Key.Key_Escape)  # leads to it, and does not end it unseen
    assert (session.trajectory, session.is_running, ready.runner.is_running) == (long, True, True)
    back.trigger()
    ready.click_stop()
    ready.wait_for_end()
    ended = f"stopped after {long.last} of 1000"
    assert (session.trajectory, long.ended) == (first, "cancelled")
    assert panel.line.text().startswith("5 steps in ")
    assert ended in window.panels.messages.message
    assert (panel.button.text(), panel.going_on.isVisible()) == ("Start", False)
    QTest.mouseClick(title.back, Qt.MouseButton.LeftButton)
    assert (session.trajectory, session.is_running, session.last) == (long, False, long.last)
    assert panel.line.text() == ended
    assert ended in title.facts.text()
    assert ended in window.windowTitle()


def test_a_run_that_comes_to_its_end_while_another_is_looked_at_says_so(ready: Driver) -> None:
    ready.run(3)
    ready.start_long_run(150, until=1)
    long = ready.session.trajectory
    ready.window.bench.menus.actions["run_before"].trigger()
    ready.wait_for_end()
    assert ready.ends == ["finished", "finished"]
    assert "150 steps in" in ready.window.panels.messages.message
    assert ready.session.last == 3
    ready.window.bench.menus.actions["run_before"].trigger()
    assert (ready.session.trajectory, ready.session.last, ready.session.measures.last) == (long, 150, 150)
    assert ready.session.position == 150  # it was followed when it was left
    assert ready.window.panels.messages.message == ""  # what it said has been done


def test_all_runs_in_memory_are_in_a_menu(ready: Driver) -> None:
    window, session, menu = ready.window, ready.session, ready.window.bench.menus.runs
    assert not menu.menuAction().isEnabled()
    runs = []
    for steps in (3, 4, 5):
        ready.run(steps)
        runs.append(session.trajectory)
    assert window.bench.stage.title.runs.isVisible()
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions()]
    assert [text.split(" · ")[4] for text in texts] == ["5 steps", "4 steps", "3 steps"]
    assert [action.isChecked() for action in menu.actions()] == [True, False, False]
    menu.actions()[2].trigger()
    assert (session.trajectory, session.run_before.trajectory) == (runs[0], runs[2])
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions()] == texts  # they keep their places
    assert [action.isChecked() for action in menu.actions()] == [False, False, True]


def test_the_pace_that_is_said_is_that_of_the_run_on_screen(ready: Driver) -> None:
    window, runs = ready.window, []
    for steps, seconds in ((3, 0.25), (4, 3.4)):
        ready.run(steps)
        run = ready.session.trajectory
        run._summaries[:] = [replace(step, duration_s=seconds) for step in run._summaries]
        runs.append(run)
    panel, status = window.panels.run_panel, window.panels.status_line
    for ended, pace in (("3 steps in 0.8 s", "250 ms per step"), ("4 steps in 14 s", "3.4 s per step")):
        window.bench.menus.actions["run_before"].trigger()
        ready.flush()
        assert pace in status.text()
        assert (panel.pace.text(), panel.line.text()) == (pace, ended)
    window.panels.run_control.show_run(runs[0], "cell (3, 2)")  # of a grid
    ready.flush()
    assert "250 ms per step" in status.text()
