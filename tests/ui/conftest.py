"""The real window with a tiny real model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.session.engine import Sampling
from tests.helpers.window import Driver


@pytest.fixture(autouse=True)
def only_living_widgets(qapp: QApplication, tried_once: None) -> None:
    """Deletes what the tests before have closed: without an event loop it would stay, and be styled anew each time."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    """Settings of this test's own."""
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def open_window(
    qtbot: QtBot, qapp: QApplication, settings: QSettings, tiny_model: Path
) -> Iterator[Callable[..., Driver]]:
    """Opens a window on screen whose engine is not there yet; each is closed at the end, as a person would."""
    from sculptor_app.ui import theme
    from sculptor_app.ui.shell.main_window import MainWindow

    theme.apply(qapp, "light")
    windows = []

    def open_one(sampling: Sampling | None = None, model: Path = tiny_model) -> Driver:
        window = MainWindow(settings, str(model), sampling)
        qtbot.addWidget(window)
        windows.append(window)
        window.show()
        # Its menus, and with them the keys, come on screen a moment after they are made.
        qtbot.waitUntil(lambda: window.bench is not None and window.menuBar().isVisible())
        return Driver(qtbot, window)

    yield open_one
    for window in windows:
        window.close()


@pytest.fixture
def driver(open_window: Callable[..., Driver]) -> Driver:
    """A window on screen whose engine is not there yet."""
    return open_window()


@pytest.fixture
def ready(driver: Driver) -> Driver:
    """The same with plots and engine."""
    driver.prepare()
    return driver
