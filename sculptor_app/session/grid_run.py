"""A grid of runs in the model's worker thread, and the noises that grids start from in a thread of their own."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.grid import GridRequest
from sculptor_app.core.trajectory.grid_events import GridPart, GridStarted
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.worker import JobThread


class GridRunner(QObject):
    """Starts grids and says what comes of them, of the newest one only.

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
        self._run_id = 0  # 0 while none goes on
        self._budget_bytes = runner.budget_bytes // 2  # there may be a trajectory of a single run beside it
        runner.produced.connect(self._take)
        runner.finished.connect(self._finish)
        runner.cancelled.connect(self._cancel)
        runner.failed.connect(self._fail)

    @property
    def is_busy(self) -> bool:
        """Whether a grid was asked for and has not ended."""
        return bool(self._run_id)

    def start(self, request: GridRequest) -> None:
        """Run a grid; whatever the model does is cancelled for it, an older grid without a word."""
        was_busy, self._run_id = self.is_busy, 0
        self._run_id = self._runner.submit(_grid_work(request, self._budget_bytes))
        if not was_busy:
            self.busy_changed.emit(True)

    def stop(self) -> None:
        """Stop after what is being computed."""
        if self._run_id:
            self._runner.stop()

    @Slot(int, object)
    def _take(self, run_id: int, event: Any) -> None:
        if run_id != self._run_id:
            return
        if isinstance(event, GridStarted):
            self.started.emit(event.trajectories)
        elif isinstance(event, GridPart):
            self.went_on.emit(event.number, event.cells)
        else:
            self.stepped.emit(event.number)

    @Slot(int)
    def _finish(self, run_id: int) -> None:
        self._end(run_id, "finished")

    @Slot(int)
    def _cancel(self, run_id: int) -> None:
        self._end(run_id, "cancelled")

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        self._end(run_id, "failed", error)

    def _end(self, run_id: int, outcome: str, error: Exception | None = None) -> None:
        if run_id == self._run_id:
            self._run_id = 0
            self.busy_changed.emit(False)
            self.ended.emit(outcome, error)


def _grid_work(request: GridRequest, budget_bytes: int) -> Any:
    def work(engine: Any, stop: threading.Event) -> Iterator[object]:
        grid = importlib.import_module("sculptor_app.diffusion.studies.grid")  # brings torch along
        events: Iterator[object] = grid.sample_grid(engine, request, stop, budget_bytes=budget_bytes)
        return events

    return work


class NoisePreview(QObject):
    """Draws the noises that a grid will start from, beside whatever the model does.

    Args:
        parent: the owner; call `shutdown` before it goes.

    Signals:
        drawn: the request that was asked about, and a trajectory for each cell that holds its noise alone.
        facts_known: what the model's folder says of it, a `ModelFacts`.
        failed: why neither can be had.
    """

    drawn = Signal(object, object)
    facts_known = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobThread(parent=self, name="drawing noise")
        self._jobs.produced.connect(self._hand_on)
        self._jobs.failed.connect(self._fail)

    def draw(self, request: GridRequest) -> None:
        """Draw the noises of a grid; what was asked before and is not there yet is dropped."""
        self._jobs.start(lambda stop: _preview(request))

    @property
    def is_busy(self) -> bool:
        """Whether something that was asked for is not there yet."""
        return self._jobs.is_busy

    def shutdown(self) -> None:
        """Wait for the thread."""
        self._jobs.shutdown()

    @Slot(int, object)
    def _hand_on(self, run_id: int, item: Any) -> None:
        if isinstance(item, tuple):
            self.drawn.emit(*item)
        else:
            self.facts_known.emit(item)

    @Slot(int, object)
    def _fail(self, run_id: int, error: Exception) -> None:
        self.failed.emit(error)


def _preview(request: GridRequest) -> Iterator[object]:
    yield importlib.import_module("sculptor_app.diffusion.sampling.engine").model_facts(request.model)
    yield request, importlib.import_module("sculptor_app.diffusion.studies.grid").initial_trajectories(request)
