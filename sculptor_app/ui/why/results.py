"""What has come of each experiment: the newest grid of each is kept until its next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.grid import Cell, GridRequest
from sculptor_app.session.grid_run import GridRunner
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.why.experiments import Arrangement, Experiment

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A grid of an experiment.

    Attributes:
        arrangement: of its cells.
        request: what was asked for, with all cells.
        runs: of all cells, complete or not.
        new: numbers of the cells that were run this time; the others had been there before.
    """

    arrangement: Arrangement
    request: GridRequest
    runs: tuple[Trajectory, ...]
    new: tuple[int, ...] = (0,)

    @property
    def lead(self) -> int:
        """Number of a cell that was run this time."""
        return self.new[0]


class Results(QObject):
    """Runs grids for the experiments, one at a time.

    Args:
        runner: Does the model's work.
        parent: the owner.

    Signals:
        busy_changed: whether a grid is being made.
        appeared: an Experiment, of which there is a new Result.
        went_on: number of a step, and how many cells have taken it.
        stepped: number of a step that all cells have taken.
        ended: the Experiment, "finished", "cancelled" or "failed", and the exception or None.
    """

    busy_changed = Signal(bool)
    appeared = Signal(object)
    went_on = Signal(int, int)
    stepped = Signal(int)
    ended = Signal(object, str, object)

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid_run = GridRunner(runner, self)
        self._kept: dict[Experiment, Result] = {}
        self._asked: tuple[Experiment, Result] | None = None
        self._taken_over: dict[Cell, Trajectory] = {}
        self.running: Experiment | None = None
        self._grid_run.busy_changed.connect(self.busy_changed)
        self._grid_run.started.connect(self._start)
        self._grid_run.went_on.connect(self.went_on)
        self._grid_run.stepped.connect(self.stepped)
        self._grid_run.ended.connect(self._end)

    @property
    def is_busy(self) -> bool:
        """Whether a grid is being made."""
        return self._grid_run.is_busy

    def of(self, experiment: Experiment) -> Result | None:
        """The newest grid of an experiment."""
        return self._kept.get(experiment)

    def forget(self) -> None:
        """Forget all grids: they are of another model."""
        self._kept.clear()

    def make(self, experiment: Experiment, arrangement: Arrangement, request: GridRequest, anew: bool = True) -> None:
        """Run a grid; the one that goes on is cancelled for it.

        Args:
            experiment: Whose it is.
            arrangement: Of its cells.
            request: With all cells of it.
            anew: Run all cells; else those that the grid before has just so are taken over, if any are left to run.
        """
        kept = {} if anew else self._complete_runs(experiment, request)
        wanted = tuple(dict.fromkeys(cell for cell in request.cells if cell not in kept))
        if not wanted:
            wanted, kept = tuple(dict.fromkeys(request.cells)), {}
        new = tuple(number for number, cell in enumerate(request.cells) if cell in wanted)
        self._asked = experiment, Result(arrangement, request, (), new)
        self._taken_over = kept
        self.running = experiment
        self._grid_run.start(replace(request, cells=wanted))

    def stop(self) -> None:
        """Stop after what is being computed."""
        self._grid_run.stop()

    def _complete_runs(self, experiment: Experiment, request: GridRequest) -> dict[Cell, Trajectory]:
        """The runs of the grid before that would come out the same."""
        before = self._kept.get(experiment)
        if before is None or replace(before.request, cells=request.cells) != request:
            return {}
        return {
            cell: run
            for cell, run in zip(before.request.cells, before.runs, strict=True)
            if run.is_complete and cell in request.cells
        }

    @Slot(object)
    def _start(self, trajectories: tuple[Trajectory, ...]) -> None:
        assert self._asked is not None
        experiment, asked = self._asked
        new = [cell for cell in dict.fromkeys(asked.request.cells) if cell not in self._taken_over]
        runs = self._taken_over | dict(zip(new, trajectories, strict=True))
        self._kept[experiment] = replace(asked, runs=tuple(runs[cell] for cell in asked.request.cells))
        self.appeared.emit(experiment)

    @Slot(str, object)
    def _end(self, outcome: str, error: object) -> None:
        experiment, self.running = self.running, None
        self.ended.emit(experiment, outcome, error)
