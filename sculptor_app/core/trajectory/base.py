"""The base class of trajectories: courses between noise and picture, whichever way they were made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from sculptor_app.core.trajectory.levels import LevelSequence, NoiseLevel
from sculptor_app.core.trajectory.run_info import RunInfo
from sculptor_app.core.trajectory.step import Frame, StepSummary

DEFAULT_BUDGET_BYTES = 512 * 2**20
"""Memory that a trajectory's frames may take before older ones go to a file."""


class Memory(Protocol):
    """What a trajectory asks of the stores of its frames and of all that is kept beside them."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes that are in memory."""

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that are in a temporary file."""

    def close(self) -> None:
        """Forget all, and delete the file."""


class AnyTrajectory(LevelSequence, ABC):
    """The states 0..N from pure noise to a picture and the guesses of the steps 1..N, as views and exports read them.

    Attributes:
        info: What it was made with.
        levels: Noise levels of the states 0..N, noise first.
        spans: The steps of each phase.
        shape: (C, H, W) of every frame.
        budget_bytes: Most bytes of frames in memory; older ones go to a temporary file beyond it.
    """

    def __init__(
        self, info: RunInfo, levels: Sequence[NoiseLevel], shape: tuple[int, int, int], budget_bytes: int
    ) -> None:
        super().__init__(levels)
        self.info = info
        self.shape = shape
        self.budget_bytes = budget_bytes

    @property
    @abstractmethod
    def last(self) -> int:
        """Number of the newest state that can be read; -1 where there is none."""

    @property
    def ended(self) -> str:
        """Why it stopped before its end: "cancelled", "failed: " and a sentence; empty otherwise."""
        return ""

    @abstractmethod
    def state(self, k: int) -> Frame:
        """Noisy state k, (C, H, W) float32, read-only; k is 0..last.

        Raises:
            IndexError: There is no such state, or not yet.
        """

    @abstractmethod
    def guess(self, k: int) -> Frame | None:
        """The clean picture that goes with step k, (C, H, W) float32, read-only.

        None for k = 0, which no step led to, and where no exact rule is known (`step(k).guess_note` says why).

        Raises:
            IndexError: There is no such state, or not yet.
        """

    @abstractmethod
    def step(self, k: int) -> StepSummary:
        """What is known of step k, 1..last, without its pictures.

        Raises:
            IndexError: There is no such step, or not yet.
        """

    @abstractmethod
    def _stores(self) -> tuple[Memory, ...]:
        """Where frames are kept, and what else is kept beside them."""

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the frames, and of what is kept beside them, that are in memory."""
        return sum(store.bytes_in_memory for store in self._stores())

    @property
    def bytes_on_disk(self) -> int:
        """The same in temporary files."""
        return sum(store.bytes_on_disk for store in self._stores())

    def close(self) -> None:
        """Forget all frames and delete the temporary files; frames that were handed out stay valid."""
        for store in self._stores():
            store.close()

    def _check(self, k: int, first: int) -> None:
        """Refuse a number that is not one of first..last."""
        last = self.last
        if not first <= k <= last:
            raise IndexError(f"step {k} is not one of {first}..{last}, which can be read")
