"""Arithmetic of the tests of published findings: intervals, crossings, and on which side of a border a figure lies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` trials (Wilson 1927, "Probable inference", JASA 22, p. 209)."""
    z, share = 1.96, successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def percent(share: float) -> str:
    """A share for people: "97.0 %"."""
    return f"{100 * share:.1f} %"


def is_above(low: float, high: float, border: float) -> bool | None:
    """Whether an interval lies above a border; None where it lies on both sides, or is not known."""
    return True if low > border else False if high < border else None


def crossing(places: NDArray[np.float64], way: NDArray[np.float64], share: float) -> float:
    """Where a curve first comes to a share, on a line between the two points beside it; NaN where it never does.

    Args:
        places: rising, (N,).
        way: the curve's values there, (N,).
    """
    if not (way >= share).any():
        return math.nan
    after = int(np.argmax(way >= share))
    if after == 0 or way[after] == way[after - 1]:
        return float(places[after])
    part = (share - way[after - 1]) / (way[after] - way[after - 1])
    return float(places[after - 1] + part * (places[after] - places[after - 1]))
