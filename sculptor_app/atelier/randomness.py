"""Randomness of one picture: a pure function of its seed and of what is decided."""

from __future__ import annotations

import numpy as np

SCENE, SHAPE, MATERIAL = 1, 100, 200


class Chance:
    """A stream of decisions.

    Streams of different purpose are independent: composition, camera, light and colours come from a stream that knows
    no label, so no label can be read from them.

    Args:
        seed: The picture's seed, 0 to 2^63 - 1.
        purpose: Which stream; SCENE, SHAPE + form, or MATERIAL + material.
    """

    def __init__(self, seed: int, purpose: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=[seed, purpose]))

    def between(self, low: float, high: float) -> float:
        """A number evenly spread over [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def around(self, middle: float, spread: float) -> float:
        """A number about `middle`, never further off than `spread`, most often close (triangular)."""
        return middle + spread * (float(self._generator.random()) + float(self._generator.random()) - 1)

    def happens(self, probability: float) -> bool:
        """True in this share of cases."""
        return bool(self._generator.random() < probability)

    def choice(self, count: int) -> int:
        """One of 0 to count - 1."""
        return min(int(self._generator.random() * count), count - 1)

    def sign(self) -> float:
        """-1 or 1."""
        return 1.0 if self._generator.random() < 0.5 else -1.0
