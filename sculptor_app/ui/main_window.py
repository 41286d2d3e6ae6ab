"""The window: panels that can be moved, and the threads behind them."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QLabel,
    QMainWindow,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sculptor_app import identity
from sculptor_app.session.runner import SculptRunner
from sculptor_app.session.session import Session
from sculptor_app.ui import status_text
from sculptor_app.ui.controls import Controls
from sculptor_app.ui.frame_clock import FrameClock
from sculptor_app.ui.keys import StepKeys
from sculptor_app.ui.menus import Menus
from sculptor_app.ui.message_bar import MessageBar
from sculptor_app.ui.plots_panel import PlotsPanel
from sculptor_app.ui.presenter import Presenter
from sculptor_app.ui.run_control import RunControl
from sculptor_app.ui.run_panel import RunPanel
from sculptor_app.ui.stage import Stage
from sculptor_app.ui.welcome import Welcome
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

LAYOUT_VERSION = 1
"""Raised when panels come or go, so that an older remembered layout is not put on them."""


class MainWindow(QMainWindow):
    """The application's one window.

    Args:
        settings: where layout and choices are remembered.
        model: folder of the model to sculpt with; None is the embedded one.
        engine_module: what the worker thread imports to sculpt.

    Signals:
        painted: the window has been painted for the first time.
        closed: everything behind the window has ended.
    """

    painted = Signal()
    closed = Signal()

    def __init__(
        self,
        settings: QSettings | None = None,
        model: str | None = None,
        engine_module: str = "sculptor_app.diffusion.engine",
    ) -> None:
        super().__init__()
        self.setWindowTitle(identity.NAME)
        self.settings = settings or QSettings(identity.COMMAND, identity.COMMAND)
        self.session = Session(self)
        self.runner = SculptRunner(model, engine_module, self)
        self._was_painted = False
        self._model = model
        self._make_panels()
        self._make_docks()
        self._make_status()
        self.presenter = Presenter(self.session, self.stage, self.timeline, self.transport, self.film)
        self.run_control = RunControl(self.session, self.runner, self.controls, self.run_panel, self.messages)
        self.menus = Menus(self)
        self._plot_clock = FrameClock(frame_ms=16, parent=self)
        self._keys = StepKeys(self)
        QApplication.instance().installEventFilter(self._keys)
        self._connect()
        self._first_layout = self.saveState(LAYOUT_VERSION)
        self.restore()

    # Building ----------------------------------------------------------------------------------------------------

    def _make_panels(self) -> None:
        self.messages = MessageBar(self)
        self.stage = Stage(self)
        self.welcome = Welcome(self)
        self.controls = Controls(self._model, self)
        self.run_panel = RunPanel(self)
        self.plots = PlotsPanel(self.session, self)
        self.transport = TransportBar(self)
        self.timeline = Timeline(self)
        self.film = Filmstrip(self)
        self._middle = QStackedWidget(self)
        self._middle.addWidget(self.welcome)
        self._middle.addWidget(self.stage)
        central = QWidget(self)
        column = QVBoxLayout(central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self._middle, 1)
        self.setCentralWidget(central)

    def _make_docks(self) -> None:
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        self.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowNestedDocks)
        self.setCorner(Qt.Corner.BottomLeftCorner, bottom)
        self.setCorner(Qt.Corner.BottomRightCorner, bottom)
        self.docks = {
            "block": self._dock("block", self.tr("The block"), self._block_panel(), left),
            "plots": self._dock("plots", self.tr("Frequencies"), self.plots, right),
            "timeline": self._dock("timeline", self.tr("Timeline"), self._timeline_panel(), bottom),
            "film": self._dock("film", self.tr("Filmstrip"), self._film_panel(), bottom),
        }
        self.splitDockWidget(self.docks["timeline"], self.docks["film"], Qt.Orientation.Vertical)

    def _dock(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(panel)
        dock.setTitleBarWidget(QWidget(dock))  # none until panels are to be moved
        self.addDockWidget(area, dock)
        return dock

    def _block_panel(self) -> QWidget:
        scroll = QScrollArea(self)
        scroll.setWidget(self.controls)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return _column(self, (scroll, self.run_panel), (0, 0, 0, 0))

    def _timeline_panel(self) -> QWidget:
        return _column(self, (self.transport, self.timeline), (14, 10, 14, 0), 8)

    def _film_panel(self) -> QWidget:
        return _column(self, (self.film,), (14, 2, 14, 4))

    def _make_status(self) -> None:
        self.status_line = QLabel(self)
        self.memory_line = QLabel(self)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.status_line, 1)
        self.statusBar().addPermanentWidget(self.memory_line)
        self.statusBar().setContentsMargins(12, 0, 12, 0)
        self.status_line.setText(self.tr("no run yet"))

    def _connect(self) -> None:
        self.session.trajectory_changed.connect(self._show_stage)
        self.session.trajectory_changed.connect(self.plots.show_trajectory)
        for signal in (self.session.length_changed, self.session.step_changed, self.session.running_changed):
            signal.connect(self._plot_clock.request)
        self.session.running_changed.connect(self._limit_plots)
        self._plot_clock.due.connect(self.plots.draw)
        self.presenter.clock.due.connect(self._show_status)
        self.run_control.pace_changed.connect(self.presenter.clock.request)
        self.session.running_changed.connect(self._show_settled)
        self.plots.step_requested.connect(self.session.go_to)
        self.run_control.planned.connect(self._show_plan)
        self.run_control.begun.connect(self._leave_fields)
        self.controls.edited.connect(self._judge)
        self.welcome.start_requested.connect(self.run_control.start)

    # Coming up ---------------------------------------------------------------------------------------------------

    @Slot()
    def after_first_paint(self) -> None:
        """What a person does not have to wait for: the plots, then torch and the model in the worker thread."""
        screen = self.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
        self.plots.load()
        self.runner.prepare()

    @Slot()
    def _show_stage(self) -> None:
        if self._middle.currentWidget() is not self.stage:
            self._middle.setCurrentWidget(self.stage)
            self.stage.setFocus()  # else it would go on from the invitation's button to the next one

    @Slot()
    def _leave_fields(self) -> None:
        """Who has started a run has done typing: the arrow keys are for the run now."""
        if self.controls.isAncestorOf(QApplication.focusWidget() or self):
            self.stage.setFocus()

    @Slot(object)
    def _show_plan(self, levels: object) -> None:
        from sculptor_app.diffusion.phases import phase_spans

        self.presenter.show_plan(levels)
        self.plots.show_plan(levels)
        self.welcome.set_plan(phase_spans(levels))

    @Slot()
    def _judge(self) -> None:
        self.welcome.set_can_start(not self.controls.reason)

    @Slot(bool)
    def _limit_plots(self, running: bool) -> None:
        self._plot_clock.share = 0.1 if running else 0.5

    @Slot(bool)
    def _show_settled(self, running: bool) -> None:
        trajectory = self.session.trajectory
        is_over = not running and trajectory is not None and trajectory.is_complete
        self.timeline.set_settled(self.plots.settled_marks() if is_over else [])

    @Slot()
    def _show_status(self) -> None:
        trajectory = self.session.trajectory
        if trajectory is not None:
            pace = self.run_control.pace.mean_s
            self.status_line.setText(status_text.status_line(trajectory, self.session.position, pace))
            self.memory_line.setText(status_text.memory_text(trajectory))

    # Remembering -------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Take up the window and the choices of last time."""
        geometry, layout = self.settings.value("window/geometry"), self.settings.value("window/layout")
        if not isinstance(geometry, QByteArray) or not self.restoreGeometry(geometry):
            self.resize(1440, 900)
        if not isinstance(layout, QByteArray) or not self.restoreState(layout, LAYOUT_VERSION):
            self.lay_out_afresh()
        self.controls.restore(self.settings)
        self.menus.restore(self.settings)

    def lay_out_afresh(self) -> None:
        """Put every panel back where it belongs."""
        self.restoreState(self._first_layout, LAYOUT_VERSION)
        docks, sides = [self.docks["block"], self.docks["plots"]], [232, 400]
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self.resizeDocks(docks, sides, Qt.Orientation.Horizontal)

    @Slot(bool)
    def set_panels_movable(self, movable: bool) -> None:
        """Show the panels' title bars, by which they are moved, or hide them."""
        for dock in self.docks.values():
            dock.setTitleBarWidget(None if movable else QWidget(dock))

    def save(self) -> None:
        """Remember the window and the choices."""
        self.settings.setValue("window/geometry", self.saveGeometry())
        self.settings.setValue("window/layout", self.saveState(LAYOUT_VERSION))
        self.controls.save(self.settings)
        self.menus.save(self.settings)
        self.settings.sync()

    # Qt overrides ------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.save()
        self.hide()  # at once: the step that is being computed may take seconds
        self.session.pause()
        self.presenter.clock.stop()
        self._plot_clock.stop()
        self.menus.close_dialogs()
        QApplication.instance().removeEventFilter(self._keys)
        self.runner.shutdown()
        super().closeEvent(event)
        self.closed.emit()


def _column(parent: QWidget, widgets: tuple[QWidget, ...], margins: tuple[int, int, int, int], gap: int = 0) -> QWidget:
    panel = QWidget(parent)
    column = QVBoxLayout(panel)
    column.setContentsMargins(*margins)
    column.setSpacing(gap)
    for widget in widgets:
        column.addWidget(widget)
    return panel
