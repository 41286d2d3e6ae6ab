"""The second half of the window, built once the panels have been painted: frames, filmstrip, pages and menus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from sculptor_app import folders, identity
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_spans
from sculptor_app.session.latents import FrameDecoder
from sculptor_app.session.library import LibraryWriter
from sculptor_app.ui.carve.comparing import ComparingPresenter
from sculptor_app.ui.carve.latent_views import LatentViews
from sculptor_app.ui.carve.reproduction import Reproduction
from sculptor_app.ui.models.models import Models
from sculptor_app.ui.playback import texts
from sculptor_app.ui.playback.page import FigureViews, GridViews, Page, Views
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.saving.files import Files
from sculptor_app.ui.saving.picture_menu import PictureMenu
from sculptor_app.ui.saving.saved_runs import SavedRuns
from sculptor_app.ui.shell.full_screen import FullScreen
from sculptor_app.ui.shell.menus import LIBRARY_MB, Menus
from sculptor_app.ui.shell.pages import CARVE, Pages, PageTable
from sculptor_app.ui.shell.panels import Panels
from sculptor_app.ui.shell.step_keys import StepKeys
from sculptor_app.ui.widgets import names
from sculptor_app.ui.widgets.basics import give_menu
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.frame_clock import FrameClock

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.exports.made_with import MadeWith

PLOTS_AT_REST = 0.5
"""Share of the GUI thread's time that the plots may take while no run goes on."""


class Workbench(QObject):
    """Stage, filmstrip, plots, pages and menus of a window, kept in step with its session."""

    def __init__(self, panels: Panels, settings: QSettings, window: QMainWindow) -> None:
        super().__init__(window)
        self._panels, self._settings, self._window = panels, settings, window
        self.stage, self.film = Stage(window), Filmstrip(window)
        panels.middle.addWidget(self.stage)
        panels.add_filmstrip(self.film)
        session = panels.session
        self.presenter = ComparingPresenter(session, self.stage, panels.timeline, panels.transport, self.film)
        self.views = Views(session, self.stage, self.presenter)
        self.plot_clock = FrameClock(share=PLOTS_AT_REST, parent=self)
        self.models = Models(
            panels.runner, panels.controls, panels.messages, panels.status,
            (panels.opening_bar, panels.download_bar), settings, window,
        )  # fmt: skip
        self.pages = Pages(panels.tabs, panels.stack, panels.middle, session, panels.dock_layout)
        self.pages.set_entries(PageTable(panels, self.pages, self.models, settings, window).entries())
        self.latent_views = LatentViews(
            self.views, panels.runner, panels.controls, self._is_carve_in_front, panels.messages, panels.status,
            settings, window,
        )  # fmt: skip
        self.models.opening.opened.connect(self.latent_views.find_map)
        self.models.opening.opened.connect(panels.run_control.take_model)
        for unopened in (self.models.opening.failed, self.models.opening.cancelled):
            unopened.connect(panels.run_control.forget_settings)
        panels.run_control.model_wanted.connect(self.models.open)
        decoder = FrameDecoder(self.latent_views.latents, self.latent_views.step.is_in_the_way)
        files = Files(
            self._views_in_front, panels.messages, panels.status, panels.saving_bar, settings, window, decoder
        )  # fmt: skip
        self.saved_runs = SavedRuns(
            session, files, self._show_saved_run, panels.messages, panels.run_bar, window
        )  # fmt: skip
        self.saved_runs.settings_found.connect(self._take_settings)
        self.saved_runs.picture_found.connect(self._drown_file)
        self.library = LibraryWriter(folders.library(), LIBRARY_MB[1] * 10**6, self)
        panels.run_control.ended.connect(self.library.keep)
        self.library.failed.connect(self._show_not_kept)
        self.reproduction = Reproduction(session, panels.run_control, panels.controls, panels.messages, window)
        self.full_screen = FullScreen(window, self._full_screen_parts, panels.messages)
        self.pages.changed.connect(self._show_bars)
        self.pages.changed.connect(panels.messages.pass_by)
        self.pages.changed.connect(self.full_screen.follow_page)
        self.menus = Menus(
            panels,
            self.views,
            self.pages,
            self.models,
            self.latent_views,
            files,
            self.saved_runs,
            self.reproduction,
            self.library,
            self.full_screen,
            window,
        )
        self.picture_menu = PictureMenu(
            files,
            self._drown,
            self.menus.help.show_glossary,
            self.menus.actions["full_screen"],
            self.menus.fork,
            self.menus.actions["carve_by_hand"],
            lambda: panels.session.go_to if self._is_carve_in_front() else None,
            window,
        )
        self.pages.changed.connect(self.menus.painting.leave)
        self.full_screen.changed.connect(self.menus.painting.leave)
        self._keys = StepKeys(window)
        screen = window.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
            self.plot_clock.set_frame_rate(screen.refreshRate())
        self._connect(panels)

    def _is_carve_in_front(self) -> bool:
        return self.pages.page is None

    def _views_in_front(self) -> Views | GridViews | FigureViews | None:
        page = self.pages.page
        return self.views if page is None else page.views

    def _show_saved_run(self, run: AnyTrajectory, name: str) -> None:
        """Put a run that was opened on screen, on the page Carve."""
        self.pages.show(CARVE)
        self._panels.run_control.show_run(run, name)

    @Slot(object, str)
    def _take_settings(self, made: MadeWith, name: str) -> None:
        """Fill the fields of the page Carve with what a file was made with, if its model can be found."""
        self.pages.show(CARVE)
        run_control, open_model = self._panels.run_control, self._panels.controls.model
        if "model" in made.fields:
            run_control.use_file(made, name, None)
        elif not made.model:
            run_control.use_file(made, name, open_model)
        elif (found := self.models.find(made.model)) is not None:
            run_control.use_file(made, name, found)
        elif not made.is_own:  # its prompt, seed and steps may be wanted with another one
            left_out = (self.tr("the model {0}").format(made.model), *made.left_out)
            run_control.use_file(replace(made, left_out=left_out), name, open_model)
        else:
            self._panels.messages.show_message(
                self.tr("{0} was made by the model {1}, which was not open lately.").format(name, made.model),
                self.tr("Open that model, and then the file again."),
            )

    @Slot(object)
    def _drown_file(self, path: Path) -> None:
        from sculptor_app.ui.drown.page import DrownPage

        page = self.pages.show("drown")
        assert isinstance(page, DrownPage)
        page.open_path(path)

    @Slot(object)
    def _show_not_kept(self, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        self._panels.messages.show_message(
            self.tr("This run could not be kept in the library: {0}.").format(str(why).rstrip(".")),
            self.tr("It stays in memory; File > Save run… keeps it elsewhere."),
        )

    def _drown(self, image: QImage, name: str) -> None:
        """Open a picture that is on screen on the page Drown."""
        from sculptor_app.ui.drown.page import DrownPage

        page = self.pages.show("drown")
        assert isinstance(page, DrownPage)
        page.open_image(image, name)

    def _full_screen_parts(self) -> tuple[QWidget, ...]:
        page = self.pages.page
        if page is not None:
            return page.full_screen_parts()
        shown = self._panels.welcome if self._panels.session.trajectory is None else self.stage
        return shown, self._panels.timeline

    @Slot()
    def _show_bars(self) -> None:
        """Lay messages over what the page in front shows, and not over its settings."""
        page = self.pages.page
        parts = () if page is None else page.full_screen_parts()
        self._panels.bars.lie_over(parts[0] if parts else self._panels.stack)

    def _connect(self, panels: Panels) -> None:
        session, plots, run_control = panels.session, panels.plots, panels.run_control
        session.trajectory_changed.connect(self._show_stage)
        session.trajectory_changed.connect(self.full_screen.follow_page)  # from the invitation to the first run
        session.trajectory_changed.connect(plots.show_trajectory)
        plots.follow(self.presenter.clock, self.plot_clock)
        session.measured.connect(plots.show_trajectory)
        for settles in (
            session.running_changed, session.settling_rule_changed, session.trajectory_changed, session.measured,
        ):  # fmt: skip
            settles.connect(self._show_settled)
        self.pages.changed.connect(self._show_page_status)
        self.pages.built.connect(self._listen_to_page)
        self.presenter.clock.due.connect(self._show_status)
        self.presenter.clock.due.connect(run_control.show_progress)
        plots.step_requested.connect(session.go_to)
        plots.schedules_wanted.connect(panels.runner.compare_schedules)
        panels.runner.schedules.connect(plots.set_schedules)
        self.menus.fork.schedules_wanted.connect(panels.runner.compare_schedules)
        panels.runner.schedules.connect(self.menus.fork.set_schedules)
        plots.loaded.connect(run_control.plan)
        session.runs_before_changed.connect(self._show_way_back)
        self.stage.title.set_menu(self.menus.runs)
        self.menus.fork.judged.connect(self._show_fork_button)
        panels.transport.set_fork_menu(self.menus.fork)
        self._show_fork_button()
        give_menu(self.stage.title.lock, self.menus.compare.locks)
        session.trajectory_changed.connect(self._show_way_back)
        for changed in (session.trajectory_changed, session.running_changed, self.pages.changed):
            changed.connect(self._show_window_title)
        self.pages.built.connect(lambda page: page.session.trajectory_changed.connect(self._show_window_title))
        self.stage.title.back_requested.connect(run_control.show_run_before)
        run_control.busy_changed.connect(plots.set_busy)
        run_control.pace_changed.connect(self.presenter.clock.request)
        run_control.planned.connect(self._show_plan)
        run_control.begun.connect(self._leave_fields)
        run_control.begun.connect(self._save_controls)

    @Slot()
    def _save_controls(self) -> None:
        self._panels.controls.save(self._settings)

    @Slot()
    def _show_stage(self) -> None:
        middle = self._panels.middle
        if middle.currentWidget() is not self.stage and middle.indexOf(self.stage) >= 0:  # else it fills the screen
            middle.setCurrentWidget(self.stage)
            self._panels.film_hint.hide()
            self.film.show()
            self.stage.setFocus()  # else it would go on from the invitation's button to the next one

    @Slot()
    def _show_fork_button(self) -> None:
        fork = self.menus.fork
        tip = self.tr("Go on from this step in another way: a fork")
        self._panels.transport.set_can_fork(fork.can_run, tip if fork.can_run else fork.why_not or tip)

    @Slot()
    def _show_way_back(self) -> None:
        session = self._panels.session
        run, before = session.run, session.run_before
        if run is None or before is None:
            self.stage.title.set_way_back(False)
            return
        is_older = before.number < run.number
        tip = self.tr("Back to the run before (Ctrl+B): {0}") if is_older else self.tr("To the run after (Ctrl+B): {0}")
        tip = tip.format(" · ".join(texts.run_title(before.trajectory, before.source)))
        self.stage.title.set_way_back(True, tip, self.tr("← Run before") if is_older else self.tr("Run after →"))

    @Slot()
    def _show_window_title(self) -> None:
        """Name the run, or the grid of runs, that is in front: its labels, where it comes from, its seed."""
        views = self._views_in_front()  # where a model learns there are none
        if isinstance(views, GridViews):
            parts = views.title()
        else:
            run = None if views is None else views.session.trajectory
            parts = () if views is None or run is None else texts.run_title(run, views.session.source)
        self._window.setWindowTitle(" · ".join(parts) or identity.NAME)

    @Slot()
    def _leave_fields(self) -> None:
        """Who has started a run has done typing: the arrow keys are for the run now."""
        focused = QApplication.focusWidget()
        if focused is not None and self._panels.controls.isAncestorOf(focused):
            self.stage.setFocus()

    @Slot(object)
    def _show_plan(self, levels: tuple[NoiseLevel, ...]) -> None:
        self.presenter.show_plan(levels)
        self._panels.plots.show_plan(levels)
        self._panels.welcome.set_plan(phase_spans(levels))

    @Slot()
    def _show_settled(self) -> None:
        panels, session = self._panels, self._panels.session
        is_over = not session.is_running and session.trajectory is not None and session.trajectory.is_complete
        marks, rule = panels.plots.settled_marks() if is_over else [], session.settling_rule
        texts_of_marks = names.settled_text(rule), names.settled_summary(marks, rule), names.settled_notes()
        panels.timeline.set_settled(marks, *texts_of_marks)
        self.presenter.set_settled(marks)

    @Slot(object)
    def _listen_to_page(self, page: Page) -> None:
        page.ability_changed.connect(self._show_status)
        page.status_changed.connect(self._show_status)

    @Slot()
    def _show_page_status(self) -> None:
        if self.pages.page is None:
            self.presenter.clock.flush()  # all views of a run in one moment: the status line would be ahead of them
        self._show_status()

    @Slot()
    def _show_status(self) -> None:
        panels, trajectory, page = self._panels, self._panels.session.trajectory, self.pages.page
        panels.memory_line.setVisible(page is None)
        if page is not None:
            panels.status_line.setText(page.status_text)
        elif trajectory is None:
            panels.status_line.setText(panels.no_run_text)
        else:
            pace, step = panels.run_control.pace_s, panels.session.position
            panels.status_line.setText(texts.status_line(trajectory, step, pace))
            panels.memory_line.setText(texts.memory_text(trajectory))

    def flush(self) -> None:
        """Draw now what is due."""
        self.presenter.clock.flush()
        self.plot_clock.flush()
        self.plot_clock.flush()  # there are two plots, and one is drawn at a time

    def close(self) -> None:
        """Stop drawing and listening; close the dialogs."""
        self.presenter.clock.stop()
        self.plot_clock.stop()
        self.menus.close_dialogs()
        self.models.close()
        self.saved_runs.shutdown()
        self.reproduction.shutdown()
        self._keys.stop()
