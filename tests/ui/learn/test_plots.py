"""The plots of learning by themselves: their captions, and what their axes count."""

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sculptor_app.core.colours import PHASE_KEYS
from sculptor_app.training.records.events import LEVELS
from sculptor_app.ui import theme
from sculptor_app.ui.learn.plots import LearnedPlot, LossPlot, phase_index


@pytest.fixture
def plot(qtbot: QtBot, qapp: QApplication) -> LossPlot:
    theme.apply(qapp, "light")
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.resize(420, 300)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def test_each_axis_of_the_loss_says_what_it_counts(qtbot: QtBot, plot: LossPlot) -> None:
    unit = plot.canvas.bottom.label
    qtbot.waitUntil(unit.isVisible)
    assert unit.toPlainText().strip() == "pictures seen"
    assert plot.caption.text() == "upwards: mean squared error of the prediction, v"
    plot.resize(420, 140)
    qtbot.waitUntil(lambda: not unit.isVisible())
    assert plot.caption.text().endswith("prediction, v · from left to right: pictures seen")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_bars_have_the_colours_that_phases_have_everywhere(qtbot: QtBot, qapp: QApplication, mode: str) -> None:
    plot = LearnedPlot()
    qtbot.addWidget(plot)
    plot.set_shares([0.5] * LEVELS, [None] * LEVELS, "")
    theme.apply(qapp, mode)
    wanted = [theme.theme().tokens.phases[PHASE_KEYS[phase_index(level)]] for level in range(LEVELS)]
    assert [brush.name() for brush in plot._bars.opts["brushes"]] == wanted
    theme.apply(qapp, "light")
