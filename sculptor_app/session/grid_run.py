"""A grid of runs in the model's worker thread, and a preview of the noises that it starts from in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.grid import GridRequest
from sculptor_app.core.trajectory.grid_events import GridPart, GridStarted, GridStep
from sculptor_app.session import engine as access
from sculptor_app.session.runner import ModelRun, SamplingRunner
from sculptor_app.session.tasks import BackgroundTask

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.session.engine import Engine


class GridRunner(QObject):
    """Starts grids and reports what comes of them, of the newest one only.

    Args:
        runner: Does the model's work; a run of another page ends this one.
        parent: the owner.

    Signals:
        busy_changed: whether a grid was asked for and has not ended.
        started: the trajectories of all cells; state 0 of each is there.
        went_on: number of a step, and how many cells have taken it; the others have not yet.
        stepped: number of a step that all cells have taken.
        ended: "finished", "cancelled" or "failed", and the exception or None.
    """

    busy_changed = Signal(bool)
    started = Signal(object)
    went_on = Signal(int, int)
    stepped = Signal(int)
    ended = Signal(str, object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._run: ModelRun | None = None
        self._budget_bytes = runner.budget_bytes // 2  # there may be a trajectory of a single run beside it

    @property
    def is_busy(self) -> bool:
        """Whether a grid was asked for and has not ended."""
        return self._run is not None

    def start(self, request: GridRequest) -> None:
        """Run a grid; whatever the model does is cancelled for it, an older grid without a word."""
        was_busy, budget_bytes = self.is_busy, self._budget_bytes
        if self._run is not None:
            self._run.ignore()

        def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
            return access.sample_grid(engine, request, stop, budget_bytes)

        run = self._run = self._runner.submit(work)
        run.produced.connect(self._take)
        run.finished.connect(self._finish)
        run.cancelled.connect(self._cancel)
        run.failed.connect(self._fail)
        if not was_busy:
            self.busy_changed.emit(True)

    def stop(self) -> None:
        """Stop after what is being computed."""
        if self._run is not None:
            self._run.stop()

    @Slot(object)
    def _take(self, event: object) -> None:
        match event:
            case GridStarted():
                self.started.emit(event.trajectories)
            case GridPart():
                self.went_on.emit(event.number, event.cells)
            case GridStep():
                self.stepped.emit(event.number)

    @Slot()
    def _finish(self) -> None:
        self._end("finished")

    @Slot()
    def _cancel(self) -> None:
        self._end("cancelled")

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        self._end("failed", error)

    def _end(self, outcome: str, error: BaseException | None = None) -> None:
        self._run = None
        self.busy_changed.emit(False)
        self.ended.emit(outcome, error)


@dataclass(frozen=True, slots=True, eq=False)
class _Noises:
    """The noises of a grid: a trajectory for each cell that holds its noise alone."""

    request: GridRequest
    trajectories: tuple[Trajectory, ...]


class NoisePreview(BackgroundTask):
    """Draws the noises that a grid will start from, beside whatever the model does.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        drawn: the request that was asked about, and a trajectory for each cell that holds its noise alone.
        facts_known: what the model's folder says of it, a `ModelFacts`.
    """

    drawn = Signal(object, object)
    facts_known = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__("noise preview", parent)
        self.produced.connect(self._hand_on)

    def draw(self, request: GridRequest) -> None:
        """Draw the noises of a grid; what was asked before and is not there yet is dropped."""

        def job(stop: threading.Event) -> Iterator[object]:
            yield access.model_facts(request.model)
            yield _Noises(request, access.grid_noises(request))

        self.start(job)

    @Slot(object)
    def _hand_on(self, item: object) -> None:
        match item:
            case _Noises():
                self.drawn.emit(item.request, item.trajectories)
            case _:
                self.facts_known.emit(item)
