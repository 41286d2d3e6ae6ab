"""Carving by hand in the window: strokes of a real mouse on the step on screen, and the fork that goes on from them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from sculptor_app import resources
from sculptor_app.core.requests.painting import PaintedFrame, StrokeKind
from sculptor_app.core.requests.request import Parting
from sculptor_app.ui.carve.painting import HandCarving
from tests.helpers.window import Driver

LEFT = Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Painter:
    """A person who paints."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.session = driver, driver.session
        self.hand: HandCarving = driver.window.bench.menus.painting
        self.bench, self.tools = self.hand.bench, self.hand.bench.tools

    def start(self, step: int) -> None:
        self.session.go_to(step)
        self.driver.press(Qt.Key.Key_H, modifier=CONTROL)
        assert self.hand.is_on
        self.driver.flush()
        assert self.bench.isVisible()

    def at(self, share: tuple[float, float]) -> QPoint:
        return self.bench.canvas.place_of(share).toPoint()

    def stroke(self, *shares: tuple[float, float], release: bool = True) -> None:
        canvas = self.bench.canvas
        QTest.mousePress(canvas, LEFT, pos=self.at(shares[0]))
        for share in shares[1:]:
            QTest.mouseMove(canvas, self.at(share))
        self.hand.clock.flush()
        if release:
            QTest.mouseRelease(canvas, LEFT, pos=self.at(shares[-1]))

    def click(self, widget: object) -> None:
        QTest.mouseClick(widget, LEFT)

    def pixel(self, share: tuple[float, float]) -> tuple[int, int, int]:
        image = self.bench.canvas.image
        colour = image.pixelColor(int(share[0] * image.width()), int(share[1] * image.height()))
        return colour.red(), colour.green(), colour.blue()

    @property
    def strokes(self) -> tuple:
        return self.hand.draft.strokes


@pytest.fixture
def painter(ready: Driver) -> Painter:
    ready.run(8)
    return Painter(ready)


def test_a_blob_painted_on_the_guess_has_its_colour_in_the_finished_picture(
    open_window: Callable[..., Driver],
) -> None:
    """With the model that comes with the program: at step 10 of 20 it takes green into the picture."""
    driver = open_window(model=resources.path("models/atelier-128"))
    driver.prepare()
    driver.run(20)
    painter, session, whole = Painter(driver), driver.session, driver.session.trajectory
    painter.start(10)
    painter.tools.set_colour("#20c040")
    painter.stroke((0.18, 0.2), (0.22, 0.25), (0.24, 0.3))
    assert painter.pixel((0.22, 0.25))[1] > 120
    painter.click(painter.tools.go_on)
    driver.wait_for_end()
    made = session.trajectory
    assert made is not whole
    assert "painted at step 10" in driver.window.windowTitle()
    own, there = (run.state(20)[:, 28:36, 24:32].mean((1, 2)) for run in (whole, made))  # around 0.22, 0.25
    assert there[1] - max(there[0], there[2]) > 0.1
    assert own[1] < own[0]
    far = np.s_[:, 40:80, 60:100]
    assert np.abs(made.state(20)[far] - whole.state(20)[far]).mean() < 0.15


def test_the_fork_parts_from_the_run_where_it_was_painted(painter: Painter) -> None:
    session, whole = painter.session, painter.session.trajectory
    painter.start(4)
    assert not painter.tools.go_on.isEnabled()
    painter.stroke((0.3, 0.3), (0.5, 0.4), (0.6, 0.6))
    stroke = painter.strokes[0]
    assert (stroke.kind, stroke.colour, len(stroke.points) >= 3) == (StrokeKind.COLOUR, "#c04030", True)
    painter.click(painter.tools.go_on)
    painter.driver.wait_for_end()
    fork = session.trajectory
    left = fork.info.forks[-1]
    assert (left.step, left.parting, left.painting.words) == (4, Parting.PAINTED, "1 stroke on the guess")
    np.testing.assert_array_equal(fork.state(3), whole.state(3))
    assert not np.array_equal(fork.state(4), whole.state(4))
    assert fork.is_complete
    assert session.run_before.trajectory is whole
    assert (painter.driver.window.panels.timeline.forks, painter.bench.isVisible()) == ((4,), False)
    assert "Here it left the run" in painter.driver.window.panels.timeline.describe(4)
    painter.driver.press(Qt.Key.Key_B, modifier=CONTROL)
    assert session.trajectory is whole
    painter.start(4)
    assert painter.strokes == (stroke,)  # to be gone on from in another way


def test_undo_redo_and_the_size_of_the_brush_by_key(painter: Painter) -> None:
    driver = painter.driver
    painter.start(4)
    clean = painter.pixel((0.5, 0.5))
    painter.stroke((0.5, 0.5))
    red = painter.pixel((0.5, 0.5))
    painter.stroke((0.2, 0.2))
    assert red != clean
    driver.press(Qt.Key.Key_Z, modifier=CONTROL)
    driver.press(Qt.Key.Key_Z, modifier=CONTROL)
    assert (painter.strokes, painter.pixel((0.5, 0.5))) == ((), clean)
    assert not painter.tools.undo.isEnabled()
    driver.press(Qt.Key.Key_Z, modifier=CONTROL | SHIFT)
    assert (len(painter.strokes), painter.pixel((0.5, 0.5))) == (1, red)
    painter.click(painter.tools.clear)
    assert painter.strokes == ()
    painter.click(painter.tools.undo)
    assert len(painter.strokes) == 1
    size = painter.tools.radius.value()
    driver.press(Qt.Key.Key_BracketRight)
    assert painter.tools.radius.value() > size
    driver.press(Qt.Key.Key_BracketLeft)
    driver.press(Qt.Key.Key_BracketLeft)
    assert painter.tools.radius.value() < size


def test_erasing_brings_the_run_back(painter: Painter) -> None:
    painter.start(4)
    clean = painter.bench.canvas.image.copy()
    painter.stroke((0.5, 0.5))
    assert painter.bench.canvas.image != clean
    painter.click(painter.tools.brushes["erase"])
    painter.tools.radius.setValue(40)
    painter.tools.strength.setValue(100)
    painter.stroke((0.2, 0.5), (0.5, 0.5), (0.8, 0.5))
    assert painter.bench.canvas.image == clean


def test_escape_leaves_and_what_was_painted_is_there_the_next_time(painter: Painter) -> None:
    driver, messages = painter.driver, painter.driver.window.panels.messages
    panels = driver.window.bench.stage.panels
    painter.start(4)
    assert not panels[0].isVisible()
    driver.press(Qt.Key.Key_Escape)
    assert (painter.hand.is_on, panels[0].isVisible(), messages.isVisible()) == (False, True, False)
    painter.start(4)
    painter.stroke((0.3, 0.3), (0.6, 0.6), release=False)
    driver.press(Qt.Key.Key_Escape)  # the stroke alone
    QTest.mouseRelease(painter.bench.canvas, LEFT, pos=painter.at((0.6, 0.6)))
    assert (painter.hand.is_on, painter.strokes) == (True, ())
    painter.stroke((0.3, 0.3))
    driver.press(Qt.Key.Key_Escape)
    assert not painter.hand.is_on
    assert messages.message == "What you painted at step 4 is kept: Run > Carve by hand brings it back there."
    painter.start(5)
    assert painter.strokes == ()
    painter.click(painter.tools.cancel)
    painter.start(4)
    assert len(painter.strokes) == 1


def test_moving_away_or_starting_a_run_keeps_what_was_painted(painter: Painter) -> None:
    driver, messages, session = painter.driver, painter.driver.window.panels.messages, painter.session
    whole = session.trajectory
    painter.start(4)
    painter.stroke((0.5, 0.5))
    session.go_to(6)  # as the scrubber does
    assert (painter.hand.is_on, session.state) == (False, 6)
    assert "What you painted at step 4 is kept" in messages.message
    painter.start(4)
    driver.click_start()
    assert not painter.hand.is_on
    driver.wait_for_end()
    assert session.trajectory is not whole
    driver.press(Qt.Key.Key_B, modifier=CONTROL)
    painter.start(4)
    assert len(painter.strokes) == 1
    driver.window.bench.pages.show("drown")
    assert not painter.hand.is_on


def test_the_noisy_state_takes_noise_and_shifts_and_the_frame_stays_while_something_is_painted(
    painter: Painter,
) -> None:
    session, whole, tools = painter.session, painter.session.trajectory, painter.tools
    painter.start(4)
    assert not tools.brushes["noise"].isEnabled()
    painter.click(tools.frames[PaintedFrame.STATE])
    assert painter.bench.title.text() == "Noisy state of step 4"
    painter.click(tools.brushes["noise"])
    painter.stroke((0.3, 0.3))
    painter.stroke((0.7, 0.3))
    painter.click(tools.brushes["colour"])
    painter.stroke((0.5, 0.8))
    first, second, shift = painter.strokes
    assert [each.kind for each in painter.strokes] == [StrokeKind.NOISE, StrokeKind.NOISE, StrokeKind.SHIFT]
    assert first.seed != second.seed
    assert shift.shift[0] > 0 > shift.shift[2]
    assert not tools.frames[PaintedFrame.GUESS].isEnabled()
    assert "take the strokes back" in tools.frames[PaintedFrame.GUESS].toolTip()
    painter.click(tools.go_on)
    painter.driver.wait_for_end()
    assert session.trajectory.info.forks[-1].painting.words == "3 strokes on the state"
    assert not np.array_equal(session.trajectory.state(8), whole.state(8))


def test_a_part_of_the_run_before_is_copied(painter: Painter) -> None:
    driver, session, tools = painter.driver, painter.session, painter.tools
    painter.start(4)
    assert not tools.brushes["copy"].isEnabled()
    driver.press(Qt.Key.Key_Escape)
    other = session.trajectory
    controls = driver.window.panels.controls
    controls.form.setCurrentIndex(controls.form.findData("vase"))
    driver.run(8)
    painter.start(4)
    painter.click(tools.brushes["copy"])
    assert "Bust" in tools.runs.currentText() or tools.runs.count() == 1
    tools.strength.setValue(100)
    tools.radius.setValue(40)
    painter.stroke((0.5, 0.5))
    made = painter.hand.draft.painting
    np.testing.assert_array_equal(made.copied[0], other.guess(4))
    values = painter.hand.draft.values()
    np.testing.assert_array_equal(values[:, 7:9, 7:9], other.guess(4)[:, 7:9, 7:9])
    painter.click(tools.go_on)
    driver.wait_for_end()
    np.testing.assert_array_equal(session.trajectory.copied(), [other.guess(4)])


def test_a_colour_is_taken_from_the_picture(painter: Painter) -> None:
    painter.start(4)
    there = painter.pixel((0.5, 0.5))
    QTest.mouseClick(painter.bench.canvas, LEFT, Qt.KeyboardModifier.AltModifier, painter.at((0.51, 0.51)))
    assert painter.strokes == ()
    colour = painter.tools.brush.colour
    assert tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) == there


def test_a_zoomed_canvas_is_painted_on_where_it_is_seen(painter: Painter) -> None:
    painter.start(4)
    painter.bench.canvas.zoom_by(3, painter.bench.canvas.place_of((0.25, 0.75)))
    painter.stroke((0.25, 0.75))
    assert painter.strokes[0].points[0] == pytest.approx((0.25, 0.75), abs=0.02)


def test_a_run_is_painted_on_while_it_goes_on(ready: Driver) -> None:
    ready.start_long_run(until=5)
    painter = Painter(ready)
    painter.start(3)
    painter.stroke((0.5, 0.5))
    ready.qtbot.waitUntil(lambda: painter.session.last > 8)
    assert painter.hand.is_on
    assert not ready.window.bench.menus.actions["stop"].isEnabled()  # Esc belongs to the painting
    ready.press(Qt.Key.Key_Escape)
    assert not painter.hand.is_on
    assert ready.runner.is_running
    ready.window.panels.run_control.stop()
    ready.wait_for_end()


def test_a_saved_painted_run_is_made_again_in_the_window(painter: Painter, tmp_path: Path) -> None:
    from sculptor_app.exports.saved_run import write_sculpt

    driver, session = painter.driver, painter.session
    painter.start(4)
    painter.stroke((0.5, 0.5))
    painter.click(painter.tools.go_on)
    driver.wait_for_end()
    path = tmp_path / "made.sculpt"
    write_sculpt(path, session.trajectory)
    driver.window.bench.saved_runs.open(path)
    driver.qtbot.waitUntil(lambda: session.trajectory.file_bytes > 0)
    assert not driver.window.bench.menus.actions["carve_by_hand"].isEnabled()
    driver.window.bench.menus.actions["reproduce"].trigger()
    messages = driver.window.panels.messages
    driver.qtbot.waitUntil(lambda: "The same as the saved run, bit for bit" in messages.message, timeout=60_000)


def test_where_nothing_can_be_painted_nothing_is_offered(ready: Driver) -> None:
    action = ready.window.bench.menus.actions["carve_by_hand"]
    assert not action.isEnabled()
    ready.run(6)
    for step, can in ((0, False), (3, True), (6, False)):
        ready.session.go_to(step)
        assert action.isEnabled() is can
    ready.session.go_to(3)
    menu = ready.window.bench.picture_menu.menu_of(ready.window.bench.stage.panels[0].subject_at(None))
    assert action in menu.actions()
    action.trigger()
    assert not action.isEnabled()
    assert QApplication.focusWidget() is ready.window.bench.menus.painting.bench.canvas
