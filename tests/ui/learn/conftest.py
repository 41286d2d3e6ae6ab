"""The real page with a small real network: pictures of 32×32, a few milliseconds a step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.session.training import TrainingState
from sculptor_app.training.loop import live
from sculptor_app.training.records import plan
from sculptor_app.ui.learn.page import LearnPage
from sculptor_app.ui.widgets.bars import MessageBar
from tests.training.tiny import fill

PATIENCE_MS = 60_000


class LearnDriver:
    """A person at the page."""

    def __init__(self, qtbot: QtBot, settings: QSettings, frame: QWidget) -> None:
        self.qtbot, self.frame = qtbot, frame
        self.messages = MessageBar(frame)
        self.page = LearnPage(settings, self.messages, frame)
        column = QVBoxLayout(frame)
        column.addWidget(self.messages)
        column.addWidget(self.page, 1)
        self.learner = self.page.learner
        self.settings_panel, self.run_panel = self.page.settings_panel, self.page.run_panel
        self.grid, self.presenter, self.session = self.page.samples.grid, self.page.presenter, self.page.session
        self.events: list[object] = []
        self.learner.progressed.connect(self.events.append)

    def enter(self) -> None:
        """Bring the page to the front, and wait until it knows what is in the folder."""
        with self.qtbot.waitSignals([self.learner.inspected], timeout=PATIENCE_MS):
            self.page.enter()

    def press_go(self) -> None:
        QTest.mouseClick(self.run_panel.go, Qt.MouseButton.LeftButton)

    def press_stop(self) -> None:
        QTest.mouseClick(self.run_panel.halt, Qt.MouseButton.LeftButton)

    def wait_for(self, state: TrainingState) -> None:
        self.qtbot.waitUntil(lambda: self.learner.state is state, timeout=PATIENCE_MS)

    def wait_for_rows(self, count: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.presenter.rows) >= count, timeout=PATIENCE_MS)

    def wait_for_message(self) -> str:
        self.qtbot.waitUntil(lambda: bool(self.messages.message), timeout=PATIENCE_MS)
        return self.messages.message

    def draw(self) -> None:
        """Draw what is due, now."""
        self.presenter.clock.request()
        self.presenter.flush()

    def close(self) -> None:
        """As the window does when it is closed."""
        self.page.save_choices()
        self.page.shutdown()
        self.frame.close()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network of one level, reports every 160 pictures."""
    network = {"patch": 4, "channels": (32,)}
    own = plan.PRESETS[plan.OWN]
    recipe = replace(own.recipe, total_pictures=1000, batch=16, report_every=160, checkpoint_every=480)
    monkeypatch.setitem(plan.PRESETS, plan.OWN, replace(own, recipe=recipe, **network))
    monkeypatch.setattr(live, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr(
        "sculptor_app.training.records.run_folder.HEAD_START_S", 1e9
    )  # rows come however busy the machine is
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return fill(tmp_path / "pictures")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "mine"


@pytest.fixture
def chosen(settings: QSettings, pictures: Path, run_folder: Path) -> QSettings:
    """Settings in which a person's own pictures are to be learned."""
    settings.setValue("learn/preset", plan.OWN)
    settings.setValue("learn/pictures", str(pictures))
    settings.setValue("learn/total", "1000")
    settings.setValue("learn/folder", str(run_folder))
    return settings


@pytest.fixture
def open_page(qtbot: QtBot, qapp: QApplication, chosen: QSettings) -> Iterator[Callable[[], LearnDriver]]:
    """Opens the page; each is closed at the end, as a window would."""
    from sculptor_app.ui import theme

    theme.apply(qapp, "light")
    drivers: list[LearnDriver] = []

    def open_one() -> LearnDriver:
        frame = QWidget()
        qtbot.addWidget(frame)
        driver = LearnDriver(qtbot, chosen, frame)
        drivers.append(driver)
        frame.resize(1280, 640)
        frame.show()
        driver.enter()
        return driver

    yield open_one
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(open_page: Callable[[], LearnDriver]) -> LearnDriver:
    return open_page()
