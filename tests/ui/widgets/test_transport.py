"""The transport bar asks, and shows what it is told."""

import math

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.transport import LOOP_MODES, TransportBar


@pytest.fixture
def bar(qtbot: QtBot) -> TransportBar:
    widget = TransportBar()
    qtbot.addWidget(widget)
    widget.set_range(34, 50)
    widget.set_run_active(True)
    widget.show()
    return widget


@pytest.mark.parametrize(
    ("button", "signal", "args"),
    [
        ("first_button", "first_requested", []),
        ("back_button", "back_requested", []),
        ("forward_button", "forward_requested", []),
        ("last_button", "last_requested", []),
        ("play_button", "play_requested", [1]),
        ("play_back_button", "play_requested", [-1]),
        ("follow_button", "following_requested", [True]),
        ("pin_button", "following_requested", [False]),
    ],
)
def test_buttons_ask(bar: TransportBar, qtbot: QtBot, button: str, signal: str, args: list[object]) -> None:
    with qtbot.waitSignal(getattr(bar, signal)) as asked:
        qtbot.mouseClick(getattr(bar, button), Qt.MouseButton.LeftButton)
    assert asked.args == args


@pytest.mark.parametrize(("direction", "button"), [(1, "play_button"), (-1, "play_back_button")])
def test_the_playing_button_pauses_and_the_other_turns_round(
    bar: TransportBar, qtbot: QtBot, direction: int, button: str
) -> None:
    bar.set_playing(direction)
    with qtbot.waitSignal(bar.pause_requested):
        getattr(bar, button).click()
    other = bar.play_back_button if direction > 0 else bar.play_button
    with qtbot.waitSignal(bar.play_requested) as asked:
        other.click()
    assert asked.args == [-direction]


@pytest.mark.parametrize(
    ("direction", "forward", "backward"),
    [
        (0, "Play (Space)", "Play backward"),
        (1, "Pause (Space)", "Play backward"),
        (-1, "Play (Space)", "Pause (Space)"),
    ],
)
def test_buttons_say_what_they_will_do(bar: TransportBar, direction: int, forward: str, backward: str) -> None:
    bar.set_playing(direction)
    assert QAccessible.queryAccessibleInterface(bar.play_button).text(QAccessible.Text.Name) == forward
    assert bar.play_back_button.toolTip() == backward


def test_a_typed_step_is_asked_for_once_and_when_it_is_whole(bar: TransportBar, qtbot: QtBot) -> None:
    asked: list[int] = []
    bar.step_requested.connect(asked.append)
    bar.step_box.selectAll()
    qtbot.keyClicks(bar.step_box, "27")
    assert asked == []
    qtbot.keyClick(bar.step_box, Qt.Key.Key_Return)
    assert asked == [27]


@pytest.mark.parametrize(
    ("typed", "state"),
    [
        ("snr=1", 6), ("snr 3.9", 7), ("SNR=1e6", 7), ("snr=1e-9", 1), ("sigma=1", 6), ("sigma=20", 2),
        ("7", 7),
    ],
)  # fmt: skip
def test_a_noise_level_may_be_typed_for_the_state_that_is_nearest(
    bar: TransportBar, qtbot: QtBot, typed: str, state: int
) -> None:
    bar.set_range(8, 50)
    bar.set_ratios([0.0, 1e-4, 0.0021, 0.02, 0.1, 0.4, 1.1, 4.2, math.inf, math.inf])
    bar.set_step(5)
    bar.step_box.selectAll()
    with qtbot.waitSignal(bar.step_requested) as asked:
        qtbot.keyClicks(bar.step_box, typed)
        qtbot.keyClick(bar.step_box, Qt.Key.Key_Return)
    assert asked.args == [state]
    assert bar.step_box.text() == str(state)


def test_sigma_may_be_the_letter(bar: TransportBar) -> None:
    bar.set_ratios([0.0, 0.1, 1.1, 4.2])
    assert [bar.step_box.valueFromText(text) for text in ("σ=1", "σ 0.5")] == [2, 3]  # no key of a test types it


def test_a_level_that_is_no_number_leaves_the_step_as_it_is(bar: TransportBar, qtbot: QtBot) -> None:
    bar.set_range(8, 50)
    bar.set_ratios([0.0, 0.1, 1.0, 2.0])
    bar.set_step(2)
    for typed in ("snr=", "snr=-1", "s", "sigma", "snr=0"):
        bar.step_box.selectAll()
        with qtbot.assertNotEmitted(bar.step_requested):
            qtbot.keyClicks(bar.step_box, typed)
            qtbot.keyClick(bar.step_box, Qt.Key.Key_Return)
        bar.step_box.clearFocus()
        bar.set_step(3)
        bar.set_step(2)
        assert bar.step_box.value() == 2


def test_what_is_shown_asks_nothing(bar: TransportBar, qtbot: QtBot) -> None:
    signals = [bar.step_requested, bar.speed_requested, bar.following_requested, bar.loop_mode_requested]
    heard: list[object] = []
    for signal in signals:
        signal.connect(heard.append)
    bar.set_step(12)
    bar.set_speed(24)
    bar.set_following(False)
    bar.set_loop_mode("loop")
    bar.set_range(5, 50)
    assert heard == []
    assert bar.step_box.value() == 5


@pytest.mark.parametrize("mode", LOOP_MODES)
def test_loop_modes(bar: TransportBar, qtbot: QtBot, mode: str) -> None:
    action = next(each for each in bar.loop_button.menu().actions() if each.data() == mode)
    with qtbot.waitSignal(bar.loop_mode_requested) as asked:
        action.trigger()
    assert asked.args == [mode]
    bar.set_loop_mode(mode)
    assert action.isChecked()
    assert action.text() in bar.loop_button.accessibleName()


def test_an_unknown_loop_mode_is_refused(bar: TransportBar) -> None:
    with pytest.raises(ValueError, match="'spiral'"):
        bar.set_loop_mode("spiral")


def test_pinned_and_following_are_two_visible_states(bar: TransportBar) -> None:
    for following in (True, False, True):
        bar.set_following(following)
        assert bar.follow_button.isChecked() is following
        assert bar.pin_button.isChecked() is not following


def test_without_a_run_there_is_nothing_to_follow(bar: TransportBar) -> None:
    bar.set_run_active(False)
    assert not bar.follow_button.isEnabled()


def test_without_states_nothing_can_be_played(bar: TransportBar) -> None:
    bar.set_range(0, 0)
    assert not bar.play_button.isEnabled()
    assert not bar.step_box.isEnabled()


def test_speed(bar: TransportBar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bar.speed_requested) as asked:
        bar.speed_box.setValue(24)
    assert asked.args == [24.0]
    assert bar.speed_box.text() == "24 steps/s"


def test_every_button_has_a_name(bar: TransportBar) -> None:
    from PySide6.QtWidgets import QAbstractButton

    for button in bar.findChildren(QAbstractButton):
        assert QAccessible.queryAccessibleInterface(button).text(QAccessible.Text.Name)


@pytest.mark.parametrize(("speed", "text"), [(12.0, "12 steps/s"), (0.5, "0.5 steps/s"), (60.0, "60 steps/s")])
def test_speed_has_a_decimal_only_where_it_needs_one(bar: TransportBar, speed: float, text: str) -> None:
    bar.speed_box.setValue(speed)
    assert bar.speed_box.text() == text


def test_only_the_caption_changes_its_width(qtbot: QtBot) -> None:
    """The number under the pointer stays there, whatever the run's length, step and phase; also on the page Drown."""
    bars = TransportBar(), TransportBar()
    bars[1].count_layers()
    places = set()
    for bar in bars:
        qtbot.addWidget(bar)
        bar.resize(900, bar.sizeHint().height())
        bar.show()
        for planned, step, caption in (
            (0, 0, ""),
            (1000, 1000, "Big decisions · SNR < 0.0001 → 0.0003"),
            (9, 9, "·"),
        ):
            bar.set_range(planned, planned)
            bar.set_step(step)
            bar.set_caption(caption)
            bar.layout().activate()
            places.add((bar.height(), *bar.step_box.geometry().getRect(), *bar.follow_button.geometry().getRect()))
    assert len(places) == 1
