"""What views, plots and exports read of a course between noise and picture, whichever way it was made."""

from __future__ import annotations

from typing import Protocol

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.phases import PhaseSpan
from sculptor_app.core.trajectory.step import Frame, StepSummary
from sculptor_app.core.trajectory.trajectory import RunInfo


class AnyTrajectory(Protocol):
    """The reading side of `Trajectory`, which says what each of these means; `ForwardTrajectory` has it, too."""

    @property
    def info(self) -> RunInfo:
        """What it was made with."""

    @property
    def levels(self) -> tuple[NoiseLevel, ...]:
        """Noise levels of the states 0..N, noise first."""

    @property
    def spans(self) -> tuple[PhaseSpan, ...]:
        """The steps of each phase."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every frame."""

    @property
    def budget_bytes(self) -> int:
        """Most bytes of frames in memory."""

    @property
    def planned_steps(self) -> int:
        """N."""

    @property
    def last(self) -> int:
        """Number of the newest state that can be read."""

    @property
    def is_complete(self) -> bool:
        """Whether all N steps can be read."""

    @property
    def ended(self) -> str:
        """Why it stopped before its end; empty otherwise."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the frames that are in memory."""

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the frames that are in a temporary file."""

    def state(self, k: int) -> Frame:
        """Noisy state k, 0..last."""

    def guess(self, k: int) -> Frame | None:
        """The clean picture that goes with step k; None for k = 0."""

    def step(self, k: int) -> StepSummary:
        """What is known of step k, 1..last, without its pictures."""

    def before(self, k: int) -> NoiseLevel:
        """Level that step k starts from, 1..N."""

    def close(self) -> None:
        """Forget all frames."""
