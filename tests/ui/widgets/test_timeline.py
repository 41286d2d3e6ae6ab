"""The scrubber asks for whole steps that are there, by mouse, wheel, keys and screen reader."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QHelpEvent, QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from sculptor_app.core.texts import ratio_text
from sculptor_app.core.trajectory.levels import PHASES, PhaseSpan
from sculptor_app.ui import theme
from sculptor_app.ui.widgets import names, timeline, timeline_paint
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.timeline_paint import Axis, spread
from tests.ui.widgets.conftest import spans_of

MIDDLE = int(timeline_paint.BAR_TOP + timeline_paint.BAR_HEIGHT / 2)


@pytest.fixture
def line(qtbot: QtBot, qapp: QApplication, spans: tuple[PhaseSpan, ...]) -> Timeline:
    theme.apply(qapp, "light")
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(1022, timeline_paint.HEIGHT)  # 51 states of 20 pixels
    widget.set_plan(spans, 50, [0.01 * k for k in range(51)])
    widget.set_available(50)
    widget.show()
    return widget


def asked(line: Timeline) -> list[int]:
    """Every request, obeyed at once as the window does."""
    steps: list[int] = []

    def obey(step: int) -> None:
        steps.append(step)
        line.set_step(step)

    line.step_requested.connect(obey)
    return steps


def at(step: int) -> QPoint:
    return QPoint(1 + 20 * step + 10, MIDDLE)


def test_a_click_goes_there(line: Timeline, qtbot: QtBot) -> None:
    steps = asked(line)
    for step in (0, 5, 6, 50):
        qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=at(step))
    assert steps == [5, 6, 50]  # it is at 0 already
    assert line.step == 50


def test_a_drag_scrubs_over_every_step_it_meets(line: Timeline, qtbot: QtBot) -> None:
    steps = asked(line)
    qtbot.mousePress(line, Qt.MouseButton.LeftButton, pos=at(10))
    for step in (11, 12, 12, 13, 9):
        qtbot.mouseMove(line, at(step))
    qtbot.mouseMove(line, QPoint(-500, MIDDLE))
    qtbot.mouseRelease(line, Qt.MouseButton.LeftButton, pos=QPoint(-500, MIDDLE))
    qtbot.mouseMove(line, at(30))
    assert steps == [10, 11, 12, 13, 9, 0]


def test_it_asks_and_does_not_move_by_itself(line: Timeline, qtbot: QtBot) -> None:
    with qtbot.waitSignal(line.step_requested) as request:
        qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=at(20))
    assert request.args == [20]
    assert line.step == 0


def test_what_is_shown_asks_nothing(line: Timeline, qtbot: QtBot, spans: tuple[PhaseSpan, ...]) -> None:
    with qtbot.assertNotEmitted(line.step_requested):
        line.set_step(30)
        line.set_available(40)
        line.set_plan(spans, 50)


def test_not_yet_computed_steps_cannot_be_had(line: Timeline, qtbot: QtBot) -> None:
    line.set_available(12)
    steps = asked(line)
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=at(40))
    assert steps == [12]
    assert "not computed yet" in line.describe(40)


@pytest.mark.parametrize(
    ("key", "start", "expected"),
    [
        (Qt.Key.Key_Right, 12, 13),
        (Qt.Key.Key_Left, 12, 11),
        (Qt.Key.Key_Home, 12, 0),
        (Qt.Key.Key_End, 12, 50),
        (Qt.Key.Key_PageDown, 12, 16),
        (Qt.Key.Key_PageUp, 12, 6),
        (Qt.Key.Key_PageUp, 6, 1),
    ],
)
def test_keys(line: Timeline, qtbot: QtBot, key: Qt.Key, start: int, expected: int) -> None:
    line.set_step(start)
    steps = asked(line)
    qtbot.keyClick(line, key)
    assert steps == [expected]


@pytest.mark.parametrize(("key", "start"), [(Qt.Key.Key_Right, 50), (Qt.Key.Key_Left, 0), (Qt.Key.Key_Home, 0)])
def test_keys_at_the_ends_ask_nothing(line: Timeline, qtbot: QtBot, key: Qt.Key, start: int) -> None:
    line.set_step(start)
    with qtbot.assertNotEmitted(line.step_requested):
        qtbot.keyClick(line, key)


def test_the_wheel_goes_step_by_step(line: Timeline) -> None:
    line.set_step(12)
    steps = asked(line)
    for angle in (-120, -60, -60, 120):
        QApplication.sendEvent(
            line,
            QWheelEvent(
                QPointF(50, 30), QPointF(50, 30), QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
            ),
        )  # fmt: skip
    assert steps == [13, 14, 13]


def test_screen_readers_hear_and_set_the_step(line: Timeline, qtbot: QtBot) -> None:
    line.set_step(12)
    interface = QAccessible.queryAccessibleInterface(line)
    assert interface.role() == QAccessible.Role.Slider
    assert interface.text(QAccessible.Text.Name) == "Timeline"
    assert "Structure (6–15)" in interface.text(QAccessible.Text.Description)
    value = interface.valueInterface()
    assert (value.currentValue(), value.minimumValue(), value.maximumValue()) == (12, 0, 50)
    with qtbot.waitSignal(line.step_requested) as request:
        value.setCurrentValue(17)
    assert request.args == [17]


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        (0, ["the untouched block"]),
        (12, ["Step 12 of 50 · Structure (6–15)\n", "As a rule: limbs, posture", "SNR 0.11 before it, 0.12 after"]),
        (50, ["Step 50 of 50", "Polish (31–50)"]),
    ],
)
def test_words(line: Timeline, step: int, parts: list[str]) -> None:
    for part in parts:
        assert part in line.describe(step)


def test_the_tooltip_tells_of_the_place_under_the_pointer(line: Timeline) -> None:
    QApplication.sendEvent(line, QHelpEvent(QEvent.Type.ToolTip, at(20), line.mapToGlobal(at(20))))
    assert "Refinement (16–30)" in QToolTip.text()
    tip = next(each for each in QApplication.topLevelWidgets() if each.inherits("QTipLabel"))
    assert not tip.geometry().intersects(line.geometry().translated(line.mapToGlobal(QPoint()) - line.pos()))
    QToolTip.hideText()


def test_a_settled_mark_is_told_where_it_stands(line: Timeline) -> None:
    line.set_settled([("layout", 5), ("polish", 36)])
    assert "Coarse settled here" in line.describe(5)
    assert "settled" not in line.describe(6)
    assert "Measured" not in line.describe(5)


@pytest.mark.parametrize(("rule", "meaning"), [("content", "correlation of 0.95"), ("energy", "within 10 %")])
def test_what_was_measured_stands_beside_what_is_so_as_a_rule(line: Timeline, rule: str, meaning: str) -> None:
    marks = [("layout", 5), ("polish", 36)]
    line.set_settled(marks, names.settled_text(rule), names.settled_summary(marks, rule))
    assert meaning in line.describe(5)
    assert f"Measured in this run: bands settled by {rule} at steps: coarse 5, finest 36" in line.describe(20)
    line.set_settled([], names.settled_text(rule), names.settled_summary([], rule))
    assert "easured" not in line.describe(20)


def test_layout_that_settles_late_is_explained_where_it_does(line: Timeline) -> None:
    marks = [("layout", 30), ("polish", 36)]
    line.set_settled(marks, names.settled_text("content"), "", names.settled_notes())
    assert "The coarse band may settle later than finer ones" in line.describe(30)
    assert "Layout may" not in line.describe(36)


def test_two_levels_of_a_step_are_told_apart(line: Timeline) -> None:
    """It goes from one to the other, its phase by the first, and what is shown has the second."""
    line.set_plan((), 2, [0.01, 0.5, math.nan])
    assert [text for text in line.describe(1).splitlines() if "SNR" in text] == ["SNR 0.010 before it, 0.50 after"]
    assert "before it" not in line.describe(0)
    assert "before it" not in line.describe(2)
    line.count_layers()
    assert "before it" not in line.describe(1)


def test_another_plan_starts_again(line: Timeline, spans: tuple[PhaseSpan, ...]) -> None:
    line.set_settled([("layout", 5)])
    line.set_step(30)
    line.set_plan(spans, 50)
    assert line.step == 0
    assert "settled" not in line.describe(5)


@pytest.mark.parametrize("planned", [1, 2, 7, 50, 1000])
@pytest.mark.parametrize("width", [160, 400, 1600])
def test_any_length_at_any_width(line: Timeline, qtbot: QtBot, planned: int, width: int) -> None:
    borders = [max(1, planned * share // 50) for share in (5, 15, 30, 50)]
    line.resize(width, timeline_paint.HEIGHT)
    line.set_plan(spans_of(*borders), planned)
    line.set_available(planned)
    line.set_settled([(band, max(1, planned // 2)) for band in ("layout", "structure", "detail", "polish")])
    line.set_step(planned)
    line.grab()
    steps = asked(line)
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=QPoint(1, MIDDLE))
    assert steps == [0]


def test_a_negative_run_is_refused(line: Timeline) -> None:
    with pytest.raises(ValueError, match="-1"):
        line.set_plan((), -1)


def test_labels_give_way_to_pictograms_and_to_colour(qapp: QApplication, spans: tuple[PhaseSpan, ...]) -> None:
    span = spans[2]
    widths = range(400, 0, -1)
    labels = [timeline_paint.label_that_fits(span, width) for width in widths]
    stages = list(dict.fromkeys(labels))
    assert [(bool(label.pictogram), bool(label.name), bool(label.steps)) for label in stages] == [
        (True, True, True), (True, True, False), (True, True, False), (False, True, False), (False, True, False),
        (True, False, False), (False, False, False),
    ]  # fmt: skip
    assert [label.type_scale for label in stages] == [0, 0, 1, 1, 2, 0, 0]


def test_every_phase_has_its_name_on_sixty_pixels(qapp: QApplication, spans: tuple[PhaseSpan, ...]) -> None:
    names_ = [timeline_paint.label_that_fits(span, 64).name for span in spans]
    assert names_ == ["Decisions", "Structure", "Refinement", "Polish"]
    assert timeline_paint.label_that_fits(spans[0], 200).name == "Big decisions"


MARKS = [("layout", 1), ("structure", 1), ("detail", 2), ("polish", 30)]


def test_marks_of_one_step_are_one_in_order(qapp: QApplication) -> None:
    axis = Axis(1, 1020, 50)
    marks = timeline_paint.placed_marks(axis, MARKS, 0, 1020)
    assert [mark.text for mark in marks] == ["coarse, medium 1", "fine 2", "finest 30"]
    assert marks[0].bands == ("layout", "structure")
    assert all(first.left + first.width < second.left for first, second in itertools.pairwise(marks))
    assert marks[2].left + marks[2].width / 2 == pytest.approx(axis.centre(30))
    assert [mark.text for mark in timeline_paint.placed_marks(axis, MARKS, 0, 120)] == ["1", "2", "30"]
    assert [mark.text for mark in timeline_paint.placed_marks(axis, MARKS, 0, 20)] == ["", "", ""]


def test_marks_that_are_bounds_say_so(qapp: QApplication) -> None:
    placed = lambda right, *bounds: [  # noqa: E731
        mark.text for mark in timeline_paint.placed_marks(Axis(1, 1020, 50), MARKS, 0, right, bounds)
    ]
    assert placed(1020, "layout", "structure", "polish") == ["coarse, medium ≤ 1", "fine 2", "finest ≤ 30"]
    assert placed(1020, "structure")[0] == "coarse 1, medium ≤ 1"
    assert placed(140, "layout", "structure") == ["≤ 1", "2", "30"]


def test_a_line_leads_to_a_label_that_is_aside(line: Timeline) -> None:
    """Between the triangles and the texts nothing else is painted."""
    y = int(timeline_paint.MARKS_TOP) + 7

    def painted() -> list[int]:
        shot = line.grab().toImage()
        return [x for x in range(shot.width()) if shot.pixelColor(x, y) != shot.pixelColor(900, y)]

    line.set_settled([("polish", 30)])
    assert painted() == []
    line.set_settled(MARKS)
    xs = painted()
    assert any(abs(x - at(1).x()) <= 1 for x in xs)  # it stands over its own label
    assert any(at(2).x() + 4 < x < at(2).x() + 70 for x in xs)  # its label had to go aside


def test_phases_wear_their_colours_and_missing_ones_are_veiled(line: Timeline) -> None:
    line.set_available(20)
    line.set_step(0)
    shot = line.grab().toImage()
    y = int(timeline_paint.BAR_TOP) + 2
    assert shot.pixelColor(at(12).x(), y).name() == theme.phase_colour("structure").name()
    assert shot.pixelColor(at(40).x(), y).lightness() > theme.phase_colour("polish").lightness()
    assert QColor(shot.pixelColor(at(0).x(), y)).name() != theme.phase_colour("decisions").name()


def test_layers_are_kept_while_the_cursor_moves_and_follow_what_they_show(line: Timeline, qapp: QApplication) -> None:
    line.grab()
    kept = line._painted_layers()
    line.set_step(7)
    line.set_available(20)
    line.grab()
    assert line._painted_layers() is kept
    for change in (
        lambda: line.set_settled([("layout", 12)]),
        lambda: theme.apply(qapp, "dark"),
        lambda: line.resize(700, line.height()),
        lambda: line.set_plan((), 10),
    ):
        before = line._painted_layers()
        change()
        QApplication.processEvents()
        assert line._painted_layers() is not before


def test_known_places() -> None:
    axis = Axis(10, 102, 50)
    assert axis.cell == 2
    assert axis.centre(0) == 11
    assert axis.centre(50) == 111
    assert axis.stretch(PhaseSpan(PHASES[1], 6, 15)) == (22, 42)


@given(st.integers(1, 1000), st.floats(200, 4000), st.data())
def test_a_states_own_place_leads_back_to_it(planned: int, width: float, data: st.DataObject) -> None:
    axis = Axis(1, width, planned)
    step = data.draw(st.integers(0, planned))
    assert axis.step_at(axis.centre(step)) == step


@given(st.floats(-1e4, 1e4), st.integers(0, 1000))
def test_every_place_has_a_state(x: float, planned: int) -> None:
    assert 0 <= Axis(1, 800, planned).step_at(x) <= planned


def test_labels_with_room_stay_centred() -> None:
    assert spread([50, 150, 300], [40, 40, 40], 0, 400, 10) == [30, 130, 280]


@pytest.mark.parametrize("centres", [[100, 101, 102], [0, 0, 0], [399, 400, 400]])
def test_crowded_labels_move_apart(centres: list[float]) -> None:
    places = spread(centres, [60, 60, 60], 0, 400, 10)
    assert places is not None
    assert places[0] >= 0
    assert places[-1] + 60 <= 400
    assert all(second - first >= 70 for first, second in itertools.pairwise(places))


def test_no_room_no_places() -> None:
    assert spread([1, 2], [60, 60], 0, 129, 10) is None
    assert spread([], [], 0, 100, 10) == []


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(1, 80)), min_size=1, max_size=8))
def test_labels_never_overlap(labels: list[tuple[float, float]]) -> None:
    labels.sort()
    centres, widths = [c for c, _ in labels], [w for _, w in labels]
    places = spread(centres, widths, 0, 500, 4)
    if sum(widths) + 4 * (len(widths) - 1) > 500:
        assert places is None
        return
    assert places is not None
    edge = -4.0
    for place, width in zip(places, widths, strict=True):
        assert place >= edge + 4 - 1e-9
        edge = place + width
    assert edge <= 500 + 1e-9


def test_a_tooltip_has_the_signal_to_noise_that_the_caption_has(line: Timeline) -> None:
    ratios = [2.4e-9, 0.0021, 4300.0, 24000.0, math.inf]
    line.set_plan((), 4, ratios)
    line.count_layers()
    for step, ratio in enumerate(ratios):
        assert f"SNR {ratio_text(ratio)}" in line.describe(step).splitlines()


def test_a_timeline_of_no_run_says_why_it_is_empty(qtbot: QtBot) -> None:
    bare = Timeline()
    qtbot.addWidget(bare)
    bare.resize(700, bare.sizeHint().height())
    bare.set_empty_text("")
    silent = bare.grab().toImage()
    bare.set_empty_text("The picture is on its way…")
    assert bare.grab().toImage() != silent
    assert bare.grab().toImage().pixelColor(30, MIDDLE) == QColor(theme.theme().tokens.well)  # no hatched field


# The picture over the pointer -----------------------------------------------------------------------------------------


def hover(line: Timeline, place: QPoint, held: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    to = QPointF(place)
    none, no_key = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    moved = QMouseEvent(QEvent.Type.MouseMove, to, line.mapToGlobal(to), none, held, no_key)
    QApplication.sendEvent(line, moved)


@pytest.fixture
def pictured(line: Timeline) -> Timeline:
    """State k is k + 1 pixels high and 40 wide; there are 30 of them."""
    line.set_available(30)

    def picture(step: int) -> QImage:
        image = QImage(40, step + 1, QImage.Format.Format_RGB32)
        image.fill(QColor("red"))
        return image

    line.set_pictures(picture)
    return line


def test_the_state_under_the_pointer_is_shown_over_it(pictured: Timeline) -> None:
    hover(pictured, at(19))
    shown = pictured._preview
    assert shown is not None
    assert shown.isVisible()
    assert (shown.image.width(), shown.image.height()) == (timeline.STEP_PICTURE_PX, timeline.STEP_PICTURE_PX // 2)
    assert shown.geometry().bottom() < pictured.mapToGlobal(QPoint()).y()
    hover(pictured, at(9))
    assert shown.image.height() == timeline.STEP_PICTURE_PX // 4
    QApplication.sendEvent(pictured, QEvent(QEvent.Type.Leave))
    assert not shown.isVisible()


def test_a_state_that_is_not_there_has_no_picture_and_a_drag_none(pictured: Timeline, qtbot: QtBot) -> None:
    hover(pictured, at(31))
    assert pictured._preview is None
    hover(pictured, at(30))
    shown = pictured._preview
    assert shown is not None
    assert shown.isVisible()
    qtbot.mousePress(pictured, Qt.MouseButton.LeftButton, pos=at(30))
    assert not shown.isVisible()  # the frames show it
    hover(pictured, at(20), Qt.MouseButton.LeftButton)
    assert not shown.isVisible()
    qtbot.mouseRelease(pictured, Qt.MouseButton.LeftButton, pos=at(20))
    hover(pictured, at(21))
    assert shown.isVisible()
    pictured.hide()
    assert not shown.isVisible()


def test_without_pictures_there_is_none(line: Timeline) -> None:
    hover(line, at(19))
    assert line._preview is None


@pytest.mark.parametrize("step", [3, 15, 30])
def test_a_tooltip_stands_beside_the_picture(pictured: Timeline, step: int) -> None:
    hover(pictured, at(step))
    place = at(step)
    QApplication.sendEvent(pictured, QHelpEvent(QEvent.Type.ToolTip, place, pictured.mapToGlobal(place)))
    tip = next(each for each in QApplication.topLevelWidgets() if each.inherits("QTipLabel") and each.isVisible())
    assert pictured._preview is not None
    assert not tip.geometry().intersects(pictured._preview.geometry())
    QToolTip.hideText()
