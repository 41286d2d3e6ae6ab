"""The page with a real runner and a tiny real model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui import theme
from sculptor_app.ui.why.experiments import Experiment
from sculptor_app.ui.why.page import WhyPage
from sculptor_app.ui.widgets.bars import MessageBar

RUN_MS = 60_000


class Visitor:
    """A person at the page."""

    def __init__(self, qtbot: QtBot, page: WhyPage, runner: SamplingRunner) -> None:
        self.qtbot, self.page, self.runner = qtbot, page, runner
        self.ends: list[tuple[Experiment, str]] = []
        page.results.ended.connect(lambda experiment, outcome, error: self.ends.append((experiment, outcome)))

    def choose(self, experiment: Experiment, steps: int = 4, **boxes: str) -> None:
        QTest.mouseClick(self.page.chooser.cards[experiment], Qt.MouseButton.LeftButton)
        controls = self.page.controls[experiment]
        controls.steps.set_text(str(steps))
        for name, key in boxes.items():
            box = getattr(controls, name)
            box.setCurrentIndex(box.findData(key))

    def wait_for_noises(self) -> None:
        self.qtbot.waitUntil(lambda: not self.page.noise_preview.is_busy, timeout=RUN_MS)
        self.page.presenter.clock.flush()

    def click_start(self) -> None:
        QTest.mouseClick(self.page.run_panel.button, Qt.MouseButton.LeftButton)

    def run(self) -> None:
        with self.qtbot.waitSignal(self.page.results.ended, timeout=RUN_MS):
            self.click_start()
        self.page.presenter.clock.flush()

    def go_to(self, step: int) -> None:
        self.page.session.go_to(step)
        self.page.presenter.clock.flush()

    def image(self, cell: int) -> bytes:
        image = self.page.grid.image_of(cell)
        assert isinstance(image, QImage)
        return bytes(image.constBits())

    def images(self) -> list[bytes]:
        return [self.image(cell) for cell in range(len(self.page.grid.runs))]

    def paint(self, *places: tuple[float, float], release: bool = True) -> None:
        canvas = self.page.paint_panel.canvas
        points = [canvas.point_of(place).toPoint() for place in places]
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=points[0])
        for point in points[1:]:
            QTest.mouseMove(canvas, point)
        if release:
            QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=points[-1])

    def wait_for_end(self) -> None:
        self.qtbot.waitUntil(lambda: not self.page.results.is_busy, timeout=RUN_MS)
        self.wait_for_noises()


@pytest.fixture
def open_page(
    qtbot: QtBot, qapp: QApplication, settings: QSettings, tiny_model: Path
) -> Iterator[Callable[..., Visitor]]:
    theme.apply(qapp, "light")
    opened: list[tuple[WhyPage, SamplingRunner]] = []

    def open_one(model: Path = tiny_model) -> Visitor:
        runner, messages = SamplingRunner(str(model)), MessageBar()
        page = WhyPage(runner, lambda: str(model), settings, messages)
        qtbot.addWidget(page)
        qtbot.addWidget(messages)
        page.resize(1200, 800)
        page.show()
        page.enter()
        opened.append((page, runner))
        visitor = Visitor(qtbot, page, runner)
        visitor.wait_for_noises()
        return visitor

    yield open_one
    for page, runner in opened:
        page.session.pause()
        page.shutdown()
        runner.shutdown()


@pytest.fixture
def visitor(open_page: Callable[..., Visitor]) -> Visitor:
    return open_page()
