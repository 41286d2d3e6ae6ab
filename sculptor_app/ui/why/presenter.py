"""The page's grid, timeline and transport bar, in step with its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sculptor_app.session.session import Session
from sculptor_app.ui.playback.presenter import PlaybackPresenter
from sculptor_app.ui.why.cell_grid import CellGrid
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory


class GridPresenter(PlaybackPresenter):
    """A session's step on a grid of runs, besides timeline and transport bar."""

    share_while_running = 0.05

    def __init__(self, session: Session, grid: CellGrid, timeline: Timeline, transport: TransportBar) -> None:
        super().__init__(session, timeline, transport, grid)
        self._grid = grid

    def draw_views(self, trajectory: AnyTrajectory, step: int, last: int) -> None:
        self._grid.set_step(step)
