"""How alike several pictures are: band by band, and pixel by pixel.

A run forked many times at one step ends in as many pictures. What was decided by that step they share; what was not,
each has its own of. Compared are the Fourier coefficients of each band, as the settling of bands compares them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.step import Frame
from sculptor_app.measures.spectrum import BANDS, spectrum_and_content


def mean_correlation(rows: Sequence[NDArray[np.floating]]) -> float:
    """Mean over all pairs of sum(a b) / sqrt(sum a^2 sum b^2); NaN of fewer than two, or where one holds nothing.

    Args:
        rows: of equal length.
    """
    count = len(rows)
    if count < 2 or not rows[0].size:
        return float("nan")
    table = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(table, axis=1)
    if not lengths.all():
        return float("nan")
    together = (table / lengths[:, None]).sum(axis=0)
    return float((together @ together - count) / (count * (count - 1)))


def band_likeness(pictures: Sequence[Frame], space: str = "pixels") -> NDArray[np.float64]:
    """Mean correlation over all pairs of pictures, in each band.

    Args:
        pictures: two or more, (C, H, W) each, of one size.
        space: "pixels", "pixels (decoded)" or "latents".

    Returns:
        (4,) in the order of BANDS, -1 to 1: 1 where all are the same; NaN for a band that holds nothing.
    """
    contents = [spectrum_and_content(each, space, "hann", True)[1] for each in pictures]
    bands = [[content[band] for content in contents if content is not None] for band in range(len(BANDS))]
    return np.array([mean_correlation(each) for each in bands])


def pixel_likeness(pictures: Sequence[Frame]) -> float:
    """Mean correlation over all pairs of pictures of their pixels less each picture's own mean, colours included."""
    return mean_correlation([(each - each.mean()).ravel() for each in pictures])


def shared_share(labels: Sequence[object]) -> float:
    """Share of the pairs whose labels are the same, 0 to 1; NaN of fewer than two."""
    count = len(labels)
    if count < 2:
        return float("nan")
    same = sum(n * (n - 1) for n in (list(labels).count(each) for each in dict.fromkeys(labels)))
    return same / (count * (count - 1))
