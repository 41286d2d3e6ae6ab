"""The window: what is seen first, in `__init__`, and the rest of it once that has been painted, in `complete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from sculptor_app import identity
from sculptor_app.session.runner import SculptRunner
from sculptor_app.session.session import Session
from sculptor_app.ui.block_panel import BlockPanel
from sculptor_app.ui.controls import Controls
from sculptor_app.ui.message_bar import MessageBar
from sculptor_app.ui.plots_panel import PlotsPanel
from sculptor_app.ui.run_control import RunControl
from sculptor_app.ui.run_panel import RunPanel
from sculptor_app.ui.still import Still
from sculptor_app.ui.welcome import Welcome
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.ui.workbench import Workbench

LAYOUT_VERSION = 1
"""Raised when panels come or go, so that an older remembered layout is not put on them."""

FILM_HEIGHT_PX = 114
"""Room for the filmstrip before it is there, so that nothing jumps when it comes."""


class MainWindow(QMainWindow):
    """The application's one window.

    Args:
        settings: where layout and choices are remembered.
        model: folder of the model to sculpt with; None is the embedded one.
        engine_module: what the worker thread imports to sculpt.

    Signals:
        painted: the window has been painted for the first time.
        completed: every part of it is there.
        closed: everything behind the window has ended.
    """

    painted = Signal()
    completed = Signal()
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
        self.bench: Workbench | None = None
        self._was_painted = False
        self._make_menu_titles()
        self._make_panels(model)
        self._make_docks()
        self._make_status()
        self.run_control = RunControl(self.session, self.runner, self.controls, self.run_panel, self.messages)
        self.controls.edited.connect(self._judge)
        self.welcome.start_requested.connect(self.run_control.start)
        self.painted.connect(self.complete)
        self._first_layout = self.saveState(LAYOUT_VERSION)
        self._restore()

    # Building ----------------------------------------------------------------------------------------------------

    def _make_menu_titles(self) -> None:
        titles = {
            "file": self.tr("&File"),
            "run": self.tr("&Run"),
            "view": self.tr("&View"),
            "go": self.tr("&Go"),
            "help": self.tr("&Help"),
        }
        self.menu_of: dict[str, QMenu] = {key: self.menuBar().addMenu(title) for key, title in titles.items()}

    def _make_panels(self, model: str | None) -> None:
        self.messages = MessageBar(self)
        self.welcome = Welcome(self)
        self.controls = Controls(model, self)
        self.run_panel = RunPanel(self)
        self.plots = PlotsPanel(self.session, self)
        self.transport = TransportBar(self)
        self.timeline = Timeline(self)
        self.film_panel = _column(self, (), (14, 2, 14, 4))
        self.film_panel.setMinimumHeight(FILM_HEIGHT_PX)
        self.middle = QStackedWidget(self)
        self.middle.addWidget(self.welcome)
        self.setCentralWidget(_column(self, (self.messages, self.middle), (0, 0, 0, 0)))

    def _make_docks(self) -> None:
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        self.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowNestedDocks)
        self.setCorner(Qt.Corner.BottomLeftCorner, bottom)
        self.setCorner(Qt.Corner.BottomRightCorner, bottom)
        scrubber = _column(self, (self.transport, self.timeline), (14, 10, 14, 0), 8)
        self.docks = {
            "block": self._dock("block", self.tr("The block"), BlockPanel(self.controls, self.run_panel, self), left),
            "plots": self._dock("plots", self.tr("Frequencies"), self.plots, right),
            "timeline": self._dock("timeline", self.tr("Timeline"), scrubber, bottom),
            "film": self._dock("film", self.tr("Filmstrip"), self.film_panel, bottom),
        }
        self.splitDockWidget(self.docks["timeline"], self.docks["film"], Qt.Orientation.Vertical)

    def _dock(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(Still(panel))
        dock.setTitleBarWidget(QWidget(dock))  # none until panels are to be moved
        self.addDockWidget(area, dock)
        return dock

    def _make_status(self) -> None:
        self.status_line = QLabel(self.tr("no run yet"), self)
        self.memory_line = QLabel(self)
        lines = QWidget(self)
        row = QHBoxLayout(lines)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.status_line, 1)
        row.addWidget(self.memory_line)
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(Still(lines), 1)
        bar.setContentsMargins(12, 0, 12, 0)

    # Coming up ---------------------------------------------------------------------------------------------------

    @Slot()
    def complete(self) -> None:
        """Build what nobody sees before the first run: frames, filmstrip, the menus' entries. Once."""
        if self.bench is not None:
            return
        from sculptor_app.ui.workbench import Workbench

        self.bench = Workbench(self)
        self.bench.menus.restore(self.settings)
        self.completed.emit()

    @Slot()
    def prepare(self) -> None:
        """What takes longest and comes last: the plots, then torch and the model in the worker thread."""
        self.complete()
        self.plots.load()
        self.runner.prepare()

    @Slot()
    def _judge(self) -> None:
        self.welcome.set_can_start(not self.controls.reason)

    # Remembering -------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        geometry, layout = self.settings.value("window/geometry"), self.settings.value("window/layout")
        if not isinstance(geometry, QByteArray) or not self.restoreGeometry(geometry):
            self.resize(1440, 900)
        if not isinstance(layout, QByteArray) or not self.restoreState(layout, LAYOUT_VERSION):
            self.lay_out_afresh()
        self.controls.restore(self.settings)

    @Slot()
    def lay_out_afresh(self) -> None:
        """Put every panel back where it belongs."""
        self.restoreState(self._first_layout, LAYOUT_VERSION)
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self.resizeDocks([self.docks["block"], self.docks["plots"]], [240, 400], Qt.Orientation.Horizontal)

    @Slot(bool)
    def set_panels_movable(self, movable: bool) -> None:
        """Show the panels' title bars, by which they are moved, or hide them."""
        for dock in self.docks.values():
            dock.setTitleBarWidget(None if movable else QWidget(dock))

    def _save(self) -> None:
        self.settings.setValue("window/geometry", self.saveGeometry())
        self.settings.setValue("window/layout", self.saveState(LAYOUT_VERSION))
        self.controls.save(self.settings)
        if self.bench is not None:
            self.bench.menus.save(self.settings)
        self.settings.sync()

    # Qt overrides ------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._save()
        self.hide()  # at once: the step that is being computed may take seconds
        self.session.pause()
        if self.bench is not None:
            self.bench.close()
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
