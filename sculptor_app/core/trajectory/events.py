"""What a run tells its consumer: it started, and then one event per completed step."""

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
