"""Icons are all there, drawn, tinted, and sharp."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage
from PySide6.QtWidgets import QApplication

from sculptor_app import resources
from sculptor_app.ui import theme
from sculptor_app.ui.theme.tokens import DARK, LIGHT

NAMES = sorted(Path(file).stem for file in resources.path("icons").glob("*.svg"))
NEEDED = {
    "first", "step-back", "play-back", "pause", "play", "step-forward", "last", "once", "loop", "ping-pong", "pin",
    "follow", "dice", "export", "settings", "zoom-in", "zoom-out", "zoom-fit", "info", "warning",
    "phase-decisions", "phase-structure", "phase-refinement", "phase-polish",
}  # fmt: skip


@pytest.fixture(autouse=True)
def light_again(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "light")
    yield
    theme.apply(qapp, "light")


def ink(image: QImage) -> str:
    """The colour of most opaque pixels; antialiasing rounds a few by one."""
    places = ((x, y) for y in range(image.height()) for x in range(image.width()))
    opaque = [image.pixelColor(*place).name() for place in places if image.pixelColor(*place).alpha() == 255]
    return Counter(opaque).most_common(1)[0][0]


def drawn(icon: QIcon, side: int, ratio: float = 1.0, mode: QIcon.Mode = QIcon.Mode.Normal) -> QImage:
    return icon.pixmap(QSize(side, side), ratio, mode, QIcon.State.Off).toImage()


def test_all_are_there() -> None:
    assert set(NAMES) >= NEEDED


@pytest.mark.parametrize("name", NAMES)
def test_each_is_drawn_in_one_ink_with_one_weight_of_line(qapp: QApplication, name: str) -> None:
    image = drawn(theme.icon(name), 18, 2.0)
    assert image.size() == QSize(36, 36)
    assert ink(image) == LIGHT.text
    drawing = resources.path(f"icons/{name}.svg").read_text()
    assert 'viewBox="0 0 24 24"' in drawing
    assert "currentColor" in drawing


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_at_the_edge(qapp: QApplication, name: str) -> None:
    image = drawn(theme.icon(name), 96)
    last = image.width() - 1
    edge = [(x, y) for x in range(96) for y in (0, last)] + [(x, y) for y in range(96) for x in (0, last)]
    assert [place for place in edge if image.pixelColor(*place).alpha() > 0] == []


def test_an_icon_changes_with_the_theme(qapp: QApplication) -> None:
    icon = theme.icon("play")
    theme.apply(qapp, "dark")
    assert ink(drawn(icon, 24)) == DARK.text


def test_disabled_and_roles(qapp: QApplication) -> None:
    assert ink(drawn(theme.icon("play"), 24, mode=QIcon.Mode.Disabled)) == LIGHT.disabled
    assert ink(drawn(theme.icon("play", "accent_text"), 24)) == LIGHT.accent_text


def test_an_icon_outlives_its_python_owner(qapp: QApplication) -> None:
    copies = [QIcon(theme.icon(name)) for name in NAMES for _ in range(5)]
    gc.collect()
    assert all(not copy.pixmap(QSize(16, 16)).isNull() for copy in copies)


def test_a_button_without_room_has_no_picture(qapp: QApplication) -> None:
    assert theme.icon("play").pixmap(QSize(0, 16)).isNull()


def test_an_unknown_token_is_refused(qapp: QApplication) -> None:
    with pytest.raises(AttributeError, match="ultraviolet"):
        theme.icon("play", "ultraviolet")


def test_opacity_of_the_ink_is_kept(qapp: QApplication) -> None:
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QPainter

    image = QImage(24, 24, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(QColor(0, 0, 0, 0))
    half = QColor(0, 0, 0, 128)
    painter = QPainter(image)
    theme.paint_icon(painter, "play", QRectF(0, 0, 24, 24), half)
    painter.end()
    assert image.pixelColor(11, 12).alpha() == pytest.approx(128, abs=2)
