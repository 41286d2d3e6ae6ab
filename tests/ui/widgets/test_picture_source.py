"""Pictures and thumbnails are made once, and no more of them is kept than was allowed."""

import numpy as np
from PySide6.QtGui import QColor, QImage

from sculptor_app.core.trajectory.step import Step
from sculptor_app.measures.colours import rgb32_of
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import Picture
from sculptor_app.ui.widgets.picture_source import SPARE_MS, PictureSource, Thumbnails, shrunk, to_image
from tests.helpers.runs import made_run
from tests.session.test_session import trajectory


def picture(index: int, side: int = 64) -> QImage:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor(index % 256, 0, 0))
    return image


def test_each_is_made_once() -> None:
    asked: list[int] = []

    def source(index: int) -> QImage:
        asked.append(index)
        return picture(index)

    cache = Thumbnails()
    cache.set_source(source)
    for index in (3, 4, 3, 3, 4):
        assert cache.get(index, 32).pixelColor(0, 0).red() == index
    assert asked == [3, 4]
    assert cache.made == 2


def test_the_budget_holds_and_the_one_looked_at_longest_ago_goes() -> None:
    one = picture(0, 32).sizeInBytes()
    cache = Thumbnails(budget_bytes=3 * one)
    cache.set_source(picture)
    for index in (0, 1, 2, 0, 3):
        cache.get(index, 32)
    assert cache.size_bytes == 3 * one
    made = cache.made
    cache.get(0, 32)
    assert cache.made == made
    cache.get(1, 32)
    assert cache.made == made + 1


def test_another_source_forgets_the_old_pictures() -> None:
    cache = Thumbnails()
    cache.set_source(picture)
    cache.get(7, 32)
    cache.set_source(lambda index: picture(index + 100))
    assert cache.get(7, 32).pixelColor(0, 0).red() == 107


def test_nothing_from_the_source_is_asked_again() -> None:
    cache = Thumbnails()
    assert cache.get(0, 32) is None
    there: list[QImage] = []
    cache.set_source(lambda index: there[0] if there else None)
    assert cache.get(0, 32) is None
    there.append(picture(1))
    assert cache.get(0, 32) is not None


def test_small_pictures_grow_with_crisp_pixels() -> None:
    image = picture(0, 2)
    image.setPixelColor(1, 0, QColor("white"))
    grown = shrunk(image, 64)
    assert grown.width() == 64
    assert grown.pixelColor(31, 10).name() == "#000000"
    assert grown.pixelColor(32, 10).name() == "#ffffff"
    assert shrunk(QImage(512, 256, QImage.Format.Format_RGB32), 64).height() == 32


def test_odd_scales_have_pixels_of_one_size() -> None:
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    for x in (1, 3):
        image.setPixelColor(x, 0, QColor("white"))
    grown = shrunk(image, 10)  # 2.5 pixels each
    row = [grown.pixelColor(x, 1).red() for x in range(10)]
    assert grown.width() == 10
    assert row[0] == row[5] == 0
    assert row[3] == row[8] == 255
    assert 0 < row[2] < 255


def test_one_painting_makes_no_more_than_it_has_time_for() -> None:
    now_s = 0.0

    def slow(index: int) -> QImage:
        nonlocal now_s
        now_s += 0.6 * SPARE_MS / 1000
        return picture(index)

    cache = Thumbnails(clock=lambda: now_s)
    cache.set_source(slow)
    shown: list[list[bool]] = []
    while not shown or cache.owed:
        cache.begin_painting()
        shown.append([cache.get(index, 32) is not None for index in range(5)])
    assert shown == [[True] * made + [False] * (5 - made) for made in (2, 4, 5)]


def test_an_image_keeps_its_pixels_when_the_array_is_gone() -> None:
    rgb = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)
    image = to_image(Picture(rgb32_of(rgb)))
    assert image.format() == QImage.Format.Format_RGB32  # paints three times as fast
    found = np.array([[image.pixelColor(x, y).getRgb()[:3] for x in range(7)] for y in range(5)])
    np.testing.assert_array_equal(found, rgb)


def test_pictures_are_kept_within_their_budget() -> None:
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
    source, run, whole = PictureSource(), made_run(steps=4, taken=3), made_run(steps=4)
    source.set_trajectory(run)
    assert "not finished" in source.shown(2, FrameKind.TWIN).why_empty
    run.append(Step(4, 0, True, 0.0, run.levels[3], run.levels[4], whole.state(4), whole.guess(4), "", 0.0))
    assert source.shown(2, FrameKind.TWIN).image is not None
