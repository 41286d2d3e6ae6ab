"""The denoising time of the grid, as the page's session moves through it."""

from __future__ import annotations

from dataclasses import dataclass

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.phases import PhaseSpan, phase_spans


@dataclass(frozen=True)
class Track:
    """As much of a trajectory as a session needs.

    Attributes:
        levels: Of the states 0..N.
    """

    levels: tuple[NoiseLevel, ...]

    @property
    def planned_steps(self) -> int:
        """N."""
        return len(self.levels) - 1

    @property
    def last(self) -> int:
        """The newest state: every row has all of them."""
        return self.planned_steps

    @property
    def is_complete(self) -> bool:
        """Every row is a whole run."""
        return True

    @property
    def spans(self) -> tuple[PhaseSpan, ...]:
        """The stretches of the phases."""
        return phase_spans(self.levels)
