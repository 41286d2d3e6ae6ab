"""The pages of the window: a table of them, each built when it is first opened, and which one is in front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QObject, QSettings, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QTabBar, QWidget

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.session.session import Session
from sculptor_app.ui.playback.page import Page
from sculptor_app.ui.shell.docks import DockLayout

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.session.engine import MakeStart
    from sculptor_app.session.runner import SampleRun
    from sculptor_app.ui.models.models import Models
    from sculptor_app.ui.shell.panels import Panels

CARVE = "carve"
"""The page that the window's own panels are."""

COLOURS = 3

translate = QCoreApplication.translate  # a name that lupdate knows


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that can be opened."""

    key: str
    title: str  # on its tab
    tip: str  # what it shows, in a line
    build: Callable[[], Page] | None = None  # makes it; None for Carve, which the window's own panels are


class Pages(QObject):
    """Which page is in front; the window's panels belong to Carve and are hidden for the others."""

    changed = Signal()  # another page is in front
    built = Signal(object)  # a page has been made, before it is shown

    def __init__(
        self,
        tabs: QTabBar,
        stack: QStackedWidget,
        middle: QStackedWidget,
        session: Session,
        dock_layout: DockLayout,
    ) -> None:
        super().__init__(stack)
        self._tabs, self._stack, self._middle = tabs, stack, middle
        self._session, self._dock_layout = session, dock_layout
        self._entries: list[Entry] = []
        self._pages: dict[str, Page] = {}
        self._current = CARVE

    def set_entries(self, entries: list[Entry]) -> None:
        """Offer pages, Carve first; called once."""
        self._entries = entries
        for entry in entries:
            index = self._tabs.addTab(entry.title)
            self._tabs.setTabToolTip(index, entry.tip)
        self._tabs.currentChanged.connect(self._tab_chosen)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The pages there are, Carve first."""
        return tuple(self._entries)

    @property
    def current(self) -> str:
        """Key of the page in front."""
        return self._current

    @property
    def page(self) -> Page | None:
        return self._pages.get(self._current)

    @property
    def session(self) -> Session:
        """The session of what is in front."""
        page = self.page
        return self._session if page is None else page.session

    def built_page(self, key: str) -> Page | None:
        """A page if it has been opened already."""
        return self._pages.get(key)

    def show(self, key: str) -> Page | None:
        """Bring a page to the front."""
        if key != self._current:
            self._leave()
            self._current = key
            self._enter(key)
            self._tabs.setCurrentIndex([entry.key for entry in self._entries].index(key))
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
        self._session.pause()
        self._dock_layout.hide()

    def _enter(self, key: str) -> None:
        if key == CARVE:
            self._bring_up(self._middle)
            self._dock_layout.show()
            shown = self._middle.currentWidget()
            assert shown is not None  # the invitation or the stage
            shown.setFocus()
            return
        page = self._pages.get(key) or self._build(key)
        self._bring_up(page)
        page.enter()
        focused = self._stack.window().focusWidget()
        if focused is None or not page.isAncestorOf(focused):
            page.setFocus()

    def _bring_up(self, widget: QWidget) -> None:
        """Only what is in front asks for room; a stack would keep the window as large as the largest page needs."""
        for each in (self._middle, *self._pages.values()):
            policy = QSizePolicy.Policy.Preferred if each is widget else QSizePolicy.Policy.Ignored
            each.setSizePolicy(policy, policy)
        self._stack.setCurrentWidget(widget)

    def _build(self, key: str) -> Page:
        build = next(entry.build for entry in self._entries if entry.key == key)
        assert build is not None
        page = self._pages[key] = build()
        self._stack.addWidget(page)
        self.built.emit(page)
        return page


def page_entries(panels: Panels, pages: Pages, models: Models, settings: QSettings, parent: QWidget) -> list[Entry]:
    """The table of pages, in the order of their tabs."""
    runner, messages, controls, run_control = panels.runner, panels.messages, panels.controls, panels.run_control

    def drown() -> Page:
        from sculptor_app.ui.drown.page import DrownPage

        def carve(request: RunRequest, start: MakeStart) -> SampleRun:
            pages.show(CARVE)
            return run_control.sample(request, start)

        return DrownPage(runner, carve, controls.request, lambda: _result(panels.session), settings, messages, parent)

    def learn() -> Page:
        from sculptor_app.ui.learn.page import LearnPage

        def carve_with(folder: str) -> None:
            pages.show(CARVE)
            models.open(folder)

        page = LearnPage(settings, messages, parent)
        page.model_ready.connect(carve_with)
        return page

    def why() -> Page:
        from sculptor_app.ui.why.page import WhyPage

        def show_run(trajectory: Trajectory) -> None:
            from sculptor_app.measures.run_measures import RunMeasures

            pages.show(CARVE)
            run_control.show_run(trajectory, RunMeasures.of(trajectory))

        page = WhyPage(runner, settings, messages, parent)
        device = controls.device
        page.set_device(device.currentData())
        device.currentIndexChanged.connect(lambda _: page.set_device(device.currentData()))
        page.open_requested.connect(show_run)
        return page

    return [
        Entry(
            CARVE,
            translate("Pages", "Carve"),
            translate("Pages", "Noise is taken away, step by step, until a picture is there"),
        ),
        Entry(
            "drown",
            translate("Pages", "Drown"),
            translate("Pages", "A picture drowns in static, and comes back"),
            drown,
        ),
        Entry(
            "learn",
            translate("Pages", "Learn"),
            translate("Pages", "A model learns what noise looks like, while you watch"),
            learn,
        ),
        Entry(
            "why",
            translate("Pages", "Why noise?"),
            translate("Pages", "Many runs at once: what the noise decides, and what not"),
            why,
        ),
    ]


def _result(session: Session) -> tuple[Any, str] | None:
    """The finished picture of the page Carve and its name; latents give one when they are seen decoded."""
    trajectory = session.trajectory
    if trajectory is None or not trajectory.is_complete or trajectory.info.space == "latents":
        return None
    if trajectory.shape[0] != COLOURS:
        return None
    last = trajectory.state(trajectory.last) / trajectory.levels[-1].scale
    return last.clip(-1, 1), translate("Pages", "carved: {0}").format(trajectory.info.conditions)
