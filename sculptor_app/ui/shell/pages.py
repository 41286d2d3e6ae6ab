"""The pages of the window: carving, and the stories beside it, each built when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QTabBar, QWidget

from sculptor_app.session.session import Session
from sculptor_app.ui.playback.page import Page

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow

CARVE = "carve"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that can be looked at.

    Attributes:
        key: Identifier.
        title: On its tab.
        tip: What it shows, in a line.
        build: Makes it; None for carving, which the window's own panels are.
    """

    key: str
    title: str
    tip: str
    build: Callable[[], Page] | None = None


class Pages(QObject):
    """Which page is in front; the window's panels belong to carving and step aside for the others.

    Args:
        window: Has `stack`, whose first widget is carving's, and `tabs`.
        entries: Carving first.

    Signals:
        changed: another page is in front.
        built: a page has been made, before it is shown.
    """

    changed = Signal()
    built = Signal(object)

    def __init__(self, window: MainWindow, entries: list[Entry]) -> None:
        super().__init__(window)
        self._window, self._entries = window, entries
        self._pages: dict[str, Page] = {}
        self._current = CARVE
        self._layout: QByteArray | None = None  # of carving's panels, while they are hidden
        tabs: QTabBar = window.tabs
        for entry in entries:
            index = tabs.addTab(entry.title)
            tabs.setTabToolTip(index, entry.tip)
        tabs.currentChanged.connect(self._tab_chosen)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The pages there are, carving first."""
        return tuple(self._entries)

    @property
    def current(self) -> str:
        """Key of the page in front."""
        return self._current

    @property
    def page(self) -> Page | None:
        """The page in front; None for carving."""
        return self._pages.get(self._current)

    @property
    def session(self) -> Session:
        """The session of what is in front."""
        page = self.page
        return self._window.session if page is None else page.session

    @property
    def carving_layout(self) -> QByteArray | None:
        """The layout of carving's panels while another page is in front."""
        return self._layout

    def built_page(self, key: str) -> Page | None:
        """A page if it has been looked at already."""
        return self._pages.get(key)

    def show(self, key: str) -> Page | None:
        """Bring a page to the front.

        Returns:
            The page; None for carving.
        """
        if key != self._current:
            self._leave()
            self._current = key
            self._enter(key)
            self._window.tabs.setCurrentIndex([entry.key for entry in self._entries].index(key))
            self.changed.emit()
        return self.page

    def save_choices(self) -> None:
        """Have every page remember its choices."""
        for page in self._pages.values():
            page.save_choices()

    def shutdown(self) -> None:
        """End what the pages do in the background, and wait for it."""
        for page in self._pages.values():
            page.session.pause()
            page.shutdown()

    @Slot(int)
    def _tab_chosen(self, index: int) -> None:
        self.show(self._entries[index].key)

    def _leave(self) -> None:
        page = self.page
        if page is not None:
            page.leave()
            return
        self._window.session.pause()
        self._layout = self._window.layout_state()
        self._window.setUpdatesEnabled(False)
        for dock in self._window.docks.values():
            dock.hide()
            dock.toggleViewAction().setEnabled(False)
        self._window.statusBar().hide()
        self._window.setUpdatesEnabled(True)

    def _enter(self, key: str) -> None:
        if key == CARVE:
            self._enter_carving()
            return
        page = self._pages.get(key) or self._build(key)
        self._bring_up(page)
        page.enter()
        if self._window.focusWidget() is None or not page.isAncestorOf(self._window.focusWidget()):
            page.setFocus()

    def _enter_carving(self) -> None:
        layout, self._layout = self._layout, None
        self._window.setUpdatesEnabled(False)
        self._bring_up(self._window.middle)
        self._window.statusBar().show()
        for dock in self._window.docks.values():
            dock.toggleViewAction().setEnabled(True)
        if layout is not None:
            self._window.restore_layout_state(layout)
            # Panels that have not been laid out yet have no sizes to be changed: once more when they have.
            QTimer.singleShot(0, lambda: self._window.restore_layout_state(layout))
        self._window.setUpdatesEnabled(True)
        self._window.middle.currentWidget().setFocus()

    def _bring_up(self, widget: QWidget) -> None:
        """Only what is in front asks for room; a stack would keep the window as large as the largest page needs."""
        stack = self._window.stack
        for index in range(stack.count()):
            shown = stack.widget(index) is widget
            policy = QSizePolicy.Policy.Preferred if shown else QSizePolicy.Policy.Ignored
            stack.widget(index).setSizePolicy(policy, policy)
        stack.setCurrentWidget(widget)

    def _build(self, key: str) -> Page:
        build = next(entry.build for entry in self._entries if entry.key == key)
        assert build is not None
        page = self._pages[key] = build()
        self._window.stack.addWidget(page)
        self.built.emit(page)
        return page
