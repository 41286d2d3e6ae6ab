"""Noises between two noises, along the arc of the sphere that both lie on.

Noise of n values lies close to a sphere of radius √n: a straight line between two noises would dip into it, halfway to
0.71 of the radius, where no noise is ever found. Source: Shoemake 1985, section 3.3 (slerp).
"""

import math

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.step import Frame

_LEAST_SINE = 1e-6
"""Below it two directions are one, or opposite, to the last figure of float32."""


def slerp(start: Frame, end: Frame, share: float) -> Frame:
    """The noise so far on the way from one noise to another; both ends are exact.

    The radius goes evenly from that of the one to that of the other. From a noise to its opposite all great circles are
    equally short; the one through the noise shifted by one value is taken, the same at every share.

    Args:
        start: (C, H, W).
        end: Of the same shape.
        share: 0 at the start, 1 at the end.

    Returns:
        (C, H, W) float32.

    Raises:
        ValueError: The shapes differ, a noise is all zero, or the share is outside 0..1.
    """
    if start.shape != end.shape:
        raise ValueError(f"noises of the shapes {start.shape} and {end.shape} cannot be blended")
    if not 0 <= share <= 1:
        raise ValueError(f"the share of a blend is {share}; allowed is 0 to 1")
    if share in (0, 1):
        return np.array(end if share else start, np.float32)
    (one, from_radius), (other, to_radius) = _direction(start), _direction(end)
    angle = math.acos(min(1.0, max(-1.0, float(one @ other))))
    radius = (1 - share) * from_radius + share * to_radius
    return (radius * _between(one, other, angle, share)).reshape(start.shape).astype(np.float32)


def _between(one: NDArray[np.float64], other: NDArray[np.float64], angle: float, share: float) -> NDArray[np.float64]:
    """The unit vector at `share` of the way from one unit vector to another, `angle` apart."""
    if math.sin(angle) >= _LEAST_SINE:
        return (math.sin((1 - share) * angle) * one + math.sin(share * angle) * other) / math.sin(angle)
    if angle < 1:
        return one
    aside = np.roll(one, 1)
    aside -= (aside @ one) * one
    length = float(np.linalg.norm(aside))
    if length < _LEAST_SINE:
        raise ValueError("two opposite noises of one value have no noise between them")
    return math.cos(share * math.pi) * one + math.sin(share * math.pi) * (aside / length)


def _direction(noise: Frame) -> tuple[NDArray[np.float64], float]:
    """A noise as a unit vector, and its length."""
    vector = noise.astype(np.float64).ravel()
    length = float(np.linalg.norm(vector))
    if length == 0:
        raise ValueError("a noise that is zero everywhere lies in no direction")
    return vector / length, length
