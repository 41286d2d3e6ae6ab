"""Events of a run, or of a grid of runs: it started, and then one event per completed step; and of its forks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy comes with them, and the window is to be on screen before
    from sculptor_app.core.trajectory.step import Frame, Step
    from sculptor_app.core.trajectory.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a run: state 0 can be read, the plan of levels is known."""

    trajectory: Trajectory  # the record that grows from now on
    measures: Any = None  # the measures that grow with it, once somebody fills them in (`dataclasses.replace`)


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step is complete; state `step.number` can be read."""

    trajectory: Trajectory  # the run's record; it holds the step already
    step: Step  # the call that completed it
    measures: Any = None  # as in `Started`


@dataclass(frozen=True, slots=True)
class GridStarted:
    """The first event: state 0 of every run can be read."""

    trajectories: tuple[Trajectory, ...]  # one for each cell, in the order of the cells; they grow from now on


@dataclass(frozen=True, slots=True)
class GridPart:
    """Some of the runs have taken the step that the others are still to take."""

    number: int  # the step, 1..N
    cells: int  # how many runs have taken it, the first ones of the grid


@dataclass(frozen=True, slots=True)
class GridStep:
    """All runs have taken a step; state `number` of each can be read."""

    number: int  # 1..N


GridEvent = GridStarted | GridPart | GridStep


@dataclass(frozen=True, slots=True)
class ForkEnded:
    """The picture of one fork."""

    step: int  # the last one that it shares with the run
    number: int  # 0, 1, … of the forks at this step
    picture: Frame  # (C, H, W) float32: the last state; pixels are in [-1, 1]
    batch: int = 1  # how many were made at once; alone it has other last bits
