"""The second half of the window, built once the first has been painted: frames, filmstrip, menus, what links them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication

from sculptor_app.core.trajectory.levels import phase_spans
from sculptor_app.ui.carve.latent_views import LatentViews
from sculptor_app.ui.models.models import Models
from sculptor_app.ui.playback import texts
from sculptor_app.ui.playback.page import Views
from sculptor_app.ui.playback.presenter import FramePresenter
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.shell.menus import Menus
from sculptor_app.ui.shell.page_table import entries
from sculptor_app.ui.shell.pages import Pages
from sculptor_app.ui.shell.step_keys import StepKeys
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.frame_clock import FrameClock

if TYPE_CHECKING:
    from sculptor_app.ui.shell.main_window import MainWindow

PLOTS_WHILE_RUNNING, PLOTS_AT_REST = 0.01, 0.5
"""Share of the GUI thread's time that the plots may take."""


class Workbench(QObject):
    """Stage, filmstrip, plots and menus of a window, kept in step with its session."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.stage, self.film = Stage(window), Filmstrip(window)
        window.middle.addWidget(self.stage)
        window.film_panel.layout().addWidget(self.film)
        self.film.hide()
        self.presenter = FramePresenter(window.session, self.stage, window.timeline, window.transport, self.film)
        self.views = Views(window.session, self.stage, self.presenter)
        self.plot_clock = FrameClock(share=PLOTS_AT_REST, parent=self)
        self.pages = Pages(window, entries(window))
        self.models = Models(window)
        self.latent_views = LatentViews(window, self)
        self.menus = Menus(window, self)
        self._keys = StepKeys(window)
        screen = window.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
            self.plot_clock.set_frame_rate(screen.refreshRate())
        self._connect(window)

    def _connect(self, window: MainWindow) -> None:
        session = window.session
        session.trajectory_changed.connect(self._show_stage)
        session.trajectory_changed.connect(window.plots.show_trajectory)
        for signal in (session.length_changed, session.step_changed, session.running_changed):
            signal.connect(self.plot_clock.request)
        session.running_changed.connect(self._limit_plots)
        session.running_changed.connect(self._show_settled)
        self.plot_clock.due.connect(window.plots.draw)
        window.plots.more_due.connect(self.plot_clock.request)
        self.presenter.clock.due.connect(self._show_status)
        self.presenter.clock.due.connect(window.run_control.show_progress)
        window.plots.step_requested.connect(session.go_to)
        window.plots.loaded.connect(self._plan_again)
        window.run_control.pace_changed.connect(self.presenter.clock.request)
        window.run_control.planned.connect(self._show_plan)
        window.run_control.begun.connect(self._leave_fields)
        window.run_control.begun.connect(lambda: window.controls.save(window.settings))

    @Slot()
    def _show_stage(self) -> None:
        middle = self._window.middle
        if middle.currentWidget() is not self.stage:
            middle.setCurrentWidget(self.stage)
            self._window.film_hint.hide()
            self.film.show()
            self.stage.setFocus()  # else it would go on from the invitation's button to the next one

    @Slot()
    def _leave_fields(self) -> None:
        """Who has started a run has done typing: the arrow keys are for the run now."""
        if self._window.controls.isAncestorOf(QApplication.focusWidget() or self._window):
            self.stage.setFocus()

    @Slot(object)
    def _show_plan(self, levels: object) -> None:
        self.presenter.show_plan(levels)
        self._window.plots.show_plan(levels)
        self._window.welcome.set_plan(phase_spans(levels))

    @Slot()
    def _plan_again(self) -> None:
        self._window.run_control.plan()

    @Slot(bool)
    def _limit_plots(self, running: bool) -> None:
        self.plot_clock.share = PLOTS_WHILE_RUNNING if running else PLOTS_AT_REST

    @Slot(bool)
    def _show_settled(self, running: bool) -> None:
        trajectory = self._window.session.trajectory
        is_over = not running and trajectory is not None and trajectory.is_complete
        self._window.timeline.set_settled(self._window.plots.settled_marks() if is_over else [])

    @Slot()
    def _show_status(self) -> None:
        trajectory = self._window.session.trajectory
        if trajectory is not None:
            pace, step = self._window.run_control.pace.mean_s, self._window.session.position
            self._window.status_line.setText(texts.status_line(trajectory, step, pace))
            self._window.memory_line.setText(texts.memory_text(trajectory))

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
        self._keys.stop()
