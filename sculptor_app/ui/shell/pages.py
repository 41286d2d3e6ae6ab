"""The pages of the window: a table of them, each built when it is first opened, and which one is in front."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QCoreApplication, QObject, QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QTabBar, QWidget

from sculptor_app.core.requests.request import Parting, RunRequest
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
    term: str  # where the glossary tells of it: a term's key, or "chapter-" and a chapter's
    build: Callable[[], Page] | None = None  # makes it; None for Carve, which the window's own panels are


class Pages(QObject):
    """Which page is in front; the window's panels belong to Carve and are hidden for the others."""

    changed = Signal()  # another page is in front
    built = Signal(object)  # a page has been made, before it is shown

    def __init__(
        self, tabs: QTabBar, stack: QStackedWidget, middle: QStackedWidget, session: Session, dock_layout: DockLayout
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

    def show(self, key: str) -> Page | None:
        """Bring a page to the front; the one that is there stays where the other cannot be built, which raises."""
        if key != self._current:
            if key != CARVE and key not in self._pages:
                self._build(key)
            self._leave()
            self._current = key
            self._enter(key)
            self._show_current()
        return self.page

    def _show_current(self) -> None:
        self._tabs.setCurrentIndex([entry.key for entry in self._entries].index(self._current))
        self.changed.emit()

    def save_choices(self) -> None:
        """Have every page remember its choices."""
        for page in self._pages.values():
            page.save_choices()

    @property
    def keeps_checkpoint(self) -> bool:
        """Whether a page has a checkpoint to write before it ends."""
        return any(page.keeps_checkpoint for page in self._pages.values())

    def stop(self) -> None:
        """Ask all pages to end what they do in the background."""
        for page in self._pages.values():
            page.stop()

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
        page = self._pages[key]
        window = self._stack.window()
        page.fit_into(window.width(), window.height())
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

    def _build(self, key: str) -> None:
        build = next(entry.build for entry in self._entries if entry.key == key)
        assert build is not None
        try:
            page = build()
        except BaseException:
            for half in self._stack.window().findChildren(Page, options=Qt.FindChildOption.FindDirectChildrenOnly):
                half.deleteLater()
            self._show_current()  # the tab and the tick are those of the page that was asked for
            raise
        self._pages[key] = page
        self._stack.addWidget(page)
        self.built.emit(page)


class PageTable:
    """The table of pages, and how each is made.

    Args:
        panels: What the pages take from Carve, and hand to it.
        pages: Bring Carve to the front when a page hands it something.
        models: Open the models that pages name; the pages follow the one that is opened.
        settings: Where the pages' choices are remembered.
        parent: The window.
    """

    def __init__(self, panels: Panels, pages: Pages, models: Models, settings: QSettings, parent: QWidget) -> None:
        self._panels, self._pages, self._models = panels, pages, models
        self._settings, self._parent = settings, parent

    def entries(self) -> list[Entry]:
        """The pages, in the order of their tabs."""
        return [
            Entry(
                CARVE,
                translate("Pages", "Carve"),
                translate("Pages", "Noise is taken away, step by step, until a picture is there"),
                "chapter-frames",
            ),
            Entry(
                "drown",
                translate("Pages", "Drown"),
                translate("Pages", "A picture drowns in noise, and comes back"),
                "layer",
                self._drown,
            ),
            Entry(
                "learn",
                translate("Pages", "Learn"),
                translate("Pages", "A model learns what noise looks like, while you watch"),
                "loss",
                self._learn,
            ),
            Entry(
                "why",
                translate("Pages", "Why noise?"),
                translate("Pages", "Many runs at once: what the noise decides, and what not"),
                "grid",
                self._why,
            ),
            Entry(
                "when",
                translate("Pages", "Decided when?"),
                translate("Pages", "Runs that part at a step: what was decided by then, and what was still open"),
                "fork",
                self._when,
            ),
        ]

    def _drown(self) -> Page:
        from sculptor_app.ui.drown.page import DrownPage
        from sculptor_app.ui.drown.reverse_runs import CarvePage

        panels = self._panels

        def carve(request: RunRequest, start: MakeStart) -> SampleRun:
            self._pages.show(CARVE)
            return panels.run_control.sample(request, start)

        controls, result = panels.controls, functools.partial(_result, panels.session)
        carve_page = CarvePage(carve, controls.request, controls.labelled, lambda: controls.model, result)
        page = DrownPage(panels.runner, carve_page, self._settings, panels.messages, self._parent)
        for changed in (panels.session.running_changed, panels.session.trajectory_changed):
            changed.connect(page.offer_result)
        self._models.opening.opened.connect(page.take_model)
        return page

    def _learn(self) -> Page:
        from sculptor_app.ui.learn.page import LearnPage

        def carve_with(folder: str) -> None:
            self._pages.show(CARVE)
            self._models.open(folder)

        page = LearnPage(self._settings, self._panels.messages, self._parent)
        page.model_ready.connect(carve_with)
        return page

    def _when(self) -> Page:
        from sculptor_app.ui.when.page import CarveRuns, WhenPage

        panels = self._panels
        session, controls, run_control = panels.session, panels.controls, panels.run_control

        def why_not() -> str:
            shown = None if session.trajectory is None else session.trajectory.undecoded
            if shown is None:
                return ""
            if getattr(shown, "snapshots", None) is None:
                return translate("Pages", "Nothing was kept of the run on the page Carve to fork it: run it again.")
            if shown.info.request.model != controls.model:
                return translate("Pages", "The run on the page Carve is not of the model that is open.")
            if not shown.is_complete:
                return translate("Pages", "The run on the page Carve was stopped: go on with it there first.")
            return ""

        def run() -> Trajectory | None:
            shown = None if session.trajectory is None else session.trajectory.undecoded
            return None if shown is None or why_not() else cast("Trajectory", shown)

        def show_fork(whole: Trajectory, step: int, request: RunRequest, parting: Parting) -> None:
            self._pages.show(CARVE)
            controls.use(request)
            if step:
                panels.run_control.fork(whole, step, request, parting)
            else:
                panels.run_control.sample(request)

        carve = CarveRuns(run, why_not, run_control.start, lambda: run_control.is_busy)
        page = WhenPage(panels.runner, carve, self._settings, panels.messages, self._parent)
        for changed in (session.running_changed, session.trajectory_changed, run_control.busy_changed):
            changed.connect(page.take_run)
        self._models.opening.opened.connect(page.take_run)
        page.open_requested.connect(show_fork)
        return page

    def _why(self) -> Page:
        from sculptor_app.ui.why.page import WhyPage

        panels = self._panels

        def show_run(trajectory: Trajectory, place: str) -> None:
            self._pages.show(CARVE)
            panels.run_control.show_run(trajectory, place)

        controls = panels.controls
        page = WhyPage(panels.runner, lambda: controls.model, self._settings, panels.messages, self._parent)
        opening = self._models.opening
        opening.opened.connect(page.take_model)
        for unopened in (opening.failed, opening.cancelled):
            unopened.connect(page.forget_settings)
        page.model_wanted.connect(self._models.open)
        device = controls.device
        page.set_device(device.currentData())
        device.currentIndexChanged.connect(lambda _: page.set_device(device.currentData()))
        page.open_requested.connect(show_run)
        return page


def _result(session: Session) -> tuple[Any, str] | None:
    """The finished picture of the page Carve and its name; latents give one when they are seen decoded."""
    trajectory = session.trajectory
    if trajectory is None or not trajectory.is_complete or trajectory.info.space == "latents":
        return None
    if trajectory.shape[0] != COLOURS:
        return None
    last = trajectory.state(trajectory.last) / trajectory.levels[-1].scale
    return last.clip(-1, 1), translate("Pages", "carved: {0}").format(trajectory.info.conditions)
