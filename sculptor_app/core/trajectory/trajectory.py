"""Everything recorded of one run: the append-only list of its states and guesses, readable while it grows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES as DEFAULT_BUDGET_BYTES
from sculptor_app.core.trajectory.base import AnyTrajectory, Memory
from sculptor_app.core.trajectory.frame_store import FrameStore
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.run_info import Fork as Fork  # also read from here
from sculptor_app.core.trajectory.run_info import RunInfo as RunInfo
from sculptor_app.core.trajectory.run_info import SnapshotStore
from sculptor_app.core.trajectory.step import Frame, Step, StepSummary


class Trajectory(AnyTrajectory):
    """The states 0..N of a run and the guesses of its steps 1..N.

    One thread appends; any thread reads, and sees complete states only: `last` grows after the state and the guess of
    that step can be read. Of a second-order solver's sub-stages only the last one's pictures are kept.

    Args:
        info: What the run was made with.
        start: State 0, the pure noise, (C, H, W) float32.
        levels: Noise levels of the states 0..N, noise first.
        budget_bytes: Most bytes of frames in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file; None is the system's folder for temporary files.
        snapshots: What a fork can start from, if the run keeps it; takes a share of the budget.
    """

    def __init__(
        self,
        info: RunInfo,
        start: Frame,
        levels: Sequence[NoiseLevel],
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        spill_folder: Path | None = None,
        snapshots: SnapshotStore | None = None,
    ) -> None:
        channels, height, width = start.shape
        super().__init__(info, levels, (channels, height, width), budget_bytes)
        self.snapshots = snapshots
        of_snapshots = 0 if snapshots is None else snapshots.budget_bytes
        self._lock = threading.Lock()
        self._frames = FrameStore(self.shape, budget_bytes - of_snapshots, spill_folder)
        self._states = [self._frames.append(start)]
        self._guesses: list[int | None] = [None]
        self._guidance_guesses: list[tuple[int, int] | None] = [None]
        self._summaries: list[StepSummary] = []
        self._stages: list[Step] = []
        self._ended = ""

    @property
    def last(self) -> int:
        """Number of the newest complete state; 0 at first."""
        with self._lock:
            return len(self._summaries)

    @property
    def ended(self) -> str:
        """Why the run stopped before its end, as `end` was given it."""
        return self._ended

    def end(self, reason: str) -> None:
        """Say why the run stopped before its end; see `ended`."""
        self._ended = reason

    def append(self, step: Step) -> None:
        """Keep one call of the scheduler; a state counts when the call that completes it is here.

        Raises:
            TrajectoryStorageError: There is no room; everything recorded so far stays readable.
            ValueError: The step is not the next one.
        """
        if step.number != self.last + 1 or step.number > self.planned_steps:
            raise ValueError(f"step {step.number} cannot follow step {self.last} of {self.planned_steps}")
        self._stages.append(step)
        if not step.completes:
            return
        guess = None if step.guess is None else self._frames.append(step.guess)
        pair = self._append_pair(step.guess_unconditional, step.guess_conditional)
        state = self._frames.append(step.state)
        stages, self._stages = self._stages, []
        summary = StepSummary(
            number=step.number,
            calls=len(stages),
            timestep=stages[0].timestep,
            before=stages[0].before,
            after=step.after,
            duration_s=sum(stage.duration_s for stage in stages),
            guess_note=step.guess_note,
            guidance=step.guidance,
            guidance_note=step.guidance_note,
        )
        self._complete(state, guess, pair, summary)

    def share(self, other: Trajectory, steps: int) -> None:
        """Begin with the first steps of another run; this one must be as new.

        Args:
            other: A run with the same levels and frames.
            steps: How many of its steps, 0 to all that it has.

        Raises:
            ValueError: The runs do not fit together.
            TrajectoryStorageError: There is no room.
        """
        if self.last or other.levels[: steps + 1] != self.levels[: steps + 1] or other.shape != self.shape:
            raise ValueError("only runs of the same levels and frames share steps, from their beginning on")
        for k in range(1, steps + 1):
            guess, pair = other.guess(k), (other.guess_unconditional(k), other.guess_conditional(k))
            places = (None if guess is None else self._frames.append(guess), self._append_pair(*pair))
            self._complete(self._frames.append(other.state(k)), *places, other.step(k))

    def _append_pair(self, unconditional: Frame | None, conditional: Frame | None) -> tuple[int, int] | None:
        if unconditional is None or conditional is None:
            return None
        return self._frames.append(unconditional), self._frames.append(conditional)

    def _complete(self, state: int, guess: int | None, pair: tuple[int, int] | None, summary: StepSummary) -> None:
        with self._lock:
            self._guesses.append(guess)
            self._guidance_guesses.append(pair)
            self._states.append(state)
            self._summaries.append(summary)

    def state(self, k: int) -> Frame:
        """Noisy state k."""
        self._check(k, first=0)
        return self._frames[self._states[k]]

    def guess(self, k: int) -> Frame | None:
        """The clean picture that the model predicted in the last call of step k; else as in the base class."""
        self._check(k, first=0)
        number = self._guesses[k]
        return None if number is None else self._frames[number]

    def guess_unconditional(self, k: int) -> Frame | None:
        """The guess of step k of the network's answer without the condition, (C, H, W) float32, read-only.

        None where guidance was not watched, or the two predictions are not known (`step(k).guidance_note` says why).

        Raises:
            IndexError: There is no such state yet.
        """
        return self._of_pair(k, 0)

    def guess_conditional(self, k: int) -> Frame | None:
        """The guess of step k of the network's answer with the condition, as `guess_unconditional` otherwise."""
        return self._of_pair(k, 1)

    def _of_pair(self, k: int, which: int) -> Frame | None:
        self._check(k, first=0)
        pair = self._guidance_guesses[k]
        return None if pair is None else self._frames[pair[which]]

    def step(self, k: int) -> StepSummary:
        """What is known of step k without its pictures."""
        self._check(k, first=1)
        return self._summaries[k - 1]

    def _stores(self) -> tuple[Memory, ...]:
        return (self._frames,) if self.snapshots is None else (self._frames, self.snapshots)

    def close(self) -> None:
        """Forget all frames and snapshots."""
        with self._lock:
            self._states, self._guesses, self._guidance_guesses, self._summaries, self._stages = [], [], [], [], []
        super().close()
