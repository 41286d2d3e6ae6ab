"""The invitation: its pictures are of real runs, it fits small windows, and Start is off while a run is refused."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app import resources
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.core.trajectory.levels import PHASES, PhaseSpan
from sculptor_app.diffusion.sampling.noise import seed_noise
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import frame
from sculptor_app.ui.carve.welcome import CARVE, DROWN, LEAST_TILE_PX, TILES, Welcome
from sculptor_app.ui.theme import fonts
from tests.helpers.window import Driver


@pytest.fixture(scope="module")
def tiles() -> list[np.ndarray]:
    """The pictures of the strip, each (3, H, W) in −1 to 1."""
    sheet = np.asarray(Image.open(resources.path("styles/welcome.png"))).transpose(2, 0, 1) / 127.5 - 1
    side = sheet.shape[1]
    return [sheet[:, :, left : left + side].astype(np.float32) for left in range(0, sheet.shape[2], side)]


def test_its_picture_drowns_as_any_does_on_the_page_drown(tiles: list[np.ndarray]) -> None:
    forward = run_forward_process(tiles[0], "picture", steps=50, seed=7)
    for number, layer in zip(TILES[DROWN], (0, 16, 50), strict=True):
        expected = np.clip(frame(forward, 50 - layer, FrameKind.NOISY_STATE), -1, 1)
        assert np.abs(tiles[number] - expected).max() < 1.1 / 127.5


def test_its_run_begins_with_the_noise_of_a_seed(tiles: list[np.ndarray]) -> None:
    noise, _ = seed_noise(6, 128)
    assert np.abs(tiles[TILES[CARVE][0]] - np.clip(noise, -1, 1)).max() < 1.1 / 127.5
    assert len(tiles) == 1 + max(tile for part in TILES.values() for tile in part if tile is not None)


@pytest.mark.parametrize(
    ("width", "height", "said"), [(800, 620, 3), (640, 416, 2), (540, 400, 2), (560, 300, 1), (560, 180, 0)]
)
def test_it_says_less_where_there_is_less_room(qtbot: QtBot, width: int, height: int, said: int) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    welcome = Welcome(window)
    welcome.set_plan([PhaseSpan(phase, 1 + phase.index, 1 + phase.index) for phase in PHASES])
    window.resize(width, height)
    welcome.resize(width, height)
    window.show()
    for _ in range(3):  # layouts ask once more after the fonts are known
        QApplication.processEvents()
    shown = [part for part in welcome.findChildren(QWidget) if part.isVisible()]
    assert all(welcome.rect().contains(part.geometry()) for part in shown)
    assert welcome.button.isVisible()
    assert welcome.strip.height() > LEAST_TILE_PX
    actions = [part for part in shown if "polish" in part.toolTip() or "crisp" in getattr(part, "text", str)()]
    assert welcome.minimumSizeHint().height() <= height
    assert (welcome.strip.isVisible(), welcome._phases.isVisible(), bool(actions)) == (said > 0, said > 1, said > 2)


def test_its_sentences_take_a_line_each_and_its_phases_no_empty_one(qtbot: QtBot) -> None:
    welcome = Welcome()
    qtbot.addWidget(welcome)
    welcome.resize(800, 620)
    welcome.show()
    QApplication.processEvents()
    assert welcome.strip._text_px() <= 1.5 * QFontMetrics(fonts.strong()).height()
    assert not any(label.isVisible() for label in welcome._steps.values())
    welcome.set_plan((PhaseSpan(PHASES[0], 1, 5), PhaseSpan(PHASES[1], 6, 15)))
    assert all(label.isVisible() for label in welcome._steps.values())
    assert welcome.button.property("kind") != "primary"  # the panel's Start is


def test_start_is_off_while_the_run_is_refused(driver: Driver) -> None:
    panels, actions = driver.window.panels, driver.window.bench.menus.actions
    buttons = panels.welcome.button, panels.run_panel.button, actions["start"]
    assert [button.isEnabled() for button in buttons] == [True] * 3
    panels.run_control._take_refusal(panels.controls.request(), SculptorError("It gives no picture.", "Choose others."))
    assert [button.isEnabled() for button in buttons] == [False] * 3
    driver.set_steps(7)
    assert [button.isEnabled() for button in buttons] == [True] * 3
    driver.set_steps(0)
    assert [button.isEnabled() for button in buttons] == [False] * 3
