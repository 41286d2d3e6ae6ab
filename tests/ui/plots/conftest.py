"""The panel of both plots, as the tests of each have it."""

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.session.session import Session
from sculptor_app.ui import theme
from sculptor_app.ui.plots.plots_panel import PlotsPanel


@pytest.fixture
def panel(qtbot: QtBot, qapp: QApplication) -> PlotsPanel:
    theme.apply(qapp, "light")
    panel = PlotsPanel(Session(qapp), None)
    qtbot.addWidget(panel)
    panel.resize(400, 600)
    panel._session.trajectory_changed.connect(panel.show_trajectory)
    return panel
