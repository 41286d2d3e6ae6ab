"""Events of a run, or of a grid of runs: it started, and then one event per completed step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy comes with them, and the window is to be on screen before
    from sculptor_app.core.trajectory.step import Step
    from sculptor_app.core.trajectory.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a run: state 0 can be read, the plan of levels is known.

    Attributes:
        trajectory: the record that grows from now on.
        measures: the measures that grow with it, once somebody fills them in (`dataclasses.replace`).
    """

    trajectory: Trajectory
    measures: Any = None


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step is complete; state `step.number` can be read.

    Attributes:
        trajectory: the run's record; it holds the step already.
        step: the call that completed it.
        measures: as in `Started`.
    """

    trajectory: Trajectory
    step: Step
    measures: Any = None


@dataclass(frozen=True, slots=True)
class GridStarted:
    """The first event: state 0 of every run can be read.

    Attributes:
        trajectories: one for each cell, in the order of the cells; they grow from now on.
    """

    trajectories: tuple[Trajectory, ...]


@dataclass(frozen=True, slots=True)
class GridPart:
    """Some of the runs have taken the step that the others are still to take.

    Attributes:
        number: the step, 1..N.
        cells: how many runs have taken it, the first ones of the grid.
    """

    number: int
    cells: int


@dataclass(frozen=True, slots=True)
class GridStep:
    """All runs have taken a step; state `number` of each can be read.

    Attributes:
        number: 1..N.
    """

    number: int


GridEvent = GridStarted | GridPart | GridStep
