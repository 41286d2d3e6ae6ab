"""The presenter of the page Learn: the chosen row, denoising step, noise and kind, and the views that show them."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtGui import QImage

from sculptor_app.core.trajectory.levels import LevelSequence
from sculptor_app.session.session import Session
from sculptor_app.training.records.events import RunSummary, Sampled
from sculptor_app.training.records.plan import NOISES, Plan
from sculptor_app.ui.learn import texts
from sculptor_app.ui.learn.cells import GUESS, STATE, RowCache
from sculptor_app.ui.learn.details_panel import DetailsPanel
from sculptor_app.ui.learn.samples_view import SamplesView
from sculptor_app.ui.widgets.frame_clock import FrameClock

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory

PLOTS_SHARE = 0.1
"""Of the GUI thread's time that the plots may take: they cost as much as all the rest, and say what changes slowly."""


class SamplesPresenter(QObject):
    """The chosen cell in training time and denoising time, and the noise and kind that are shown."""

    def __init__(self, session: Session, samples: SamplesView, details: DetailsPanel) -> None:
        super().__init__(samples)
        self._session, self._samples, self._details = session, samples, details
        self._cache: RowCache | None = None
        self._plan: Plan | None = None
        self.row, self.follows = 0, True  # the chosen row, and whether a new one is chosen when it comes
        self._noise, self._kind = 0, GUESS
        self.clock = FrameClock(share=0.5, parent=self)
        self.clock.due.connect(self._draw)
        self._plot_clock = FrameClock(share=PLOTS_SHARE, parent=self)
        self._plot_clock.due.connect(self._draw_plots)
        samples.grid.cell_requested.connect(self.go_to_cell)
        samples.timeline.step_requested.connect(session.go_to)
        samples.noise_requested.connect(self.set_noise)
        samples.kind_requested.connect(self.set_kind)
        samples.newest_requested.connect(self.follow)
        details.kind_requested.connect(self.set_kind)
        details.pictures_requested.connect(self.go_to_time)
        session.step_changed.connect(self._move)

    @property
    def rows(self) -> tuple[int, ...]:
        """Pictures seen at each row, rising."""
        return () if self._cache is None else self._cache.rows

    # Rows ---------------------------------------------------------------------------------------------------------

    def set_run(self, run: RunSummary | None) -> None:
        """Show another run, at its newest row; None for none."""
        self._plan = None if run is None else run.plan
        self._cache = None if run is None else RowCache(run.folder, run.rows)
        self._samples.grid.set_source(self._picture)
        self.row, self.follows = max(0, len(self.rows) - 1), True
        self._show_rows()

    def add_row(self, event: Sampled) -> None:
        """Add a row; the chosen one stays, unless the newest is followed."""
        assert self._cache is not None  # a run has begun before rows come
        shown = self.rows[self.row] if self.rows else 0
        self._cache.add(event.row, event.rows)
        place = bisect.bisect_left(event.rows, shown)
        self.row = len(event.rows) - 1 if self.follows else min(place, len(event.rows) - 1)
        self._show_rows()

    def _show_rows(self) -> None:
        newest = self._cache.row(self.rows[-1]) if self._cache is not None and self.rows else None
        self._samples.set_has_samples(newest is not None)
        if newest is None:
            return
        axis, shown = LevelSequence(newest.levels), self._session.trajectory
        if shown is None or shown.levels != axis.levels:
            self._session.show(cast("AnyTrajectory", axis), None, running=False)  # nobody here reads its pictures
            self._samples.timeline.set_plan(axis.spans, axis.last, [level.snr for level in axis.levels])
            self._samples.timeline.set_available(axis.last)
        self._samples.grid.set_axes(self.rows, axis.last)
        self._move()

    # Requests -----------------------------------------------------------------------------------------------------

    @Slot(int, int)
    def go_to_cell(self, row: int, state: int) -> None:
        """Choose a row and a state."""
        self.go_to_row(row)
        if state != self._session.position:
            self._session.go_to(state)

    def go_to_row(self, row: int) -> None:
        """Choose a row, the nearest there is; the newest is followed from then on."""
        last = max(0, len(self.rows) - 1)
        self.row = min(max(row, 0), last)
        self.follows = self.row == last
        self._move()

    @Slot(float)
    def go_to_time(self, pictures: float) -> None:
        """Choose the row nearest to a training time, in pictures."""
        if self.rows:
            self.go_to_row(min(range(len(self.rows)), key=lambda row: abs(self.rows[row] - pictures)))

    @Slot()
    def follow(self) -> None:
        """Choose the newest row and follow those that come."""
        self.go_to_row(len(self.rows) - 1)

    @Slot(int)
    def set_noise(self, noise: int) -> None:
        self._noise = noise
        self._show_choice()

    @Slot(object)
    def set_kind(self, kind: str) -> None:
        self._kind = kind
        self._show_choice()

    def _show_choice(self) -> None:
        self._samples.set_choice(self._noise, self._kind)
        self._details.set_kind(self._kind)
        self.clock.request()

    # Remembering --------------------------------------------------------------------------------------------------

    def save(self, settings: QSettings) -> None:
        settings.setValue("learn/noise", str(self._noise))
        settings.setValue("learn/kind", self._kind)

    def restore(self, settings: QSettings) -> None:
        noise = str(settings.value("learn/noise", "0"))
        self._noise = int(noise) if noise in map(str, range(NOISES)) else 0
        self._kind = STATE if settings.value("learn/kind") == STATE else GUESS
        self._show_choice()

    # Drawing ------------------------------------------------------------------------------------------------------

    @Slot()
    def _move(self) -> None:
        """Move the cross-hair at once, as the next key starts from it; all else follows with the next frame."""
        self._samples.grid.set_cell(self.row, self._session.position)
        self.clock.request()

    def _picture(self, row: int, state: int) -> QImage | None:
        if self._cache is None or row >= len(self.rows):
            return None
        return self._cache.image(self.rows[row], state, self._noise, self._kind)

    @Slot()
    def _draw(self) -> None:
        """Show the chosen cell; at most once per frame of the display."""
        if not self.rows or self._plan is None:
            return
        state, seen = self._session.position, self.rows[self.row]
        self._samples.timeline.set_step(state)
        self._samples.newest.setEnabled(not self.follows)
        self._samples.note.setText(texts.noise_text(self._plan, self._noise))
        self._details.show_cell(self._picture(self.row, state), seen, state)
        self._plot_clock.request()

    @Slot()
    def _draw_plots(self) -> None:
        if self.rows:
            self._details.show_time(self.rows[self.row])

    def flush(self) -> None:
        """Draw at once."""
        self.clock.flush()
        self._plot_clock.flush()

    def stop(self) -> None:
        self.clock.stop()
        self._plot_clock.stop()
