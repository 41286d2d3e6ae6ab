"""Changes along a run in the window: set on the timeline, dragged, run, stopped, gone on with, taken over."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from sculptor_app.core.requests.changes import Change, Place, RunChanges
from sculptor_app.core.trajectory.levels import BORDERS
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.fork import fork
from sculptor_app.ui.carve.change_dialog import ChangeDialog
from sculptor_app.ui.carve.changes import ChangesControl
from sculptor_app.ui.widgets.changes_lane import BAND_FIRST, BAND_LAST, ROW_PX, ChangesLane
from tests.helpers.any_pipeline import finish
from tests.helpers.tiny_model import write_tiny_model
from tests.helpers.window import Driver

STEPS = 20


@pytest.fixture
def planned(ready: Driver) -> Driver:
    plan(ready, STEPS)
    return ready


def plan(driver: Driver, steps: int) -> None:
    driver.set_steps(steps)
    changes = changes_of(driver)
    driver.qtbot.waitUntil(lambda: changes.steps == steps and changes._levels[0].is_known)


def changes_of(driver: Driver) -> ChangesControl:
    return driver.window.panels.changes


def lane_of(driver: Driver) -> ChangesLane:
    return driver.window.panels.lane


def dialog_of(driver: Driver) -> ChangeDialog:
    (dialog,) = [each for each in driver.window.findChildren(ChangeDialog) if each.isVisible()]
    return dialog


def ask_at(driver: Driver, step: int) -> None:
    """Right click the timeline at a step, and choose the first entry of the menu."""
    timeline = driver.window.panels.timeline
    place = QPoint(round(timeline._axis().centre(step)), 40)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, timeline.mapToGlobal(place))
    QApplication.sendEvent(timeline, event)
    menu = changes_of(driver).menu
    driver.qtbot.waitUntil(menu.isVisible)
    assert f"after step {step}" in menu.change.text()
    menu.change.trigger()
    menu.close()


def choose(driver: Driver, title: str, entry: str) -> None:
    field = next(each for each in dialog_of(driver).fields if each.setting.title == title)
    box = field.focusProxy()
    box.setCurrentIndex(box.findText(entry))


def change_form(driver: Driver, step: int, form: str = "Vase") -> None:
    ask_at(driver, step)
    choose(driver, "Form", form)
    dialog_of(driver).accept()


def drag(lane: ChangesLane, x: float, to_x: float, y: float, to_y: float | None = None) -> None:
    here, there = QPoint(round(x), round(y)), QPoint(round(to_x), round(y if to_y is None else to_y))
    QTest.mousePress(lane, Qt.MouseButton.LeftButton, pos=here)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(lane, here + (there - here) * share)
    QTest.mouseRelease(lane, Qt.MouseButton.LeftButton, pos=there)


def test_nothing_takes_room_until_something_changes(planned: Driver) -> None:
    lane = lane_of(planned)
    timeline = planned.window.panels.timeline
    top = timeline.mapTo(planned.window, QPoint()).y()
    assert not lane.isVisible()
    change_form(planned, 8)
    planned.qtbot.waitUntil(lane.isVisible)
    assert lane.parts == (8,)
    changes_of(planned).menu.aboutToShow.emit()
    changes_of(planned).menu.none.trigger()
    assert not lane.isVisible()
    planned.qtbot.waitUntil(lambda: timeline.mapTo(planned.window, QPoint()).y() == top)


def test_a_form_gives_way_to_another_and_every_step_is_seen(planned: Driver) -> None:
    controls, session = planned.window.panels.controls, planned.session
    assert controls.form.currentData() == "bust"
    change_form(planned, 8)
    seen: list[int] = []
    session.length_changed.connect(seen.append)
    planned.run(STEPS)
    made = session.trajectory
    assert [each for each in seen if each] == list(range(1, STEPS + 1))  # the first may be there when it begins
    assert planned.ends == ["finished"]
    assert len(session.runs_before) == 0
    assert [(each.step, each.request.form) for each in made.info.forks] == [(8, "bust")]
    assert planned.window.panels.timeline.forks == (8,)
    assert "From here on: form bust → vase" in planned.window.panels.timeline.describe(8)
    assert "forked at step 8: form bust → vase" in planned.window.windowTitle()
    assert planned.window.panels.run_panel.difference.text() == ""
    engine, first = Engine(), made.info.forks[0].request
    by_hand = list(fork(finish(engine, first), 8, engine, threading.Event(), made.info.request))[-1].trajectory
    for k in (0, 8, 9, STEPS):
        np.testing.assert_array_equal(made.state(k), by_hand.state(k))


def test_the_ends_of_the_band_are_dragged(planned: Driver) -> None:
    lane, changes = lane_of(planned), changes_of(planned)
    changes.menu.aboutToShow.emit()
    changes.menu.between.trigger()
    levels = changes._levels
    first, last = (Place("snr", border).step_in(levels) for border in (BORDERS[0], BORDERS[2]))
    assert changes.band == (first, last)
    planned.qtbot.waitUntil(lambda: lane.width() > 300)
    guidance = planned.window.panels.controls.guidance.text()
    assert lane.band_text == f"guidance {guidance}, steps {first + 1}–{last}"
    middle = ROW_PX / 2
    drag(lane, lane.x_after(first) + 1, lane.x_after(4), middle)
    assert changes.band == (4, last)
    drag(lane, lane.x_after(last) - 2, lane.x_after(15), middle)
    assert changes.band == (4, 15)
    drag(lane, lane.x_after(10), lane.x_after(12), middle)
    assert changes.band == (6, 17)
    drag(lane, lane.x_after(6) + 1, lane.x_after(2), middle)
    drag(lane, lane.x_after(2) + 1, lane.x_after(6), middle)  # back again
    assert changes.band == (6, 17)
    assert f"after step 6 (SNR {lane._snr[6]}) and up to step 17" in lane.tip(BAND_FIRST)
    planned.run(STEPS)
    made = planned.session.trajectory
    assert [(each.step, each.request.guidance) for each in made.info.forks] == [(6, 1.0), (17, float(guidance))]
    assert made.info.request.guidance == 1.0
    assert planned.window.panels.run_panel.difference.text() == ""
    drag(lane, lane.x_after(6) + 1, lane.x_after(8), middle, to_y=-200)
    assert (changes.band, lane.isVisible()) == (None, False)
    assert "guidance" in planned.window.panels.run_panel.difference.text()


def test_flags_are_dragged_edited_and_taken_away_by_mouse_and_keys(planned: Driver) -> None:
    lane, changes = lane_of(planned), changes_of(planned)
    change_form(planned, 8)
    change_form(planned, 14, "Head")
    planned.qtbot.waitUntil(lambda: lane.isVisible() and lane.width() > 300)
    middle = ROW_PX / 2
    drag(lane, lane.x_after(8) + 2, lane.x_after(5) + 2, middle)
    assert changes.places == {5: {"form": "vase"}, 14: {"form": "head"}}
    QTest.mouseDClick(lane, Qt.MouseButton.LeftButton, pos=QPoint(round(lane.x_after(14)) + 3, round(middle)))
    choose(planned, "Material", "Marble")
    dialog_of(planned).step.setValue(12)
    dialog_of(planned).accept()
    assert changes.places == {5: {"form": "vase"}, 12: {"form": "head", "material": "marble"}}
    assert lane._flags[1].text == "form: Head · material: Marble"
    lane.setFocus()
    planned.press(Qt.Key.Key_Right, lane)
    assert (lane.chosen, sorted(changes.places)) == (13, [5, 13])
    planned.press(Qt.Key.Key_Up, lane)
    planned.press(Qt.Key.Key_Left, lane)
    assert sorted(changes.places) == [4, 13]
    planned.press(Qt.Key.Key_Delete, lane)
    assert sorted(changes.places) == [13]
    drag(lane, lane.x_after(13) + 2, lane.x_after(13), middle, to_y=300)
    assert changes.places == {}
    assert not lane.isVisible()


def test_a_mistake_in_the_dialog_is_answered_there(planned: Driver) -> None:
    ask_at(planned, 8)
    dialog = dialog_of(planned)
    field = next(each for each in dialog.fields if each.setting.name == "guidance").focusProxy()
    field.set_text("x")
    dialog.accept()
    assert dialog.isVisible()
    assert dialog.problem.text() == "The guidance is no number: give one, or leave it empty."
    field.set_text("99")
    dialog.accept()
    assert dialog.problem.text() == "The guidance is 99.0; choose 0 to 30.0."
    field.set_text("3,5")
    dialog.accept()
    assert changes_of(planned).changes == RunChanges((Change(Place("step", 8), "guidance", 3.5),))
    menu = changes_of(planned).menu
    menu.aboutToShow.emit()
    assert not menu.between.isEnabled()
    assert menu.between.toolTip() == "Guidance changes at a step already."


def test_a_stopped_run_goes_on_with_its_own_changes(planned: Driver) -> None:
    plan(planned, 60)
    change_form(planned, 30)
    planned.run(60)
    whole, session = planned.session.trajectory, planned.session
    planned.click_start()
    planned.qtbot.waitUntil(lambda: session.trajectory is not whole and session.last >= 3)
    planned.window.panels.run_control.stop()
    planned.wait_for_end()
    stopped = session.trajectory
    assert stopped.ended == "cancelled"
    assert planned.window.panels.run_panel.difference.text() == ""
    changes_of(planned).clear()  # which is for the next start, and not for this run
    planned.window.panels.run_panel.go_on.click()
    planned.wait_for_end()
    made = session.trajectory
    assert made.is_complete
    assert made.info.request.form == "vase"
    for k in (stopped.last, 30, 31, 60):
        np.testing.assert_array_equal(made.state(k), whole.state(k))


def test_the_settings_of_a_run_bring_its_changes(planned: Driver) -> None:
    change_form(planned, 8)
    changes_of(planned).set_has_band(True)
    planned.run(STEPS)
    run, changes, controls = planned.session.trajectory, changes_of(planned), planned.window.panels.controls
    told, guidance = changes.changes, controls.guidance.text()
    changes.clear()
    controls.form.setCurrentIndex(controls.form.findData("ring"))
    panel = planned.window.panels.run_panel
    assert panel.difference.isVisible()
    panel.take_over.click()
    assert (changes.changes, controls.form.currentData(), controls.guidance.text()) == (told, "bust", guidance)
    assert panel.difference.text() == ""
    planned.run(STEPS)
    again = planned.session.trajectory
    assert again is not run
    np.testing.assert_array_equal(again.state(STEPS), run.state(STEPS))


def test_the_settings_of_a_longer_run_bring_its_changes_to_its_own_steps(planned: Driver) -> None:
    changes, controls = changes_of(planned), planned.window.panels.controls
    plan(planned, 40)
    change_form(planned, 30)
    changes.set_band(8, 35)
    planned.run(40)
    told = changes.changes
    changes.clear()
    controls.sampler.setCurrentIndex(controls.sampler.findData("heun"))
    plan(planned, 10)
    planned.window.panels.run_panel.take_over.click()
    planned.qtbot.waitUntil(lambda: changes._levels[3].is_known and changes.steps == 40)
    assert (changes.changes, controls.steps.text()) == (told, "40")
    assert planned.window.panels.run_panel.difference.text() == ""


def test_changes_go_along_with_the_noise_levels(planned: Driver) -> None:
    changes = changes_of(planned)
    change_form(planned, 8)
    changes.set_band(4, STEPS)
    snr = changes._levels[8].snr
    plan(planned, 200)
    (step,) = changes.places
    assert step > 60
    assert changes._levels[step].snr == pytest.approx(snr, rel=0.1)
    assert changes.band is not None
    assert changes.band[1] == 200
    planned.set_steps(1)  # as whoever types 100 does first
    planned.qtbot.waitUntil(lambda: changes.steps == 1)
    assert not changes.changes
    assert not lane_of(planned).isVisible()
    plan(planned, STEPS)
    assert list(changes.places) == [8]
    assert changes.band == (4, STEPS)


def test_a_model_that_cannot_take_them_goes_without_and_says_so(planned: Driver, tmp_path: Path) -> None:
    change_form(planned, 8)
    ask_at(planned, 12)
    choose(planned, "Material", "Marble")
    dialog_of(planned).accept()
    other = write_tiny_model(tmp_path / "other", forms=("bust", "head"))
    planned.window.bench.models.open(str(other))
    controls = planned.window.panels.controls
    planned.qtbot.waitUntil(lambda: controls.model == str(other), timeout=60_000)
    assert changes_of(planned).places == {12: {"material": "marble"}}
    message = planned.window.panels.messages.message
    assert "This model does not take what was to change along the run: form: vase." in message


def test_the_keyboard_opens_the_menu_of_the_step_on_screen(planned: Driver) -> None:
    planned.run(STEPS)
    planned.session.go_to(6)
    planned.flush()
    timeline = planned.window.panels.timeline
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), timeline.mapToGlobal(QPoint()))
    QApplication.sendEvent(timeline, event)
    menu = changes_of(planned).menu
    assert "after step 6" in menu.change.text()
    menu.close()
    menu.aboutToShow.emit()
    assert "after step 6" in menu.change.text()  # from the menu Run, too
    assert lane_of(planned).parts == ()
    changes_of(planned).set_has_band(True)
    assert lane_of(planned).parts == (BAND_FIRST, BAND_LAST)
