"""The panels of the window, and the threads behind them: built once the bare frame has been painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QTabBar,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.session import Session
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.carve.welcome import Welcome
from sculptor_app.ui.playback.run_panel import BlockPanel, RunPanel
from sculptor_app.ui.plots.plots_panel import PlotsPanel
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar
from sculptor_app.ui.widgets.basics import Still
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import Sampling
    from sculptor_app.ui.shell.main_window import MainWindow

FILM_HEIGHT_PX = 114
"""Room for the filmstrip before it is there, so that nothing jumps when it comes."""


class Front(QObject):
    """Session, runner and panels of a window, put into its docks.

    Args:
        window: gets every part as an attribute of its own.
        model: folder of the model to sculpt with; None is the embedded one.
        sampling: makes the engine and runs it; None is the real one.
    """

    def __init__(self, window: MainWindow, model: str | None, sampling: Sampling | None) -> None:
        super().__init__(window)
        self._window = window
        window.session = Session(window)
        window.runner = SamplingRunner(model, sampling, window)
        self._make_menu_titles()
        self._make_tabs()
        self._make_panels(model)
        self._make_docks()
        self._make_status()
        window.run_control = RunControl(
            window.session, window.runner, window.controls, window.run_panel, window.messages
        )
        window.controls.edited.connect(self._judge)
        window.welcome.start_requested.connect(window.run_control.start)

    def _judge(self) -> None:
        self._window.welcome.set_can_start(not self._window.controls.reason)

    def _make_menu_titles(self) -> None:
        window = self._window
        titles = {
            "file": self.tr("&File"),
            "run": self.tr("&Run"),
            "view": self.tr("&View"),
            "go": self.tr("&Go"),
            "help": self.tr("&Help"),
        }
        window.menu_of = {key: window.menuBar().addMenu(title) for key, title in titles.items()}

    def _make_tabs(self) -> None:
        window = self._window
        window.tabs = QTabBar(window)
        window.tabs.setObjectName("pages")
        window.tabs.setExpanding(False)
        window.tabs.setDrawBase(False)
        window.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        window.tabs.setAccessibleName(self.tr("Pages"))
        if window.menuBar().isNativeMenuBar():  # which has no room for widgets of ours
            bar = QToolBar(self.tr("Pages"), window)
            bar.setObjectName("pages_bar")
            bar.setMovable(False)
            bar.addWidget(window.tabs)
            window.addToolBar(bar)
        else:
            window.menuBar().setCornerWidget(window.tabs, Qt.Corner.TopRightCorner)

    def _make_panels(self, model: str | None) -> None:
        window = self._window
        window.messages = MessageBar(window)
        window.opening_bar = WorkBar(self.tr("Progress of opening a model"), window)
        window.download_bar = WorkBar(self.tr("Progress of the download"), window)
        window.saving_bar = WorkBar(self.tr("Progress of the saving"), window)
        window.welcome = Welcome(window)
        window.controls = Controls(model, window)
        window.run_panel = RunPanel(window)
        window.plots = PlotsPanel(window.session, window)
        window.transport = TransportBar(window)
        window.timeline = Timeline(window)
        window.film_hint = QLabel(self.tr("Every step leaves a picture here, from the pure noise on."), window)
        window.film_hint.setProperty("tone", "muted")
        window.film_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        window.film_panel = _column(window, (window.film_hint,), (14, 2, 14, 4))
        window.film_panel.setMinimumHeight(FILM_HEIGHT_PX)
        window.middle = QStackedWidget(window)
        window.middle.addWidget(window.welcome)
        window.stack = QStackedWidget(window)
        window.stack.addWidget(window.middle)
        bars = window.opening_bar, window.download_bar, window.saving_bar
        window.setCentralWidget(_column(window, (window.messages, *bars, window.stack), (0, 0, 0, 0)))

    def _make_docks(self) -> None:
        window = self._window
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        window.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowNestedDocks)
        window.setCorner(Qt.Corner.BottomLeftCorner, bottom)
        window.setCorner(Qt.Corner.BottomRightCorner, bottom)
        scrubber = _column(window, (window.transport, window.timeline), (14, 10, 14, 0), 8)
        window.docks = {
            "block": self._dock(
                "block",
                self.tr("The block"),
                self._block_panel(),
                left,
            ),
            "plots": self._dock("plots", self.tr("Frequencies"), window.plots, right),
            "timeline": self._dock("timeline", self.tr("Timeline"), scrubber, bottom),
            "film": self._dock("film", self.tr("Filmstrip"), window.film_panel, bottom),
        }
        window.splitDockWidget(window.docks["timeline"], window.docks["film"], Qt.Orientation.Vertical)

    def _block_panel(self) -> BlockPanel:
        controls = self._window.controls
        panel = BlockPanel(controls, controls.fit_into, self._window.run_panel, self._window)
        controls.rebuilt.connect(panel.fit)
        return panel

    def _dock(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        window = self._window
        dock = QDockWidget(title, window)
        dock.setObjectName(name)
        dock.setWidget(Still(panel))
        dock.setTitleBarWidget(QWidget(dock))  # none until panels are to be moved
        window.addDockWidget(area, dock)
        return dock

    def _make_status(self) -> None:
        window = self._window
        window.status_line = QLabel(self.tr("no run yet"), window)
        window.memory_line = QLabel(window)
        lines = QWidget(window)
        row = QHBoxLayout(lines)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(window.status_line, 1)
        row.addWidget(window.memory_line)
        bar = window.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(Still(lines), 1)
        bar.setContentsMargins(12, 0, 12, 0)


def _column(parent: QWidget, widgets: tuple[QWidget, ...], margins: tuple[int, int, int, int], gap: int = 0) -> QWidget:
    panel = QWidget(parent)
    column = QVBoxLayout(panel)
    column.setContentsMargins(*margins)
    column.setSpacing(gap)
    for widget in widgets:
        column.addWidget(widget)
    return panel
