"""The layout of the page Carve's docks: reset, moved, hidden for other pages, and remembered."""

from __future__ import annotations

import functools

from PySide6.QtCore import QByteArray, QObject, QSettings, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QHBoxLayout, QLabel, QMainWindow, QToolButton, QWidget

from sculptor_app.ui.plots.plots_panel import NARROW_PX, ROOMY_WINDOW_PX
from sculptor_app.ui.theme import fonts, icon
from sculptor_app.ui.theme.tokens import LEFT_PANEL_PX, RIGHT_PANEL_PX
from sculptor_app.ui.widgets.basics import QWIDGETSIZE_MAX
from sculptor_app.ui.widgets.folding import FilmSwitch, FoldingPanel, Folds

LAYOUT_VERSION = 2
"""Raised when panels come, go or change places, so that an older remembered layout is not put on them."""

LEFT_PX, LEAST_LEFT_PX, RIGHT_PX = LEFT_PANEL_PX, 200, RIGHT_PANEL_PX
"""Widths of the docks beside the frames."""

DOCK_TAKES_PX = 1
"""How much lower Qt makes a dock than the panel of fixed height in it asks for."""

KEY = "window/layout"


class _TitleBar(QWidget):
    """Name of a dock, and buttons that take it out of the window or put it back, and close it.

    Those of Qt's own title bar are 5 pixels wide under a style sheet, and a panel that floats without it has none.
    """

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        name = QLabel(dock.windowTitle(), self)
        name.setFont(fonts.strong())
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 4, 8, 2)
        row.setSpacing(2)
        row.addWidget(name, 1)
        turn = lambda: dock.setFloating(not dock.isFloating())  # noqa: E731
        for picture, text, act in (
            ("float", self.tr("Take it out of the window, or put it back"), turn),
            ("close", self.tr("Close; View > Panels brings it back"), dock.toggleViewAction().trigger),
        ):
            button = QToolButton(self)
            button.setIcon(icon(picture, "muted"))
            button.setIconSize(QSize(14, 14))
            button.setFixedSize(TITLE_BUTTON_PX, TITLE_BUTTON_PX)
            button.setToolTip(text)
            button.setAccessibleName(text)
            button.clicked.connect(act)
            row.addWidget(button)


TITLE_BUTTON_PX = 24


class DockLayout(QObject):
    """Docks of a window; those at its sides hold panels that fold."""

    restored = Signal()  # all are where they were the last time, and as large
    film_fitted = Signal(int)  # the filmstrip is to suit a window of this height

    def __init__(self, window: QMainWindow, folds: Folds) -> None:
        super().__init__(window)
        self._window, self.folds = window, folds
        self.film_switch: FilmSwitch | None = None  # there once the filmstrip's dock is
        self._areas: dict[str, Qt.DockWidgetArea] = {}  # where they belong
        self.docks: dict[str, QDockWidget] = {}  # by name
        self.is_movable = False  # whether they have title bars, by which they are moved
        self._first = QByteArray()
        self._remembered = QByteArray()
        self._was_roomy = True
        self._hidden: QByteArray | None = None  # the layout, while another page is in front
        options = QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowNestedDocks
        window.setDockOptions(options)
        for corner in (Qt.Corner.BottomLeftCorner, Qt.Corner.BottomRightCorner):
            window.setCorner(corner, Qt.DockWidgetArea.BottomDockWidgetArea)

    def add(self, name: str, title: str, panel: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        """Put a panel into a dock of its own; its name is what a remembered layout knows it by."""
        dock = QDockWidget(title, self._window)
        dock.setObjectName(name)
        dock.setWidget(panel)
        dock.setTitleBarWidget(QWidget(dock))  # none until panels are to be moved
        dock.topLevelChanged.connect(functools.partial(self._give_title, dock))
        self._window.addDockWidget(area, dock)
        self.docks[name], self._areas[name] = dock, area
        dock.topLevelChanged.connect(self._refit)
        dock.dockLocationChanged.connect(self._refit)
        if isinstance(panel, FoldingPanel):
            dock.toggleViewAction().triggered.connect(self._refit)
            panel.unfolded.connect(functools.partial(self._give_width, dock, panel))
        return dock

    def add_film_switch(self, button: QAbstractButton) -> None:
        """Have a button show and hide the filmstrip, as its entry in the menu does."""
        film = self.docks["film"]
        self.film_switch = FilmSwitch("carve", button, self._show_film, self)
        film.toggleViewAction().triggered.connect(self.film_switch.take_wish)
        self.film_switch.fitted.connect(self.film_fitted)

    # Fitting -----------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Fold what has no room in the window, and unfold what has."""
        if self._hidden is not None or self.film_switch is None:
            return
        width = self._window.width()
        for name, dock in self.docks.items():
            panel = dock.widget()
            if isinstance(panel, FoldingPanel):
                is_elsewhere = dock.isFloating() or self._window.dockWidgetArea(dock) is not self._areas[name]
                panel.is_held_open = is_elsewhere or dock.isHidden()
        plots = self.docks["plots"].widget()
        assert isinstance(plots, FoldingPanel)  # Panels puts it into one
        is_roomy = width >= ROOMY_WINDOW_PX or plots.is_held_open
        plots.set_width(NARROW_PX, QWIDGETSIZE_MAX if is_roomy else NARROW_PX)
        self.folds.fit(width)
        self.film_switch.fit(self._window.height())
        if is_roomy and not self._was_roomy:
            self._resize()
        self._was_roomy = is_roomy

    @Slot()
    def _refit(self) -> None:
        QTimer.singleShot(0, self.fit)  # Qt tells it before the dock is where it goes

    def _show_film(self, is_shown: bool) -> None:
        film = self.docks["film"]
        if self._hidden is None and film.isHidden() is is_shown:
            film.setVisible(is_shown)

    def _give_width(self, dock: QDockWidget, panel: FoldingPanel) -> None:
        """Give an unfolded panel the width that it had."""
        first = LEFT_PX if dock is self.docks["block"] else RIGHT_PX
        self._window.resizeDocks([dock], [panel.open_px or first], Qt.Orientation.Horizontal)

    # Remembering -------------------------------------------------------------------------------------------------

    def restore(self, settings: QSettings) -> None:
        """Put the docks where they were the last time, or where they belong; called once, when all are there."""
        self._first = self._window.saveState(LAYOUT_VERSION)
        self.folds.restore(settings)
        if self.film_switch is not None:
            self.film_switch.restore(settings)
        remembered = settings.value(KEY)
        if isinstance(remembered, QByteArray) and self._window.restoreState(remembered, LAYOUT_VERSION):
            self._remembered = remembered
            QTimer.singleShot(0, self._restore_again)  # the sizes: see `reset`
        else:
            self.reset()

    @Slot()
    def _restore_again(self) -> None:
        self._window.restoreState(self._remembered, LAYOUT_VERSION)
        self.fit()
        self.restored.emit()

    def save(self, settings: QSettings) -> None:
        """Remember where the docks are and how large."""
        settings.setValue(KEY, self._hidden or self._window.saveState(LAYOUT_VERSION))
        self.folds.save(settings)
        if self.film_switch is not None:
            self.film_switch.save(settings)

    # Moving ------------------------------------------------------------------------------------------------------

    @Slot()
    def reset(self) -> None:
        """Put every dock back where it belongs."""
        self._window.restoreState(self._first, LAYOUT_VERSION)
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self.folds.forget()
        if self.film_switch is not None:
            self.film_switch.forget()
        self.fit()
        self._resize()
        QTimer.singleShot(0, self._resize)  # panels that have not been laid out yet have no sizes to be changed

    @Slot()
    def _resize(self) -> None:
        beside = [self.docks["block"], self.docks["plots"]]
        self._window.resizeDocks(beside, [LEFT_PX, RIGHT_PX], Qt.Orientation.Horizontal)

    @Slot(bool)
    def set_movable(self, movable: bool) -> None:
        """Show the docks' title bars, by which they are moved, or hide them."""
        if movable == self.is_movable:
            return
        self.is_movable = movable
        for dock in self.docks.values():
            self._give_title(dock)

    def _give_title(self, dock: QDockWidget, *_: bool) -> None:
        """Give a dock a title bar while it can be moved, and always while it floats: its buttons are in it."""
        has_title = self.is_movable or dock.isFloating()
        old = dock.titleBarWidget()
        if isinstance(old, _TitleBar) is not has_title:
            dock.setTitleBarWidget(_TitleBar(dock) if has_title else QWidget(dock))
            if old is not None:
                old.deleteLater()

    # Other pages -------------------------------------------------------------------------------------------------

    def hide(self) -> None:
        """Make room for another page: hide the docks, and keep their layout."""
        self._hidden = self._window.saveState(LAYOUT_VERSION)
        self._window.setUpdatesEnabled(False)
        for dock in self.docks.values():
            dock.hide()
            dock.toggleViewAction().setEnabled(False)
        self._window.setUpdatesEnabled(True)

    def show(self) -> None:
        """Bring the docks back as they were."""
        layout, self._hidden = self._hidden, None
        self._window.setUpdatesEnabled(False)
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
            self.fit()
