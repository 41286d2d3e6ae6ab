"""What the page consists of, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from sculptor_app.ui.carve.left_panel import LIKED_WIDTH_PX, BlockPanel
from sculptor_app.ui.why.cell_grid import CellGrid
from sculptor_app.ui.why.controls import ExperimentControls
from sculptor_app.ui.why.experiment_chooser import ExperimentChooser, GridHeader, Invitation
from sculptor_app.ui.why.experiments import Experiment
from sculptor_app.ui.why.paint_panel import PaintPanel
from sculptor_app.ui.why.presenter import GridPresenter
from sculptor_app.ui.why.results import GridRunPanel
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.ui.why.page import WhyPage

translate = QCoreApplication.translate  # a name that lupdate knows


def story(experiment: Experiment) -> str:
    """What the grid of an experiment shows, in a sentence."""
    return {
        Experiment.LABELS: translate("Why", "One block of noise: every label finds its own statue in it"),
        Experiment.NOISES: translate("Why", "Every block holds another statue, and none is rubbish"),
        Experiment.BLEND: translate("Why", "Between two blocks there is a statue at every place"),
        Experiment.PAINT: translate("Why", "Paint on the block: strokes decide where light, dark and colour go"),
    }[experiment]


def invitation(experiment: Experiment) -> str:
    """What is about to happen, before the first run of an experiment."""
    return {
        Experiment.LABELS: translate("Why", "The same block, over and over. What is in it?"),
        Experiment.NOISES: translate("Why", "Block beside block. What is in them?"),
        Experiment.BLEND: translate("Why", "One block turns into another. What is in between?"),
        Experiment.PAINT: translate("Why", "Draw on the block, and see what it becomes"),
    }[experiment]


class ControlsStack(QStackedWidget):
    """The controls of all experiments, one on top; only that one counts for the size.

    Signals:
        rebuilt: there are other fields; never, as those of an experiment stay what they are.
    """

    rebuilt = Signal()

    def sizeHint(self) -> QSize:
        return self.currentWidget().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self.currentWidget().minimumSizeHint()

    def fit_into(self, height_px: int) -> None:
        """Fold the labels beside their fields where they would not all be seen otherwise."""
        for index in range(self.count()):
            self.widget(index).fit_into(height_px)


def build(page: WhyPage) -> None:
    """Make a page's widgets, as attributes of it, and lay them out."""
    page.chooser = ExperimentChooser(page)
    page.header = GridHeader(page)
    page.grid = CellGrid(page)
    page.paint_panel = PaintPanel(page)
    page.invitation = Invitation(page.grid)
    page.timeline, page.transport = Timeline(page), TransportBar(page)
    page.run_panel = GridRunPanel(page)
    page.controls = {experiment: ExperimentControls(experiment, page) for experiment in Experiment}
    page.panels = ControlsStack(page)
    for controls in page.controls.values():
        page.panels.addWidget(controls)
    left = BlockPanel(page.panels, page.run_panel, page)
    left.setFixedWidth(LIKED_WIDTH_PX)
    page.presenter = GridPresenter(page.session, page.grid, page.timeline, page.transport)
    upper = QHBoxLayout()
    upper.setSpacing(0)
    upper.addWidget(left)
    upper.addWidget(_middle(page), 1)
    lower = QVBoxLayout()
    lower.setContentsMargins(14, 10, 14, 4)
    lower.setSpacing(8)
    lower.addWidget(page.transport)
    lower.addWidget(page.timeline)
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addLayout(upper, 1)
    column.addLayout(lower)


def _middle(page: WhyPage) -> QWidget:
    middle = QWidget(page)
    middle.setProperty("ground", "well")
    middle.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    column = QVBoxLayout(middle)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(page.chooser)
    column.addWidget(page.header)
    column.addWidget(_Bench(page.paint_panel, page.grid, middle), 1)
    return middle


class _Bench(QWidget):
    """The block that is painted on, as large as its height allows, and the grid beside it."""

    def __init__(self, paint_panel: PaintPanel, grid: CellGrid, parent: QWidget) -> None:
        super().__init__(parent)
        self._paint_panel = paint_panel
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(paint_panel)
        row.addWidget(grid, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._paint_panel.fit_into(self.width(), self.height())
