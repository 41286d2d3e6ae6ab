"""The window's own small parts, without a window."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.measures.pictures import Picture
from sculptor_app.ui.carve.decoder_choice import find_small_decoders
from sculptor_app.ui.fields.inputs import NumberField
from sculptor_app.ui.playback.stage import Room, best, one_large, side_by_side
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.frame_clock import PAINTED_MS, FrameClock
from sculptor_app.ui.widgets.picture_source import PictureSource, to_image
from tests.session.test_session import trajectory

rooms = st.builds(
    Room,
    width=st.floats(400, 3000),
    height=st.floats(260, 2000),
    overhead=st.floats(40, 80),
    gap=st.just(16.0),
    aspect=st.floats(0.5, 2),
)


@given(rooms, st.sampled_from([one_large, side_by_side, best]))
def test_frames_do_not_overlap_and_stay_in_the_room(room: Room, place) -> None:
    rects = place(room)
    for index, (left, top, width, height) in enumerate(rects):
        for other_left, other_top, other_width, other_height in rects[index + 1 :]:
            apart_x = left + width <= other_left + 1 or other_left + other_width <= left + 1
            apart_y = top + height <= other_top + 1 or other_top + other_height <= top + 1
            assert apart_x or apart_y


@given(rooms)
def test_two_small_frames_stand_as_high_as_the_large_one(room: Room) -> None:
    large, upper, lower = one_large(room)
    if upper[2] > 20:  # the least size
        assert lower[1] + lower[3] == pytest.approx(large[1] + large[3], abs=2)


def test_a_low_room_gets_a_row_and_a_high_one_a_large_frame() -> None:
    assert best(Room(660, 360, 58, 16)) == side_by_side(Room(660, 360, 58, 16))
    assert best(Room(780, 560, 58, 16)) == one_large(Room(780, 560, 58, 16))


def test_many_requests_are_one_drawing_and_the_last_is_not_lost(qtbot: QtBot) -> None:
    clock = FrameClock(frame_ms=20)
    state, drawn = [0], []
    clock.due.connect(lambda: drawn.append(state[0]))
    for value in range(1, 101):
        state[0] = value
        clock.request()
    qtbot.waitUntil(lambda: bool(drawn))
    assert drawn == [100]
    state[0] = 101
    clock.request()
    qtbot.waitUntil(lambda: len(drawn) == 2)
    assert drawn == [100, 101]


def test_flush_draws_what_is_due_and_nothing_else(qtbot: QtBot) -> None:
    clock = FrameClock()
    drawn = []
    clock.due.connect(lambda: drawn.append(1))
    clock.flush()
    assert not drawn
    clock.request()
    clock.flush()
    assert drawn == [1]
    qtbot.wait(PAINTED_MS + 2)  # the clock's own look at what painting took


def test_an_image_keeps_its_pixels_when_the_array_is_gone() -> None:
    rgb = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)
    image = to_image(Picture(rgb.copy()))
    assert image.format() == QImage.Format.Format_RGB32  # paints three times as fast
    found = np.array([[image.pixelColor(x, y).getRgb()[:3] for x in range(7)] for y in range(5)])
    np.testing.assert_array_equal(found, rgb)


def test_pictures_are_kept_within_their_budget() -> None:
    from sculptor_app.measures.frame_kinds import FrameKind

    source = PictureSource(budget_bytes=5 * 4 * 4 * 4)
    run = trajectory(30)
    source.set_trajectory(run)
    first = source.shown(1, FrameKind.CURRENT_GUESS)
    assert source.shown(1, FrameKind.CURRENT_GUESS) is first
    for k in range(1, 31):
        source.shown(k, FrameKind.NOISY_STATE)
        assert source.bytes_kept <= 5 * 4 * 4 * 4
    assert source.shown(1, FrameKind.CURRENT_GUESS) is not first
    source.set_trajectory(None)
    assert source.bytes_kept == 0
    assert source.shown(0, FrameKind.NOISY_STATE).image is None


def test_what_is_empty_in_mid_run_comes_when_it_is_finished() -> None:
    from sculptor_app.core.trajectory.step import Step
    from sculptor_app.measures.frame_kinds import FrameKind
    from tests.helpers.runs import made_run

    source, run, whole = PictureSource(), made_run(steps=4, taken=3), made_run(steps=4)
    source.set_trajectory(run)
    assert "not finished" in source.shown(2, FrameKind.TWIN).why_empty
    run.append(Step(4, 0, True, 0.0, run.levels[3], run.levels[4], whole.state(4), whole.guess(4), "", 0.0))
    assert source.shown(2, FrameKind.TWIN).image is not None


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("50", 1, "51"),
        ("50", -60, "1"),
        ("999", 5, "1000"),
        ("many", 1, "1"),
        ("", 1, "1"),
        ("10000000000", -1, "1000"),
    ],
)
def test_the_arrows_of_a_number_field_stay_in_range(qtbot: QtBot, text: str, steps: int, expected: str) -> None:
    field = NumberField(1, 1000)
    qtbot.addWidget(field)
    field.set_text(text)
    assert field.text() == text  # what was typed is not repaired
    field.stepBy(steps)
    assert field.text() == expected


def test_the_message_bar_shows_one_message_and_its_deed(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    done = []
    bar.show_message("The disk is full.", "Free some space.", action="Retry", on_action=lambda: done.append(1))
    assert bar.message == "The disk is full. Free some space."
    bar._action.click()
    assert done == [1]
    assert bar.message == ""
    bar.show_message("Saved.", is_fault=False)
    assert not bar._action.isVisibleTo(bar)


def test_painting_in_a_window_counts_in_the_share_that_drawing_may_take(qtbot: QtBot) -> None:
    """What a widget paints comes milliseconds after it was told; a clock that missed it would not limit anything."""
    clock = FrameClock(frame_ms=1, share=0.1)
    painter = Busy()
    qtbot.addWidget(painter)
    painter.show()
    qtbot.waitExposed(painter)
    clock.due.connect(painter.update)
    with qtbot.waitSignal(clock.due):
        clock.request()
    qtbot.wait(PAINTED_MS + 30)
    assert clock._next_s - clock._begun_s >= 10 * Busy.PAINTING_S


class Busy(QWidget):
    """Takes a while of the processor's time to paint."""

    PAINTING_S = 0.004

    def paintEvent(self, event: object) -> None:
        end = time.thread_time() + self.PAINTING_S
        while time.thread_time() < end:
            pass


def test_small_decoders_are_found_inside_the_models_folder_and_beside_it(tmp_path: Path) -> None:
    model = tmp_path / "model"
    for place in (model / "taesd", tmp_path / "taesdxl"):
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
    (tmp_path / "taesd3").mkdir()
    assert find_small_decoders(model) == (model / "taesd", tmp_path / "taesdxl")
    assert find_small_decoders(tmp_path / "elsewhere" / "none") == ()
