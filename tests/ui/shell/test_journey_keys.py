"""The keyboard works from anywhere in the window, and text fields keep what is theirs."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.ui.shell.step_keys import MOVES, wants_key
from tests.helpers.window import Driver

K = Qt.Key


@pytest.fixture
def seen(ready: Driver) -> Driver:
    """A finished run of 24 steps, looked at from step 20."""
    ready.run(24)
    ready.session.go_to(20)
    ready.window.bench.stage.setFocus()
    return ready


def test_moves_by_key(seen: Driver) -> None:
    starts = [span.first_step for span in seen.session.trajectory.spans]
    after = next((start for start in starts if start > 20), 24)
    here = max(start for start in starts if start <= 20)
    for key, expected in [(K.Key_Right, 21), (K.Key_Left, 20), (K.Key_End, 24), (K.Key_Home, 0)]:
        seen.press(key)
        assert seen.session.position == expected
    seen.session.go_to(20)
    seen.press(K.Key_PageDown)
    assert seen.session.position == after
    seen.session.go_to(20)
    seen.press(K.Key_PageUp)
    assert seen.session.position == (here if here < 20 else max(start for start in starts if start < here))


def test_arrow_keys_work_wherever_the_focus_is(seen: Driver) -> None:
    window = seen.window
    panels = window.panels
    for widget in (
        window.bench.stage, panels.timeline, window.bench.film, panels.controls.form, panels.controls.steps.lineEdit(),
        panels.plots.band_plot.canvas, panels.transport.play_button, panels.transport.step_box.lineEdit(),
    ):  # fmt: skip
        seen.session.go_to(20)
        seen.flush()
        widget.setFocus()
        seen.press(K.Key_Right, widget)
        seen.flush()
        assert (seen.session.position, window.panels.timeline.step) == (21, 21), widget


def test_a_held_key_repeats_but_play_does_not_flicker(seen: Driver) -> None:
    assert all(action.autoRepeat() for key, action in seen.window.bench.menus.actions.items() if key != "play")
    assert not seen.window.bench.menus.actions["play"].autoRepeat()


def test_a_text_keeps_all_of_its_keys(qtbot: QtBot) -> None:
    for text in (QLineEdit("a lion"), QPlainTextEdit("a lion")):
        qtbot.addWidget(text)
        for key in MOVES | {K.Key_Space}:
            assert wants_key(text, key, Qt.KeyboardModifier.NoModifier, is_clicked=True) is None, key


def test_a_seed_is_a_number(seen: Driver) -> None:
    seed = seen.window.panels.controls.seed
    seen.type_into(seed, "123")
    for key in (K.Key_Left, K.Key_Home, K.Key_End):
        seen.press(key, seed)
    assert (seen.session.position, seed.text()) == (20, "123")
    seen.press(K.Key_Space, seed)
    assert (seed.text(), seen.session.direction) == ("123", 1)


@pytest.mark.parametrize("has_run", [False, True])
def test_no_key_of_steps_changes_the_field_that_has_the_focus(ready: Driver, has_run: bool) -> None:
    """Numbers and lists, whether there is a run to move or not."""
    if has_run:
        ready.run(6)
    controls, transport = ready.window.panels.controls, ready.window.panels.transport
    boxes = [controls.steps, controls.guidance, transport.speed_box, transport.step_box]
    for widget in [controls.form, controls.sampler, *[box for box in boxes if box.isEnabled()]]:
        for key in [*sorted(MOVES), K.Key_Space]:
            if has_run:
                ready.session.go_to(3)
                ready.flush()
            ready.click(widget, 4, 4)
            if isinstance(widget, QComboBox):
                widget.hidePopup()
            before = _text(widget)
            ready.press(key, widget)
            ready.session.pause()
            is_open = isinstance(widget, QComboBox) and widget.view().isVisible()
            assert widget is transport.step_box or (_text(widget), is_open) == (before, False), key
            assert not has_run or ready.session.position != 3 or key == K.Key_Space, key


def _text(widget: QWidget) -> str:
    return widget.currentText() if isinstance(widget, QComboBox) else widget.text()


def test_a_list_that_was_reached_with_tab_opens_at_space_and_one_that_was_clicked_does_not(ready: Driver) -> None:
    form = ready.window.panels.controls.form
    ready.click(form, 4, 4)
    form.hidePopup()
    ready.press(K.Key_Space, form)
    assert not form.view().isVisible()
    ready.press(K.Key_Tab, form)
    ready.press(K.Key_Backtab)
    assert QApplication.focusWidget() is form
    ready.press(K.Key_Space, form)
    assert form.view().isVisible()
    form.hidePopup()


def test_a_number_that_is_being_typed_keeps_its_keys_and_gives_them_back(seen: Driver) -> None:
    steps = seen.window.panels.controls.steps
    seen.type_into(steps, "12")
    seen.press(K.Key_Left, steps.lineEdit())
    assert seen.session.position == 20
    steps.set_text("12")
    seen.press(K.Key_Left, steps.lineEdit())
    assert seen.session.position == 19


def test_space_plays_and_pauses(seen: Driver) -> None:
    seen.session.set_speed(60)
    seen.press(K.Key_Space)
    assert seen.session.direction == 1
    seen.qtbot.waitUntil(lambda: seen.session.position > 22)
    seen.press(K.Key_Space)
    assert seen.session.direction == 0
    seen.press(K.Key_Space, modifier=Qt.KeyboardModifier.ShiftModifier)
    assert seen.session.direction == -1
    seen.press(K.Key_Left)
    assert seen.session.direction == 0


def test_space_presses_a_button_that_was_reached_with_tab(seen: Driver) -> None:
    button = seen.window.panels.controls.new_seed
    before = seen.window.panels.controls.seed.text()
    button.setFocus(Qt.FocusReason.TabFocusReason)
    seen.press(K.Key_Space, button)
    assert seen.window.panels.controls.seed.text() != before
    assert seen.session.direction == 0


def test_return_in_a_field_starts_and_gives_the_arrow_keys_back(ready: Driver) -> None:
    ready.set_steps(4)
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=60_000):
        ready.press(K.Key_Return, ready.window.panels.controls.steps.lineEdit())
    ready.press(K.Key_Left)
    assert ready.session.position == 3
    ready.type_into(ready.window.panels.controls.seed, "9")
    with ready.qtbot.waitSignal(ready.runner.finished, timeout=60_000):
        ready.press(K.Key_Return, ready.window.panels.controls.seed)
    ready.press(K.Key_Left)
    assert ready.session.position == 3


def test_every_deed_with_a_key_is_in_the_sheet_of_shortcuts(driver: Driver) -> None:
    driver.window.bench.menus.actions["shortcuts"].trigger()
    dialog = QApplication.activeModalWidget()
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"Step forward", "Right", "Export: GIF, film, web page, poster", "Ctrl+E", "Play", "Space"} <= texts
    dialog.close()
