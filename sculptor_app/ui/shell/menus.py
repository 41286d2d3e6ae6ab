"""Menus and shortcuts: one table of the window's actions, so that each can be found in a menu."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from sculptor_app.core.texts import byte_text, number_text
from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.measures.frame_kinds import ANIMATED_KINDS, DEFAULT_KINDS, FrameKind, current_word
from sculptor_app.session.library import LibraryWriter
from sculptor_app.session.session import LoopMode, Session
from sculptor_app.ui import theme
from sculptor_app.ui.carve.comparing import CompareMenu
from sculptor_app.ui.carve.latent_views import LatentViews
from sculptor_app.ui.carve.painting import HandCarving
from sculptor_app.ui.carve.reproduction import Reproduction
from sculptor_app.ui.carve.run_again_menu import CompareAgainMenu, ForkMenu, RunAgainMenu
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.carve.runs_menu import RunsMenu
from sculptor_app.ui.dialogs.help import Help
from sculptor_app.ui.models.models import Models
from sculptor_app.ui.playback.page import FigureViews, Page, Views
from sculptor_app.ui.playback.stage import ALONE, AUTOMATIC, LARGE, ROW
from sculptor_app.ui.plots.panel_head import GUESS, STATE
from sculptor_app.ui.saving.files import Files
from sculptor_app.ui.saving.saved_runs import SavedRuns
from sculptor_app.ui.shell.full_screen import FullScreen
from sculptor_app.ui.shell.pages import CARVE, Pages
from sculptor_app.ui.shell.panels import Panels
from sculptor_app.ui.widgets import names
from sculptor_app.ui.widgets.actions import Action, ActionTable, Choice, MenuEntry, Switch

if TYPE_CHECKING:
    from sculptor_app.ui.saving.library import LibraryDialog

MEMORY_MB = (128, 256, 512, 1000, 2000, 4000)
"""In units of 10⁶ bytes, as all sizes on screen."""
LIBRARY_MB = (250, 1000, 4000, 16000)
"""Room for the library in units of 10⁶ bytes; the second is the usual one, and 0 keeps no run."""
_FORMER_MEMORY = {"1024": "1000", "2048": "2000", "4096": "4000"}


SPEEDS = (1.0, 2.0, 6.0, 12.0, 24.0, 60.0)
"""Of playing, in steps or layers a second: those of the menu; the box beside the buttons takes any."""


class Menus(QObject):
    """Fills the menu bar of a window and remembers what was ticked in it."""

    def __init__(
        self,
        panels: Panels,
        views: Views,
        pages: Pages,
        models: Models,
        latent_views: LatentViews,
        files: Files,
        saved_runs: SavedRuns,
        reproduction: Reproduction,
        library: LibraryWriter,
        full_screen: FullScreen,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._panels, self._views, self._pages, self._window = panels, views, pages, window
        self._full_screen = full_screen
        self._saved_runs, self._reproduction, self._library = saved_runs, reproduction, library
        self._library_dialog: LibraryDialog | None = None
        self.files, self.help = files, Help(panels.messages, window, panels.runner, panels.controls.request)
        self.runs = RunsMenu(panels.session, panels.run_control, window)
        compare_again = CompareAgainMenu(panels.session, panels.run_control, panels.controls, window)
        self.compare = CompareMenu(panels.session, compare_again, window)
        self.run_again = RunAgainMenu(panels.session, panels.run_control, panels.controls, window)
        self.fork = ForkMenu(panels.session, panels.run_control, panels.controls, window)
        self.painting = HandCarving(
            panels.session, views.stage, self.fork, panels.run_control, panels.controls, panels.messages, window
        )  # fmt: skip
        self.table = ActionTable(self)
        self.actions = self.table.actions
        self._fill("file", [*models.entries(), None, *self._file_entries()])
        self._fill("run", self._run_entries())
        panels.menus["run"].setToolTipsVisible(True)
        self._fill("view", [*self._page_entries(), None, *self._frame_entries(), None, *latent_views.entries()])
        self._fill("view", [None, *self._layout_entries(), None, self._theme_choice(), None, self._instrument_entry()])
        self._fill("go", self._go_entries())
        self._fill("help", self._help_entries())
        self._listen_to(panels.session)
        pages.built.connect(self._listen_to_page)
        pages.changed.connect(self._refresh)
        panels.run_control.busy_changed.connect(self._refresh)
        panels.run_control.judged.connect(self._refresh)
        self.fork.judged.connect(self._refresh)
        self.painting.changed.connect(self._refresh)
        full_screen.changed.connect(self._refresh)  # left with Esc, too: else F11 would be taken for leaving
        files.disclosure_changed.connect(self._refresh)
        self._refresh()

    def _fill(self, menu: str, entries: list[MenuEntry]) -> None:
        self.table.fill(self._panels.menus[menu], entries)

    def _listen_to(self, session: Session) -> None:
        session.trajectory_changed.connect(self._refresh)
        session.length_changed.connect(self._refresh_length)
        session.playback_changed.connect(self._refresh)
        session.running_changed.connect(self._refresh)
        session.following_changed.connect(self._refresh)
        session.runs_before_changed.connect(self._refresh)
        session.compared_changed.connect(self._refresh)

    @Slot(object)
    def _listen_to_page(self, page: Page) -> None:
        self._listen_to(page.session)
        page.ability_changed.connect(self._refresh)

    @Slot(int)
    def _refresh_length(self, last: int) -> None:
        if (last > 0) != self.actions["play"].isEnabled():  # else a run would have everything judged at every step
            self._refresh()

    @Slot()
    def _refresh(self) -> None:
        self.table.refresh()

    # What the tables ask ---------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        """Of the page in front."""
        return self._pages.session

    @property
    def _runs(self) -> Page | RunControl:
        """What is started and stopped: the page in front, or the runs of Carve."""
        return self._pages.page or self._panels.run_control

    def _is_carve(self) -> bool:
        return self._pages.page is None

    def _is_in_front(self, key: str) -> bool:
        return self._pages.current == key

    def _show_page(self, key: str, _: bool = True) -> None:
        self._pages.show(key)

    def _can_start(self) -> bool:
        page = self._pages.page
        return not self._panels.controls.reason if page is None else page.can_start

    def _can_move(self) -> bool:
        return self._session.last > 0

    def _can_save(self) -> bool:
        page = self._pages.page
        return self._session.trajectory is not None and (page is None or page.views is not None)

    def _can_save_figures(self) -> bool:
        """Whether there is what Save picture, Save numbers and Copy take, of figures, too."""
        page = self._pages.page
        views = None if page is None else page.views
        return self._can_save() and not (isinstance(views, FigureViews) and views.figures() is None)

    def _can_compare(self) -> bool:
        session = self._panels.session
        return self._is_carve() and (session.run_before is not None or session.compared is not None)

    def _can_save_run(self) -> bool:
        return self._is_carve() and self._session.trajectory is not None

    # The tables ------------------------------------------------------------------------------------------------------

    def _file_entries(self) -> list[MenuEntry]:
        files, can, can_all = self.files, self._can_save, self._can_save_figures
        return [
            Action("open_run", self.tr("Open a run…"), self._saved_runs.ask, ("Ctrl+Shift+O",)),
            Action("library", self.tr("&Library…"), self._show_library, ("Ctrl+Shift+L",)),
            Action("save_run", self.tr("&Save run…"), self._saved_runs.save, ("Ctrl+Alt+S",), self._can_save_run),
            None,
            Action("save_gif", self.tr("&Export: GIF, film, web page, poster…"), files.save_gif, ("Ctrl+E",), can),
            Action("save_picture", self.tr("Save &picture…"), files.save_picture, ("Ctrl+S",), can_all),
            Action("save_numbers", self.tr("Save &numbers…"), files.save_numbers, ("Ctrl+Shift+S",), can_all),
            None,
            Action("copy_picture", self.tr("&Copy picture"), files.copy_picture, ("Ctrl+C",), can_all),
            Choice(
                "disclosure",
                names.disclosures(),
                files.disclosure,
                files.set_disclosure,
                names.disclosure_title(),
                current=lambda: files.disclosure,
                tip=names.disclosure_tip(),
            ),
            Choice(
                "library_mb",
                [(self.tr("None"), 0), *((byte_text(size * 10**6).replace(".0 ", " "), size) for size in LIBRARY_MB)],
                self._library.budget_bytes // 10**6,
                self._set_library_budget,
                self.tr("Room for the &library"),
                tip=self.tr(
                    "Runs that end in Carve are kept there. Where it is full, the oldest ones go that have no "
                    "name of yours."
                ),
            ),
            None,
            Action("quit", self.tr("&Quit"), self._window.close, ("Ctrl+Q",), role=QAction.MenuRole.QuitRole),
        ]

    def _run_entries(self) -> list[MenuEntry]:
        runner, controls = self._panels.runner, self._panels.controls
        start, again = self.tr("&Start"), self.tr("&Start again")
        return [
            Action(
                "start", start, lambda: self._runs.start(), ("Ctrl+Return", "Ctrl+Enter"), self._can_start,
                current_title=lambda: again if self._runs.is_busy else start,
            ),
            Action(
                "stop", self.tr("S&top after this step"), lambda: self._runs.stop(), ("Esc", "Ctrl+."),
                lambda: self._runs.is_busy and not self._full_screen.is_on and not self.painting.is_on,  # their Esc
            ),
            None,
            Action(
                "run_before", self.tr("&Back to the run before"), lambda: self._runs.show_run_before(), ("Ctrl+B",),
                lambda: self._runs.can_go_back,
            ),
            Action(
                "compare_before", self.tr("Compare with the run &before"), self._compare_with_run_before,
                ("Ctrl+Shift+B",), self._can_compare,
                is_checked=lambda: self._panels.session.compared is not None,
            ),
            lambda menu: menu.addMenu(self.runs),
            lambda menu: menu.addMenu(self.compare),
            lambda menu: menu.addMenu(self.run_again),
            lambda menu: menu.addMenu(self.fork),
            Action(
                "fork_here", self.tr("Fork here with the &fields' settings"), self.fork.fork_with_fields,
                ("Ctrl+Shift+F",), lambda: self._is_carve() and self.fork.can_fork_with_fields,
                tip=self.tr("A run that shares the steps up to here, and goes on as the fields say."),
            ),
            Action(
                "carve_by_hand", self.tr("Carve by &hand here"), self.painting.start, ("Ctrl+H",),
                lambda: self._is_carve() and self.painting.can_start and not self._full_screen.is_on,
                tip=self.tr("Paint on what the model sees at this step, or on its noise, and go on from there."),
            ),
            Action(
                "decided_when", self.tr("&When was it decided?"), functools.partial(self._show_page, "when"),
                tip=self.tr("Forks the run at its steps, and shows what was decided by which of them."),
            ),
            Action(
                "reproduce", self.tr("&Make this saved run again"), self._reproduction.start, (),
                lambda: self._is_carve() and self._reproduction.can_start,
                tip=self.tr("Runs it with the settings of its file, and says whether every state is the same."),
            ),
            lambda menu: menu.addMenu(self._panels.changes.menu),
            Action("new_seed", self.tr("&New seed"), controls.choose_new_seed, ("Ctrl+N",), self._is_carve),
            None,
            Choice(
                "memory_mb", [(byte_text(size * 10**6).replace(".0 ", " "), size) for size in MEMORY_MB],
                runner.budget_bytes // 10**6,
                self._set_memory, self.tr("&Memory for a run"),
                tip=self.tr("Steps beyond it go to a temporary file. Holds from the next run on."),
                current_word=lambda word: _FORMER_MEMORY.get(word, word),
            ),
            Switch(
                "keep_guesses", self.tr("Keep both guesses of &guidance"), runner.watches_guidance,
                self._set_watches_guidance,
                self.tr("The unconditional and the conditional guess of every step can then be looked at. Their two "
                        "frames take as much memory as guess and state. Holds from the next run on."),
            ),
        ]  # fmt: skip

    def _page_entries(self) -> list[MenuEntry]:
        return [
            Action(
                f"page_{entry.key}",
                entry.title,
                functools.partial(self._show_page, entry.key),
                (f"Ctrl+{number}",),
                is_checked=functools.partial(self._is_in_front, entry.key),
            )
            for number, entry in enumerate(self._pages.entries, start=1)
        ]

    def _frame_entries(self) -> list[MenuEntry]:
        stage, presenter = self._views.stage, self._views.presenter
        arrangements = [
            (self.tr("Frames laid out to &fit"), AUTOMATIC),
            (self.tr("One &large frame, two small"), LARGE),
            (self.tr("Three frames &side by side"), ROW),
            (self.tr("&Only the first frame"), ALONE),
        ]
        film = [(stage.kind_name(kind), kind) for kind in ANIMATED_KINDS]
        session = self._panels.session
        settled = [(names.display(rule.name).capitalize(), key) for key, rule in SETTLING_RULES.items()]
        plots = [(self.tr("Current guess"), GUESS), (self.tr("Noisy state"), STATE)]
        return [
            Choice(
                "arrangement",
                arrangements,
                stage.arrangement,
                stage.set_arrangement,
                is_enabled=self._is_carve,
                current=lambda: stage.arrangement,
            ),
            None,
            Choice(
                "film",
                film,
                presenter.film_kind,
                presenter.set_film_kind,
                self.tr("Filmst&rip shows"),
                self._is_carve,
                current_word=current_word,
            ),
            Switch(
                "smooth",
                self.tr("Enlarge guesses s&moothly"),
                stage.smooths,
                stage.set_smooths,
                self.tr("What is zoomed, and noise, is shown pixel by pixel in any case."),
            ),
            Choice("plots", plots, GUESS, self._panels.plots.set_source, self.tr("&Plots show"), self._is_carve),
            Choice(
                "settled",
                settled,
                session.settling_rule,
                session.set_settling_rule,
                self.tr("&Bands have settled by"),
                self._is_carve,
                tip=self.tr(
                    "By content a band has settled when what is drawn in it stays; by energy, when its strength does."
                ),
            ),
        ]

    def _layout_entries(self) -> list[MenuEntry]:
        layout = self._panels.dock_layout

        def fill_panels(menu: QMenu) -> None:
            panels = menu.addMenu(self.tr("P&anels"))
            for dock in layout.docks.values():
                panels.addAction(dock.toggleViewAction())

        return [
            Action(
                "full_screen", self.tr("F&ull screen"), self._set_full_screen, ("F11",),
                lambda: self._full_screen.can_be, lambda: self._full_screen.is_on,
            ),
            fill_panels,
            Action(
                "move_panels", self.tr("&Move panels"), layout.set_movable, is_enabled=self._is_carve,
                is_checked=lambda: layout.is_movable,
            ),
            Action("reset_layout", self.tr("&Reset layout"), self._reset_layout),
        ]  # fmt: skip

    def _theme_choice(self) -> Choice:
        themes = [(self.tr("As the &system"), "system"), (self.tr("&Light"), "light"), (self.tr("&Dark"), "dark")]
        return Choice("theme", themes, theme.theme().mode, self._set_theme, self.tr("&Theme"))

    def _go_entries(self) -> list[MenuEntry]:
        can = self._can_move
        play, pause = self.tr("&Play"), self.tr("&Pause")
        modes = [
            (self.tr("Play once"), LoopMode.ONCE),
            (self.tr("Loop"), LoopMode.LOOP),
            (self.tr("Back and forth"), LoopMode.PING_PONG),
        ]
        return [
            Action("forward", self.tr("Step &forward"), lambda: self._session.go_by(1), ("Right",), can),
            Action("back", self.tr("Step &back"), lambda: self._session.go_by(-1), ("Left",), can),
            Action("next_phase", self.tr("&Next phase"), lambda: self._session.go_phase(1), ("PgDown",), can),
            Action("previous_phase", self.tr("Pre&vious phase"), lambda: self._session.go_phase(-1), ("PgUp",), can),
            Action("first", self.tr("T&o the beginning"), lambda: self._session.go_first(), ("Home",), can),
            Action("last", self.tr("To th&e newest"), lambda: self._session.go_last(), ("End",), can),
            None,
            Action(
                "play", play, lambda: self._session.toggle_play(), ("Space",), can, repeats=False,
                current_title=lambda: pause if self._session.direction else play,
            ),
            Action("play_back", self.tr("Play back&ward"), lambda: self._session.play(-1), ("Shift+Space",), can),
            Choice(
                "playing_speed",
                [(number_text(speed), speed) for speed in SPEEDS],
                self._session.speed,
                lambda speed: self._session.set_speed(speed),
                self.tr("&Speed of playing (steps a second)"),
                current=lambda: self._session.speed,
            ),
            Choice(
                "loop", modes, LoopMode.ONCE, lambda mode: self._session.set_loop_mode(mode), self.tr("At the en&d"),
                current=lambda: self._session.loop_mode,
            ),
            None,
            Action(
                "follow", self.tr("Follow &live"), lambda on: self._session.set_following(on), ("Ctrl+L",),
                lambda: self._session.is_running,
                is_checked=lambda: self._session.is_following and self._session.is_running,
            ),
        ]  # fmt: skip

    def _instrument_entry(self) -> Action:
        tip = self.tr("Measures a model whose every answer is known, and shows what is measured beside what must be.")
        return Action("instrument", self.tr("Check the &instrument…"), self.help.show_instrument, tip=tip)

    def _help_entries(self) -> list[MenuEntry]:
        about = QAction.MenuRole.AboutRole
        return [
            Action("glossary", self.tr("&What am I seeing?"), self._show_glossary, ("Shift+F1",)),
            Action("shortcuts", self.tr("&Keyboard shortcuts"), self._show_shortcuts, ("F1",)),
            Action("claims", self.tr("&Published findings, tested here"), self.help.show_claims),
            Action("log", self.tr("Show &log"), self.help.show_log),
            None,
            Action("about", self.tr("&About Sculptor"), self.help.show_about, role=about),
        ]

    def _set_full_screen(self, wanted: bool) -> None:
        self._full_screen.set_on(wanted)

    # What actions do -------------------------------------------------------------------------------------------------

    @Slot()
    def _show_shortcuts(self) -> None:
        self.help.show_shortcuts(list(self._panels.menus.values()))

    @Slot()
    def _show_glossary(self) -> None:
        """The glossary where it tells of the page in front; at its beginning before the first run."""
        entry = next(entry for entry in self._pages.entries if entry.key == self._pages.current)
        is_begun = not self._is_carve() or self._session.trajectory is not None
        self.help.show_glossary(entry.term if is_begun else "")

    def _compare_with_run_before(self, is_wanted: bool = True) -> None:
        session = self._panels.session
        session.compare_with(session.run_before if is_wanted else None)
        self._refresh()

    def _show_library(self) -> None:
        """The runs of before, beside the window."""
        from sculptor_app.ui.saving.library import LibraryDialog

        dialog = self._library_dialog
        if dialog is None:
            dialog = self._library_dialog = LibraryDialog(self._library, self._window)
            dialog.destroyed.connect(self._forget_library_dialog)
            dialog.open_requested.connect(self._saved_runs.open)
            dialog.compare_requested.connect(functools.partial(self._saved_runs.open, compares=True))
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    @Slot()
    def _forget_library_dialog(self) -> None:
        self._library_dialog = None

    def _set_library_budget(self, megabytes: int) -> None:
        self._library.budget_bytes = megabytes * 10**6

    def _set_memory(self, megabytes: int) -> None:
        self._panels.runner.budget_bytes = megabytes * 10**6
        self._panels.session.bound_memory()

    def _set_watches_guidance(self, watches: bool) -> None:
        self._panels.runner.watches_guidance = watches

    def _set_theme(self, mode: str) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply(app, mode)

    def _reset_layout(self) -> None:
        self._panels.dock_layout.set_movable(False)
        self._refresh()
        self._pages.show(CARVE)
        self._panels.dock_layout.reset()

    # Remembering -----------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        """Remember what is ticked, and what the frames show."""
        self.table.save(settings)
        settings.setValue("choices/kinds", ",".join(kind.value for kind in self._views.stage.kinds))
        settings.setValue("choices/speed", self._panels.session.speed)

    def restore(self, settings: QSettings) -> None:
        """Tick what was remembered; what is not known any more stays as it is."""
        self.table.restore(settings)
        known = {kind.value: kind for kind in FrameKind}
        remembered = map(current_word, str(settings.value("choices/kinds", "")).split(","))
        kinds = [known[word] for word in remembered if word in known]
        if len(kinds) == len(DEFAULT_KINDS):
            self._views.stage.set_kinds(kinds)
        try:
            self._panels.session.set_speed(float(str(settings.value("choices/speed"))))
        except ValueError:  # nothing there, or edited by hand
            return

    def close_dialogs(self) -> None:
        """Close the dialogs that are open, and stop what they do."""
        self.files.close()
        for child in self._window.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if child.isWindow() and child.isVisible():
                child.close()
