"""The numbers of a run, measured once per step while it goes on."""

import dataclasses
import math
from collections.abc import Generator, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, SETTLING_RULES
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.measures.pictures import guidance_guesses
from sculptor_app.measures.spectrum import BANDS, Content, Spectrum, Window, band_energies, spectrum_and_content

Source = Literal["state", "guess"]
SOURCES: tuple[Source, ...] = ("state", "guess")
Floats = NDArray[np.float64]
Values = NDArray[np.float32]
MOST_SAMPLED_BYTES, LEAST_SAMPLED = 32 * 2**20, 4096
"""What is kept of a run's frames until the end is known, and the least number of a frame's values; of so many the root
mean square is off by some 3 %."""


class RunMeasures:
    """Spectra and band energies of one trajectory, append-only.

    One thread appends; any thread may read, and sees whole rows only: `last` moves on after a row is written, and a row
    is never written twice. Noisy states are divided by their level's scale, so that all schedulers share one scale.

    Args:
        planned_steps: N; rows 0..N have room.
        space: "pixels", "latents", or "pixels (decoded)" of latents that were decoded afterwards.
        window: "hann" for pictures, "none" for periodic test fields.
    """

    _keeps_contents = True

    def __init__(self, planned_steps: int, space: str = "pixels", window: Window = "hann") -> None:
        self.planned_steps = planned_steps
        self.space = space
        self.window: Window = window
        self._last = -1
        rows = planned_steps + 1
        self._energies = {source: np.full((rows, len(BANDS)), np.nan) for source in SOURCES}
        self._guidance = np.full((rows, 2), np.nan)  # norm and cosine
        self._direction: Frame | None = None  # of the guidance, at the newest step
        self._distances = np.full((rows, len(SOURCES)), np.nan)
        self._samples: list[tuple[Values, Values | None]] = []  # of the values of each state and guess, until the end
        self._sampled = np.empty(0, np.int64)  # which values those are
        self._powers: dict[Source, Floats] = {}
        self._contents: list[Content | None] = []  # of the guesses; for 1,000 steps of 1024x1024 pixels 19 MB
        self._correlated: tuple[int, Floats] = (-1, np.empty((0, len(BANDS))))
        self._spectrum = Spectrum(np.arange(0), np.zeros(0), np.zeros(0), np.zeros(0))  # the form of all of them

    @classmethod
    def of(cls, trajectory: AnyTrajectory, window: Window = "hann") -> "RunMeasures":
        """Measure everything that a trajectory holds so far."""
        measures = cls(trajectory.planned_steps, trajectory.info.space, window)
        measures.catch_up(trajectory)
        if measures.is_complete:
            measures.release_contents()
        return measures

    @property
    def last(self) -> int:
        """Number of the newest measured state; −1 before the first."""
        return self._last

    @property
    def is_complete(self) -> bool:
        """Whether every planned step is measured."""
        return self._last == self.planned_steps

    def catch_up(self, trajectory: AnyTrajectory) -> None:
        """Append every state that the trajectory holds and this does not, and expect as many steps as it does."""
        self._expect(trajectory.planned_steps)
        for k in range(self._last + 1, trajectory.last + 1):
            self.append(trajectory, k)

    def append(self, trajectory: AnyTrajectory, k: int) -> None:
        """Measure state k and its guess; `ValueError` if k is not the next state."""
        if k != self._last + 1 or k > self.planned_steps:
            raise ValueError(f"state {k} was to be measured; the next is {self._last + 1} of {self.planned_steps}")
        state, scale = trajectory.state(k), trajectory.levels[k].scale
        self._write("state", k, state, scale)
        guess, content = trajectory.guess(k), None
        if guess is not None:
            content = self._write("guess", k, guess, 1.0, self._keeps_contents)
        self._contents.append(content)
        self._sample(state, scale, guess)
        direction = guidance_direction(trajectory, k)
        self._guidance[k] = _norm(direction), _cosine(direction, self._direction)
        self._direction = direction
        if k == self.planned_steps:  # here, in the thread that appends, and not when they are drawn
            self._correlated = (k, self._correlations(k))
        self._last = k

    def energies(self, source: Source) -> Floats:
        """Mean power per band of all states so far.

        Args:
            source: "state" or "guess".

        Returns:
            (last + 1, 4), read-only; NaN where there is no guess (always at state 0) or no frequency in a band.
        """
        rows = self._energies[source][: self._last + 1]
        rows.flags.writeable = False
        return rows

    def guidance(self) -> Floats:
        """How long the guidance direction of each step so far is, and its cosine with that of the step before.

        Returns:
            (last + 1, 2), read-only: the root mean square over all elements of the conditional guess less the
            unconditional one, in the units of the frames, and the cosine, -1 to 1. NaN
            where the run did not keep both guesses, and always at state 0.
        """
        rows = self._guidance[: self._last + 1]
        rows.flags.writeable = False
        return rows

    def distances(self) -> Floats:
        """How far every state and every guess is from the picture at the end: the root mean square over all elements.

        Of runs whose frames would fill MOST_SAMPLED_BYTES it is estimated from a random part of the elements.

        Returns:
            (last + 1, 2), in the order of SOURCES, in the units of the frames (black to white is 2), read-only; NaN
            where there is no guess, and as long as the run is not complete.
        """
        samples = self._samples  # another thread may release them meanwhile
        is_known = self.is_complete and len(samples) == self._last + 1
        rows = _distances_of(samples) if is_known else self._distances[: self._last + 1]
        rows.flags.writeable = False
        return rows

    def spectrum(self, source: Source, k: int) -> Spectrum | None:
        """Spectrum of state k, or of the guess of step k, None if it has none; `IndexError` if not measured yet."""
        if not 0 <= k <= self._last:
            raise IndexError(f"state {k} is not measured; there are 0 to {self._last}")
        power = self._powers[source][k]
        return None if np.isnan(power).any() else dataclasses.replace(self._spectrum, power=power)

    def correlations(self) -> Floats:
        """Of each band's content in the guesses of all steps so far, with that in the newest of them.

        The content are the band's Fourier coefficients, of what its power is measured on: for step k
        Re(sum F_k conj(F_end)) / sqrt(sum |F_k|^2 sum |F_end|^2), of large frames estimated (`band_contents`).

        Returns:
            (last + 1, 4), -1 to 1, read-only; NaN where there is no guess (always at state 0), or nothing in a band.
        """
        last, known = self._correlated
        return known if last == self._last else self._correlations(self._last)

    def settled(self, rule: str = DEFAULT_SETTLING_RULE) -> tuple[int | None, ...]:
        """For each band the first step from which its guess stayed what it is at the end: the measured phases.

        Args:
            rule: what has to stay, and how nearly: a key of `SETTLING_RULES`.

        Returns:
            Four step numbers 2..N, or 1 for a band that never changed; None while the run is not complete, for a band
            that holds nothing, and for a run of a single step: it has nothing before it that could have been otherwise.
        """
        if not self.is_complete or self.planned_steps < 2:
            return (None,) * len(BANDS)
        chosen = SETTLING_RULES[rule]
        if chosen.measure == "content":
            near = self.correlations()[1:] >= chosen.bound
        else:
            amplitudes = np.sqrt(self.energies("guess"))[1:]
            final = amplitudes[-1]
            near = (np.abs(amplitudes - final) <= chosen.bound * final) & (final > 0)
        return tuple(_stays_from(near[:, band]) for band in range(len(BANDS)))

    def release_contents(self) -> None:
        """Forget what only further steps would need; correlations and distances stay."""
        self._correlated = (self._last, self.correlations())
        self._distances = self.distances()
        self._contents, self._samples, self._direction = [], [], None

    def _sample(self, state: Frame, scale: float, guess: Frame | None) -> None:
        """Keep values of the newest state and guess: what the distances are measured on when the end is known."""
        if not self._samples:
            most = max(LEAST_SAMPLED, MOST_SAMPLED_BYTES // (8 * (self.planned_steps + 1)))
            chosen = np.random.default_rng(0).permutation(state.size)[:most]
            self._sampled = np.sort(chosen)
        elif 8 * len(self._sampled) * len(self._samples) > MOST_SAMPLED_BYTES and len(self._sampled) > LEAST_SAMPLED:
            self._sampled = self._sampled[::2]  # there are more steps than were planned
            self._samples = [(own[::2].copy(), None if other is None else other[::2].copy())
                             for own, other in self._samples]  # fmt: skip
        kept: Any = slice(None) if len(self._sampled) == state.size else self._sampled  # all: without picking each
        values = state.reshape(-1)[kept] / np.float32(scale)
        self._samples.append((values, None if guess is None else guess.reshape(-1)[kept]))

    def _correlations(self, last: int) -> Floats:
        """Those with the guess of step `last`, of the steps up to there."""
        found = np.full((last + 1, len(BANDS)), np.nan)
        end = self._contents[last] if 0 <= last < len(self._contents) else None
        if end is not None:
            for k, content in enumerate(self._contents[: last + 1]):
                if content is not None:
                    found[k] = [_correlation(*pair) for pair in zip(content, end, strict=True)]
        found.flags.writeable = False
        return found

    def _expect(self, steps: int) -> None:
        """Make room for more rows, as a run needs whose steps are counted as they come."""
        self.planned_steps = steps
        missing = max(0, steps + 1 - len(self._guidance))
        self._guidance = np.concatenate([self._guidance, np.full((missing, 2), np.nan)])
        self._distances = np.concatenate([self._distances, np.full((missing, len(SOURCES)), np.nan)])
        for table in (self._energies, self._powers):
            for source, rows in table.items():
                if len(rows) <= steps:
                    more = np.full((steps + 1 - len(rows), rows.shape[1]), np.nan)
                    table[source] = np.concatenate([rows, more])

    def _write(self, source: Source, k: int, frame: Frame, scale: float, content: bool = False) -> Content | None:
        spectrum, kept = spectrum_and_content(frame, self.space, self.window, content)
        if not self._powers:
            shape = (self.planned_steps + 1, len(spectrum.power))
            self._powers = {each: np.full(shape, np.nan) for each in SOURCES}
            self._spectrum = spectrum
        power = spectrum.power / scale**2
        self._powers[source][k] = power
        self._energies[source][k] = band_energies(dataclasses.replace(spectrum, power=power))
        return kept


def _stays_from(near: NDArray[np.bool_]) -> int | None:
    """First step (1-based) from which all of (N,) steps are near the last one; None where that is not near itself."""
    outside = np.flatnonzero(~near)
    first = int(outside[-1]) + 2 if outside.size else 1
    return first if first <= len(near) else None


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Cosine of the angle between two contents; NaN where one holds nothing."""
    dot, own, others = (
        float(np.einsum("i,i->", left, right, dtype=np.float64))  # no product of matrices: it would wake BLAS' threads
        for left, right in ((one, other), (one, one), (other, other))
    )
    return min(1.0, max(-1.0, dot / math.sqrt(own * others))) if own > 0 and others > 0 else math.nan


def guidance_direction(trajectory: AnyTrajectory, k: int) -> Frame | None:
    """The conditional guess of step k less the unconditional one; None where there are not both, and for k = 0."""
    pair = guidance_guesses(trajectory, k)
    return None if pair is None else pair[1] - pair[0]


def _distances_of(samples: list[tuple[Values, Values | None]]) -> Floats:
    """Those of states and guesses from the newest picture: the guess, or the state where there is none."""
    state, guess = samples[-1]
    end = state if guess is None else guess
    return np.array([(_norm(own - end), _norm(None if other is None else other - end)) for own, other in samples])


def _norm(frame: Frame | None) -> float:
    """Root mean square over all elements; NaN of nothing."""
    return math.nan if frame is None else math.sqrt(float(np.mean(np.square(frame, dtype=np.float64))))


def _cosine(one: Frame | None, other: Frame | None) -> float:
    return math.nan if one is None or other is None else _correlation(one.ravel(), other.ravel())


def measured(events: Generator[Any, None, None], window: Window = "hann") -> Iterator[Any]:
    """Hand on the events of a run with their `measures` filled in.

    Closing this generator closes the run's, too.

    Args:
        events: what `sample` yields; each has a `trajectory` and a `measures`.
    """
    measures: RunMeasures | None = None
    try:
        for event in events:
            if measures is None:
                measures = RunMeasures(event.trajectory.planned_steps, event.trajectory.info.space, window)
            measures.catch_up(trajectory := event.trajectory)
            yield dataclasses.replace(event, measures=measures)
        if measures is not None:
            measures.catch_up(trajectory)  # a run may have ended before its plan did
    finally:
        if measures is not None:  # also of a run that was stopped: nothing comes after it
            measures.release_contents()
        events.close()
