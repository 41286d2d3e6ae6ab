"""Noise levels: how much picture and how much noise a state holds.

| in code | in the papers |
| --- | --- |
| `signal` | a_t, alpha_t, sqrt(alpha_bar_t) |
| `noise` | s_t, sqrt(1 - alpha_bar_t); sigma_t for variance-exploding schedulers, where a = 1 |
| `sigma` | s/a, the level of Karras et al. 2022 |
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """The level of a noisy state `x = signal * x0 + noise * n`, with data and n of unit variance.

    Attributes:
        signal: factor a >= 0 of the clean picture.
        noise: factor s >= 0 of the noise; not both are zero.
    """

    signal: float
    noise: float

    def __post_init__(self) -> None:
        if not (self.signal >= 0 and self.noise >= 0 and self.signal + self.noise > 0):
            raise ValueError(f"a noise level needs factors >= 0, not both 0; got a={self.signal}, s={self.noise}")

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio (a/s)^2, 0 to infinity."""
        return math.inf if self.noise == 0 else (self.signal / self.noise) ** 2

    @property
    def log_snr(self) -> float:
        """2 ln(a/s), the common axis of all schedulers; -inf for pure noise, inf for the picture."""
        if self.signal == 0:
            return -math.inf
        return math.inf if self.noise == 0 else 2 * math.log(self.signal / self.noise)

    @property
    def sigma(self) -> float:
        """Noise level s/a; inf for pure noise."""
        return math.inf if self.signal == 0 else self.noise / self.signal

    @property
    def scale(self) -> float:
        """Standard deviation sqrt(a^2 + s^2) of the state; dividing by it puts all schedulers' states on one scale."""
        return math.hypot(self.signal, self.noise)


CLEAN = NoiseLevel(1.0, 0.0)
"""The level of a finished picture."""
