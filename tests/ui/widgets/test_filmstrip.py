"""The film makes only what is looked at, grows without losing its place, and leaves a person's scrolling alone."""

import time

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.core.trajectory.levels import PhaseSpan
from sculptor_app.ui import theme
from sculptor_app.ui.widgets.filmstrip import CELL_WIDTH, CellPainter, Filmstrip
from tests.ui.widgets.conftest import spans_of

WIDTH = 10 * CELL_WIDTH


def picture(index: int) -> QImage:
    image = QImage(128, 128, QImage.Format.Format_RGB32)
    image.fill(QColor(index % 256, 90, 120))
    return image


@pytest.fixture
def strip(qtbot: QtBot) -> Filmstrip:
    widget = Filmstrip()
    qtbot.addWidget(widget)
    widget.resize(WIDTH, widget.sizeHint().height())
    widget.set_source(picture)
    widget.set_planned(1000)
    widget.set_spans(spans_of(100, 300, 600, 1000))
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def visible(strip: Filmstrip) -> range:
    left = strip.indexAt(QPoint(1, 30)).row()
    right = strip.indexAt(QPoint(strip.viewport().width() - 1, 30)).row()
    return range(left, (right if right >= 0 else strip.count - 1) + 1)


def turn_wheel(strip: Filmstrip, angle: int) -> None:
    event = QWheelEvent(
        QPointF(50, 30), QPointF(50, 30), QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(strip.viewport(), event)


def paint_all(strip: Filmstrip) -> None:
    """Paint until every visible cell has its picture."""
    strip.grab()
    while strip.thumbnails.owed:
        strip.grab()


def test_of_a_thousand_states_only_the_visible_ones_are_made(strip: Filmstrip) -> None:
    strip.set_count(1001)
    paint_all(strip)
    assert 10 <= strip.thumbnails.made <= 14
    strip.set_current(500)
    paint_all(strip)
    assert strip.thumbnails.made <= 28
    assert 500 in visible(strip)


def test_a_thousand_states_cost_no_more_than_the_visible_ones(
    strip: Filmstrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    for name in ("phase_key", "describe"):
        found = getattr(strip._states, name)
        monkeypatch.setattr(strip._states, name, lambda row, found=found: (asked.append(row), found(row))[1])
    strip.set_count(1001)
    paint_all(strip)
    assert 10 <= len(set(asked)) <= 14
    assert max(asked) < 20


def test_growing_inserts_rows_and_never_starts_again(strip: Filmstrip, qtbot: QtBot) -> None:
    strip.set_count(3)
    strip.set_current(2)
    with qtbot.assertNotEmitted(strip.model().modelReset):
        for count in range(4, 60):
            strip.set_count(count)
    assert strip.current == 2
    assert strip.count == 59
    with qtbot.assertNotEmitted(strip.model().rowsInserted):
        strip.set_count(59)


def test_growing_makes_no_picture_out_of_sight(strip: Filmstrip) -> None:
    strip.set_count(30)
    paint_all(strip)
    made = strip.thumbnails.made
    strip.set_count(400)
    paint_all(strip)
    assert strip.thumbnails.made == made


def test_another_run_starts_again(strip: Filmstrip) -> None:
    strip.set_count(30)
    strip.set_current(20)
    strip.set_count(1)
    assert strip.count == 1
    assert strip.thumbnails.size_bytes == 0
    strip.set_count(30)
    assert strip.current == -1


def test_a_click_asks_for_a_state(strip: Filmstrip, qtbot: QtBot) -> None:
    strip.set_count(51)
    with qtbot.waitSignal(strip.step_requested) as asked:
        qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(3 * CELL_WIDTH + 20, 40))
    assert asked.args == [3]


def test_arrow_keys_ask_for_neighbours(strip: Filmstrip, qtbot: QtBot) -> None:
    strip.set_count(51)
    strip.set_current(7)
    asked: list[int] = []
    strip.step_requested.connect(asked.append)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    qtbot.keyClick(strip, Qt.Key.Key_End)
    assert asked == [8, 7, 50]


def test_what_is_shown_asks_nothing(strip: Filmstrip, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(strip.step_requested):
        strip.set_count(51)
        strip.set_current(30)
        strip.setFocus()
        strip.set_count(10)


def test_following_keeps_the_newest_in_view(strip: Filmstrip) -> None:
    strip.set_following(True)
    for count in range(2, 80):
        strip.set_count(count)
        strip.set_current(count - 1)
        assert count - 1 in visible(strip)


def test_the_current_state_is_seen_whole_when_the_room_changes(strip: Filmstrip) -> None:
    strip.set_count(51)
    strip.set_current(50)
    width = strip.width()
    for width_px in (2 * width, width):
        strip.resize(width_px, strip.height())
        QApplication.processEvents()
        assert strip.visualRect(strip.currentIndex()).right() <= strip.viewport().width()


def test_following_does_not_pull_a_person_back(strip: Filmstrip) -> None:
    strip.set_following(True)
    strip.set_count(200)
    strip.set_current(199)
    for _ in range(20):
        turn_wheel(strip, 120 * 5)
    here = strip.horizontalScrollBar().value()
    strip.set_count(201)
    strip.set_current(200)
    assert strip.horizontalScrollBar().value() == here
    strip.set_following(False)
    strip.set_following(True)
    assert 200 in visible(strip)


def test_following_goes_on_when_the_person_comes_back(strip: Filmstrip) -> None:
    strip.set_following(True)
    strip.set_count(200)
    strip.set_current(199)
    turn_wheel(strip, 60)  # half of the newest is still in sight
    for count in range(201, 230):
        strip.set_count(count)
        strip.set_current(count - 1)
    assert 228 in visible(strip)


def test_pinned_scrubbing_elsewhere_brings_its_state_into_view(strip: Filmstrip) -> None:
    strip.set_count(200)
    strip.set_current(100)
    turn_wheel(strip, 120 * 60)
    strip.set_current(101)
    assert 101 in visible(strip)


@pytest.mark.parametrize(
    ("row", "text"),
    [(0, "state 0, the untouched block"), (7, "step 7 of 1000, big decisions"), (1000, "step 1000 of 1000, polish")],
)
def test_states_in_words(strip: Filmstrip, row: int, text: str) -> None:
    strip.set_count(1001)
    assert strip.model().index(row).data(Qt.ItemDataRole.AccessibleTextRole) == text
    interface = QAccessible.queryAccessibleInterface(strip)
    assert interface.text(QAccessible.Text.Name) == "Filmstrip"
    assert interface.child(row).text(QAccessible.Text.Name) == text


def test_the_current_state_wears_a_frame(strip: Filmstrip, qapp: QApplication) -> None:
    from sculptor_app.ui import theme

    theme.apply(qapp, "light")
    strip.set_count(10)
    strip.set_current(2)
    shot = strip.grab().toImage()
    y = 40
    left_of_picture = 2 * CELL_WIDTH + 2
    accent = QColor(theme.theme().tokens.accent)
    assert abs(shot.pixelColor(left_of_picture, y).red() - accent.red()) <= 2
    assert abs(shot.pixelColor(left_of_picture + CELL_WIDTH, y).red() - accent.red()) > 60


def test_the_keyboards_focus_is_seen(strip: Filmstrip) -> None:
    strip.set_count(10)
    strip.set_current(2)
    strip.clearFocus()
    without = strip.grab().toImage()
    strip.activateWindow()
    strip.setFocus()
    assert strip.hasFocus()
    assert strip.grab().toImage() != without


def test_no_source_is_no_fault(strip: Filmstrip) -> None:
    strip.set_source(None)
    strip.set_count(3)
    strip.grab()
    with pytest.raises(ValueError, match="-1"):
        strip.set_count(-1)


def test_phases_of_states(strip: Filmstrip, spans: tuple[PhaseSpan, ...]) -> None:
    strip.set_spans(spans)
    strip.set_count(51)
    assert [strip.model().phase_key(row) for row in (0, 5, 6, 50)] == [None, "decisions", "structure", "polish"]


def test_cells_that_one_painting_has_no_time_for_come_with_the_next(strip: Filmstrip, qtbot: QtBot) -> None:
    made: list[int] = []

    def slow(index: int) -> QImage:
        end = time.thread_time() + 0.004
        while time.thread_time() < end:
            pass
        made.append(index)
        return picture(index)

    strip.set_source(slow)
    strip.set_count(1001)
    QApplication.processEvents()
    assert len(made) < 10
    qtbot.waitUntil(lambda: set(visible(strip)) <= set(made))
    assert not strip.thumbnails.owed


def test_a_cell_whose_picture_came_late_is_painted_twice_and_no_more(
    strip: Filmstrip, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its picture and with it, however many paintings the pictures of its neighbours take."""
    painted: list[int] = []
    paint = CellPainter._paint_number
    monkeypatch.setattr(
        CellPainter, "_paint_number", lambda self, *rest: (painted.append(rest[2]), paint(self, *rest))[1]
    )

    def slow(index: int) -> QImage:
        end = time.thread_time() + 0.004
        while time.thread_time() < end:
            pass
        return picture(index)

    strip.set_source(slow)
    strip.set_count(8)
    strip.set_current(0)
    QApplication.processEvents()
    qtbot.waitUntil(lambda: strip.thumbnails.made == 8)
    QApplication.processEvents()
    assert [painted.count(row) for row in range(1, 8)] == [2] * 7


def test_cells_that_stay_the_same_are_painted_once(strip: Filmstrip, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []
    paint = CellPainter._paint_number
    monkeypatch.setattr(
        CellPainter, "_paint_number", lambda self, *rest: (painted.append(rest[2]), paint(self, *rest))[1]
    )
    strip.set_count(8)
    strip.set_current(3)
    paint_all(strip)
    painted.clear()
    before = strip.grab().toImage()
    assert painted == [3]  # with the frame of the current one
    strip.set_current(4)
    painted.clear()
    strip.grab()
    assert set(painted) == {3, 4}
    strip.set_current(3)
    assert strip.grab().toImage() == before


@pytest.mark.parametrize("change", ["source", "spans", "theme", "run"])
def test_kept_cells_follow_what_they_show(strip: Filmstrip, qapp: QApplication, change: str) -> None:
    strip.set_count(8)
    strip.set_current(7)
    paint_all(strip)
    place = strip.visualRect(strip.model().index(2, 0)).center()
    before = strip.grab().toImage()
    match change:
        case "source":
            strip.set_source(lambda index: picture(index + 100))
        case "spans":
            strip.set_spans(spans_of(1, 2, 3, 4))
        case "theme":
            theme.apply(qapp, "dark")
        case "run":
            strip.set_count(0)
            strip.set_source(lambda index: picture(index + 50))
            strip.set_count(8)
    paint_all(strip)
    after = strip.grab().toImage()
    column = [(before.pixelColor(place.x(), y), after.pixelColor(place.x(), y)) for y in range(after.height())]
    assert any(old != new for old, new in column)


def test_the_current_state_has_its_picture_first(strip: Filmstrip) -> None:
    made: list[int] = []
    now_s = 0.0

    def slow(index: int) -> QImage:
        nonlocal now_s
        now_s += 1.0  # longer than one painting has time for
        made.append(index)
        return picture(index)

    strip.thumbnails._clock = lambda: now_s
    strip.set_source(slow)
    strip.set_count(9)
    strip.set_current(6)
    strip.grab()
    assert made == [6]
