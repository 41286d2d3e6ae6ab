"""Radially averaged power spectra of pictures and noise, their frequency bands and slope, before any 8-bit clipping.

Power is scaled so that white noise of variance 1 in every channel reads 1 (log10 power 0) at every frequency, whatever
the picture's size, whichever window is used, and in a luminance, too, where the channels' noises partly cancel:
|FFT(w·x)|² / Σw² / Σc², with c the weights of the channels. Frequencies are radial, in cycles per image along its
longer side, up to the corner of the Fourier plane, so that the annuli hold all of the variance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.pictures.start import power_bound, rings
from sculptor_app.core.trajectory.step import Frame

Window = Literal["hann", "none"]
Floats = NDArray[np.float64]
Transform = NDArray[np.complex128]
Content = tuple[NDArray[np.float32], ...]
"""Of each of the four bands, numbers whose scalar product with those of another frame is that of the coefficients."""

LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights of red, green and blue."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """A radially averaged power spectral density.

    Attributes:
        frequencies: (F,) whole cycles per image along its longer side, 1 to the corner's, which is √2 times the Nyquist
            frequency of a square; 0, the mean, is left out.
        shares: (F,) of all coefficients of the Fourier transform, those in each annulus. Power times share, summed,
            is the variance of a plane (Parseval) in units of white noise's, where no window is used.
        coverage: (F,) how much of each annulus lies in the Fourier plane: 1 up to the Nyquist frequency, less and less
            towards the corner.
    """

    frequencies: NDArray[np.int64]
    power: Floats  # (F,) mean power in each annulus; white noise of variance 1 reads 1
    shares: Floats
    coverage: Floats


def luminance(chw: NDArray[np.floating], dtype: type[np.floating] = np.float64) -> NDArray[np.floating]:
    """One plane of a frame: Rec. 709 luminance of three channels as they are, the channel mean of any other number.

    Args:
        chw: (C, H, W), any scale; no gamma is undone.
        dtype: to compute in.

    Returns:
        (H, W) of that type.
    """
    weights = _weights(chw.shape[0]).astype(dtype)
    # Not as a product of matrices: BLAS would wake its threads for it, and wait for them on a busy machine.
    plane: NDArray[np.floating] = np.multiply(chw[0], weights[0], dtype=dtype)
    for channel, weight in zip(chw[1:], weights[1:], strict=True):
        plane += np.multiply(channel, weight, dtype=dtype)
    return plane


def _weights(channels: int) -> Floats:
    return np.array(LUMINANCE_WEIGHTS) if channels == 3 else np.full(channels, 1 / channels)


def radial_psd(plane: NDArray[np.floating], window: Window = "hann") -> Spectrum:
    """Mean power per annulus of one plane, its mean removed.

    Args:
        plane: (H, W).
        window: "hann" for pictures, whose borders do not meet; "none" for periodic test fields.

    Returns:
        The spectrum; without any frequency if a side is shorter than 2.

    Raises:
        ValueError: for another window, or an array that is no plane.
    """
    return _power_spectrum(_transform(plane, window), plane, window)


def _power_spectrum(transform: Transform, plane: NDArray[np.floating], window: Window) -> Spectrum:
    return _averaged(transform.real**2 + transform.imag**2, plane, window)


def radial_cross(plane: NDArray[np.floating], other: NDArray[np.floating], window: Window = "hann") -> Spectrum:
    """Mean cross power per annulus of two planes: what their sum holds beside the power of both, halved.

    Returns:
        The real part of the cross-spectrum, below zero where they work against one another.
    """
    transform, second = _transform(plane, window), _transform(other, window)
    return _averaged(transform.real * second.real + transform.imag * second.imag, plane, window)


def _transform(plane: NDArray[np.floating], window: Window) -> Transform:
    """The half (H, W//2 + 1) of the Fourier transform that determines a real plane."""
    if plane.ndim != 2:
        raise ValueError(f"a plane has two axes; got the shape {plane.shape}")
    weights, _ = _window(*plane.shape, window)
    return np.fft.rfft2((plane - plane.mean()) * weights)


def _averaged(power: Floats, plane: NDArray[np.floating], window: Window) -> Spectrum:
    annulus, multiplicity, counts = _annuli(*plane.shape)
    sums = np.bincount(annulus.ravel(), (power * multiplicity).ravel(), minlength=len(counts))
    means = sums[1:] / counts[1:] / _window(*plane.shape, window)[1]
    frequencies, side, shares = np.arange(1, len(counts)), max(plane.shape), counts[1:] / plane.size
    coverage = np.where(frequencies <= side // 2, 1.0, np.minimum(1, shares * side**2 / (2 * np.pi * frequencies)))
    return Spectrum(frequencies, means, shares, coverage)


def frame_spectrum(frame: NDArray[np.floating], space: str = "pixels", window: Window = "hann") -> Spectrum:
    """Spectrum of a whole frame: of the luminance of pixels, or the mean over the channels' own spectra for latents.

    Latent channels are no colours: a weighted sum would let one cancel another.

    Args:
        space: "pixels", "pixels (decoded)" or "latents".
    """
    return _over_channels([radial_psd(plane, window) for plane in _planes(frame, space)], frame.shape[0], space)


def spectrum_and_content(
    frame: NDArray[np.floating], space: str, window: Window, wants_content: bool
) -> tuple[Spectrum, Content | None]:
    """What `frame_spectrum` and, if it is wanted, `band_contents` measure, from one Fourier transform."""
    planes = _planes(frame, space)
    transforms = [_transform(plane, window) for plane in planes]
    spectra = [_power_spectrum(*pair, window) for pair in zip(transforms, planes, strict=True)]
    content = band_contents(transforms, planes[0].shape[1]) if wants_content else None
    return _over_channels(spectra, frame.shape[0], space), content


def frame_cross(
    frame: NDArray[np.floating], other: NDArray[np.floating], space: str = "pixels", window: Window = "hann"
) -> Spectrum:
    """Cross power of two frames (C, H, W), of the planes that `frame_spectrum` looks at, in the same unit."""
    pairs = zip(_planes(frame, space), _planes(other, space), strict=True)
    return _over_channels([radial_cross(plane, second, window) for plane, second in pairs], frame.shape[0], space)


def _planes(frame: NDArray[np.floating], space: str) -> Sequence[NDArray[np.floating]]:
    return list(frame) if space == "latents" else [luminance(frame)]


def _over_channels(spectra: Sequence[Spectrum], channels: int, space: str) -> Spectrum:
    noise_power = 1.0 if space == "latents" else float((_weights(channels) ** 2).sum())
    power = np.mean([spectrum.power for spectrum in spectra], axis=0)
    return replace(spectra[0], power=power / noise_power)


@lru_cache(maxsize=8)
def _annuli(height: int, width: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For every bin of rfft2 its annulus and how often it counts, and per annulus the number of frequencies."""
    side = max(height, width)
    rows = np.fft.fftfreq(height)[:, None] * side
    columns = np.fft.rfftfreq(width)[None, :] * side
    annulus = np.rint(np.hypot(rows, columns)).astype(np.int64)
    multiplicity = np.full(width // 2 + 1, 2.0)  # rfft2 leaves out the mirrored half
    multiplicity[0] = 1
    if width % 2 == 0:
        multiplicity[-1] = 1
    counted = np.broadcast_to(multiplicity, annulus.shape)
    counts: Floats = np.bincount(annulus.ravel(), counted.ravel()).astype(np.float64)
    return annulus, multiplicity, counts


@lru_cache(maxsize=8)
def _window(height: int, width: int, window: str) -> tuple[Floats, float]:
    """The window (H, W) and the sum of its squares. Hann in its periodic form, shifted so that no sample is 0."""
    if window not in ("hann", "none"):
        raise ValueError(f"the window is {window!r}; choose 'hann' or 'none'")
    if window == "none":
        return np.ones((height, width)), float(height * width)
    down, across = (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2 for length in (height, width))
    weights = np.outer(down, across)
    return weights, float((weights**2).sum())


Z_99 = 2.3263
"""Quantile of the normal distribution: 98 of 100 lie within it on both sides."""

FAR_CYCLES = 4
"""Waves slower than this are what is left of a noise for who looks from afar; more of a picture is decided by them
than by all the rest."""


def noise_power(noise: Frame) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Mean power over the channels at 1, 2, … cycles per image, and between what white noise has it 98 times in 100."""
    spectrum = frame_spectrum(noise, "latents", "none")  # each channel by itself: noise's channels are independent
    _, counts = rings(noise.shape[1], noise.shape[2])
    freedom = counts[1 : len(spectrum.power) + 1] * noise.shape[0]
    low, high = power_bound(freedom, -Z_99), power_bound(freedom, Z_99)
    return tuple(spectrum.power.tolist()), tuple(zip(low.tolist(), high.tolist(), strict=True))


def from_afar(noise: Frame) -> Frame:
    """The slow waves of a noise alone, three standard deviations of white noise's becoming black and white.

    Args:
        noise: (C, H, W).
    """
    ring, _ = rings(noise.shape[1], noise.shape[2])
    slow = ring <= FAR_CYCLES
    values = np.fft.ifft2(np.fft.fft2(noise) * slow).real
    return np.asarray(values / (3 * np.sqrt(slow.mean())), np.float32)


@dataclass(frozen=True, slots=True)
class Band:
    """A range of radial frequencies, both ends included."""

    key: str  # identifier
    name: str  # English name, shown through tr()
    low: int  # lowest frequency, whole cycles per image
    high: float  # highest frequency; inf for "and up"

    @property
    def range_text(self) -> str:
        """The range as people read it: "3–7", "16+"."""
        return f"{self.low}+" if math.isinf(self.high) else f"{self.low}–{int(self.high)}"


BANDS = (
    Band("layout", "coarse", 1, 2),
    Band("structure", "medium", 3, 7),
    Band("detail", "fine", 8, 15),
    Band("polish", "finest", 16, math.inf),
)


def band_energies(spectrum: Spectrum) -> NDArray[np.float64]:
    """Mean power in each of the four bands, every annulus counting alike, or by as much of it as there is.

    Returns:
        (4,) in the order of BANDS; NaN for a band in which the picture is too small to hold a frequency.
    """
    energies = np.full(len(BANDS), np.nan)
    for index, band in enumerate(BANDS):
        inside = _within(spectrum, band.low, band.high)
        if inside.any():
            energies[index] = np.average(spectrum.power[inside], weights=spectrum.coverage[inside])
    return energies


MOST_CONTENT = 4096
"""Most numbers that are kept of one band of a frame: all coefficients of a picture of 64x64, a sketch of larger ones.

A correlation r that is estimated from a sketch is off by about (1 - r^2) / sqrt(MOST_CONTENT), 0.0015 at r = 0.95,
however large the picture is and however its power falls with frequency.
"""


def band_contents(transforms: Sequence[Transform], width: int) -> Content:
    """The Fourier coefficients in each band, as few enough numbers that those of every step can be kept.

    A band with more than MOST_CONTENT numbers is sketched: its coefficients are summed with random signs into as many
    random places, the same for every frame of a size. Scalar products of such sums are those of the coefficients,
    unbiased (Charikar, Chen and Farach-Colton 2002, "Finding frequent items in data streams").

    Args:
        transforms: (H, W//2 + 1) each, the halves that determine real planes.
        width: W.

    Returns:
        For each band in the order of BANDS at most MOST_CONTENT numbers; none where it holds no frequency.
    """
    plans = _content_plans(transforms[0].shape[0], width, len(transforms))
    flat = [transform.ravel() for transform in transforms]
    return tuple(plan.of(flat) for plan in plans)


@dataclass(frozen=True, slots=True, eq=False)
class _ContentPlan:
    """Which coefficients of a flattened half plane belong to a band, and how they are kept."""

    inside: NDArray[np.intp]  # (n,)
    weights: NDArray[np.float32]  # (planes, n): sqrt(2) where the half plane leaves out the mirrored one, with signs
    places: NDArray[np.intp] | None  # (planes, n) of a sketch; None where all of them are kept

    def of(self, flat: Sequence[Transform]) -> NDArray[np.float32]:
        parts = [each[self.inside] * weights for each, weights in zip(flat, self.weights, strict=True)]
        if self.places is None:
            return np.concatenate(parts).astype(np.complex64).view(np.float32)
        sums = np.zeros((2, MOST_CONTENT // 2))
        for places, part in zip(self.places, parts, strict=True):
            sums[0] += np.bincount(places, part.real, MOST_CONTENT // 2)
            sums[1] += np.bincount(places, part.imag, MOST_CONTENT // 2)
        return sums.ravel().astype(np.float32)


@lru_cache(maxsize=2)
def _content_plans(height: int, width: int, planes: int) -> tuple[_ContentPlan, ...]:
    annulus, multiplicity, _ = _annuli(height, width)
    every = np.broadcast_to(np.sqrt(multiplicity), annulus.shape).ravel()
    generator = np.random.default_rng(0)
    plans = []
    for band in BANDS:
        inside = np.flatnonzero((annulus >= band.low) & (annulus <= band.high))
        weights = np.tile(every[inside], (planes, 1))
        places = None
        if 2 * weights.size > MOST_CONTENT:
            places = generator.integers(0, MOST_CONTENT // 2, weights.shape, np.intp)
            weights *= generator.choice((-1.0, 1.0), weights.shape)
        plans.append(_ContentPlan(inside, weights.astype(np.float32), places))
    return tuple(plans)


def band_variances(spectrum: Spectrum) -> NDArray[np.float64]:
    """Variance that each of the four bands holds, in units of white noise's; together that of the picture.

    Returns:
        (4,) in the order of BANDS; 0 for a band without a frequency.
    """
    variances = spectrum.power * spectrum.shares
    return np.array([variances[_within(spectrum, band.low, band.high)].sum() for band in BANDS])


def slope(spectrum: Spectrum, low: float = 1, high: float = math.inf) -> float:
    """Slope of log power over log frequency: 0 for white noise, −2 for power f⁻².

    Fitted by least squares, each annulus weighted by its frequency: an annulus holds about 2πf values, so the scatter
    of its logarithm falls as 1/f, and so does its bias.

    Args:
        low: lowest frequency of the fit.
        high: highest frequency of the fit.

    Returns:
        The slope; NaN where fewer than two annuli hold power.
    """
    chosen = _within(spectrum, low, high) & (spectrum.power > 0)
    if np.count_nonzero(chosen) < 2:
        return math.nan
    x, y = np.log(spectrum.frequencies[chosen]), np.log(spectrum.power[chosen])
    weights = spectrum.frequencies[chosen] / spectrum.frequencies[chosen].sum()
    x = x - weights @ x
    return float((weights * x) @ y / ((weights * x) @ x))


def _within(spectrum: Spectrum, low: float, high: float) -> NDArray[np.bool_]:
    return (spectrum.frequencies >= low) & (spectrum.frequencies <= high)
