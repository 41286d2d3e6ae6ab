"""A picture keeps its pixels crisp, zooms at the pointer and is linked to others."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.ui import theme
from sculptor_app.ui.widgets.picture_view import (
    FIT,
    STEPS,
    PictureView,
    View,
    fit_scale,
    looks_better_smooth,
    scale_of,
    stepped,
)


def board(side: int = 8) -> QImage:
    """Every pixel another colour."""
    image = QImage(side, side, QImage.Format.Format_RGB32)
    for y in range(side):
        for x in range(side):
            image.setPixelColor(x, y, QColor(30 * x % 256, 30 * y % 256, 100))
    return image


@pytest.fixture
def view(qtbot: QtBot) -> PictureView:
    widget = PictureView()
    qtbot.addWidget(widget)
    widget.resize(80, 80)
    widget.set_picture(board())
    widget.show()
    return widget


def wheel(view: PictureView, at: QPoint, angle: int) -> None:
    event = QWheelEvent(
        QPointF(at), QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_fit_shows_every_pixel_in_its_own_colour(view: PictureView) -> None:
    shot = view.grab().toImage()
    for column, row in ((1, 1), (3, 6), (6, 2)):
        expected = board().pixelColor(column, row)
        for corner in (1, 8):  # crisp: the same colour from edge to edge
            assert shot.pixelColor(column * 10 + corner, row * 10 + corner) == expected


def test_zoom_keeps_the_pixel_under_the_pointer(view: PictureView, qtbot: QtBot) -> None:
    pointer = QPoint(33, 55)
    before = view.pixel_at(QPointF(pointer))
    for _ in range(4):
        with qtbot.waitSignal(view.view_changed):
            wheel(view, pointer, 120)
        assert view.pixel_at(QPointF(pointer)) == before
        assert view.device_scale == int(view.device_scale)


def test_wheeling_out_ends_at_fit(view: PictureView) -> None:
    wheel(view, QPoint(10, 10), 360)
    assert not view.view.is_fit
    wheel(view, QPoint(70, 70), -360)
    assert view.view == FIT


def test_small_turns_of_a_touchpad_add_up(view: PictureView) -> None:
    for _ in range(3):
        wheel(view, QPoint(40, 40), 30)
    assert view.view.is_fit
    wheel(view, QPoint(40, 40), 30)
    assert view.device_scale == 12


def test_double_click_fits(view: PictureView, qtbot: QtBot) -> None:
    view.zoom_by(3)
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    assert view.view == FIT


def test_drag_pans_and_stops_at_the_border(view: PictureView, qtbot: QtBot) -> None:
    view.zoom_to(20)
    start = view.pixel_at(QPointF(40, 40))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(40, 40))
    qtbot.mouseMove(view, QPoint(20, 40))
    assert view.pixel_at(QPointF(40, 40)) == (start[0] + 1, start[1])
    qtbot.mouseMove(view, QPoint(-2000, -2000))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(0, 0))
    assert view.pixel_at(QPointF(79, 79)) == (7, 7)


def test_another_view_of_another_size_shows_the_same_part(view: PictureView, qtbot: QtBot) -> None:
    other = PictureView()
    qtbot.addWidget(other)
    other.resize(160, 160)
    other.set_picture(board())
    view.view_changed.connect(other.set_view)
    with qtbot.assertNotEmitted(other.view_changed):
        view.zoom_to(20)
        wheel(view, QPoint(60, 20), 120)
    for share in (0.05, 0.5, 0.95):
        here = view.pixel_at(QPointF(80 * share, 80 * share))
        assert here == other.pixel_at(QPointF(160 * share, 160 * share))


def test_hovering_tells_the_pixel_once(view: PictureView, qtbot: QtBot) -> None:
    told: list[tuple[int, int]] = []
    view.pixel_hovered.connect(lambda column, row: told.append((column, row)))
    for x in (12, 14, 25):
        qtbot.mouseMove(view, QPoint(x, 31))
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert told == [(1, 3), (2, 3), (-1, -1)]


def test_no_picture_says_why_and_zooms_nowhere(view: PictureView, qtbot: QtBot) -> None:
    view.set_picture(None, "no guess here")
    with qtbot.assertNotEmitted(view.view_changed):
        wheel(view, QPoint(40, 40), 240)
    assert view.pixel_at(QPointF(40, 40)) == (-1, -1)
    assert view.toolTip() == "no guess here"
    view.grab()


def test_a_view_outside_the_picture_is_kept_inside(view: PictureView) -> None:
    view.set_view(View(2.0, 5.0, -3.0))
    assert view.pixel_at(QPointF(79, 0)) == (7, 0)


def test_painting_512_pixels_is_quick(qtbot: QtBot) -> None:
    widget = PictureView()
    qtbot.addWidget(widget)
    widget.resize(600, 600)
    image = QImage(512, 512, QImage.Format.Format_RGB32)
    image.fill(QColor("teal"))
    widget.set_picture(image)
    target = QImage(600, 600, QImage.Format.Format_RGB32)
    best = 1.0
    for _ in range(20):
        started = time.perf_counter()
        widget.render(target)
        best = min(best, time.perf_counter() - started)
    assert best < 0.016


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_the_frame_lies_on_the_very_edge(view: PictureView, qapp: QApplication, ratio: float) -> None:
    theme.apply(qapp, "light")
    shot = QImage(round(80 * ratio), round(80 * ratio), QImage.Format.Format_RGB32)
    shot.setDevicePixelRatio(ratio)
    view.render(shot)
    last = shot.width() - 1
    edge = theme.theme().tokens.hairline_strong
    for x, y in ((0, 9), (last, 9), (9, 0), (9, last)):
        assert shot.pixelColor(x, y).name() == edge


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((64, 64), (512, 512), 8),
        ((64, 64), (500, 700), 500 / 64),
        ((512, 512), (256, 256), 0.5),
        ((64, 32), (64, 64), 1),
    ],
)
def test_fit(size: tuple[int, int], room: tuple[int, int], expected: float) -> None:
    assert fit_scale(*size, *room) == pytest.approx(expected)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0 x 4"):
        fit_scale(0, 4, 10, 10)


@pytest.mark.parametrize(
    ("scale", "steps", "fit", "expected"),
    [
        (7.8, 1, 7.8, 8),
        (7.8, 2, 7.8, 10),
        (8, 1, 7.8, 10),
        (10, -1, 7.8, 8),
        (8, -1, 7.8, None),
        (7.8, -1, 7.8, None),
        (0.5, 1, 0.5, 1),
        (1, -1, 0.5, None),
        (64, 1, 7.8, 64),
    ],
)
def test_steps(scale: float, steps: int, fit: float, expected: int | None) -> None:
    assert stepped(scale, steps, fit) == expected


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.5, True), (1, False), (2.6, True), (3, False), (4.9, True), (7.8, False)]
)
def test_smoothing_only_where_pixels_would_look_uneven(scale: float, expected: bool) -> None:
    assert looks_better_smooth(scale) is expected


@given(st.floats(0.05, 40), st.integers(1, 20))
def test_in_and_out_again_comes_back_to_fit(fit: float, steps: int) -> None:
    scale: float | None = fit
    for _ in range(steps):
        inner = stepped(scale, 1, fit)
        scale = fit if inner is None else inner
    assert scale in STEPS or fit >= STEPS[-1]
    assert stepped(scale, -len(STEPS), fit) is None


@given(st.floats(1.01, 30), st.floats(0.05, 40))
def test_a_zoomed_view_has_whole_pixels_in_every_widget(magnification: float, fit: float) -> None:
    scale = scale_of(View(magnification), fit)
    assert scale == int(scale) >= 1
    assert scale_of(FIT, fit) == fit
