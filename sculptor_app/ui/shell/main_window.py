"""The window: a bare frame that is painted at once, and everything in it once that has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from sculptor_app import identity
from sculptor_app.ui.theme import theme

CARVE = "carve"
"""The page that the panels belong to; `pages` has the same."""

if TYPE_CHECKING:
    from sculptor_app.session.engine import Sampling
    from sculptor_app.ui.shell.workbench import Workbench

LAYOUT_VERSION = 1
"""Raised when panels come or go, so that an older remembered layout is not put on them."""

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 240, 400, 32, 272
"""Where the panels begin; the bare frame shows their grounds."""

LIKED_SIZE, FRAME_ROOM = QSize(1440, 900), QSize(8, 40)
"""Size at the very first start, and what a window manager's title and borders take of the screen."""


class MainWindow(QMainWindow):
    """The application's one window.

    What it consists of is made by `complete`: `session`, `runner`, `controls`, `plots`, `timeline` and the other panels
    by `front.Front`, frames, filmstrip and menus by `workbench.Workbench`.

    Args:
        settings: where layout and choices are remembered.
        model: folder of the model to sculpt with; None is the embedded one.
        sampling: makes the engine and runs it; None is the real one.

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
        sampling: Sampling | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle(identity.NAME)
        self.settings = settings or QSettings(identity.COMMAND, identity.COMMAND)
        self._model, self._sampling = model, sampling
        self.bench: Workbench | None = None
        self._was_painted = False
        self.painted.connect(self.complete)
        geometry = self.settings.value("window/geometry")
        if not isinstance(geometry, QByteArray) or not self.restoreGeometry(geometry):
            self._fit_to_screen()

    def _fit_to_screen(self) -> None:
        """Take the size that the panels like, or as much of it as the screen has beside the window's own frame."""
        available = self.screen().availableGeometry().size()
        self.resize(LIKED_SIZE.boundedTo(available - FRAME_ROOM))

    # Coming up ---------------------------------------------------------------------------------------------------

    @Slot()
    def complete(self) -> None:
        """Build everything that is in the frame. Once."""
        if self.bench is not None:
            return
        from sculptor_app.ui.shell.front import Front
        from sculptor_app.ui.shell.workbench import Workbench

        Front(self, self._model, self._sampling)
        self._first_layout = self.saveState(LAYOUT_VERSION)
        self._restore()
        self.bench = Workbench(self)
        self.bench.menus.restore(self.settings)
        self.completed.emit()

    @Slot()
    def prepare(self) -> None:
        """What takes longest and comes last: the plots, then torch and the model in the worker thread."""
        self.complete()
        self.plots.load()
        self.runner.prepare()

    # Remembering -------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        if self._restore_layout():
            QTimer.singleShot(0, self._restore_layout)  # the sizes: see `lay_out_afresh`
        else:
            self.lay_out_afresh()
        self.controls.restore(self.settings)

    @Slot()
    def _restore_layout(self) -> bool:
        layout = self.settings.value("window/layout")
        return isinstance(layout, QByteArray) and self.restoreState(layout, LAYOUT_VERSION)

    @Slot()
    def lay_out_afresh(self) -> None:
        """Put every panel back where it belongs, and come back to them."""
        if self.bench is not None:
            self.bench.pages.show(CARVE)
        self.restoreState(self._first_layout, LAYOUT_VERSION)
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self._size_docks()
        QTimer.singleShot(0, self._size_docks)  # panels that have not been laid out yet have no sizes to be changed

    @Slot()
    def _size_docks(self) -> None:
        sides = [self.docks["block"], self.docks["plots"]]
        self.resizeDocks(sides, [LEFT_PX, RIGHT_PX], Qt.Orientation.Horizontal)

    @Slot(bool)
    def set_panels_movable(self, movable: bool) -> None:
        """Show the panels' title bars, by which they are moved, or hide them."""
        for dock in self.docks.values():
            dock.setTitleBarWidget(None if movable else QWidget(dock))

    def layout_state(self) -> QByteArray:
        """Where the panels are and how large."""
        return self.saveState(LAYOUT_VERSION)

    def restore_layout_state(self, layout: QByteArray) -> None:
        """Put the panels where they were, unless they have just been put aside again."""
        if self.bench.pages.carving_layout is None:
            self.restoreState(layout, LAYOUT_VERSION)

    def _save(self) -> None:
        self.settings.setValue("window/geometry", self.saveGeometry())
        self.settings.setValue("window/layout", self.bench.pages.carving_layout or self.layout_state())
        self.bench.pages.save_choices()
        self.controls.save(self.settings)
        self.bench.menus.save(self.settings)
        self.settings.sync()

    # Qt overrides ------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.bench is None:
            painter = QPainter(self)
            middle = self.rect().adjusted(LEFT_PX, TOP_PX, -RIGHT_PX, -BOTTOM_PX)
            painter.fillRect(middle, QColor(theme().tokens.well))
            painter.end()
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.bench is None:
            super().closeEvent(event)
            self.closed.emit()
            return
        self._save()
        self.hide()  # at once: the step that is being computed may take seconds
        self.session.pause()
        self.bench.close()
        self.runner.shutdown()
        self.bench.pages.shutdown()
        super().closeEvent(event)
        self.closed.emit()
