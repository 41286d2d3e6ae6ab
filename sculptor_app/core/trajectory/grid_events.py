"""What a grid of runs tells its consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy comes with it, and the window is to be on screen before
    from sculptor_app.core.trajectory.trajectory import Trajectory


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
