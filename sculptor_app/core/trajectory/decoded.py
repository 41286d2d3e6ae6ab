"""A run in latents, decoded: the same states and guesses as pixels, read like any other run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, Memory
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, StepSummary

DECODED = "pixels (decoded)"
"""The space of a run that was computed in latents and is looked at in pixels."""


class Decodes(Protocol):
    """What turns a frame of latents into one of pixels; `LatentCodec` does."""

    def decode(self, state: Frame) -> Frame:
        """(3, H, W) pixels of (C, h, w) latents that have about unit variance."""


class DecodedTrajectory(AnyTrajectory):
    """The states and guesses of a run as a decoder shows them; `last` grows while it decodes.

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
    def ended(self) -> str:
        """Why the run stopped before its end."""
        return self.source.ended

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
        """What is known of step k of the run."""
        return self.source.step(k)

    def _stores(self) -> tuple[Memory, ...]:
        return (self._frames,)

    def close(self) -> None:
        """Forget all decoded frames; those that were handed out stay valid, and the run in latents stays open."""
        with self._lock:
            self._places = []
        super().close()

    def _found(self, k: int) -> tuple[int, int | None]:
        """Where state k and its guess are in the store."""
        with self._lock:
            if not 0 <= k < len(self._places):
                raise IndexError(f"state {k} is not decoded; there are {len(self._places)}")
            return self._places[k]


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
