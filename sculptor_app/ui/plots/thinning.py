"""Fewer points for the same picture: a curve with several points per pixel costs tens of milliseconds to stroke."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def thinned(values: Floats, per_bin: int) -> NDArray[np.int64]:
    """Which points of a curve to draw: of every `per_bin` neighbours the lowest and the highest, and the last of all.

    Bins are counted from the first point, so what is drawn of a growing curve does not change as it grows. A bin
    without any number keeps its first point, a gap; a gap inside a bin is drawn over.

    Args:
        values: (n,), NaN for a gap.
        per_bin: neighbours that share a bin; below 3 every point is kept.

    Returns:
        Rising indices into `values`.
    """
    count = len(values)
    if per_bin < 3 or count <= per_bin:
        return np.arange(count)
    bins = -(-count // per_bin)
    padded = np.full(bins * per_bin, np.nan)
    padded[:count] = values
    rows = padded.reshape(bins, per_bin)
    lowest = np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    highest = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    starts = np.arange(bins) * per_bin
    return np.unique(np.concatenate([starts + lowest, starts + highest, [count - 1]]))
