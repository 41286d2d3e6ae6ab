"""Trajectories of runs: the append-only list of states and guesses, and the same of latents decoded to pixels."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.changes import Segment
from sculptor_app.core.trajectory.array_store import ArrayStore, FrameStore
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, Memory, RunInfo, SnapshotStore
from sculptor_app.core.trajectory.journal import Journal
from sculptor_app.core.trajectory.levels import UNKNOWN, NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step, StepSummary


class Trajectory(AnyTrajectory):
    """The states 0..N of a run and the guesses of its steps 1..N.

    One thread appends; any thread reads, and sees complete states only: `last` grows after the state and the guess of
    that step can be read. Of a second-order solver's sub-stages only the last one's pictures are kept.

    Args:
        start: State 0, the pure noise, (C, H, W) float32.
        levels: Noise levels of the states 0..N, noise first.
        budget_bytes: Most bytes of frames in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file; None is the system's folder for temporary files.
        snapshots: What a fork can start from, if the run keeps it; takes a share of the budget.
        journal: What the run is read again from if the process dies; `finish_journal` says that it has not.
        start_picture, start_noise: What it began with in place of its seed's noise, as in the base class.
    """

    def __init__(
        self,
        info: RunInfo,
        start: Frame,
        levels: Sequence[NoiseLevel],
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        spill_folder: Path | None = None,
        snapshots: SnapshotStore | None = None,
        journal: Journal | None = None,
        start_picture: Frame | None = None,
        start_noise: Frame | None = None,
    ) -> None:
        channels, height, width = start.shape
        super().__init__(info, levels, (channels, height, width), budget_bytes)
        self.snapshots = snapshots
        of_snapshots = 0 if snapshots is None else snapshots.budget_bytes
        self._lock = threading.Lock()
        self._journal = journal
        self._frames = FrameStore(self.shape, budget_bytes - of_snapshots, spill_folder, journal)
        if journal is not None:
            journal.begin(info, levels, self.shape)
        self._states = [self._frames.append(start)]
        self._start_picture = self._append_optional(start_picture)
        self._start_noise = self._append_optional(start_noise)
        if journal is not None:
            began = {"start_picture": self._start_picture, "start_noise": self._start_noise}
            journal.note_step(None, {"states": self._states[0], **began})
        self._guesses: list[int | None] = [None]
        self._guidance_guesses: list[tuple[int, int] | None] = [None]
        self._returned: list[int | None] = [None]
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

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its stretches, as in the base class."""
        return (*self.info.segments, *(() if self.snapshots is None else self.snapshots.rest))

    def end(self, reason: str) -> None:
        """Say why the run stopped before its end; see `ended`."""
        self._ended = reason

    def finish_journal(self) -> None:
        """The run has ended while its process lives, so that nothing needs to be read again."""
        if self._journal is not None:
            self._journal.finish()
            self._frames.forget_journal()

    def plan_again(self, steps: int) -> None:
        """Expect another number of steps, as a run does whose steps are counted as they come.

        Steps of which nothing is known start from and lead to states of unknown level; those that are recorded stay.
        """
        known = self.levels[: steps + 1]
        self._set_levels((*known, *[UNKNOWN] * (steps + 1 - len(known))))
        if self._journal is not None:
            self._journal.note_levels(self.levels)

    def go_on_with(self, info: RunInfo, levels: Sequence[NoiseLevel]) -> None:
        """Go on from the newest state with other settings; what is there stays as it is.

        Args:
            info: What is told of the run from here on, its forks with what it was up to here.
            levels: Of the states 0..N as the other settings have them; of those that are here they count no more.
        """
        self.info = info
        self._set_levels((*self.levels[: self.last + 1], *levels[self.last + 1 :]))
        if self._journal is not None:
            self._journal.note_settings(info, self.levels)

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
        guess = self._append_optional(step.guess)
        pair = self._append_pair(step.guess_unconditional, step.guess_conditional)
        returned = self._append_optional(step.returned)
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
        self._complete(state, guess, pair, returned, summary)

    def shrink(self, budget_bytes: int) -> None:
        """Keep no more bytes of frames than so many in memory, as `ArrayStore.shrink`."""
        self.budget_bytes = min(self.budget_bytes, budget_bytes)
        self._frames.shrink(budget_bytes)

    def share(self, other: Trajectory, steps: int, state: Frame | None = None) -> None:
        """Begin with the first steps of another run; this one must be as new.

        Args:
            state: In place of that which the last of these steps led to; None keeps it.

        Raises:
            ValueError: The runs do not fit together.
            TrajectoryStorageError: There is no room.
        """
        if self.last or not self.has_levels_of(other, steps) or other.shape != self.shape:
            raise ValueError("only runs of the same levels and frames share steps, from their beginning on")
        for k in range(1, steps + 1):
            guess, pair = other.guess(k), (other.guess_unconditional(k), other.guess_conditional(k))
            places = (self._append_optional(guess), self._append_pair(*pair), self._append_optional(other.returned(k)))
            led_to = other.state(k) if state is None or k < steps else state
            self._complete(self._frames.append(led_to), *places, other.step(k))

    def has_levels_of(self, other: Trajectory, steps: int) -> bool:
        """Whether its states up to that after so many steps are to have the noise levels of another run's."""
        own, others = self.levels[: steps + 1], other.levels[: steps + 1]
        return own == others or all(one.is_near(two) for one, two in zip(own, others, strict=True))

    def _append_optional(self, frame: Frame | None) -> int | None:
        return None if frame is None else self._frames.append(frame)

    def _append_pair(self, unconditional: Frame | None, conditional: Frame | None) -> tuple[int, int] | None:
        if unconditional is None or conditional is None:
            return None
        return self._frames.append(unconditional), self._frames.append(conditional)

    def _complete(
        self,
        state: int,
        guess: int | None,
        pair: tuple[int, int] | None,
        returned: int | None,
        summary: StepSummary,
    ) -> None:
        if self._journal is not None:
            without, with_it = pair or (None, None)
            places = {"states": state, "guesses": guess, "returned": returned, "guesses_unconditional": without,
                      "guesses_conditional": with_it}  # fmt: skip
            self._journal.note_step(summary, places)
        with self._lock:
            self._returned.append(returned)
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

    def returned(self, k: int) -> Frame | None:
        """What the sampler returned in step k, where the pipeline then changed that."""
        self._check(k, first=0)
        number = self._returned[k]
        return None if number is None else self._frames[number]

    def guess_unconditional(self, k: int) -> Frame | None:
        """The guess of step k without the condition, where guidance was watched."""
        return self._of_pair(k, 0)

    def guess_conditional(self, k: int) -> Frame | None:
        """The guess of step k with the condition, where guidance was watched."""
        return self._of_pair(k, 1)

    def _of_pair(self, k: int, which: int) -> Frame | None:
        self._check(k, first=0)
        pair = self._guidance_guesses[k]
        return None if pair is None else self._frames[pair[which]]

    def start_picture(self) -> Frame | None:
        """The picture that the run began with."""
        return None if self._start_picture is None else self._frames[self._start_picture]

    def start_noise(self) -> Frame | None:
        """The noise that the run was given."""
        return None if self._start_noise is None else self._frames[self._start_noise]

    def step(self, k: int) -> StepSummary:
        """The summary of step k."""
        self._check(k, first=1)
        return self._summaries[k - 1]

    def _stores(self) -> tuple[Memory, ...]:
        return (self._frames,) if self.snapshots is None else (self._frames, self.snapshots)

    def close(self) -> None:
        """Forget all frames and snapshots."""
        with self._lock:
            self._states, self._guesses, self._guidance_guesses, self._returned = [], [], [], []
            self._start_picture = self._start_noise = None
            self._summaries, self._stages = [], []
        super().close()


DECODED = "pixels (decoded)"
"""The space of a run that was computed in latents and is looked at in pixels."""


class Decoder(Protocol):
    """A decoder of latents to pixels, as `LatentCodec`."""

    def decode(self, state: Frame) -> Frame:
        """(3, H, W) pixels of (C, h, w) latents that have about unit variance."""


class DecodedTrajectory(AnyTrajectory):
    """A run in latents as a decoder shows it, read like any other run; `last` grows while it decodes.

    A state is decoded after it was divided by its level's scale, so the levels here have scale 1 and the same SNR. The
    decoder is not linear: a decoded state is no sum of the decoded guess and a decoded noise.

    Args:
        source: The run in latents; `shape` is that of its frames before the first one is decoded.
        budget_bytes: Most bytes of decoded frames in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file; None is the system's folder for temporary files.
    """

    def __init__(
        self, source: AnyTrajectory, budget_bytes: int = DEFAULT_BUDGET_BYTES, spill_folder: Path | None = None
    ) -> None:
        levels = [NoiseLevel(level.signal / level.scale, level.noise / level.scale) for level in source.levels]
        super().__init__(replace(source.info, space=DECODED), levels, source.shape, budget_bytes)
        self.source = source
        self._lock = threading.Lock()
        self._frames = ArrayStore(budget_bytes, spill_folder)
        self._places: list[tuple[int, int | None]] = []  # of state k and of guess k in the store

    @property
    def last(self) -> int:
        """Number of the newest decoded state; −1 before the first."""
        with self._lock:
            return len(self._places) - 1

    @property
    def undecoded(self) -> AnyTrajectory:
        """The run in latents."""
        return self.source

    @property
    def ended(self) -> str:
        """Why the run stopped before its end."""
        return self.source.ended

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those of the run in latents."""
        return self.source.segments

    def decode_next(self, decoder: Decoder) -> int:
        """Decode the next state and its guess; only one thread may call this.

        Returns:
            The number of the state.

        Raises:
            IndexError: The run holds no further state.
            TrajectoryStorageError: There is no room; everything decoded so far stays readable.
            SculptorError: The decoder failed.
        """
        k = self.last + 1
        latents, guess = in_unit_scale(self.source, k), self.source.guess(k)
        pixels = decoder.decode(latents)
        guessed = None if guess is None else pixels if (guess == latents).all() else decoder.decode(guess)
        place = self._frames.append(pixels)
        guess_place = None if guessed is None else place if guessed is pixels else self._frames.append(guessed)
        with self._lock:
            channels, height, width = pixels.shape
            self.shape = (channels, height, width)
            self._places.append((place, guess_place))
        return k

    def state(self, k: int) -> Frame:
        """Noisy state k as the decoder shows it, (3, H, W) float32, read-only; k is 0..last."""
        return self._frames[self._found(k)[0]]

    def guess(self, k: int) -> Frame | None:
        """The guess of step k decoded, (3, H, W) float32, read-only; None where the run has none."""
        place = self._found(k)[1]
        return None if place is None else self._frames[place]

    def step(self, k: int) -> StepSummary:
        """The summary of step k, of the run in latents."""
        return self.source.step(k)

    def _stores(self) -> tuple[Memory, ...]:
        return (self._frames,)

    def close(self) -> None:
        """Forget all decoded frames; those that were handed out stay valid, and the run in latents stays open."""
        with self._lock:
            self._places = []
        super().close()

    def _found(self, k: int) -> tuple[int, int | None]:
        with self._lock:
            if not 0 <= k < len(self._places):
                raise IndexError(f"state {k} is not decoded; there are {len(self._places)}")
            return self._places[k]


def in_unit_scale(trajectory: AnyTrajectory, k: int) -> Frame:
    """State k divided by its level's scale, (C, h, w): what a decoder, or a latent map, is to be given."""
    state, scale = trajectory.state(k), trajectory.levels[k].scale
    return state if abs(scale - 1) < 1e-6 else (state / scale).astype(state.dtype)


def decode_all(decoded: DecodedTrajectory, decoder: Decoder, stop: threading.Event) -> Iterator[int]:
    """Decode what a run holds and is not decoded yet, a state with its guess at a time.

    Args:
        stop: Set from any thread to end it before the next state; what is decoded stays.

    Yields:
        The number of each state when it can be read.

    Raises:
        Cancelled: `stop` was set.
        TrajectoryStorageError: There is no room.
        SculptorError: The decoder failed.
    """
    while decoded.last < decoded.source.last:
        if stop.is_set():
            raise Cancelled
        yield decoded.decode_next(decoder)
