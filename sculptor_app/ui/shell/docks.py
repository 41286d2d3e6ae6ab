"""The layout of the page Carve's docks: reset, moved, hidden for other pages, and remembered."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QObject, QSettings, Qt, QTimer, Slot
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from sculptor_app.ui.widgets.basics import LayoutBarrier

LAYOUT_VERSION = 1
"""Raised when panels come or go, so that an older remembered layout is not put on them."""

LEFT_PX, RIGHT_PX = 240, 400
"""Widths of the docks beside the frames."""

NARROW_WINDOW_PX, NARROW_PX = 1180, (244, 332)
"""In a window narrower than this the docks have these widths, so that frames keep theirs."""

FILM_HEIGHT_PX = 114
"""Room for the filmstrip before it is there, so that nothing jumps when it comes."""

KEY = "window/layout"


class DockLayout(QObject):
    """Docks of a window."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.docks: dict[str, QDockWidget] = {}  # by name
        self.is_movable = False  # whether they have title bars, by which they are moved
        self._first = QByteArray()
        self._remembered = QByteArray()
        self._hidden: QByteArray | None = None  # the layout, while another page is in front
        options = QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowNestedDocks
        window.setDockOptions(options)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            window.setCorner(corner, Qt.DockWidgetArea.BottomDockWidgetArea)

    def add(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        """Put a panel into a dock of its own; its name is what a remembered layout knows it by."""
        dock = QDockWidget(title, self._window)
        dock.setObjectName(name)
        dock.setWidget(LayoutBarrier(panel))
        dock.setTitleBarWidget(QWidget(dock))  # none until panels are to be moved
        self._window.addDockWidget(area, dock)
        self.docks[name] = dock
        return dock

    # Remembering -------------------------------------------------------------------------------------------------

    def restore(self, settings: QSettings) -> None:
        """Put the docks where they were the last time, or where they belong; called once, when all are there."""
        self._first = self._window.saveState(LAYOUT_VERSION)
        remembered = settings.value(KEY)
        if isinstance(remembered, QByteArray) and self._window.restoreState(remembered, LAYOUT_VERSION):
            self._remembered = remembered
            QTimer.singleShot(0, self._restore_again)  # the sizes: see `reset`
        else:
            self.reset()

    @Slot()
    def _restore_again(self) -> None:
        self._window.restoreState(self._remembered, LAYOUT_VERSION)

    def save(self, settings: QSettings) -> None:
        """Remember where the docks are and how large."""
        settings.setValue(KEY, self._hidden or self._window.saveState(LAYOUT_VERSION))

    # Moving ------------------------------------------------------------------------------------------------------

    @Slot()
    def reset(self) -> None:
        """Put every dock back where it belongs."""
        self._window.restoreState(self._first, LAYOUT_VERSION)
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self._resize()
        QTimer.singleShot(0, self._resize)  # panels that have not been laid out yet have no sizes to be changed

    @Slot()
    def _resize(self) -> None:
        beside = [self.docks["block"], self.docks["plots"]]
        widths = NARROW_PX if self._window.width() < NARROW_WINDOW_PX else (LEFT_PX, RIGHT_PX)
        self._window.resizeDocks(beside, list(widths), Qt.Orientation.Horizontal)
        film = self.docks["film"]
        self._window.resizeDocks([film], [max(film.height(), FILM_HEIGHT_PX)], Qt.Orientation.Vertical)

    @Slot(bool)
    def set_movable(self, movable: bool) -> None:
        """Show the docks' title bars, by which they are moved, or hide them."""
        if movable == self.is_movable:
            return
        self.is_movable = movable
        for dock in self.docks.values():
            # WORKAROUND: PySide6 6.11's stubs do not know that None brings the native title bar back.
            dock.setTitleBarWidget(None if movable else QWidget(dock))  # type: ignore[arg-type]

    # Other pages -------------------------------------------------------------------------------------------------

    def hide(self) -> None:
        """Make room for another page: hide docks and status bar, and keep their layout."""
        self._hidden = self._window.saveState(LAYOUT_VERSION)
        self._window.setUpdatesEnabled(False)
        for dock in self.docks.values():
            dock.hide()
            dock.toggleViewAction().setEnabled(False)
        self._window.statusBar().hide()
        self._window.setUpdatesEnabled(True)

    def show(self) -> None:
        """Bring docks and status bar back as they were."""
        layout, self._hidden = self._hidden, None
        self._window.setUpdatesEnabled(False)
        self._window.statusBar().show()
        for dock in self.docks.values():
            dock.toggleViewAction().setEnabled(True)
        if layout is not None:
            centre = self._window.centralWidget()
            if centre is not None:  # the layout still knows what the page before it needed, and would grow by the docks
                centre.updateGeometry()
            self._bring_back(layout)
            # Panels that have not been laid out yet have no sizes to be changed: once more when they have.
            QTimer.singleShot(0, lambda: self._bring_back(layout))
        self._window.setUpdatesEnabled(True)

    def _bring_back(self, layout: QByteArray) -> None:
        if self._hidden is None:  # else another page came to the front meanwhile
            self._window.restoreState(layout, LAYOUT_VERSION)
