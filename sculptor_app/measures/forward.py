"""The noise floor: spectra of a forward process, and the frequencies and bands that lie below its noise.

The Fourier transform is linear, so the spectrum of `a * picture + s * noise` follows for every level from three radial
averages: the picture's power, the noise's, and the cross power of both.

Crossover: at a level (a, s) a frequency lies below the noise where that, of expected power s^2, is stronger than what
is left of the picture, a^2 P. The same holds for a run of a model, with its finished picture: there frequencies come
out.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.forward import ForwardTrajectory
from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, NoiseLevel
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS, Band, Spectrum, Window, band_energies, frame_cross, frame_spectrum

Floats = NDArray[np.float64]

_SMOOTHING = 2 ** (1 / 4)
"""A power is averaged from this factor below its frequency to this factor above, half an octave in all: what two
neighbouring annuli differ by chance is no border between picture and noise."""


class ForwardMeasures(RunMeasures):
    """Spectra and band energies of a forward process, of all its levels at once; read like those of a run.

    Nothing settles: its guesses are the picture that it began with.
    """

    _keeps_contents = False

    @classmethod
    def of(cls, trajectory: AnyTrajectory, window: Window = "hann") -> "ForwardMeasures":
        """Measure a forward process: with one noise from three spectra, with fresh noise each state by itself."""
        measures = cls(trajectory.planned_steps, trajectory.info.space, window)
        noise = trajectory.noise if isinstance(trajectory, ForwardTrajectory) else None
        if noise is None:
            measures.catch_up(trajectory)
        else:
            measures._fill(trajectory.state(trajectory.last), noise, trajectory.levels)
        return measures

    def settled(self, rule: str = DEFAULT_SETTLING_RULE) -> tuple[int | None, ...]:
        """None for every band."""
        return (None,) * len(BANDS)

    def _fill(self, picture: Frame, noise: Frame, levels: Sequence[NoiseLevel]) -> None:
        """P_k = (a^2 P + s^2 Pn + 2 a s C) / (a^2 + s^2) for all levels."""
        clean = frame_spectrum(picture, self.space, self.window)
        of_noise = frame_spectrum(noise, self.space, self.window).power
        cross = frame_cross(picture, noise, self.space, self.window).power
        a, s = (np.array([[factor] for factor in factors]) for factors in zip(*map(_factors, levels), strict=True))
        guesses = np.tile(clean.power, (len(levels), 1))
        guesses[0] = np.nan
        states = np.maximum(a**2 * clean.power + s**2 * of_noise + 2 * a * s * cross, 0)
        self._spectrum = clean
        self._powers = {"state": states, "guess": guesses}
        for source, powers in self._powers.items():
            self._energies[source][:] = [band_energies(replace(clean, power=power)) for power in powers]
        of_both = (picture, picture), (noise, noise), (picture, noise)
        pp, nn, pn = (float(np.mean(one * other, dtype=np.float64)) for one, other in of_both)
        less, noisy = (a - 1)[:, 0], s[:, 0]
        self._distances[:, 0] = np.sqrt(np.maximum(less**2 * pp + noisy**2 * nn + 2 * less * noisy * pn, 0))
        self._distances[1:, 1] = 0
        self._last = len(levels) - 1


def _factors(level: NoiseLevel) -> tuple[float, float]:
    return level.signal / level.scale, level.noise / level.scale


def noise_floor(level: NoiseLevel) -> float:
    """Expected power of the noise in a state that is divided by its level's scale: s^2 / (a^2 + s^2)."""
    return (level.noise / level.scale) ** 2


def noise_floors(measures: RunMeasures, levels: Sequence[NoiseLevel]) -> Floats:
    """The noise floor of every state that is measured, on the scale of its band energies.

    Returns:
        (last + 1,); 0 where a state holds no noise.
    """
    return np.array([noise_floor(level) for level in levels[: measures.last + 1]])


def floor_spectrum(beside: Spectrum, level: NoiseLevel) -> Spectrum:
    """The noise floor as a spectrum: the same power at each of the frequencies of the spectrum beside it."""
    return replace(beside, power=np.full(len(beside.frequencies), noise_floor(level)))


def noise_floor_cutoff(clean: Spectrum, level: NoiseLevel) -> float | None:
    """The frequency above which the noise of a level is everywhere stronger than what it leaves of a picture.

    Ripples do not count: the picture's power is averaged over half an octave, and of what is left the envelope
    is taken that falls with frequency (no power above a frequency is larger than it). Between two frequencies the
    border is interpolated on logarithmic axes.

    Args:
        clean: spectrum of the finished picture.

    Returns:
        Cycles per image; the lowest frequency where everything lies below the noise, None where nothing does.
    """
    envelope = level.signal**2 * _envelope(clean)
    floor = level.noise**2
    below_noise = np.flatnonzero(envelope < floor)
    if not below_noise.size:
        return None
    first = int(below_noise[0])
    if first == 0:
        return float(clean.frequencies[0])
    low, high = float(clean.frequencies[first - 1]), float(clean.frequencies[first])
    above, below = float(envelope[first - 1]), float(envelope[first])
    if below <= 0:
        return high
    return low * math.exp(math.log(high / low) * math.log(above / floor) / math.log(above / below))


def _envelope(clean: Spectrum) -> Floats:
    """Power averaged over half an octave, and never below what comes at a higher frequency."""
    frequencies = clean.frequencies.astype(np.float64)
    first = np.searchsorted(frequencies, frequencies / _SMOOTHING)
    end = np.searchsorted(frequencies, frequencies * _SMOOTHING, side="right")
    sums = np.concatenate([[0.0], np.cumsum(clean.power)])
    averaged = np.maximum(sums[end] - sums[first], 0) / (end - first)
    return np.maximum.accumulate(averaged[::-1])[::-1]


def bands_below_noise(clean: Spectrum, level: NoiseLevel) -> tuple[Band, ...]:
    """The bands in which a level's noise is stronger than what it leaves of a picture: energy times SNR below 1."""
    energies = band_energies(clean)
    floor = level.noise**2
    return tuple(band for band, energy in zip(BANDS, energies, strict=True) if level.signal**2 * energy < floor)


def emerging_steps(clean: Spectrum, levels: Sequence[NoiseLevel]) -> tuple[int | None, ...]:
    """For each band the first step that brings it out of the noise; a forward process hides it by undoing that step.

    Args:
        levels: of states 0..N, noise first.

    Returns:
        Four step numbers k, 1..N: in state k the band is stronger than the noise, in state k - 1 it is not. None
        for a band that is never below the noise, never comes out, or holds no frequency.
    """
    hidden = [bands_below_noise(clean, level) for level in levels]
    energies = band_energies(clean)
    steps: list[int | None] = []
    for band, energy in zip(BANDS, energies, strict=True):
        out = [k for k, below in enumerate(hidden) if band not in below]
        steps.append(out[0] if energy > 0 and out and out[0] > 0 else None)
    return tuple(steps)
