"""Keeps the page's grid, timeline and transport bar in step with its session."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from sculptor_app.session.session import LoopMode, Session
from sculptor_app.ui.playback import texts
from sculptor_app.ui.why.cell_grid import CellGrid
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

WHILE_RUNNING = 0.05
"""Share of the GUI thread's time that drawing may take while runs compute: the interpreter is shared with them."""


class GridPresenter(QObject):
    """Draws the session's state at most once per display frame, and passes on what the views ask for."""

    def __init__(self, session: Session, grid: CellGrid, timeline: Timeline, transport: TransportBar) -> None:
        super().__init__(grid)
        self._session, self._grid, self._timeline, self._transport = session, grid, timeline, transport
        self.clock = FrameClock(parent=self)
        self.clock.due.connect(self.draw)
        session.trajectory_changed.connect(self._show_trajectory)
        session.length_changed.connect(self.clock.request)
        session.step_changed.connect(self.clock.request)
        session.following_changed.connect(transport.set_following)
        session.running_changed.connect(self._show_running)
        session.playback_changed.connect(self._show_playback)
        self._pass_on_requests()
        self._show_playback()

    def _pass_on_requests(self) -> None:
        session, bar = self._session, self._transport
        self._timeline.step_requested.connect(session.go_to)
        bar.step_requested.connect(session.go_to)
        bar.first_requested.connect(session.go_first)
        bar.last_requested.connect(session.go_last)
        bar.back_requested.connect(self._go_back)
        bar.forward_requested.connect(self._go_forward)
        bar.play_requested.connect(session.play)
        bar.pause_requested.connect(session.pause)
        bar.speed_requested.connect(session.set_speed)
        bar.loop_mode_requested.connect(self._set_loop_mode)
        bar.following_requested.connect(session.set_following)

    @Slot()
    def _show_trajectory(self) -> None:
        trajectory = self._session.trajectory
        steps = trajectory.planned_steps
        self._timeline.set_plan(trajectory.spans, steps, [level.snr for level in trajectory.levels])
        self.clock.request()

    @Slot()
    def draw(self) -> None:
        """Show the newest of everything."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        step, last = self._session.position, self._session.last
        self._timeline.set_available(last)
        self._timeline.set_step(step)
        self._transport.set_range(last, trajectory.planned_steps)
        self._transport.set_step(step)
        snr = texts.ratio_text(trajectory.before(max(1, step)).snr)
        name = texts.phase_name(trajectory, step)
        self._transport.set_caption(self.tr("{0} · signal-to-noise {1}").format(name, snr))
        self._grid.set_step(step)

    @Slot(bool)
    def _show_running(self, running: bool) -> None:
        self.clock.share = WHILE_RUNNING if running else 1.0
        self._transport.set_run_active(running)
        self.clock.request()

    @Slot()
    def _show_playback(self) -> None:
        self._transport.set_playing(self._session.direction)
        self._transport.set_loop_mode(self._session.loop_mode.value)
        self._transport.set_speed(self._session.speed)

    @Slot()
    def _go_back(self) -> None:
        self._session.go_by(-1)

    @Slot()
    def _go_forward(self) -> None:
        self._session.go_by(1)

    @Slot(str)
    def _set_loop_mode(self, mode: str) -> None:
        self._session.set_loop_mode(LoopMode(mode))
