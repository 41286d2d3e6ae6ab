"""The four frequency bands, and numbers that sum a spectrum up."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.measures.spectrum import Spectrum


@dataclass(frozen=True, slots=True)
class Band:
    """A range of radial frequencies, both ends included.

    Attributes:
        key: identifier.
        name: English name, shown through tr().
        low: lowest frequency, whole cycles per image.
        high: highest frequency; inf for "and up".
    """

    key: str
    name: str
    low: int
    high: float

    @property
    def range_text(self) -> str:
        """The range as people read it: "3–7", "16+"."""
        return f"{self.low}+" if math.isinf(self.high) else f"{self.low}–{int(self.high)}"


BANDS = (
    Band("layout", "layout", 1, 2),
    Band("structure", "structure", 3, 7),
    Band("detail", "detail", 8, 15),
    Band("polish", "polish", 16, math.inf),
)


def band_energies(spectrum: Spectrum) -> NDArray[np.float64]:
    """Mean power in each of the four bands, every annulus counting alike.

    Returns:
        (4,) in the order of BANDS; NaN for a band in which the picture is too small to hold a frequency.
    """
    energies = np.full(len(BANDS), np.nan)
    for index, band in enumerate(BANDS):
        inside = spectrum.power[_within(spectrum, band.low, band.high)]
        if inside.size:
            energies[index] = inside.mean()
    return energies


def slope(spectrum: Spectrum, low: float = 1, high: float = math.inf) -> float:
    """Slope of log power over log frequency: 0 for white noise, −2 for power f⁻².

    Fitted by least squares, each annulus weighted by its frequency: an annulus holds about 2πf values, so the scatter
    of its logarithm falls as 1/f, and so does its bias.

    Args:
        spectrum: what to fit.
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
