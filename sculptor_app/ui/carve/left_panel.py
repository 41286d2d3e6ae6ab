"""The left panel: the settings, which scroll where they must, over Start and progress, which are always seen."""

from PySide6.QtCore import QSize, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.playback.run_panel import RunPanel
from sculptor_app.ui.widgets.basics import ScrolledPanel

LIKED_WIDTH_PX = 240


class BlockPanel(ScrolledPanel):
    """Controls and run panel above each other."""

    def __init__(self, controls: Controls, run_panel: RunPanel, parent: QWidget | None = None) -> None:
        super().__init__(controls, run_panel, parent)
        self._controls, self._run_panel = controls, run_panel
        controls.rebuilt.connect(self._fit)

    def sizeHint(self) -> QSize:
        return QSize(LIKED_WIDTH_PX, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        # What scrolls may be short but not narrow: it would be cut off at its right.
        return QSize(max(200, self._controls.minimumSizeHint().width() + self.bar_px), 160)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @Slot()
    def _fit(self) -> None:
        # Progress comes and goes; its room is kept, so that the labels do not jump when a run starts.
        self._controls.fit_into(self.height() - self._run_panel.tallest_px)
