"""A run in latents, decoded: the same states and guesses as pixels, read like any other run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.frame_store import FrameStore
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.phases import PhaseSpan
from sculptor_app.core.trajectory.step import Frame, StepSummary
from sculptor_app.core.trajectory.trajectory import DEFAULT_BUDGET_BYTES, RunInfo

DECODED = "pixels (decoded)"
"""The space of a run that was computed in latents and is looked at in pixels."""


class Decodes(Protocol):
    """What turns a frame of latents into one of pixels; `LatentCodec` does."""

    def decode(self, state: Frame) -> Frame:
        """(3, H, W) pixels of (C, h, w) latents that have about unit variance."""


class DecodedTrajectory:
    """The states and guesses of a run as a decoder shows them; `last` grows while it decodes.

    A state is decoded after it was divided by its level's scale, so the levels here have scale 1 and the same SNR. The
    decoder is not linear: a decoded state is no sum of the decoded guess and a decoded noise.

    Args:
        source: The run in latents.
        budget_bytes: Most bytes of decoded frames in memory; older ones go to a temporary file beyond it.
        spill_folder: Folder of that file; None is the system's folder for temporary files.
    """

    def __init__(
        self, source: AnyTrajectory, budget_bytes: int = DEFAULT_BUDGET_BYTES, spill_folder: Path | None = None
    ) -> None:
        self.source = source
        self.info: RunInfo = replace(source.info, space=DECODED)
        self.levels: tuple[NoiseLevel, ...] = tuple(
            NoiseLevel(level.signal / level.scale, level.noise / level.scale) for level in source.levels
        )
        self.spans: tuple[PhaseSpan, ...] = source.spans
        self.budget_bytes = budget_bytes
        self._folder = spill_folder or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self._shape = source.shape
        self._frames: FrameStore | None = None
        self._places: list[tuple[int, int | None]] = []  # of state k and of guess k in the store

    @property
    def shape(self) -> tuple[int, int, int]:
        """(3, H, W) of every frame; of the latents before the first is decoded."""
        with self._lock:
            return self._shape

    @property
    def planned_steps(self) -> int:
        """N, as the run has it."""
        return self.source.planned_steps

    @property
    def last(self) -> int:
        """Number of the newest decoded state; −1 before the first."""
        with self._lock:
            return len(self._places) - 1

    @property
    def is_complete(self) -> bool:
        """Whether all N steps are decoded."""
        return self.last == self.planned_steps

    @property
    def ended(self) -> str:
        """Why the run stopped before its end; empty otherwise."""
        return self.source.ended

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the decoded frames that are in memory."""
        return 0 if self._frames is None else self._frames.bytes_in_memory

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of the decoded frames that are in the temporary file."""
        return 0 if self._frames is None else self._frames.bytes_on_disk

    def decode_next(self, decoder: Decodes) -> int:
        """Decode the next state and its guess; only one thread may call this.

        Args:
            decoder: Of the model that made the run.

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
        frames = self._store(pixels)
        place = frames.append(pixels)
        guess_place = None if guessed is None else place if guessed is pixels else frames.append(guessed)
        with self._lock:
            self._places.append((place, guess_place))
        return k

    def state(self, k: int) -> Frame:
        """Noisy state k as the decoder shows it, (3, H, W) float32, read-only; k is 0..last.

        Raises:
            IndexError: It is not decoded yet.
        """
        frames, (place, _) = self._found(k)
        return frames[place]

    def guess(self, k: int) -> Frame | None:
        """The guess of step k decoded, (3, H, W) float32, read-only; None where the run has none.

        Raises:
            IndexError: It is not decoded yet.
        """
        frames, (_, place) = self._found(k)
        return None if place is None else frames[place]

    def step(self, k: int) -> StepSummary:
        """What is known of step k without its pictures; k is 1..last."""
        return self.source.step(k)

    def before(self, k: int) -> NoiseLevel:
        """Level that step k starts from, 1..N, of scale 1.

        Raises:
            IndexError: There is no such step.
        """
        if not 1 <= k <= self.planned_steps:
            raise IndexError(f"step {k} is not one of 1..{self.planned_steps}")
        return self.levels[k - 1]

    def close(self) -> None:
        """Forget all decoded frames; those that were handed out stay valid, and the run in latents stays open."""
        with self._lock:
            self._places = []
            frames, self._frames = self._frames, None
        if frames is not None:
            frames.close()

    def _store(self, pixels: Frame) -> FrameStore:
        if self._frames is None:
            channels, height, width = pixels.shape
            shape = (channels, height, width)
            frames = FrameStore(shape, self.budget_bytes, self._folder)
            with self._lock:
                self._frames, self._shape = frames, shape
        return self._frames

    def _found(self, k: int) -> tuple[FrameStore, tuple[int, int | None]]:
        with self._lock:
            if self._frames is None or not 0 <= k < len(self._places):
                raise IndexError(f"state {k} is not decoded; there are {len(self._places)}")
            return self._frames, self._places[k]


def in_unit_scale(trajectory: AnyTrajectory, k: int) -> Frame:
    """State k divided by its level's scale, (C, h, w): what a decoder, or a latent map, is to be given."""
    state, scale = trajectory.state(k), trajectory.levels[k].scale
    return state if abs(scale - 1) < 1e-6 else (state / scale).astype(state.dtype)


def decode_all(decoded: DecodedTrajectory, decoder: Decodes, stop: threading.Event) -> Iterator[int]:
    """Decode what a run holds and is not decoded yet, a state with its guess at a time.

    Args:
        decoded: Where the pictures go.
        decoder: Of the model that made the run.
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
