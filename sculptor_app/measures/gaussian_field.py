"""Pictures of which every answer is known: a periodic Gaussian random field whose power falls off as f^-2.

Its Fourier modes are independent, and no window is needed. A mode of power P seen at level (a, s) has the posterior
mean a P / (a^2 P + s^2) times itself (a Wiener filter): the perfect guess. Along the probability flow (Song et al.
2021, eq. 13) its amplitude goes as sqrt(a^2 P + s^2). So what is measured on a run of this model is known beforehand.

Bands are worked out here from the definition alone, slowly, in float64: `measures.spectrum` is checked against them.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.measures.spectrum import BANDS, LUMINANCE_WEIGHTS

Floats = NDArray[np.float64]
Modes = NDArray[np.complex128]

STANDARD_DEVIATION = 0.46
"""Of the field's pixels. With it, and 64x64 of them, the four frequency bands reach half of their final amplitude at
the steps 5, 13, 26 and 36 of 50; of a field with more contrast they would be decided earlier."""


@functools.cache
def radial_frequency(size: int) -> Floats:
    """Cycles per image of each Fourier mode, (size, size)."""
    frequency = np.fft.fftfreq(size, 1 / size)
    radial: Floats = np.hypot(frequency[:, None], frequency[None, :])
    return radial


@functools.cache
def field_power(size: int, standard_deviation: float = STANDARD_DEVIATION) -> Floats:
    """Power of each Fourier mode, (size, size), relative to white noise of unit variance; 0 for the mean."""
    square = radial_frequency(size) ** 2
    power = np.divide(1.0, square, out=np.zeros_like(square), where=square > 0)
    scale: float = standard_deviation**2 * size**2 / power.sum()
    return scale * power


def posterior_gain(size: int, level: NoiseLevel) -> Floats:
    """What each mode of a noisy state is multiplied by to give that of the best guess, (size, size)."""
    power, a, s = field_power(size), level.signal, level.noise
    return a * power / (a * a * power + s * s) if s else np.full_like(power, 1 / a)


def posterior_mean(x: NDArray[np.floating], level: NoiseLevel) -> Floats:
    """The best guess of the clean picture behind a noisy state, (..., H, W), H = W."""
    gain = posterior_gain(x.shape[-1], level)
    mean: Floats = np.fft.ifft2(gain * np.fft.fft2(x.astype(np.float64))).real
    return mean


def flow_factor(size: int, start: NoiseLevel, level: NoiseLevel) -> Floats:
    """How the probability flow changes each mode from one level to another, (size, size); modes keep their phase."""
    power = field_power(size)
    before, after = (each.signal**2 * power + each.noise**2 for each in (start, level))
    factor: Floats = np.sqrt(after / before)
    return factor


def mode_powers(modes: Modes) -> Floats:
    """Power of each mode of a frame's luminance, (H, W); white noise of variance 1 in every channel reads 1.

    Args:
        modes: (3, H, W), the Fourier transforms of red, green and blue.
    """
    weights = np.array(LUMINANCE_WEIGHTS)
    mixed = np.abs(np.einsum("c,chw->hw", weights, modes)) ** 2
    power: Floats = mixed / (modes[0].size * (weights**2).sum())
    return power


def ring_powers(powers: Floats) -> Floats:
    """Mean power at 1, 2, … cycles per image, up to the corner; (F,) of (H, W)."""
    rings = np.rint(radial_frequency(len(powers)))
    return np.array([powers[rings == ring].mean() for ring in range(1, int(rings.max()) + 1)])


def band_powers(powers: Floats) -> Floats:
    """Mean power in each of the four bands, (4,), every ring counting by how much of it the Fourier plane holds.

    NaN for a band without a ring.

    Args:
        powers: (H, W) of each mode.
    """
    size = len(powers)
    rings = np.rint(radial_frequency(size))
    found = []
    for band in BANDS:
        total = weight = 0.0
        for ring in range(band.low, int(min(band.high, rings.max())) + 1):
            inside = powers[rings == ring]
            share = 1.0 if ring <= size // 2 else min(1.0, inside.size / (2 * math.pi * ring))
            total, weight = total + share * float(inside.mean()), weight + share
        found.append(total / weight if weight else math.nan)
    return np.array(found)


def falling_off(rings: Floats, high: int) -> float:
    """Slope of log power over log frequency, from 1 to `high` cycles per image: 0 of white noise, -2 of the field."""
    frequency = np.arange(1, high + 1, dtype=np.float64)
    slope = np.polyfit(np.log(frequency), np.log(rings[:high]), 1, w=np.sqrt(frequency))[0]
    return float(slope)


def half_amplitude_steps(energies: Floats) -> tuple[int, ...]:
    """For each band the first step at which its amplitude in the guess is half of that at the end.

    Args:
        energies: mean power per band of the guesses of steps 1..N, (N, 4).
    """
    return tuple(int(np.argmax(band >= band[-1] / 4)) + 1 for band in energies.T)
