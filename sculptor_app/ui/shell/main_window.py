"""The window: a bare frame that is painted at once, and everything in it once that has happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, QSettings, QSize, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QColor, QContextMenuEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from sculptor_app import identity
from sculptor_app.ui.theme import theme
from sculptor_app.ui.theme.tokens import LEFT_PANEL_PX, RIGHT_PANEL_PX

if TYPE_CHECKING:
    from sculptor_app.session.engine import Sampling
    from sculptor_app.ui.shell.panels import Panels
    from sculptor_app.ui.shell.workbench import Workbench

TOP_PX, BOTTOM_PX = 32, 272
"""Where the panels begin; the bare frame shows their grounds."""

LEAST_SIZE = QSize(560, 320)
"""Of a window, if the screen has room. What is in it never makes it larger: panels fold, then they scroll."""

FIRST_SIZE, FRAME_ROOM = QSize(1440, 900), QSize(8, 40)
"""Size at the very first start, and what a window manager's title and borders take of the screen."""


class MainWindow(QMainWindow):
    """The application's one window.

    `complete` makes its parts in two stages: `Panels`, then `Workbench`.

    Args:
        model: folder of the model to sculpt with; None is the embedded one.
        sampling: makes the engine and runs it; None is the real one.
    """

    painted = Signal()  # the window has been painted for the first time
    completed = Signal()  # every part of it is there
    closed = Signal()  # everything behind the window has ended

    def __init__(
        self, settings: QSettings | None = None, model: str | None = None, sampling: Sampling | None = None
    ) -> None:
        super().__init__()
        self.setWindowTitle(identity.NAME)
        self.settings = settings or QSettings(identity.COMMAND, identity.COMMAND)
        self._model, self._sampling = model, sampling
        self._panels: Panels | None = None
        self._workbench: Workbench | None = None
        self._was_painted = False
        self.painted.connect(self.complete)
        geometry = self.settings.value("window/geometry")
        if not isinstance(geometry, QByteArray) or not self.restoreGeometry(geometry):
            self.resize(FIRST_SIZE)
        self.fit_to_screen()

    def room_on_screen(self) -> QSize:
        """What the screen has for a window beside its own frame."""
        return self.screen().availableGeometry().size() - FRAME_ROOM

    @Slot()
    def fit_to_screen(self) -> None:
        """Be no larger than the screen, whichever it is and whatever was remembered of another."""
        room = self.room_on_screen()
        self.setMinimumSize(LEAST_SIZE.boundedTo(room))  # else Qt takes the one of its layout
        if not self.isMaximized() and not self.isFullScreen() and not _holds(room, self.size()):
            self.resize(self.size().boundedTo(room))

    # Parts -------------------------------------------------------------------------------------------------------

    @property
    def panels(self) -> Panels:
        """Session, runner and panels; there once `complete` has built them."""
        assert self._panels is not None
        return self._panels

    @property
    def bench(self) -> Workbench:
        """Frames, filmstrip, pages and menus; there once `complete` has built them."""
        assert self._workbench is not None
        return self._workbench

    @Slot()
    def complete(self) -> None:
        """Build everything that is in the frame. Once."""
        if self._workbench is not None:
            return
        from sculptor_app import folders
        from sculptor_app.ui.shell.panels import Panels
        from sculptor_app.ui.shell.workbench import Workbench

        folders.close_settings(Path(self.settings.fileName()))
        panels = self._panels = Panels(self, self._model, self._sampling)
        panels.dock_layout.restore(self.settings)
        panels.controls.restore(self.settings)
        self._workbench = Workbench(panels, self.settings, self)
        self._workbench.menus.restore(self.settings)
        self.fit_to_screen()
        self._fit_panels()
        handle = self.windowHandle()
        if handle is not None:
            handle.screenChanged.connect(self.fit_to_screen)
        panels.dock_layout.restored.connect(panels.welcome.setFocus)  # docks that are put in place lead it on
        self.completed.emit()

    @Slot()
    def prepare(self) -> None:
        """What takes longest and comes last: the plots, then torch and the model in the worker thread."""
        self.complete()
        self.panels.plots.load()
        self.panels.runner.prepare()

    def close_for_signal(self) -> bool:
        """Save the settings and close soon, as the process ends; whether a checkpoint is being written meanwhile."""
        panels, bench = self._panels, self._workbench
        keeps = bench is not None and bench.pages.keeps_checkpoint
        if panels is not None and bench is not None:
            self._save(panels, bench)
        QTimer.singleShot(0, self.close)
        return keeps

    def _fit_panels(self) -> None:
        """Fold what has no room."""
        if self._workbench is not None and self._panels is not None:
            self._panels.dock_layout.fit()
            page = self._workbench.pages.page
            if page is not None:
                page.fit_into(self.width(), self.height())

    def _save(self, panels: Panels, bench: Workbench) -> None:
        from sculptor_app import folders

        self.settings.setValue("window/geometry", self.saveGeometry())
        panels.dock_layout.save(self.settings)
        bench.pages.save_choices()
        panels.controls.save(self.settings)
        bench.menus.save(self.settings)
        self.settings.sync()
        folders.close_settings(Path(self.settings.fileName()))

    # Qt overrides ------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_panels()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._workbench is None:
            painter = QPainter(self)
            middle = self.rect().adjusted(LEFT_PANEL_PX, TOP_PX, -RIGHT_PANEL_PX, -BOTTOM_PX)
            painter.fillRect(middle, QColor(theme().tokens.well))
            painter.end()
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._workbench is None or not self._workbench.picture_menu.show_for(event):
            super().contextMenuEvent(event)

    def drag_picture(self, widget: QWidget, place: QPoint) -> None:
        """Drag a picture of this window out of it; see `DragSource`."""
        if self._workbench is not None:
            self._workbench.picture_menu.drag(widget, place)

    def closeEvent(self, event: QCloseEvent) -> None:
        panels, bench = self._panels, self._workbench
        if panels is None or bench is None:
            super().closeEvent(event)
            self.closed.emit()
            return
        from sculptor_app.session.worker import JobThread

        bench.full_screen.leave()
        self._save(panels, bench)
        self.hide()  # at once: the step that is being computed may take seconds
        for jobs in self.findChildren(JobThread):  # all at once, and not each when the one before has ended
            jobs.cancel()
        panels.session.pause()
        bench.pages.stop()  # at once, as a checkpoint takes its time, too
        bench.close()
        panels.runner.shutdown()
        panels.run_control.shutdown()
        bench.library.shutdown()  # which keeps the run that has just been stopped
        bench.pages.shutdown()
        super().closeEvent(event)
        self.closed.emit()


def _holds(room: QSize, size: QSize) -> bool:
    return size.width() <= room.width() and size.height() <= room.height()
