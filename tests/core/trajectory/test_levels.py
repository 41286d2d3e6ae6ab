"""Noise levels: the numbers that everything else is scaled by."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel

factors = st.floats(1e-6, 1e6)


def test_equal_parts() -> None:
    level = NoiseLevel(3.0, 3.0)
    assert (level.snr, level.log_snr, level.sigma) == (1.0, 0.0, 1.0)
    assert level.scale == pytest.approx(3 * math.sqrt(2))


def test_ends() -> None:
    assert (CLEAN.snr, CLEAN.log_snr, CLEAN.sigma, CLEAN.scale) == (math.inf, math.inf, 0.0, 1.0)
    noise = NoiseLevel(0.0, 80.0)
    assert (noise.snr, noise.log_snr, noise.sigma, noise.scale) == (0.0, -math.inf, math.inf, 80.0)


@pytest.mark.parametrize("wrong", [(0, 0), (-1, 1), (1, -1), (math.nan, 1), (1, math.nan)])
def test_impossible_levels_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="noise level"):
        NoiseLevel(*wrong)


@given(factors, factors, factors)
def test_only_the_ratio_counts_for_the_snr(signal: float, noise: float, scale: float) -> None:
    level, scaled = NoiseLevel(signal, noise), NoiseLevel(signal * scale, noise * scale)
    assert scaled.log_snr == pytest.approx(level.log_snr, abs=1e-9)
    assert scaled.snr == pytest.approx(math.exp(level.log_snr), rel=1e-9)
    assert scaled.scale == pytest.approx(scale * level.scale)
