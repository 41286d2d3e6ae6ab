"""The panels of the page Carve, with its session and runner: built once the bare frame has been painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QStatusBar,
    QTabBar,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.session import Session
from sculptor_app.ui.carve.changes import ChangesControl
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.carve.welcome import Welcome
from sculptor_app.ui.playback.page import FILM_MARGINS, SCRUBBER_GAP_PX, SCRUBBER_MARGINS
from sculptor_app.ui.playback.run_panel import LEAVES_PX as LEFT_LEAVES_PX
from sculptor_app.ui.playback.run_panel import BlockPanel, RunPanel
from sculptor_app.ui.playback.texts import memory_tip
from sculptor_app.ui.plots.plots_panel import PlotsPanel, plots_fold
from sculptor_app.ui.shell.docks import DOCK_TAKES_PX, LEAST_LEFT_PX, DockLayout
from sculptor_app.ui.widgets.bars import BarColumn, MessageBar, WorkBar
from sculptor_app.ui.widgets.basics import CompactStack, ElidedLabel, LayoutBarrier
from sculptor_app.ui.widgets.changes_lane import ChangesLane
from sculptor_app.ui.widgets.filmstrip import PICTURE_SIDE, Filmstrip, film_px, picture_side
from sculptor_app.ui.widgets.folding import FoldingPanel, Folds
from sculptor_app.ui.widgets.names import explained
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import Sampling


class Panels(QObject):
    """Session, runner and panels of a window, put into its docks; `model` and `sampling` as in `MainWindow`."""

    def __init__(self, window: QMainWindow, model: str | None, sampling: Sampling | None) -> None:
        super().__init__(window)
        self.runner = SamplingRunner(model, sampling, window)
        self.session = Session(window, memory_bytes=lambda: self.runner.budget_bytes)
        self.menus = self._make_menu_titles(window)
        self.tabs = self._make_tabs(window)
        self.messages = MessageBar(window)
        self.opening_bar = WorkBar(self.tr("Progress of opening a model"), window)
        self.download_bar = WorkBar(self.tr("Progress of the download"), window)
        self.run_bar = WorkBar(self.tr("Progress of opening a run"), window)
        self.saving_bar = WorkBar(self.tr("Progress of the saving"), window)
        self.welcome = Welcome(window)
        self.controls = Controls(model, window)
        self.run_panel = RunPanel(window)
        self.plots = PlotsPanel(self.session, window)
        self.transport = TransportBar(window)
        self.timeline, self.lane = Timeline(window), ChangesLane(window)
        self.film_hint = QLabel(self.tr("Every step leaves a picture here, from the pure noise on."), window)
        self.film_hint.setProperty("tone", "muted")
        self.film_hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.film_hint.setFixedHeight(film_px(PICTURE_SIDE))  # of the filmstrip, so that nothing jumps when it comes
        self.film_panel = _column(window, (self.film_hint,), FILM_MARGINS)
        self.middle = CompactStack(window)
        self.middle.addWidget(self.welcome)
        self.stack = CompactStack(window)
        self.stack.addWidget(self.middle)
        centre = _column(window, (self.stack,), (0, 0, 0, 0))
        bars = self.messages, self.opening_bar, self.download_bar, self.run_bar, self.saving_bar
        self.bars = BarColumn(centre, bars)
        self.centre = LayoutBarrier(centre)
        window.setCentralWidget(self.centre)
        self.dock_layout = self._make_docks(window)
        self.no_run_text = self.tr("no run yet")
        self.status_line = ElidedLabel(self.no_run_text, window)
        self.status_line.fill_place()
        self.status_line.set_tip(explained("snr"))
        self.memory_line = QLabel(window)
        self.memory_line.setToolTip(memory_tip())
        self.status = self._make_status(window)
        self.changes = ChangesControl(self.session, self.runner, self.controls, self.timeline, self.lane, self.messages)
        self.run_control = RunControl(
            self.session, self.runner, self.controls, self.run_panel, self.messages, self.changes
        )
        self.run_control.judged.connect(self.welcome.set_can_start)
        self.welcome.set_can_start(not self.controls.reason)
        self.welcome.start_requested.connect(self.run_control.start)

    @Slot(int)
    def _fit_film_hint(self, window_px: int) -> None:
        self.film_hint.setFixedHeight(film_px(picture_side(window_px)))

    def add_filmstrip(self, film: Filmstrip) -> None:
        """Put the filmstrip where its hint is; hidden until there is a run."""
        self.dock_layout.film_fitted.connect(film.fit_into)
        film.fit_into(self.film_panel.window().height())
        film_layout = self.film_panel.layout()
        assert film_layout is not None
        film_layout.addWidget(film)
        film.hide()

    def _make_menu_titles(self, window: QMainWindow) -> dict[str, QMenu]:
        titles = {
            "file": self.tr("&File"),
            "run": self.tr("&Run"),
            "view": self.tr("&View"),
            "go": self.tr("&Go"),
            "help": self.tr("&Help"),
        }
        return {key: window.menuBar().addMenu(title) for key, title in titles.items()}

    def _make_tabs(self, window: QMainWindow) -> QTabBar:
        tabs = QTabBar(window)
        tabs.setObjectName("pages")
        tabs.setExpanding(False)
        tabs.setDrawBase(False)
        tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        tabs.setAccessibleName(self.tr("Pages"))
        if window.menuBar().isNativeMenuBar():  # which has no room for widgets of ours
            bar = QToolBar(self.tr("Pages"), window)
            bar.setObjectName("pages_bar")
            bar.setMovable(False)
            bar.addWidget(tabs)
            window.addToolBar(bar)
        else:
            window.menuBar().setCornerWidget(tabs, Qt.Corner.TopRightCorner)
        return tabs

    def _make_docks(self, window: QMainWindow) -> DockLayout:
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        block = BlockPanel(self.controls, self.controls.fit_into, self.run_panel, window)
        self.controls.rebuilt.connect(block.fit)
        *sides, below = SCRUBBER_MARGINS
        margins = sides[0], sides[1], sides[2], below + DOCK_TAKES_PX
        scrubber = _column(window, (self.transport, self.lane, self.timeline), margins, SCRUBBER_GAP_PX)
        block_name, plots_name = self.tr("The block"), self.tr("Frequencies")
        block_panel = FoldingPanel(
            LayoutBarrier(block), (self.controls.title,), block_name, "left", LEAST_LEFT_PX, LEFT_LEAVES_PX
        )
        plots = plots_fold(LayoutBarrier(self.plots), self.plots, plots_name)
        layout = DockLayout(window, Folds("carve", {"block": block_panel, "plots": plots}, window))
        layout.add("block", block_name, block_panel, left)
        layout.add("plots", plots_name, plots, right)
        film_panel = LayoutBarrier(self.film_panel, keeps_height=True)
        film = layout.add("film", self.tr("Filmstrip"), film_panel, bottom)
        timeline = layout.add("timeline", self.tr("Timeline"), LayoutBarrier(scrubber, keeps_height=True), bottom)
        layout.add_film_switch(self.transport.film_button)
        layout.film_fitted.connect(self._fit_film_hint)
        window.splitDockWidget(film, timeline, Qt.Orientation.Vertical)
        return layout

    def _make_status(self, window: QMainWindow) -> QStatusBar:
        lines = QWidget(window)
        row = QHBoxLayout(lines)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.status_line, 1)
        row.addWidget(self.memory_line)
        bar = window.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(LayoutBarrier(lines, keeps_height=True), 1)
        bar.setContentsMargins(12, 0, 12, 0)
        return bar


def _column(parent: QWidget, widgets: tuple[QWidget, ...], margins: tuple[int, int, int, int], gap: int = 0) -> QWidget:
    panel = QWidget(parent)
    column = QVBoxLayout(panel)
    column.setContentsMargins(*margins)
    column.setSpacing(gap)
    for widget in widgets:
        column.addWidget(widget)
    return panel
