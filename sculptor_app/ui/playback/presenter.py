"""Keeps the views in step with the session: they are told what to show, and what they ask for goes to the session."""

from PySide6.QtCore import QObject, Slot

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.phases import phase_spans
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.session import LoopMode, Session
from sculptor_app.ui.playback import texts
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.picture_source import PictureSource
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

WHILE_RUNNING = 0.025
"""Share of the GUI thread's time that drawing may take while a run computes: the interpreter is shared with it."""


class Presenter(QObject):
    """Draws the session's state on stage, timeline, transport bar and filmstrip, at most once per display frame."""

    first_film_kind = FrameKind.CURRENT_GUESS

    def __init__(
        self, session: Session, stage: Stage, timeline: Timeline, transport: TransportBar, film: Filmstrip
    ) -> None:
        super().__init__(stage)
        self._session, self._stage = session, stage
        self._timeline, self._transport, self._film = timeline, transport, film
        self.pictures = PictureSource()
        self.clock = FrameClock(parent=self)
        self.clock.due.connect(self.draw)
        self.film_kind = self.first_film_kind
        film.set_source(self._thumbnail)
        for panel_index, panel in enumerate(stage.panels):
            panel.set_value_reader(_Reader(self, panel_index))
        self._follow_session()
        self._pass_on_requests()
        self._show_playback()

    def _follow_session(self) -> None:
        session = self._session
        session.trajectory_changed.connect(self._show_trajectory)
        session.length_changed.connect(self.clock.request)
        session.step_changed.connect(self.clock.request)
        session.following_changed.connect(self._show_following)
        session.running_changed.connect(self._show_running)
        session.playback_changed.connect(self._show_playback)
        self._stage.kinds_changed.connect(self.clock.request)

    def _pass_on_requests(self) -> None:
        session, bar = self._session, self._transport
        for view in (self._timeline, bar, self._film):
            view.step_requested.connect(session.go_to)
        bar.first_requested.connect(session.go_first)
        bar.last_requested.connect(session.go_last)
        bar.back_requested.connect(self._go_back)
        bar.forward_requested.connect(self._go_forward)
        bar.play_requested.connect(session.play)
        bar.pause_requested.connect(session.pause)
        bar.speed_requested.connect(session.set_speed)
        bar.loop_mode_requested.connect(self._set_loop_mode)
        bar.following_requested.connect(session.set_following)

    # What is planned before there is a run ---------------------------------------------------------------------------

    def show_plan(self, levels: tuple[NoiseLevel, ...]) -> None:
        """Show the timeline of a run that has not been made, while there is none."""
        if self._session.trajectory is None:
            self._timeline.set_plan(phase_spans(levels), len(levels) - 1, [level.snr for level in levels])

    # What the session says -------------------------------------------------------------------------------------------

    @Slot()
    def _show_trajectory(self) -> None:
        trajectory = self._session.trajectory
        self.pictures.set_trajectory(trajectory)
        steps = trajectory.planned_steps
        self._timeline.set_plan(trajectory.spans, steps, [level.snr for level in trajectory.levels])
        # Fewer states than before make the filmstrip begin again; as many or more would keep the older run's pictures.
        self._film.set_count(0)
        self._film.set_planned(steps)
        self._film.set_spans(trajectory.spans)
        self.clock.request()

    def refresh(self) -> None:
        """Make all pictures anew: the same numbers are seen otherwise now."""
        self.pictures.set_trajectory(self._session.trajectory)
        self._film.set_source(self._thumbnail)
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
        self._transport.set_caption(self.caption(step))
        self._film.set_count(last + 1)
        self._film.set_current(step)
        self._draw_frames(step)

    def _draw_frames(self, step: int) -> None:
        kinds = self._stage.kinds
        shown = [self.pictures.shown(self.shown_step(kind, step), kind) for kind in kinds]
        notes = [
            picture.seen
            if picture.seen and (kind is FrameKind.CURRENT_GUESS or picture.numbers is not None)
            else self.note(kind, step, picture.limit)
            for kind, picture in zip(kinds, shown, strict=True)
        ]
        self._stage.show_pictures(shown, notes)
        self._stage.set_remark(self.remark(step))

    def shown_step(self, kind: FrameKind, step: int) -> int:
        """The step whose picture of a kind is shown while the scrubber stands at a step."""
        return step

    def remark(self, step: int) -> str:
        """The line under the frames."""
        return texts.not_a_short_run(self._session.trajectory, step)

    def note(self, kind: FrameKind, step: int, limit: float | None) -> str:
        """The word beside a frame's title: the level of the state shown, or what it stands for."""
        if kind is FrameKind.NOISY_STATE:
            level = self._session.trajectory.levels[step]
            return self.tr("SNR {0} · σ {1}").format(texts.ratio_text(level.snr), texts.sigma_text(level.sigma))
        if kind is FrameKind.CURRENT_GUESS:
            return self.tr("what the model sees in the block")
        if kind is FrameKind.PREDICTED_NOISE:
            return self.tr("what the model takes for noise")
        if kind is FrameKind.TWIN:
            return self.tr("the finished picture, drowned as deep")
        if kind.is_of_guidance:
            return self._guidance_note(kind, step)
        if limit is None:
            return ""
        return self.tr("taken off here") if kind is FrameKind.STATE_CHIPS else self.tr("changed here")

    def _guidance_note(self, kind: FrameKind, step: int) -> str:
        weight = self._session.trajectory.step(step).guidance if step else None
        if weight is None:
            return ""
        own = {FrameKind.UNCONDITIONAL_GUESS: 0.0, FrameKind.CONDITIONAL_GUESS: 1.0}.get(kind, weight)
        return self.tr("w = {0}").format(texts.weight_text(own))

    def caption(self, step: int) -> str:
        """The words beside the step's number."""
        trajectory = self._session.trajectory
        name = texts.phase_name(trajectory, step)
        snr = texts.ratio_text(trajectory.before(max(1, step)).snr)
        return self.tr("{0} · signal-to-noise {1}").format(name, snr)

    @Slot(bool)
    def _show_following(self, following: bool) -> None:
        self._transport.set_following(following)
        self._film.set_following(following and self._session.is_running)

    @Slot(bool)
    def _show_running(self, running: bool) -> None:
        self.clock.share = WHILE_RUNNING if running else 1.0
        self._transport.set_run_active(running)
        self._film.set_following(running and self._session.is_following)
        self.clock.request()

    @Slot()
    def _show_playback(self) -> None:
        self._transport.set_playing(self._session.direction)
        self._transport.set_loop_mode(self._session.loop_mode.value)
        self._transport.set_speed(self._session.speed)

    # What people ask for ---------------------------------------------------------------------------------------------

    @Slot()
    def _go_back(self) -> None:
        self._session.go_by(-1)

    @Slot()
    def _go_forward(self) -> None:
        self._session.go_by(1)

    @Slot(str)
    def _set_loop_mode(self, mode: str) -> None:
        self._session.set_loop_mode(LoopMode(mode))

    def set_film_kind(self, kind: FrameKind) -> None:
        """Choose what the filmstrip shows."""
        if kind is not self.film_kind:
            self.film_kind = kind
            self._film.set_source(self._thumbnail)

    def _thumbnail(self, k: int) -> object:
        return self.pictures.thumbnail(k, self.film_kind)

    def picture(self, kind: FrameKind) -> object:
        """The picture of a kind at the step shown, as an image; None where there is none."""
        return self.pictures.shown(self.shown_step(kind, self._session.position), kind).image

    def value_text(self, panel_index: int, column: int, row: int) -> str:
        """The numbers under the pointer, in the pipeline's own scale."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return ""
        from sculptor_app.measures import pictures  # numpy comes with it; there is a picture by now

        kind = self._stage.kinds[panel_index]
        step = self.shown_step(kind, self._session.position)
        numbers = self.pictures.shown(step, kind).numbers
        if numbers is None:
            numbers = pictures.frame(trajectory, step, kind)
        if numbers is None or not (0 <= row < numbers.shape[1] and 0 <= column < numbers.shape[2]):
            return ""
        values = "  ".join(f"{value:+.2f}".replace("-", "−") for value in numbers[:, row, column])
        return f"{column}, {row} · {values}"


class _Reader:
    """Reads the value under the pointer for one panel."""

    def __init__(self, presenter: Presenter, panel_index: int) -> None:
        self._presenter, self._panel_index = presenter, panel_index

    def __call__(self, column: int, row: int) -> str:
        return self._presenter.value_text(self._panel_index, column, row)
