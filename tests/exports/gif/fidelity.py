"""How near a GIF is to the pictures that it was made of, as any other program would read it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

_LIGHTNESS = np.array([0.299, 0.587, 0.114])


def frames_in_time(path: Path, delay_ms: int) -> list[Bytes]:
    """The picture on screen at each multiple of `delay_ms`; programs may merge pictures that are alike."""
    shown: list[Bytes] = []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            picture = np.asarray(image.convert("RGB"))
            shown += [picture] * max(1, round(image.info["duration"] / delay_ms))
    return shown


def psnr(a: Bytes, b: Bytes) -> float:
    """Peak signal-to-noise ratio in dB; 60 at most, where pictures are alike."""
    error = ((a.astype(np.float64) - b) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 255**2 / 1e6)))


def ssim(a: Bytes, b: Bytes) -> float:
    """Structural similarity of lightness with a uniform 7×7 window (Wang et al. 2004, eq. 13)."""
    x, y = a @ _LIGHTNESS, b @ _LIGHTNESS
    mean_x, mean_y = _box(x), _box(y)
    spread_x, spread_y = _box(x * x) - mean_x**2, _box(y * y) - mean_y**2
    shared = _box(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * shared + c2)
    return float((likeness / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))).mean())


def _box(plane: Floats, edge: int = 7) -> Floats:
    """Mean over each edge×edge window that lies inside."""
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (sums[edge:, edge:] - sums[:-edge, edge:] - sums[edge:, :-edge] + sums[:-edge, :-edge]) / edge**2
