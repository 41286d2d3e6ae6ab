"""Menus and shortcuts: every deed of the window has a place here, so that it can be found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Qt, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from sculptor_app.measures.frame_kinds import ANIMATED_KINDS, DEFAULT_KINDS, FrameKind, current_word
from sculptor_app.session.session import LoopMode, Session
from sculptor_app.ui import theme
from sculptor_app.ui.dialogs.help import Help
from sculptor_app.ui.playback.page import Page
from sculptor_app.ui.playback.stage import AUTOMATIC, LARGE, ROW
from sculptor_app.ui.plots.plots_panel import GUESS, STATE
from sculptor_app.ui.saving.files import Files
from sculptor_app.ui.shell.menu_choices import Choices

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow
    from sculptor_app.ui.shell.workbench import Workbench

MEMORY_MB = (128, 256, 512, 1024, 2048, 4096)


class Menus(QObject):
    """Fills the menu bar of a window and remembers what was ticked in it."""

    def __init__(self, window: MainWindow, bench: Workbench) -> None:
        super().__init__(bench)
        self._window, self._bench = window, bench
        self.files = Files(window, bench)
        self.help = Help(window)
        self.choices = Choices(self)
        self._file_menu()
        self._run_menu()
        self._view_menu()
        self._go_menu()
        self._help_menu()
        self._listen_to(window.session)
        bench.pages.built.connect(self._listen_to_page)
        bench.pages.changed.connect(self._judge)
        window.run_control.busy_changed.connect(self._judge)
        window.controls.edited.connect(self._judge)
        self._judge()

    def _listen_to(self, session: Session) -> None:
        session.trajectory_changed.connect(self._judge)
        session.length_changed.connect(self._judge_length)
        session.playback_changed.connect(self._judge)
        session.running_changed.connect(self._judge)
        session.following_changed.connect(self._judge)

    @Slot(object)
    def _listen_to_page(self, page: Page) -> None:
        self._listen_to(page.session)
        page.ability_changed.connect(self._judge)

    @property
    def _session(self) -> Session:
        """Of the page in front."""
        return self._bench.pages.session

    # Building ----------------------------------------------------------------------------------------------------

    def _add(self, menu: QMenu, text: str, deed: Callable[[], object], *keys: str) -> QAction:
        action = menu.addAction(text)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.triggered.connect(deed)
        return action

    def _file_menu(self) -> None:
        menu, files = self._window.menu_of["file"], self.files
        self._bench.models.fill(menu)
        menu.addSeparator()
        self.save_gif = self._add(menu, self.tr("Save as &GIF…"), files.save_gif, "Ctrl+E")
        self.save_picture = self._add(menu, self.tr("Save &picture…"), files.save_picture, "Ctrl+S")
        self.save_numbers = self._add(menu, self.tr("Save &numbers…"), files.save_numbers, "Ctrl+Shift+S")
        menu.addSeparator()
        self.copy_picture = self._add(menu, self.tr("&Copy picture"), files.copy_picture, "Ctrl+C")
        menu.addSeparator()
        leave = self._add(menu, self.tr("&Quit"), self._window.close, "Ctrl+Q")
        leave.setMenuRole(QAction.MenuRole.QuitRole)

    def _run_menu(self) -> None:
        menu, window = self._window.menu_of["run"], self._window
        self.start = self._add(menu, self.tr("&Start"), self._start, "Ctrl+Return", "Ctrl+Enter")
        self.stop = self._add(menu, self.tr("S&top after this step"), self._stop, "Esc", "Ctrl+.")
        menu.addSeparator()
        self.new_seed = self._add(menu, self.tr("&New seed"), window.controls.choose_new_seed, "Ctrl+N")
        menu.addSeparator()
        memory = menu.addMenu(self.tr("&Memory for a run"))
        memory.setToolTipsVisible(True)
        sizes = [(self._size_text(size), size) for size in MEMORY_MB]
        self._memory = self.choices.add("memory_mb", memory, sizes, self._memory_chosen)
        for action in self._memory.actions():
            action.setToolTip(self.tr("Steps beyond it go to a temporary file. Holds from the next run on."))
        self.choices.tick(self._memory, window.runner.budget_bytes // 2**20)
        self.keep_guesses = self.choices.add_switch(
            "keep_guesses", menu, self.tr("Keep both guesses of &guidance"),
            window.runner.watches_guidance, self._keep_guesses_chosen,
        )  # fmt: skip
        self.keep_guesses.setToolTip(
            self.tr("The unconditional and the conditional guess of every step can then be looked at. Their two frames "
                    "take as much memory as guess and state. Holds from the next run on.")
        )  # fmt: skip
        menu.setToolTipsVisible(True)

    def _size_text(self, megabytes: int) -> str:
        return self.tr("{0} GB").format(megabytes // 1024) if megabytes >= 1024 else self.tr("{0} MB").format(megabytes)

    def _view_menu(self) -> None:
        menu, window = self._window.menu_of["view"], self._window
        for number, entry in enumerate(self._bench.pages.entries, start=1):
            action = self._add(menu, entry.title, lambda _=False, key=entry.key: self._bench.pages.show(key))
            action.setShortcut(QKeySequence(f"Ctrl+{number}"))
        menu.addSeparator()
        arrangements = [
            (self.tr("Frames as they &fit"), AUTOMATIC),
            (self.tr("One frame &large"), LARGE),
            (self.tr("Frames side by &side"), ROW),
        ]
        self._arrangement = self.choices.add("arrangement", menu, arrangements, self._arrangement_chosen)
        self.choices.tick(self._arrangement, self._bench.stage.arrangement)
        menu.addSeparator()
        film = [(self._bench.stage.kind_name(kind), kind) for kind in ANIMATED_KINDS]
        self._film = self.choices.add("film", menu.addMenu(self.tr("Filmst&rip shows")), film, self._film_chosen)
        self.choices.tick(self._film, self._bench.presenter.film_kind)
        plots = [(self.tr("Current guess"), GUESS), (self.tr("Noisy state"), STATE)]
        self._plots = self.choices.add("plots", menu.addMenu(self.tr("&Plots show")), plots, self._plots_chosen)
        self.choices.tick(self._plots, GUESS)
        menu.addSeparator()
        self._bench.latent_views.fill(menu)
        menu.addSeparator()
        panels = menu.addMenu(self.tr("P&anels"))
        for dock in window.docks.values():
            panels.addAction(dock.toggleViewAction())
        self.move_panels = menu.addAction(self.tr("&Move panels"))
        self.move_panels.setCheckable(True)
        self.move_panels.toggled.connect(window.set_panels_movable)
        self._add(menu, self.tr("&Reset layout"), self._reset_layout)
        menu.addSeparator()
        themes = [(self.tr("As the &system"), "system"), (self.tr("&Light"), "light"), (self.tr("&Dark"), "dark")]
        self._theme = self.choices.add("theme", menu.addMenu(self.tr("&Theme")), themes, self._theme_chosen)
        self.choices.tick(self._theme, theme.theme().mode)

    def _go_menu(self) -> None:
        menu = self._window.menu_of["go"]
        back, forward = lambda: self._session.go_by(-1), lambda: self._session.go_by(1)
        earlier, later = lambda: self._session.go_phase(-1), lambda: self._session.go_phase(1)
        first, last = lambda: self._session.go_first(), lambda: self._session.go_last()
        self._moves = [
            self._add(menu, self.tr("Step &forward"), forward, "Right"),
            self._add(menu, self.tr("Step &back"), back, "Left"),
            self._add(menu, self.tr("&Next phase"), later, "PgDown"),
            self._add(menu, self.tr("Pre&vious phase"), earlier, "PgUp"),
            self._add(menu, self.tr("Pure n&oise"), first, "Home"),
            self._add(menu, self.tr("N&ewest step"), last, "End"),
        ]
        menu.addSeparator()
        self.play = self._add(menu, self.tr("&Play"), lambda: self._session.toggle_play(), "Space")
        self.play.setAutoRepeat(False)
        self.play_back = self._add(menu, self.tr("Play back&ward"), lambda: self._session.play(-1), "Shift+Space")
        modes = [
            (self.tr("Play once"), LoopMode.ONCE),
            (self.tr("Loop"), LoopMode.LOOP),
            (self.tr("Back and forth"), LoopMode.PING_PONG),
        ]
        self._loop = self.choices.add("loop", menu.addMenu(self.tr("At the en&d")), modes, self._loop_chosen)
        menu.addSeparator()
        self.follow = menu.addAction(self.tr("Follow &live"))
        self.follow.setCheckable(True)
        self.follow.setShortcut(QKeySequence("Ctrl+L"))
        self.follow.triggered.connect(lambda on: self._session.set_following(on))

    def _help_menu(self) -> None:
        menu = self._window.menu_of["help"]
        self._add(menu, self.tr("&Keyboard shortcuts"), self.help.show_shortcuts, "F1")
        self._add(menu, self.tr("Show &log"), self.help.show_log)
        menu.addSeparator()
        about = self._add(menu, self.tr("&About Sculptor"), self.help.show_about)
        about.setMenuRole(QAction.MenuRole.AboutRole)

    # What can be done now ----------------------------------------------------------------------------------------

    @Slot(int)
    def _judge_length(self, last: int) -> None:
        if (last > 0) != self.play.isEnabled():  # else a run would have everything judged at every step
            self._judge()

    @Slot()
    def _judge(self) -> None:
        session, page = self._session, self._bench.pages.page
        shown = session.trajectory is not None and (page is None or page.views is not None)
        self._judge_run(page)
        for action in (self.save_gif, self.save_picture, self.save_numbers, self.copy_picture):
            action.setEnabled(shown)
        for action in (*self._moves, self.play, self.play_back):
            action.setEnabled(session.last > 0)
        self.play.setText(self.tr("&Pause") if session.direction else self.tr("&Play"))
        self.follow.setEnabled(session.is_running)
        self.follow.setChecked(session.is_following and session.is_running)
        self.choices.tick(self._loop, session.loop_mode)

    def _judge_run(self, page: Page | None) -> None:
        busy = self._window.run_control.is_busy if page is None else page.is_busy
        self.start.setEnabled(not self._window.controls.reason if page is None else page.can_start)
        self.start.setText(self.tr("&Start again") if busy else self.tr("&Start"))
        self.stop.setEnabled(busy)
        for action in (self.new_seed, self.move_panels):
            action.setEnabled(page is None)
        for group in (self._arrangement, self._film, self._plots):
            group.setEnabled(page is None)

    @Slot()
    def _start(self) -> None:
        page = self._bench.pages.page
        (self._window.run_control if page is None else page).start()

    @Slot()
    def _stop(self) -> None:
        page = self._bench.pages.page
        (self._window.run_control if page is None else page).stop()

    @Slot(QAction)
    def _memory_chosen(self, action: QAction) -> None:
        self._window.runner.budget_bytes = action.data() * 2**20

    @Slot(bool)
    def _keep_guesses_chosen(self, keep: bool) -> None:
        self._window.runner.watches_guidance = keep

    @Slot(QAction)
    def _arrangement_chosen(self, action: QAction) -> None:
        self._bench.stage.set_arrangement(action.data())

    @Slot(QAction)
    def _film_chosen(self, action: QAction) -> None:
        self._bench.presenter.set_film_kind(action.data())

    @Slot(QAction)
    def _plots_chosen(self, action: QAction) -> None:
        self._window.plots.set_source(action.data())

    @Slot(QAction)
    def _loop_chosen(self, action: QAction) -> None:
        self._session.set_loop_mode(action.data())

    @Slot(QAction)
    def _theme_chosen(self, action: QAction) -> None:
        app = QApplication.instance()
        theme.apply(app, action.data())

    @Slot()
    def _reset_layout(self) -> None:
        self.move_panels.setChecked(False)
        self._window.lay_out_afresh()

    # Remembering -------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        """Remember what is ticked, and what the frames show."""
        self.choices.save(settings)
        settings.setValue("choices/kinds", ",".join(kind.value for kind in self._bench.stage.kinds))
        settings.setValue("choices/speed", self._window.session.speed)

    def restore(self, settings: QSettings) -> None:
        """Tick what was remembered; what is not known any more stays as it is."""
        self.choices.restore(settings)
        known = {kind.value: kind for kind in FrameKind}
        words = map(current_word, str(settings.value("choices/kinds", "")).split(","))
        kinds = [known[word] for word in words if word in known]
        if len(kinds) == len(DEFAULT_KINDS):
            self._bench.stage.set_kinds(kinds)
        self._restore_speed(settings)

    def _restore_speed(self, settings: QSettings) -> None:
        try:
            self._window.session.set_speed(float(str(settings.value("choices/speed"))))
        except ValueError:  # nothing there, or edited by hand
            return

    def close_dialogs(self) -> None:
        """Close what stands open, and stop what it does."""
        self.files.close()
        for child in self._window.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if child.isWindow() and child.isVisible():
                child.close()
