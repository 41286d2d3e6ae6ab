"""Whether samples are copies: how far the nearest training picture is."""

from __future__ import annotations

from collections.abc import Iterable

import torch

AT_ONCE = 1024


def nearest(pictures: torch.Tensor, known: Iterable[torch.Tensor]) -> torch.Tensor:
    """Distance of every picture to the nearest of the known ones and of their mirror images.

    Args:
        pictures: (N, 3, H, W) uint8.
        known: Parts (M, 3, H, W) uint8 of the known pictures; one after the other, so that they need not be in memory
            together.

    Returns:
        (N,) float64, the root of the mean squared difference over pixels and channels, where black to white is 1;
        infinite if nothing is known.
    """
    least = torch.full((len(pictures),), torch.inf, dtype=torch.float64)
    for part in known:
        for lines in (_lines(part), _lines(part.flip(3))):
            found = torch.cat([_to_nearest(_lines(some), lines) for some in torch.split(pictures, AT_ONCE)])
            least = torch.minimum(least, found)
    return least


def _lines(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.reshape(len(pictures), -1).float() / 255


def _to_nearest(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distances (N,) of lines (N, D) to the nearest of (M, D)."""
    squared = b.square().sum(dim=1) - 2 * a @ b.T  # |a|² is the same for all of a row
    nearest_ones = b[squared.argmin(dim=1)]
    # Once more without the rounding of the large products: a copy is at 0 exactly.
    return (a - nearest_ones).double().square().mean(dim=1).sqrt()
