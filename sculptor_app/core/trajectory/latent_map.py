"""A linear map from latents to colours: each pixel from the 3×3 latents around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame

LEAST_R2 = 0.5
"""Below this a linear map shows less than half of what the decoder makes, and the words about it say so."""


@dataclass(frozen=True, slots=True)
class MapFittingProgress:
    """Progress of fitting a latent map."""

    done: int  # pictures that were encoded and decoded
    planned: int  # how many there may be


@dataclass(frozen=True, slots=True, eq=False)
class LatentMap:
    """A 3×3 convolution from latents to colours, and how much of a decoder's pictures it explains.

    Attributes:
        weights: (3, C, 3, 3) float32: of colour o, from latent channel c, at row and column offset −1..1.
        r2: share of the variance of red, green and blue that it explains in pictures that it was not fitted to, 1 at
            best, 0 or less where it shows nothing.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]  # (3,) float32: the colour of latents that are zero
    r2: tuple[float, float, float]
    r2_overall: float  # the same of all three together
    fitted_pictures: int = 0  # how many it was fitted to
    held_out_pictures: int = 0  # how many R² was measured on

    def __post_init__(self) -> None:
        if self.weights.ndim != 4 or self.weights.shape[::2] != (3, 3) or self.weights.shape[3] != 3:
            raise ValueError(f"a latent map has weights of the shape (3, C, 3, 3); got {self.weights.shape}")
        if self.bias.shape != (3,):
            raise ValueError(f"a latent map has a bias of the shape (3,); got {self.bias.shape}")

    @property
    def channels(self) -> int:
        """C, how many channels the latents have."""
        return int(self.weights.shape[1])

    @property
    def words(self) -> str:
        """Words beside a picture that is seen through it; English, shown through tr()."""
        if self.r2_overall < LEAST_R2:
            shown = f"R² {_down(self.r2_overall):.2f}" if self.r2_overall > 0 else "R² 0"
            return translate(
                "errors", "a linear map shows little of these latents ({0}): decode the step to see it"
            ).format(shown)
        return translate("errors", "seen through a linear map, R² {0:.2f}").format(_down(self.r2_overall))

    def to_rgb(self, latents: Frame, every: int = 1) -> Frame:
        """Latents (C, h, w), a state divided by its level's scale or a guess, as a picture at their own resolution.

        Args:
            every: only each n-th row and column from n // 2 on, for thumbnails.

        Returns:
            (3, h, w) float32 in [-1, 1], h and w divided by `every` and rounded up.

        Raises:
            ValueError: They have another number of channels.
        """
        colours = self.linear(latents, every)
        colours += self.bias[:, None, None]
        return np.clip(colours, -1, 1, out=colours)

    def linear(self, latents: Frame, every: int = 1) -> Frame:
        """The map without its bias: for differences of latents and for noise, whose zero is no colour.

        Args:
            latents: (C, h, w).

        Returns:
            (3, h, w) float32, not clipped, as `to_rgb` otherwise.

        Raises:
            ValueError: They have another number of channels.
        """
        if latents.ndim != 3 or len(latents) != self.channels:
            raise ValueError(f"the map is for latents of {self.channels} channels; got the shape {latents.shape}")
        _, height, width = latents.shape
        padded = _padded(latents)
        # All nine offsets from one product, (27, C) × (C, (h+2)(w+2)); it reads the latents once, and nine shifted sums
        # of three planes are a third of the work of stacking nine shifted copies of all channels.
        taps = np.ascontiguousarray(self.weights.transpose(2, 3, 0, 1)).reshape(27, self.channels)
        planes = (taps @ padded.reshape(self.channels, -1)).reshape(3, 3, 3, height + 2, width + 2)
        first = every // 2
        colours = np.zeros((3, *(-(-(side - first) // every) for side in (height, width))), np.float32)
        for row in range(3):
            for column in range(3):
                shifted = planes[row, column, :, row : row + height, column : column + width]
                colours += shifted[:, first::every, first::every]
        return colours


def _padded(latents: Frame) -> Frame:
    """(C, h + 2, w + 2) with the border repeated; numpy's own pad takes longer than the whole map."""
    channels, height, width = latents.shape
    padded = np.empty((channels, height + 2, width + 2), np.float32)
    padded[:, 1:-1, 1:-1] = latents
    padded[:, 0, 1:-1], padded[:, -1, 1:-1] = latents[:, 0], latents[:, -1]
    padded[:, :, 0], padded[:, :, -1] = padded[:, :, 1], padded[:, :, -2]
    return padded


def _down(r2: float) -> float:
    """Rounded down to two places: 0.899 is not shown as 0.90."""
    return math.floor(r2 * 100 + 1e-9) / 100
