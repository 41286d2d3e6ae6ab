"""The lane of changes: where its parts are, what it says of them, and what it asks for."""

import itertools

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.changes_lane import (
    BAND,
    BAND_FIRST,
    BAND_LAST,
    GAP_PX,
    ROW_PX,
    ChangesLane,
    Flag,
    GuidanceBand,
    Part,
)
from sculptor_app.ui.widgets.timeline import Timeline

FLAGS = (Flag(8, "form: Vase"), Flag(12, "material: Marble"))
MIDDLE = ROW_PX / 2


@pytest.fixture
def lane(qtbot: QtBot) -> ChangesLane:
    made = ChangesLane()
    qtbot.addWidget(made)
    made.show_changes(50, GuidanceBand(5, 31, "1.75"), FLAGS, [f"{k}" for k in range(51)])
    made.resize(1020, made.sizeHint().height())
    return made


def test_it_is_as_high_as_what_it_shows(lane: ChangesLane) -> None:
    assert lane.sizeHint().height() == 2 * ROW_PX + GAP_PX
    lane.show_changes(50, None, FLAGS)
    assert lane.sizeHint().height() == ROW_PX
    lane.show_changes(50, None, ())
    assert (lane.sizeHint().height(), lane.isVisible()) == (0, False)
    lane.show_changes(0, GuidanceBand(5, 31, "2"), ())  # no run is planned
    assert not lane.isVisible()


def test_it_stands_on_the_steps_of_the_timeline(lane: ChangesLane, qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.set_plan((), 50)
    timeline.resize(lane.width(), 86)
    for step in (1, 8, 31, 50):
        border = round(lane.x_after(step))
        assert timeline.step_at(QPoint(border - 2, 40)) == step
        assert timeline.step_at(QPoint(border + 2, 40)) == min(step + 1, 50)


@pytest.mark.parametrize(
    ("after", "dx", "row", "part"),
    [
        (5, 1, 0, BAND_FIRST), (5, -5, 0, BAND_FIRST), (31, -2, 0, BAND_LAST), (18, 0, 0, BAND), (40, 0, 0, None),
        (8, 3, 1, 8), (8, 30, 1, 8), (12, 1, 1, 12), (30, 0, 1, None),
    ],
)  # fmt: skip
def test_parts_by_their_places(lane: ChangesLane, after: int, dx: int, row: int, part: Part | None) -> None:
    point = QPointF(lane.x_after(after) + dx, MIDDLE + row * (ROW_PX + GAP_PX))
    assert lane.part_at(point) == part


def test_what_it_says(lane: ChangesLane) -> None:
    assert lane.band_text == "guidance 1.75, steps 6–31"
    said = "Guidance 1.75 counts after step 5 (SNR 5) and up to step 31 (SNR 31), else it is 1."
    assert lane.tip(BAND).startswith(said)
    assert lane.tip(8).startswith("form: Vase after step 8 (SNR 8)\nOf the next run.")
    assert lane.accessibleDescription().startswith(said)
    lane.choose(12)
    assert lane.accessibleDescription().startswith("material: Marble after step 12")


def test_no_flag_lies_over_another(lane: ChangesLane) -> None:
    flags = [Flag(k, "a long text that has no room") for k in (8, 9, 10, 48)]
    lane.show_changes(50, None, flags)
    boxes = [box for _, box, _ in lane._flag_boxes()]
    assert all(one.right() <= other.left() for one, other in itertools.pairwise(boxes))
    assert boxes[-1].right() <= lane.width()
    assert abs(boxes[-1].right() - lane.x_after(48)) < 1  # at the left of its step, where there is room


@pytest.mark.parametrize(
    ("key", "chosen", "asked"),
    [
        (Qt.Key.Key_Left, BAND_FIRST, ("band", 4, 31)), (Qt.Key.Key_Right, BAND_LAST, ("band", 5, 32)),
        (Qt.Key.Key_Right, 8, ("flag", 8, 9)), (Qt.Key.Key_Delete, 8, ("removal", 8)),
        (Qt.Key.Key_Backspace, BAND_LAST, ("removal", BAND)), (Qt.Key.Key_Return, 12, ("edit", 12)),
    ],
)  # fmt: skip
def test_keys(lane: ChangesLane, key: Qt.Key, chosen: Part, asked: tuple[object, ...]) -> None:
    heard: list[tuple[object, ...]] = []
    lane.band_requested.connect(lambda *given: heard.append(("band", *given)))
    lane.flag_requested.connect(lambda *given: heard.append(("flag", *given)))
    lane.removal_requested.connect(lambda part: heard.append(("removal", part)))
    lane.edit_requested.connect(lambda part: heard.append(("edit", part)))
    lane.choose(chosen)
    QTest.keyClick(lane, key)
    assert heard == [asked]


def test_up_and_down_go_through_the_parts(lane: ChangesLane) -> None:
    assert lane.chosen == BAND_FIRST
    seen = []
    for _ in range(4):
        QTest.keyClick(lane, Qt.Key.Key_Down)
        seen.append(lane.chosen)
    assert seen == [BAND_LAST, 8, 12, BAND_FIRST]
    QTest.keyClick(lane, Qt.Key.Key_Up)
    assert lane.chosen == 12


def test_it_asks_for_no_place_outside_of_the_run(lane: ChangesLane) -> None:
    heard: list[tuple[int, int]] = []
    for signal in (lane.band_requested, lane.flag_requested):
        signal.connect(lambda *given: heard.append(given))
    for part, step in ((BAND_FIRST, -9), (BAND_FIRST, 40), (BAND_LAST, 99), (BAND, 99), (8, -3), (8, 50)):
        lane._move(part, step)
    assert heard == [(0, 31), (30, 31), (5, 50), (24, 50), (8, 1), (8, 49)]
