"""The real window with a tiny real model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.helpers.window import Driver


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    """Settings of this test's own."""
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def driver(qtbot: QtBot, qapp: QApplication, settings: QSettings, tiny_model: Path) -> Iterator[Driver]:
    """A window on screen whose engine is not there yet; it is closed at the end, as a person would."""
    from sculptor_app.ui import theme
    from sculptor_app.ui.main_window import MainWindow

    theme.apply(qapp, "light")
    window = MainWindow(settings, str(tiny_model))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    yield Driver(qtbot, window)
    window.close()


@pytest.fixture
def ready(driver: Driver) -> Driver:
    """The same with plots and engine."""
    driver.prepare()
    return driver
