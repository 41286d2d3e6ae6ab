"""Where the three frames of a stage are placed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from sculptor_app.ui.drown.frames import ForwardStage
from sculptor_app.ui.playback.stage import (
    Room,
    Stage,
    best,
    of_compared,
    of_wiped,
    one_large,
    pair,
    pair_beside,
    side_by_side,
)

rooms = st.builds(
    Room,
    width=st.floats(400, 3000),
    height=st.floats(260, 2000),
    overhead=st.floats(40, 80),
    gap=st.just(16.0),
    aspect=st.floats(0.5, 2),
)


@given(rooms, st.sampled_from([one_large, side_by_side, best, pair, pair_beside, of_compared, of_wiped]))
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
    assert best(Room(660, 300, 58, 16)) == side_by_side(Room(660, 300, 58, 16))
    assert best(Room(660, 320, 58, 16)) == one_large(Room(660, 320, 58, 16))
    assert best(Room(780, 560, 58, 16)) == one_large(Room(780, 560, 58, 16))


def test_two_compared_runs_are_as_large_as_the_room_allows() -> None:
    high, wide = Room(640, 500, 58, 16), Room(1500, 500, 58, 16)
    first, second, third = of_compared(high)
    assert first[2:] == second[2:]
    assert first[2] > 1.15 * side_by_side(high)[0][2]
    assert third[1] > first[1] + first[3]
    assert third[1] + third[3] <= 500
    assert of_compared(wide) == side_by_side(wide)
    low = Room(600, 410, 58, 16)
    first, second, third = of_compared(low)
    assert first[2] == second[2] > 1.15 * side_by_side(low)[0][2]
    assert third[2] >= 110
    assert third[0] + third[2] <= 600


def test_a_wipe_is_large_and_its_runs_are_beside_it() -> None:
    first, second, wipe = of_wiped(Room(600, 410, 58, 16))
    assert wipe[2] > 2 * first[2] == 2 * second[2]


@pytest.mark.parametrize("stage_type", [Stage, ForwardStage])
def test_no_frame_is_empty_without_a_word_and_no_sentence_loses_its_beginning(qtbot: QtBot, stage_type) -> None:
    stage = stage_type()
    qtbot.addWidget(stage)
    for panel in stage.panels:
        assert panel.picture_view.accessibleDescription() == stage.empty_text() != ""
    stage.resize(300, 300)
    stage.set_remark("A sentence that is longer than there is room for it under the frames")
    assert stage.remark.shown_text.startswith("A sentence")
    assert stage.remark.shown_text.endswith("…")
    assert stage.remark.toolTip() == stage.remark.text()
