"""Presenters of playback: they draw a session's state on a page's views and forward what the views ask for."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.core.trajectory.levels import NoiseLevel, phase_spans
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.session import LoopMode, Session
from sculptor_app.ui.playback import texts
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.names import display, ratio_name
from sculptor_app.ui.widgets.picture_source import PictureSource
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:  # numpy comes with these, and the window is to be on screen before it
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.step import Frame


def is_guess(kind: FrameKind) -> bool:
    """Whether a kind of frame is a clean picture as the model sees it."""
    return kind is FrameKind.CURRENT_GUESS or (kind.is_of_guidance and not kind.is_signed)


def _fork_of(trajectory: AnyTrajectory) -> int | None:
    """The last state that a run shares with the one that it left; None where it left none."""
    forks = trajectory.info.forks
    return forks[-1].step if forks else None


class PlaybackPresenter(QObject):
    """A session's timeline and transport bar, drawn at most once per display frame; a page's own views come on top."""

    share_while_running = 0.035
    """Of the GUI thread's time that drawing may take while a run computes: the interpreter is shared with it.

    The plots of a page are drawn in the same moment and count in.
    """

    def __init__(self, session: Session, timeline: Timeline, transport: TransportBar, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._timeline, self._transport = session, timeline, transport
        self.clock = FrameClock(parent=self)
        self.clock.due.connect(self.draw)
        session.trajectory_changed.connect(self._show_trajectory)
        session.length_changed.connect(self.clock.request)
        session.step_changed.connect(self.clock.request)
        session.following_changed.connect(self._show_following)
        session.running_changed.connect(self._show_running)
        session.playback_changed.connect(self._show_playback)
        self._forward_requests()
        self._show_playback()

    def _forward_requests(self) -> None:
        session, bar = self._session, self._transport
        for view in (self._timeline, bar):
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

    # What a page's own views add -----------------------------------------------------------------------------------

    def show_trajectory(self, trajectory: AnyTrajectory) -> None:
        """Another trajectory is on screen; called before anything of it is drawn."""

    def draw_views(self, trajectory: AnyTrajectory, step: int, last: int) -> None:
        """Draw a step on the views that are neither timeline nor transport bar."""

    def caption(self, trajectory: AnyTrajectory, step: int) -> str:
        """The text beside the step's number."""
        return " · ".join(filter(None, (texts.phase_name(trajectory, step), texts.step_level_text(trajectory, step))))

    # From the session to the views ---------------------------------------------------------------------------------

    @Slot()
    def draw(self) -> None:
        """Show the newest of everything."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        step, last = self._session.position, self._session.last
        if self._timeline.planned != trajectory.planned_steps:  # of a sampler whose steps are counted as they come
            self._plan_again(trajectory)
        if len(self._timeline.forks) != len(trajectory.info.forks):  # its settings have changed along it
            self.show_forks(trajectory)
        self._timeline.set_available(last)
        self._timeline.set_step(step)
        self._transport.set_range(last, trajectory.planned_steps)
        self._transport.set_step(step)
        state = self._session.state
        self._transport.set_caption(self.caption(trajectory, state))
        self.draw_views(trajectory, state, last)

    @Slot()
    def _show_trajectory(self) -> None:
        trajectory = self._session.trajectory
        assert trajectory is not None  # a session never goes back to none
        self._plan_again(trajectory)
        self.show_trajectory(trajectory)
        self.clock.request()

    def show_forks(self, trajectory: AnyTrajectory) -> None:
        """Mark where a run left another one, and where its settings changed."""
        self._timeline.set_forks(texts.forks_told(trajectory))

    def _plan_again(self, trajectory: AnyTrajectory) -> None:
        ratios = [level.snr for level in trajectory.levels]
        in_order = ratios[::-1] if self._session.into_noise else ratios
        self._timeline.set_plan(self._session.spans, trajectory.planned_steps, in_order)
        self._transport.set_ratios(in_order)
        self.show_forks(trajectory)
        self._timeline.set_block_word(self.tr("start") if trajectory.info.first_step > 1 else self.tr("noise"))

    @Slot(bool)
    def _show_following(self, following: bool) -> None:
        self._transport.set_following(following)

    @Slot(bool)
    def _show_running(self, running: bool) -> None:
        self.clock.share = self.share_while_running if running else 1.0
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


class FramePresenter(PlaybackPresenter):
    """A session's frames and filmstrip, besides timeline and transport bar."""

    first_film_kind = FrameKind.CURRENT_GUESS

    def __init__(
        self, session: Session, stage: Stage, timeline: Timeline, transport: TransportBar, film: Filmstrip
    ) -> None:
        super().__init__(session, timeline, transport, stage)
        self._stage, self._film = stage, film
        self.pictures = PictureSource()
        self._settled: tuple[tuple[str, int], ...] = ()
        timeline.set_pictures(self._thumbnail)
        self.film_kind = self.first_film_kind
        self._show_film()
        film.step_requested.connect(self._go_to_cell)
        stage.kinds_changed.connect(self.clock.request)
        session.verdict_changed.connect(self._show_title)
        for panel_index, panel in enumerate(stage.panels):
            panel.set_value_reader(functools.partial(self.value_text, panel_index))

    # What is planned before there is a run ---------------------------------------------------------------------------

    def show_plan(self, levels: tuple[NoiseLevel, ...]) -> None:
        """Show the timeline of a run that has not been made, while there is none."""
        if self._session.trajectory is None:
            self._timeline.set_plan(phase_spans(levels), len(levels) - 1, [level.snr for level in levels])

    # From the session to the views ---------------------------------------------------------------------------------

    def show_trajectory(self, trajectory: AnyTrajectory) -> None:
        self.pictures.set_trajectory(trajectory)
        self._show_title()
        # Fewer states than before make the filmstrip begin again; as many or more would keep the older run's pictures.
        self._film.set_count(0)
        self._film.set_planned(trajectory.planned_steps)
        self._film.set_spans(self._session.spans)
        self._film.set_fork(_fork_of(trajectory))

    def show_forks(self, trajectory: AnyTrajectory) -> None:
        super().show_forks(trajectory)
        self._film.set_fork(_fork_of(trajectory))
        self._show_title()

    @Slot()
    def _show_title(self) -> None:
        trajectory, verdict = self._session.trajectory, self._session.verdict
        if trajectory is not None:
            title = texts.run_title(trajectory, self._session.source)
            self._stage.title.set_parts((*title, verdict) if verdict else title)

    def _plan_again(self, trajectory: AnyTrajectory) -> None:
        super()._plan_again(trajectory)
        self._film.set_planned(trajectory.planned_steps)
        self._film.set_spans(self._session.spans)

    def refresh(self) -> None:
        """Make all pictures again: the same numbers have another look now."""
        self.pictures.set_trajectory(self._session.trajectory)
        self._show_film()
        self.clock.request()

    def draw_views(self, trajectory: AnyTrajectory, step: int, last: int) -> None:
        self._film.set_count(last + 1)
        self._film.set_current(self._session.position)
        self.draw_frames(trajectory, step)

    def draw_frames(self, trajectory: AnyTrajectory, step: int) -> None:
        """Show a step in the frames."""
        kinds = self._stage.kinds
        shown = [self.pictures.shown(self.shown_step(kind, step), kind) for kind in kinds]
        guesses = [is_guess(kind) and picture.image is not None for kind, picture in zip(kinds, shown, strict=True)]
        notes = [
            display(picture.seen)
            if picture.seen and (kind is FrameKind.CURRENT_GUESS or picture.numbers is not None)
            else self.note(trajectory, kind, step, picture.limit)
            for kind, picture in zip(kinds, shown, strict=True)
        ]
        if step == 0 and not self._session.into_noise:
            for place, kind in enumerate(kinds):
                if kind is FrameKind.CURRENT_GUESS and shown[place].image is None:  # of the block there is none yet
                    shown[place] = self.pictures.shown(0, FrameKind.NOISY_STATE)
                    notes[place] = self.tr("the block: no guess yet")
        self._stage.show_pictures(shown, notes, guesses)
        self._stage.set_remark(self.remark(trajectory, step))

    def shown_step(self, kind: FrameKind, step: int) -> int:
        """The step whose picture of a kind is shown while the scrubber stands at a step."""
        return step

    def remark(self, trajectory: AnyTrajectory, step: int) -> str:
        """The line under the frames."""
        return texts.step_story(trajectory, step, self._settled)

    def set_settled(self, marks: Sequence[tuple[str, int]]) -> None:
        """Say of these bands, by their keys, that they stayed settled from a step on."""
        if tuple(marks) != self._settled:
            self._settled = tuple(marks)
            self.clock.request()

    def note(self, trajectory: AnyTrajectory, kind: FrameKind, step: int, limit: float | None) -> str:
        """The word beside a frame's title: the level of the state shown, or what it stands for."""
        if kind is FrameKind.NOISY_STATE:
            level = trajectory.levels[step]
            if not level.is_known:
                return self.tr("level not known")
            return self.tr("SNR {0} · σ {1}").format(ratio_name(level.snr), ratio_name(level.sigma))
        if kind.is_of_guidance:
            return self._guidance_note(trajectory, kind, step)
        return "" if kind.is_signed and limit is None else display(kind.note)

    def _guidance_note(self, trajectory: AnyTrajectory, kind: FrameKind, step: int) -> str:
        weight = trajectory.step(step).guidance if step else None
        if weight is None:
            return ""
        own = weight if kind.guidance_weight is None else kind.guidance_weight
        return self.tr("w = {0}").format(texts.weight_text(own))

    @Slot(bool)
    def _show_following(self, following: bool) -> None:
        super()._show_following(following)
        self._film.set_following(following and self._session.is_running)

    @Slot(bool)
    def _show_running(self, running: bool) -> None:
        super()._show_running(running)
        self._film.set_following(running and self._session.is_following)
        self._show_title()  # it may have been stopped

    # What people ask for ---------------------------------------------------------------------------------------------

    @Slot(int)
    def _go_to_cell(self, position: int) -> None:
        """Go where a cell of the filmstrip was clicked: it is marked already, and the other views are not to lag."""
        self._session.go_to(position)
        self.clock.flush()

    def set_film_kind(self, kind: FrameKind) -> None:
        """Choose what the filmstrip shows."""
        if kind is not self.film_kind:
            self.film_kind = kind
            self._show_film()

    def _show_film(self) -> None:
        self._film.set_source(self._thumbnail)
        self._film.set_pictures(self._film_picture, self.film_kind.value)

    def _film_picture(self, k: int) -> QImage | None:
        return self.pictures.shown(self._session.state_at(k), self.film_kind).image

    def _thumbnail(self, k: int) -> QImage | None:
        return self.pictures.thumbnail(self._session.state_at(k), self.film_kind)

    def picture(self, kind: FrameKind) -> QImage | None:
        """The picture of a kind at the step shown, as an image; None where there is none."""
        return self.pictures.shown(self.shown_step(kind, self._session.state), kind).image

    def value_text(self, panel_index: int, column: int, row: int) -> str:
        """The numbers under the pointer, in the pipeline's own scale."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return ""
        numbers = self.numbers_behind(trajectory, panel_index)
        if numbers is None or not (0 <= row < numbers.shape[1] and 0 <= column < numbers.shape[2]):
            return ""
        is_decoded = numbers.shape[1:] != trajectory.shape[1:]
        is_of_latents = trajectory.info.space == "latents" and not is_decoded
        return texts.pixel_text(column, row, [float(value) for value in numbers[:, row, column]], is_of_latents)

    def numbers_behind(self, trajectory: AnyTrajectory, panel_index: int) -> Frame | None:
        """The numbers of what a panel shows, (C, H, W); None where it shows nothing."""
        from sculptor_app.measures import pictures  # numpy comes with it; there is a picture by now

        kind = self._stage.kinds[panel_index]
        step = self.shown_step(kind, self._session.state)
        numbers = self.pictures.shown(step, kind).numbers
        try:
            return pictures.frame(trajectory, step, kind) if numbers is None else numbers
        except TrajectoryFileError:  # which the frame says
            return None
