"""How far a noise is from white: its radial spectrum beside what white noise has."""

import numpy as np

from sculptor_app.core.pictures.noise_painting import power_bound, rings
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.measures.spectrum import frame_spectrum

Z_99 = 2.3263
"""Quantile of the normal distribution: 98 of 100 lie within it on both sides."""

FAR_CYCLES = 4
"""Waves slower than this are what is left of a noise for who looks from afar; more of a picture is decided by them
than by all the rest."""


def noise_power(noise: Frame) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Mean power over the channels at 1, 2, … cycles per image, and between what white noise has it 98 times in 100.

    Args:
        noise: (C, H, W); white noise of variance 1 has power 1.
    """
    spectrum = frame_spectrum(noise, "latents", "none")  # each channel by itself: noise's channels are independent
    _, counts = rings(noise.shape[1], noise.shape[2])
    freedom = counts[1 : len(spectrum.power) + 1] * noise.shape[0]
    low, high = power_bound(freedom, -Z_99), power_bound(freedom, Z_99)
    return tuple(spectrum.power.tolist()), tuple(zip(low.tolist(), high.tolist(), strict=True))


def from_afar(noise: Frame) -> Frame:
    """The slow waves of a noise alone, three standard deviations of white noise's becoming black and white.

    Args:
        noise: (C, H, W).

    Returns:
        (C, H, W) float32.
    """
    ring, _ = rings(noise.shape[1], noise.shape[2])
    slow = ring <= FAR_CYCLES
    values = np.fft.ifft2(np.fft.fft2(noise) * slow).real
    return np.asarray(values / (3 * np.sqrt(slow.mean())), np.float32)
